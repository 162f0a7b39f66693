
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Deciding a request: what the plan of its location asks, and what comes of
 * the core's verdict.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_statistics.h"
#include "policy/ngx_http_ratelimit_step.h"
#include "request/ngx_http_ratelimit_charge.h"
#include "request/ngx_http_ratelimit_decide.h"
#include "request/ngx_http_ratelimit_log.h"
#include "request/ngx_http_ratelimit_plan.h"
#include "request/ngx_http_ratelimit_record.h"


static ngx_int_t ngx_http_ratelimit_prepare(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_array_t *plan,
    ngx_http_ratelimit_record_t *record, ngx_uint_t *n);
static ngx_int_t ngx_http_ratelimit_prepare_step(ngx_http_request_t *r,
    ngx_http_ratelimit_step_t *step, rl_item_t *items, ngx_uint_t n,
    ngx_uint_t skipped, rl_time_t *now);
static ngx_uint_t ngx_http_ratelimit_has_decided(
    ngx_http_ratelimit_record_t *record, ngx_uint_t n,
    ngx_http_ratelimit_policy_t *policy);
static rl_item_t *ngx_http_ratelimit_same_key(rl_item_t *items, ngx_uint_t n,
    ngx_http_ratelimit_policy_t *policy);
static ngx_int_t ngx_http_ratelimit_not_evaluated(
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_policy_t *policy);
static void ngx_http_ratelimit_undecided(ngx_http_ratelimit_loc_conf_t *rlcf,
    ngx_http_ratelimit_record_t *record, rl_item_t *item);
static ngx_int_t ngx_http_ratelimit_busy(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_http_ratelimit_record_t *record,
    ngx_uint_t n);
static ngx_int_t ngx_http_ratelimit_fail(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_http_ratelimit_record_t *record);
static ngx_int_t ngx_http_ratelimit_admitted(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_uint_t first);
static ngx_int_t ngx_http_ratelimit_refused(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process,
    ngx_uint_t first);
static rl_item_t *ngx_http_ratelimit_slowest(
    ngx_http_ratelimit_record_t *record, ngx_uint_t first, ngx_uint_t dry_run);


