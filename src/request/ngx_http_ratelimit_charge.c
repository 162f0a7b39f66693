
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The life of a charge, which is an item of the request's record:
 *
 *             | a later phase | a redirect | the response | the request ends
 *             | refuses       |            | begins       | without one
 *   ----------+---------------+------------+--------------+-----------------
 *   reserved  | returned [1]  | kept [2]   | kept [2] [3] | aborted [2]
 *   kept      | kept          | kept [2]   | kept [2] [3] | aborted [2]
 *   settled   | settled       | settled    | settled [3]  | settled
 *   returned  | for good
 *
 *   [1] kept, where the policy says "keep"
 *   [2] settled, if "settle=" has a value: at a redirect one that came with
 *       an upstream's response, for that is gone afterwards
 *   [3] returned, if the policy says that such a response does not count
 *
 * With "settle_at=end" [2] holds for neither of these but for the end of the
 * request, with a response or without one, and before a post_action.
 * "settle_every=" raises the charge of an upgraded connection meanwhile, to
 * what it has used so far: units come back at the end only.
 *
 * A decision reserves; of a cost of 0 nothing is charged, but it may be
 * settled.  After a refusal nothing is settled, and once the header is sent
 * nothing changes any more but at the end.  Units are reserved first, rather
 * than charged with the response, so that parallel requests cannot pass a
 * limit that only failures count against.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "policy/ngx_http_ratelimit_condition.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_settle.h"
#include "policy/ngx_http_ratelimit_statistics.h"
#include "request/ngx_http_ratelimit_ask.h"
#include "request/ngx_http_ratelimit_charge.h"
#include "request/ngx_http_ratelimit_log.h"
#include "request/ngx_http_ratelimit_meter.h"
#include "request/ngx_http_ratelimit_record.h"


/* which "settle=" is read */

#define NGX_HTTP_RATELIMIT_RESPONSE   0
#define NGX_HTTP_RATELIMIT_MEANWHILE  1
#define NGX_HTTP_RATELIMIT_END        2


static void ngx_http_ratelimit_return_charge(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_item_t *item);
static void ngx_http_ratelimit_settle_charges(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_uint_t when);
static ngx_int_t ngx_http_ratelimit_settle(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_item_t *item, ngx_uint_t when);


/* a later phase refuses: n items stand before those of its decision */

void
ngx_http_ratelimit_return_charges(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_uint_t n)
{
    rl_item_t   *item;
    ngx_uint_t   i;

    for (i = record->kept; i < n; i++) {
        item = &record->items[i];

        if (!ngx_http_ratelimit_item_policy(item)->keep) {
            ngx_http_ratelimit_return_charge(r, record, item);
        }
    }
}


/*
 * A redirect: a content handler may have run, and what it did is not undone by
 * a refusal where the redirect leads to.
 */

void
ngx_http_ratelimit_keep_charges(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record)
{
    record->kept = record->nitems;

    if (r->upstream && r->upstream->headers_in.status_n && !r->header_sent) {
        ngx_http_ratelimit_settle_charges(r, record,
                                          NGX_HTTP_RATELIMIT_RESPONSE);
    }

    if (r->post_action) {
        ngx_http_ratelimit_settle_charges(r, record, NGX_HTTP_RATELIMIT_END);
    }
}


/* an upgraded connection has used so much up to now */

void
ngx_http_ratelimit_raise_charges(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record)
{
    ngx_http_ratelimit_settle_charges(r, record, NGX_HTTP_RATELIMIT_MEANWHILE);
}


/* the request ends: without a response, unless its header was sent */

void
ngx_http_ratelimit_end_charges(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record)
{
    if (!r->header_sent) {
        ngx_http_ratelimit_settle_charges(r, record,
                                          NGX_HTTP_RATELIMIT_RESPONSE);
    }

    ngx_http_ratelimit_settle_charges(r, record, NGX_HTTP_RATELIMIT_END);
}


/*
 * The response begins, with the status that is about to be sent.  What is
 * returned goes to the window that it came from.
 */

