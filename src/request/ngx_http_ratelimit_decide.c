
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Deciding a request: prepare, attempt, conclude.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "request/ngx_http_ratelimit_ask.h"
#include "request/ngx_http_ratelimit_conclude.h"
#include "request/ngx_http_ratelimit_decide.h"
#include "request/ngx_http_ratelimit_plan.h"
#include "request/ngx_http_ratelimit_queue.h"
#include "request/ngx_http_ratelimit_record.h"
#include "request/ngx_http_ratelimit_wait_decide.h"
#include "request/ngx_http_ratelimit_vary.h"
#include "request/ngx_http_ratelimit_wait.h"


static ngx_int_t ngx_http_ratelimit_prepare(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_array_t *plan,
    ngx_http_ratelimit_record_t **known);
static ngx_int_t ngx_http_ratelimit_prepare_items(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_array_t *plan,
    ngx_http_ratelimit_record_t *record);
static ngx_int_t ngx_http_ratelimit_vary(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_step_t *step,
    rl_item_t *item, ngx_int_t rc);
static rl_verdict_e ngx_http_ratelimit_attempt(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record);
static rl_verdict_e ngx_http_ratelimit_attempt_more(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process);
static ngx_int_t ngx_http_ratelimit_conclude(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_http_ratelimit_record_t *record,
    rl_verdict_e verdict);
static rl_item_t *ngx_http_ratelimit_slowest(
    ngx_http_ratelimit_record_t *record, ngx_uint_t first, ngx_uint_t dry_run);


/*
 * In a request that was put aside while its decision was not to be had, this
 * is called once more in the same phase: what was prepared then is attempted
 * again.
 */