ngx_int_t
ngx_http_ratelimit_decide(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_array_t *plan)
{
    ngx_uint_t                       n, first;
    rl_process_t                    *process;
    rl_verdict_e                     verdict;
    ngx_http_ratelimit_record_t     *record;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    /* room for the phase to come as well */

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

    if (ngx_http_ratelimit_prepare(r, rlcf, plan, record, &n) != NGX_OK) {
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

    verdict = process ? rl_decide(process, &record->items[first], n,
                                  &record->time)
                      : RL_BUSY;

    if (verdict == RL_BUSY) {
        return ngx_http_ratelimit_busy(r, rlcf, record, n);
    }

    record->conf = rlcf;
    record->nitems += n;

    ngx_http_ratelimit_zone_check(r, rmcf, &record->time);

    return (verdict == RL_ADMITTED)
           ? ngx_http_ratelimit_admitted(r, record, first)
           : ngx_http_ratelimit_refused(r, record, process, first);
}


/*
 * Puts an item for each policy that applies, and that has not decided this
 * request yet, behind record->nitems; of a policy's lines the first that
 * applies counts.
 */

static ngx_int_t
ngx_http_ratelimit_prepare(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_array_t *plan,
    ngx_http_ratelimit_record_t *record, ngx_uint_t *n)
{
    ngx_int_t                   rc;
    rl_item_t                  *items;
    ngx_uint_t                  i;
    ngx_http_ratelimit_step_t  *step;

    step = plan->elts;
    items = &record->items[record->nitems];
    *n = 0;

    for (i = 0; i < plan->nelts; i++, step++) {

        if ((record->nitems
             || (step->varies & NGX_HTTP_RATELIMIT_VARIES_POLICY))
            && ngx_http_ratelimit_has_decided(record, *n, step->policy))
        {
            continue;
        }

        rc = ngx_http_ratelimit_step_applies(r, step);

        if (rc == NGX_DECLINED) {
            continue;
        }

        if (rc == NGX_OK) {
            rc = ngx_http_ratelimit_prepare_step(r, step, items, *n, i - *n,
                                                 &record->time);
        }

        switch (rc) {

        case NGX_OK:
            if (step->varies & NGX_HTTP_RATELIMIT_VARIES_CHARGE) {
                record->responds = 1;
            }

            (*n)++;
            break;

        case NGX_DECLINED:
            ngx_http_ratelimit_count(step->policy, RL_COUNT_BYPASSED);
            break;

        case NGX_ABORT:
            ngx_http_ratelimit_undecided(rlcf, record, &items[*n]);

            if (!record->failed) {
                ngx_http_ratelimit_count(step->policy, RL_COUNT_BYPASSED);
            }

            break;

        default: /* NGX_ERROR */
            return ngx_http_ratelimit_not_evaluated(record, step->policy);
        }
    }

    return NGX_OK;
}


/* as ngx_http_ratelimit_item() returns; skipped steps have no item */

static ngx_int_t
ngx_http_ratelimit_prepare_step(ngx_http_request_t *r,
    ngx_http_ratelimit_step_t *step, rl_item_t *items, ngx_uint_t n,
    ngx_uint_t skipped, rl_time_t *now)
{
    ngx_int_t   rc;
    rl_item_t  *same;

    same = NULL;

    if (step->same) {
        same = skipped ? ngx_http_ratelimit_same_key(items, n, step->policy)
                       : &items[step->same - 1];
    }

    rc = ngx_http_ratelimit_item(r, step, &items[n], same, now);

    if (rc != NGX_OK && rc != NGX_ABORT) {
        return rc;
    }

    if ((step->varies & NGX_HTTP_RATELIMIT_VARIES_COST)
        && ngx_http_ratelimit_item_cost(r, step, &items[n]) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if ((step->varies & NGX_HTTP_RATELIMIT_VARIES_DRY_RUN)
        && ngx_http_ratelimit_item_dry_run(r, step, &items[n]) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return rc;
}


/* n items behind record->nitems are of this decision */

static ngx_uint_t
ngx_http_ratelimit_has_decided(ngx_http_ratelimit_record_t *record,
    ngx_uint_t n, ngx_http_ratelimit_policy_t *policy)
{
    ngx_uint_t  i;

    for (i = 0; i < record->nitems + n; i++) {
        if (record->items[i].policy == &policy->core) {
            return 1;
        }
    }

    return 0;
}


static rl_item_t *
ngx_http_ratelimit_same_key(rl_item_t *items, ngx_uint_t n,
    ngx_http_ratelimit_policy_t *policy)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (ngx_http_ratelimit_item_policy(&items[i])->partition
            == policy->partition)
        {
            return &items[i];
        }
    }

    return NULL;
}


/* no memory, or nginx could not evaluate a variable; logged by it */

static ngx_int_t
ngx_http_ratelimit_not_evaluated(ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_policy_t *policy)
{
    record->error = 1;

    ngx_http_ratelimit_count(policy, RL_COUNT_ERRORS);

    return NGX_ERROR;
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
    rl_item_t  *slowest;

    slowest = ngx_http_ratelimit_slowest(record, first, 1);

    if (slowest) {
        record->dry_run = 1;

        ngx_http_ratelimit_log_refusal(r, slowest, record->conf->log_level,
                                       &record->time);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_ratelimit_refused(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process,
    ngx_uint_t first)
{
    rl_item_t                    *slowest;
    ngx_http_ratelimit_policy_t  *policy;

    slowest = ngx_http_ratelimit_slowest(record, first, 0);

    record->refused = 1;
    record->retry_after_ms = slowest->retry_after_ms;

    ngx_http_ratelimit_return_charges(r, record, process, first);

    ngx_http_ratelimit_log_refusal(r, slowest, record->conf->log_level,
                                   &record->time);

    policy = ngx_http_ratelimit_item_policy(slowest);

    record->status = policy->status ? policy->status : record->conf->status;

    return NGX_OK;
}


/* of the items that refused, in dry run or not, the one to wait longest for */

static rl_item_t *
ngx_http_ratelimit_slowest(ngx_http_ratelimit_record_t *record,
    ngx_uint_t first, ngx_uint_t dry_run)
{
    rl_item_t   *item, *slowest;
    ngx_uint_t   i;

    slowest = NULL;

    for (i = first; i < record->nitems; i++) {
        item = &record->items[i];

        if (!item->admitted
            && (dry_run || !item->dry_run)
            && (slowest == NULL
                || item->retry_after_ms > slowest->retry_after_ms))
        {
            slowest = item;
        }
    }

    return slowest;
}


/*
 * A lock's owner is stopped, or this process has no place in the process
 * table, and the n items behind record->nitems are not decided.
 */

static ngx_int_t
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