ngx_int_t
ngx_http_ratelimit_correct_charges(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record)
{
    ngx_int_t                     counts;
    rl_item_t                    *item;
    ngx_uint_t                    i;
    ngx_http_ratelimit_policy_t  *policy;

    for (i = 0; i < record->nitems; i++) {
        item = &record->items[i];
        policy = ngx_http_ratelimit_item_policy(item);

        if ((policy->condition == NULL && item->data == NULL)
            || (record->refused && !item->charged))
        {
            continue;
        }

        counts = policy->condition
                 ? ngx_http_ratelimit_response_counts(r, policy->condition)
                 : 1;

        if (counts == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (counts && item->data == NULL) {
            continue;
        }

        ngx_http_ratelimit_age_record(record);

        if (!counts) {
            ngx_http_ratelimit_return_charge(r, record, item);

        } else if (item->data
                   && !record->refused
                   && ngx_http_ratelimit_settle(r, record, item,
                                                NGX_HTTP_RATELIMIT_RESPONSE)
                      != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return (r->upstream && r->upstream->upgrade)
           ? ngx_http_ratelimit_start_meter(r, record) : NGX_OK;
}


static void
ngx_http_ratelimit_return_charge(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_item_t *item)
{
    rl_process_t                    *process;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_ratelimit_module);

    process = ngx_http_ratelimit_process(rmcf);
    if (process == NULL) {
        return;
    }

    item->data = NULL;

    if (!item->charged) {
        return;
    }

    if (ngx_http_ratelimit_refund_item(process, item, &record->time)
        == RL_TIMEOUT)
    {
        ngx_http_ratelimit_log_undecided(r, item->policy, RL_UNCORRECTED,
                                         NGX_HTTP_RATELIMIT_LOCKED,
                                         "units are not given back");
        return;
    }

    ngx_http_ratelimit_count_items(item, 1, RL_COUNT_REFUNDED);
}


/* outside of the header filter, which does it beside all else */

static void
ngx_http_ratelimit_settle_charges(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_uint_t when)
{
    ngx_uint_t  i;

    if (!record->responds || record->refused) {
        return;
    }

    ngx_http_ratelimit_age_record(record);

    for (i = 0; i < record->nitems; i++) {
        (void) ngx_http_ratelimit_settle(r, record, &record->items[i], when);
    }
}


/*
 * The final cost, once it is known: the first value is the one.  Empty: what
 * was reserved is right so far.
 */

static ngx_int_t
ngx_http_ratelimit_settle(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_item_t *item, ngx_uint_t when)
{
    uint64_t                         units;
    ngx_str_t                        value;
    const char                      *allowed;
    rl_process_t                    *process;
    ngx_http_ratelimit_settle_t     *settle;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    settle = item->data;

    if (settle == NULL
        || settle->at_end != (when != NGX_HTTP_RATELIMIT_RESPONSE)
        || (when == NGX_HTTP_RATELIMIT_MEANWHILE && settle->every == 0))
    {
        return NGX_OK;
    }

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_ratelimit_module);

    process = ngx_http_ratelimit_process(rmcf);
    if (process == NULL) {
        return NGX_OK;
    }

    if (ngx_http_ratelimit_value(r, settle->value, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (value.len == 0) {
        return NGX_OK;
    }

    allowed = ngx_http_ratelimit_read_settle(settle, &value, &units);
    if (allowed) {
        ngx_http_ratelimit_log_invalid(r, ngx_http_ratelimit_item_policy(item),
                                       RL_BAD_SETTLE, &value, allowed,
                                       "the reserved cost stays");
        return NGX_OK;
    }

    if (when == NGX_HTTP_RATELIMIT_MEANWHILE && units <= item->cost_units) {
        return NGX_OK;
    }

    if (ngx_http_ratelimit_settle_item(process, item, units, &record->time)
        == RL_TIMEOUT)
    {
        ngx_http_ratelimit_log_undecided(r, item->policy, RL_UNCORRECTED,
                                         NGX_HTTP_RATELIMIT_LOCKED,
                                         "the final cost is not charged");
        return NGX_OK;
    }

    if (when != NGX_HTTP_RATELIMIT_MEANWHILE) {
        item->data = NULL;
    }

    return NGX_OK;
}