ngx_int_t
ngx_http_ratelimit_decide(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_array_t *plan)
{
    ngx_int_t                     rc;
    ngx_uint_t                    given_up;
    rl_verdict_e                  verdict;
    ngx_http_ratelimit_record_t  *record;

    if (r->internal
        && (!ngx_http_ratelimit_is_open(r) || plan->nelts == 0))
    {
        return NGX_DECLINED;
    }

    record = ngx_http_ratelimit_get_record(r);

    if (record && record->wait && record->wait->taken_up) {
        ngx_http_ratelimit_set_time(record);

        if (!record->waits || !record->queued->reserved) {
            ngx_http_ratelimit_renew_items(r, record);
        }

    } else {
        rc = ngx_http_ratelimit_prepare(r, rlcf, plan, &record);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    for ( ;; ) {
        verdict = ngx_http_ratelimit_attempt(r, record);

        if (verdict != RL_PENDING) {
            break;
        }

        rc = ngx_http_ratelimit_wait(r, &record->wait,
                               record->items[record->nitems].retry_after_ms);
        if (rc == NGX_AGAIN) {
            return rc;
        }

        given_up = ngx_http_ratelimit_give_up_asking(record)
                   || ngx_http_ratelimit_give_up_queue(record);

        if (rc != NGX_DECLINED) {
            return rc;
        }

        if (!given_up) {
            break;
        }
    }

    return ngx_http_ratelimit_conclude(r, rlcf, record, verdict);
}


/* once a decision; NGX_OK: there is something to be decided */

static ngx_int_t
ngx_http_ratelimit_prepare(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_array_t *plan,
    ngx_http_ratelimit_record_t **known)
{
    ngx_uint_t                    n;
    ngx_http_ratelimit_record_t  *record;

    /* room for the phase to come as well */

    n = rlcf->preaccess.nelts + rlcf->precontent.nelts;
    record = *known;

    if (record == NULL) {
        record = ngx_http_ratelimit_create_record(r, n);
        if (record == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        record->conf = rlcf;
        *known = record;

    } else {
        if (record->refused) {
            return NGX_DECLINED;
        }

        if (record->wait) {
            ngx_http_ratelimit_end_wait(record->wait);
            record->wait = NULL;
        }

        if (ngx_http_ratelimit_grow_record(r, record, n) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_http_ratelimit_set_time(record);
    }

    if (rlcf->responds) {
        record->responds = 1;
    }

    if (ngx_http_ratelimit_prepare_items(r, rlcf, plan, record) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (record->failed) {
        return ngx_http_ratelimit_fail(r, rlcf, record);
    }

    return record->nasked ? NGX_OK : NGX_DECLINED;
}


/*
 * Puts an item for each policy that applies, and that has not decided this
 * request yet, behind record->nitems; of a policy's lines the first that
 * applies counts.
 */

static ngx_int_t
ngx_http_ratelimit_prepare_items(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_array_t *plan,
    ngx_http_ratelimit_record_t *record)
{
    ngx_int_t                      rc;
    rl_item_t                     *item, *same;
    ngx_uint_t                     n, earlier;
    ngx_http_ratelimit_step_t     *step;
    ngx_http_ratelimit_scratch_t   scratch;

    scratch.jwt_set = NULL;

    step = plan->elts;
    earlier = record->nitems;
    item = &record->items[record->nitems];
    record->nasked = 0;
    record->asks_dry = 0;
    record->waits = 0;

    for (n = plan->nelts; n; n--, step++) {

        if ((r->method & step->methods) == 0) {
            continue;
        }

        rc = NGX_OK;
        same = NULL;

        /* one test where nothing varies */

        if (earlier || step->varies) {

            if (earlier || (step->varies & NGX_HTTP_RATELIMIT_VARIES_ASKED)) {
                rc = ngx_http_ratelimit_step_is_asked(r, record, step);

                if (rc == NGX_DECLINED) {
                    continue;
                }
            }

            if (step->varies & NGX_HTTP_RATELIMIT_VARIES_SAME_KEY) {
                same = ngx_http_ratelimit_same_key(record, step->policy);
            }
        }

        if (rc == NGX_OK) {
            rc = ngx_http_ratelimit_item(r, step, item, same, &scratch,
                                         &record->time);
        }

        if (step->varies & ~NGX_HTTP_RATELIMIT_VARIES_SAME_KEY) {
            rc = ngx_http_ratelimit_vary(r, record, step, item, rc);
        }

        if (rc != NGX_OK) {
            if (ngx_http_ratelimit_not_asked(rlcf, record, step->policy, item,
                                             rc)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            continue;
        }

        record->asks_dry |= item->dry_run;
        record->nasked++;
        item++;
    }

    return NGX_OK;
}


/* what of an item that was made does not stand in its step; rc is of that */

static ngx_int_t
ngx_http_ratelimit_vary(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_step_t *step,
    rl_item_t *item, ngx_int_t rc)
{
    if (step->varies & NGX_HTTP_RATELIMIT_VARIES_PLACE) {
        record->holds = 1;
    }

    if ((step->varies & NGX_HTTP_RATELIMIT_VARIES_ITEM)
        && (rc == NGX_OK || rc == NGX_ABORT))
    {
        rc = ngx_http_ratelimit_vary_item(r, record, step, item, rc);
    }

    if ((step->varies & NGX_HTTP_RATELIMIT_VARIES_WAIT) && rc == NGX_OK) {
        rc = ngx_http_ratelimit_may_queue(r, record, item, step->rule);
    }

    return rc;
}


/* may be called again: nothing has changed where the verdict is pending */

static rl_verdict_e
ngx_http_ratelimit_attempt(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record)
{
    rl_process_t                    *process;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_ratelimit_module);

    process = ngx_http_ratelimit_process(rmcf);

    if (process == NULL) {
        return RL_TIMEOUT;
    }

    if (record->waits) {
        return ngx_http_ratelimit_try(r, record, process);
    }

    if (rmcf->redises.nelts || record->bans) {
        return ngx_http_ratelimit_attempt_more(r, record, process);
    }

    return rl_decide(process, &record->items[record->nitems], record->nasked,
                     &record->time);
}


/* where Redis or bans have a part in it */

static rl_verdict_e
ngx_http_ratelimit_attempt_more(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process)
{
    rl_item_t  *items;

    if (ngx_http_ratelimit_is_shared(record)) {
        if (record->bans) {
            return ngx_http_ratelimit_ask_with_bans(r, record, process);
        }

        if (ngx_http_ratelimit_use_leases(record, process)) {
            return RL_ADMITTED;
        }

        return ngx_http_ratelimit_ask(r, record, process);
    }

    items = &record->items[record->nitems];

    return record->bans
           ? rl_decide_bans(process, items, record->nasked, &record->time)
           : rl_decide(process, items, record->nasked, &record->time);
}


/* once a decision */

static ngx_int_t
ngx_http_ratelimit_conclude(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_http_ratelimit_record_t *record,
    rl_verdict_e verdict)
{
    rl_item_t                       *slowest;
    ngx_uint_t                       first;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    record->wait = NULL;

    if (record->failed) {
        return ngx_http_ratelimit_fail(r, rlcf, record);
    }

    if (verdict == RL_TIMEOUT || verdict == RL_PENDING) {
        return ngx_http_ratelimit_timed_out(r, rlcf, record, verdict);
    }

    first = record->nitems;

    record->conf = rlcf;
    record->nitems += record->nasked;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_ratelimit_module);

    ngx_http_ratelimit_zone_check(r, rmcf, &record->time);

    if (verdict == RL_ADMITTED && !record->asks_dry) {
        return NGX_DECLINED;
    }

    if (verdict == RL_REFUSED && rlcf->spread) {
        ngx_http_ratelimit_take_turns(r, record, first);
    }

    slowest = ngx_http_ratelimit_slowest(record, first,
                                         verdict == RL_ADMITTED);

    if (slowest == NULL) {
        return NGX_DECLINED;
    }

    return (verdict == RL_ADMITTED)
           ? ngx_http_ratelimit_refused_dry(r, record, slowest, first)
           : ngx_http_ratelimit_refused(r, record, slowest, first);
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
