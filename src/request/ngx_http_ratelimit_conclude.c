
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What comes of a decision that is not plain admission.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_statistics.h"
#include "request/ngx_http_ratelimit_charge.h"
#include "request/ngx_http_ratelimit_conclude.h"
#include "request/ngx_http_ratelimit_log.h"
#include "request/ngx_http_ratelimit_record.h"
#include "request/ngx_http_ratelimit_vary.h"


static void ngx_http_ratelimit_log_bans(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_uint_t first);
static void ngx_http_ratelimit_undecided(ngx_http_ratelimit_loc_conf_t *rlcf,
    ngx_http_ratelimit_record_t *record, rl_item_t *item);


/* each ban is told once, when it begins */

static void
ngx_http_ratelimit_log_bans(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_uint_t first)
{
    ngx_uint_t  i;

    if (!record->bans) {
        return;
    }

    for (i = first; i < record->nitems; i++) {
        if (record->items[i].policy->ban
            && record->items[i].banned == RL_BAN_BEGINS)
        {
            ngx_http_ratelimit_log_ban(r, &record->items[i],
                                       record->conf->log_level);
        }
    }
}


/* "spread": before anything is told, so that all of it is the same */

void
ngx_http_ratelimit_take_turns(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_uint_t first)
{
    ngx_uint_t                       i;
    rl_item_t                       *item;
    rl_process_t                    *process;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_ratelimit_module);

    process = ngx_http_ratelimit_process(rmcf);
    if (process == NULL) {
        return;
    }

    for (i = first; i < record->nitems; i++) {
        item = &record->items[i];

        if (!item->admitted && !item->dry_run) {
            rl_take_turn(process, item, &record->time);
        }
    }
}


ngx_int_t
ngx_http_ratelimit_refused(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_item_t *slowest, ngx_uint_t first)
{
    ngx_http_ratelimit_policy_t  *policy;

    policy = ngx_http_ratelimit_item_policy(slowest);

    record->refused = 1;
    record->retry_after_ms = slowest->retry_after_ms;
    record->status = policy->status ? policy->status : record->conf->status;

    ngx_http_ratelimit_return_charges(r, record, first);

    ngx_http_ratelimit_log_bans(r, record, first);

    ngx_http_ratelimit_label_item(r, slowest, &record->time);

    ngx_http_ratelimit_log_refusal(r, slowest, record->conf->log_level,
                                   &record->time);

    if (policy->core.algorithm == RL_CONCURRENT
        && slowest->remaining_units >= slowest->cost_units)
    {
        ngx_http_ratelimit_log_undecided(r, slowest->policy, RL_CROWDED,
                               "more worker processes hold places of one key "
                               "than its bucket has room for",
                               "the request is refused");
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ratelimit_refused_dry(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_item_t *slowest, ngx_uint_t first)
{
    record->dry_run = 1;

    ngx_http_ratelimit_log_bans(r, record, first);

    ngx_http_ratelimit_label_item(r, slowest, &record->time);

    ngx_http_ratelimit_log_refusal(r, slowest, record->conf->log_level,
                                   &record->time);
    return NGX_DECLINED;
}


/*
 * A lock's owner is stopped, or this process has no place in the process
 * table, or the request cannot wait (any longer): what it asked is not
 * decided.
 */

ngx_int_t
ngx_http_ratelimit_timed_out(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_http_ratelimit_record_t *record,
    rl_verdict_e verdict)
{
    char            *reason;
    rl_item_t       *items;
    ngx_uint_t       i;
    rl_complaint_e   what;

    items = &record->items[record->nitems];

    for (i = 0; i < record->nasked; i++) {
        ngx_http_ratelimit_undecided(rlcf, record, &items[i]);
    }

    ngx_http_ratelimit_count_items(items, record->nasked, RL_COUNT_ERRORS);

    if (verdict == RL_PENDING) {
        what = RL_LOCKED;
        reason = "the decision is not to be had in time, "
                 "or too many requests wait for theirs";

    } else if (ngx_http_ratelimit_this_process.process_table) {
        what = RL_LOCKED;
        reason = NGX_HTTP_RATELIMIT_LOCKED;

    } else {
        what = RL_NO_PLACE;
        reason = "this worker process found no place in the process table";
    }

    ngx_http_ratelimit_log_undecided(r, items->policy, what, reason,
                                     record->failed
                                     ? "the request is refused"
                                     : "the request is not counted");

    return record->failed ? ngx_http_ratelimit_fail(r, rlcf, record)
                          : NGX_DECLINED;
}


ngx_int_t
ngx_http_ratelimit_not_asked(ngx_http_ratelimit_loc_conf_t *rlcf,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_policy_t *policy,
    rl_item_t *item, ngx_int_t rc)
{
    if (rc == NGX_ERROR) {

        /* no memory, or nginx could not evaluate a variable; logged by it */

        record->error = 1;

        ngx_http_ratelimit_count(policy, RL_COUNT_ERRORS);

        return NGX_ERROR;
    }

    if (rc == NGX_ABORT) {
        ngx_http_ratelimit_undecided(rlcf, record, item);

        if (record->failed) {
            return NGX_OK;
        }
    }

    ngx_http_ratelimit_count(policy, RL_COUNT_BYPASSED);

    return NGX_OK;
}


/* "ratelimit_on_error"; a line that refuses nothing does not refuse this */

static void
ngx_http_ratelimit_undecided(ngx_http_ratelimit_loc_conf_t *rlcf,
    ngx_http_ratelimit_record_t *record, rl_item_t *item)
{
    record->error = 1;

    if (rlcf->on_error == NGX_HTTP_RATELIMIT_REFUSE
        && item->cost_units && !item->dry_run)
    {
        record->failed = 1;
    }
}


/* it is no client's fault, so "ratelimit_body" does not speak of it */

ngx_int_t
ngx_http_ratelimit_fail(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_http_ratelimit_record_t *record)
{
    ngx_http_ratelimit_return_charges(r, record, record->nitems);

    record->conf = rlcf;
    record->refused = 1;
    record->retry_after_ms = 1000;

    return NGX_HTTP_SERVICE_UNAVAILABLE;
}
