
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Deciding a request, whatever its policies and lines are.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_rule.h"
#include "policy/ngx_http_ratelimit_statistics.h"
#include "request/ngx_http_ratelimit_charge.h"
#include "request/ngx_http_ratelimit_decide.h"
#include "request/ngx_http_ratelimit_log.h"
#include "request/ngx_http_ratelimit_plan.h"
#include "request/ngx_http_ratelimit_record.h"


static ngx_int_t ngx_http_ratelimit_collect(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_array_t *entries,
    ngx_http_ratelimit_record_t *record, ngx_uint_t *n);
static void ngx_http_ratelimit_undecided(ngx_http_ratelimit_loc_conf_t *rlcf,
    ngx_http_ratelimit_record_t *record, rl_item_t *item);
static ngx_int_t ngx_http_ratelimit_fail(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_http_ratelimit_record_t *record);
static ngx_int_t ngx_http_ratelimit_admitted(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_uint_t first);


ngx_int_t
ngx_http_ratelimit_decide(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_array_t *entries)
{
    ngx_uint_t                       n, first;
    rl_process_t                    *process;
    rl_verdict_e                     verdict;
    ngx_http_ratelimit_record_t     *record;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    record = ngx_http_ratelimit_make_record(r, rlcf->preaccess.nelts
                                               + rlcf->precontent.nelts);
    if (record == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (record->refused) {
        return NGX_DECLINED;
    }

    /* an earlier phase's or location's items keep up with the record's time */

    if (record->nitems) {
        ngx_http_ratelimit_age_record(record);
    }

    ngx_http_ratelimit_now(&record->time);

    if (ngx_http_ratelimit_collect(r, rlcf, entries, record, &n) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (record->failed) {
        return ngx_http_ratelimit_fail(r, rlcf, record);
    }

    if (n == 0) {
        return NGX_DECLINED;
    }

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_ratelimit_module);

    process = ngx_http_ratelimit_process(rmcf);

    first = record->nitems;
    verdict = RL_BUSY;

    if (process) {
        verdict = rl_decide(process, &record->items[first], n, &record->time);
    }

    if (verdict == RL_BUSY) {
        return ngx_http_ratelimit_busy(r, rlcf, record, n);
    }

    record->conf = rlcf;
    record->nitems += n;

    ngx_http_ratelimit_zone_check(r, rmcf, &record->time);

    if (verdict == RL_REFUSED) {
        return ngx_http_ratelimit_refused(r, record, process, first);
    }

    return ngx_http_ratelimit_admitted(r, record, first);
}


/*
 * Appends an item for each policy that applies and that has not decided this
 * request yet, behind record->nitems; of a policy's lines the first that
 * applies counts.
 */

static ngx_int_t
ngx_http_ratelimit_collect(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_array_t *entries,
    ngx_http_ratelimit_record_t *record, ngx_uint_t *n)
{
    ngx_int_t                    rc;
    rl_item_t                   *item;
    ngx_uint_t                   i, j, nitems;
    ngx_http_ratelimit_entry_t  *entry;

    entry = entries->elts;
    nitems = record->nitems;

    for (i = 0; i < entries->nelts; i++) {

        for (j = 0; j < nitems; j++) {
            if (record->items[j].policy == &entry[i].policy->core) {
                break;
            }
        }

        if (j < nitems) {
            continue;
        }

        if (!entry[i].rule->plain) {
            rc = ngx_http_ratelimit_rule_applies(r, entry[i].rule);

            if (rc == NGX_DECLINED) {
                continue;
            }

            if (rc != NGX_OK) {
                goto failed;
            }
        }

        item = &record->items[nitems];

        rc = ngx_http_ratelimit_item(r, entry[i].policy, item,
                                     &record->items[record->nitems],
                                     nitems - record->nitems, &record->time);
        if (rc == NGX_DECLINED) {
            ngx_http_ratelimit_count(entry[i].policy, RL_COUNT_BYPASSED);
            continue;
        }

        if (rc == NGX_ERROR) {
            goto failed;
        }

        if (!entry[i].rule->plain || rlcf->dry_run) {
            if (ngx_http_ratelimit_rule_cost(r, &entry[i], item) != NGX_OK
                || ngx_http_ratelimit_rule_dry_run(r, rlcf, entry[i].rule,
                                                   item)
                   != NGX_OK)
            {
                goto failed;
            }
        }

        if (rc == NGX_ABORT) {
            ngx_http_ratelimit_undecided(rlcf, record, item);

            if (!record->failed) {
                ngx_http_ratelimit_count(entry[i].policy, RL_COUNT_BYPASSED);
            }

            continue;
        }

        item->want_next = rlcf->want_next;
        item->data = entry[i].rule->settle;

        if (entry[i].policy->condition || entry[i].rule->settle) {
            record->responds = 1;
        }

        nitems++;
    }

    *n = nitems - record->nitems;

    return NGX_OK;

failed:

    ngx_http_ratelimit_not_evaluated(record, entry[i].policy);

    return NGX_ERROR;
}


/* no memory, or nginx could not evaluate a variable; logged by it */

void
ngx_http_ratelimit_not_evaluated(ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_policy_t *policy)
{
    record->error = 1;

    ngx_http_ratelimit_count(policy, RL_COUNT_ERRORS);
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

static ngx_int_t
ngx_http_ratelimit_fail(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_http_ratelimit_record_t *record)
{
    rl_process_t                    *process;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_ratelimit_module);

    process = ngx_http_ratelimit_process(rmcf);

    if (process) {
        ngx_http_ratelimit_return_charges(r, record, process,
                                          record->nitems);
    }

    record->conf = rlcf;
    record->refused = 1;
    record->retry_after_ms = 1000;

    return NGX_HTTP_SERVICE_UNAVAILABLE;
}


/* items in dry run may have refused what is admitted */

static ngx_int_t
ngx_http_ratelimit_admitted(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_uint_t first)
{
    rl_item_t   *slowest;
    ngx_uint_t   i;

    slowest = NULL;

    for (i = first; i < record->nitems; i++) {

        if (!record->items[i].admitted
            && (slowest == NULL
                || record->items[i].retry_after_ms > slowest->retry_after_ms))
        {
            slowest = &record->items[i];
        }
    }

    if (slowest) {
        record->dry_run = 1;

        ngx_http_ratelimit_log_refusal(r, slowest, record->conf->log_level,
                                       &record->time);
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_ratelimit_refused(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process,
    ngx_uint_t first)
{
    rl_item_t                    *item, *slowest;
    ngx_uint_t                    i;
    ngx_http_ratelimit_policy_t  *policy;

    slowest = NULL;

    for (i = first; i < record->nitems; i++) {
        item = &record->items[i];

        if (item->admitted || item->dry_run) {
            continue;
        }

        if (slowest == NULL || item->retry_after_ms > slowest->retry_after_ms)
        {
            slowest = item;
        }
    }

    record->refused = 1;
    record->retry_after_ms = slowest->retry_after_ms;

    ngx_http_ratelimit_return_charges(r, record, process, first);

    ngx_http_ratelimit_log_refusal(r, slowest, record->conf->log_level,
                                   &record->time);

    policy = ngx_http_ratelimit_item_policy(slowest);

    record->status = policy->status ? policy->status : record->conf->status;

    return NGX_OK;
}


/*
 * A lock's owner is stopped, or this process has no place in the process
 * table, and the n items behind record->nitems are not decided.
 */

ngx_int_t
ngx_http_ratelimit_busy(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_http_ratelimit_record_t *record,
    ngx_uint_t n)
{
    rl_item_t   *items;
    ngx_uint_t   i;

    items = &record->items[record->nitems];

    for (i = 0; i < n; i++) {
        ngx_http_ratelimit_undecided(rlcf, record, &items[i]);
    }

    ngx_http_ratelimit_count_items(items, n, RL_COUNT_ERRORS);
    ngx_http_ratelimit_log_busy(r, items->policy,
                                ngx_http_ratelimit_this_process.registry
                                ? RL_LOCKED : RL_NO_PLACE,
                                record->failed
                                ? "the request is refused"
                                : "the request is not counted");

    return record->failed ? ngx_http_ratelimit_fail(r, rlcf, record)
                          : NGX_DECLINED;
}
