
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Decisions of which policies' buckets are shared with other machines: units
 * of every such bucket are asked for at once, and when there are answers it is
 * decided here, all or nothing, together with the policies that are not
 * shared.  What was got for a request that is refused goes back.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_statistics.h"
#include "policy/ngx_http_ratelimit_step.h"
#include "shared/ngx_http_ratelimit_lease.h"
#include "request/ngx_http_ratelimit_ask.h"
#include "request/ngx_http_ratelimit_wait.h"


static void ngx_http_ratelimit_begin_asking(
    ngx_http_ratelimit_asking_t *asking, ngx_http_ratelimit_asked_t *asked,
    ngx_uint_t n, uint64_t now_us);
static ngx_http_ratelimit_asking_t *ngx_http_ratelimit_keep_asking(
    ngx_http_request_t *r, ngx_http_ratelimit_asking_t *at_first);
static void ngx_http_ratelimit_leave_leases(
    ngx_http_ratelimit_asking_t *asking, uint64_t now_us);
static ngx_uint_t ngx_http_ratelimit_ask_leases(
    ngx_http_ratelimit_asking_t *asking, rl_item_t *items, uint64_t now_us);
static void ngx_http_ratelimit_put_back(ngx_http_ratelimit_asking_t *asking,
    rl_item_t *items, uint64_t now_us);
static void ngx_http_ratelimit_do_not_wait(
    ngx_http_ratelimit_asking_t *asking);
static ngx_uint_t ngx_http_ratelimit_wait_for_leases(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_asking_t *asking,
    rl_item_t *items);


ngx_uint_t
ngx_http_ratelimit_is_shared(ngx_http_ratelimit_record_t *record)
{
    rl_item_t   *items;
    ngx_uint_t   i;

    items = &record->items[record->nitems];

    for (i = 0; i < record->nasked; i++) {
        if (ngx_http_ratelimit_item_zone(&items[i])->redis) {
            return 1;
        }
    }

    return 0;
}


rl_verdict_e
ngx_http_ratelimit_ask(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process)
{
    uint64_t                      now_us;
    rl_item_t                    *items;
    rl_verdict_e                  verdict;
    ngx_http_ratelimit_asked_t    asked[RL_MAX_ITEMS];
    ngx_http_ratelimit_asking_t  *asking, at_first;

    items = &record->items[record->nitems];
    asking = record->asking;
    now_us = ngx_http_ratelimit_now_us();

    if (asking == NULL) {
        asking = &at_first;
        ngx_http_ratelimit_begin_asking(asking, asked, record->nasked, now_us);
    }

    if (ngx_http_ratelimit_ask_leases(asking, items, now_us)) {

        if (ngx_http_ratelimit_wait_for_leases(r, record, asking, items)) {
            ngx_http_ratelimit_put_back(record->asking, items, now_us);
            return RL_PENDING;
        }

        if (record->asking) {
            asking = record->asking;
        }
    }

    verdict = ngx_http_ratelimit_decide_asked(r, record, asking, process,
                                              items, now_us);
    ngx_http_ratelimit_give_back(asking, now_us);
    ngx_http_ratelimit_leave_leases(asking, now_us);
    record->asking = NULL;

    return verdict;
}


ngx_uint_t
ngx_http_ratelimit_give_up_asking(ngx_http_ratelimit_record_t *record)
{
    if (record->asking == NULL || record->asking->away) {
        return 0;
    }

    record->asking->away = 1;

    return 1;
}


static void
ngx_http_ratelimit_begin_asking(ngx_http_ratelimit_asking_t *asking,
    ngx_http_ratelimit_asked_t *asked, ngx_uint_t n, uint64_t now_us)
{
    ngx_uint_t  i;

    asking->asked_us = now_us;
    asking->n = n;
    asking->away = 0;
    asking->waits = 0;
    asking->asked = asked;

    for (i = 0; i < n; i++) {
        asked[i].waiter.lease = NULL;
        asked[i].lease = NULL;
    }
}


/*
 * Most requests need not wait, so what is asked is first kept on the stack;
 * who waits has it in the request's pool.
 */

static ngx_http_ratelimit_asking_t *
ngx_http_ratelimit_keep_asking(ngx_http_request_t *r,
    ngx_http_ratelimit_asking_t *at_first)
{
    size_t                        len;
    ngx_uint_t                    i;
    ngx_http_cleanup_t           *cln;
    ngx_http_ratelimit_asking_t  *asking;

    len = at_first->n * sizeof(ngx_http_ratelimit_asked_t);

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NULL;
    }

    asking = ngx_palloc(r->pool, sizeof(ngx_http_ratelimit_asking_t) + len);
    if (asking == NULL) {
        return NULL;
    }

    *asking = *at_first;
    asking->request = r;
    asking->resume = ngx_http_ratelimit_resume;
    asking->waits = 1;
    asking->asked = (ngx_http_ratelimit_asked_t *) (asking + 1);
    ngx_memcpy(asking->asked, at_first->asked, len);

    for (i = 0; i < asking->n; i++) {
        asking->asked[i].waiter.data = asking;
    }

    cln->handler = ngx_http_ratelimit_end_asking;
    cln->data = asking;

    return asking;
}


/* the request ends */

void
ngx_http_ratelimit_end_asking(void *data)
{
    ngx_http_ratelimit_asking_t *asking = data;

    if (asking->n) {
        ngx_http_ratelimit_leave_leases(asking, ngx_http_ratelimit_now_us());
    }
}


/* it is decided, or there is no need to: what is unused goes back */

static void
ngx_http_ratelimit_leave_leases(ngx_http_ratelimit_asking_t *asking,
    uint64_t now_us)
{
    ngx_uint_t                   i;
    ngx_http_ratelimit_asked_t  *asked;

    if (!asking->waits) {
        return;
    }

    for (i = 0; i < asking->n; i++) {
        asked = &asking->asked[i];

        if (asked->waiter.lease) {
            rl_lease_leave(&asked->waiter);

            if (rl_lease_is_due(asked->lease, now_us) != RL_NOT_DUE) {
                ngx_http_ratelimit_send_lease(asked->sent_to, asked->lease);
            }
        }
    }

    asking->n = 0;
}


/*
 * Units that are in hand are taken, before another worker does.  True: a
 * lease's answer is to be waited for, and none has refused already.
 */

static ngx_uint_t
ngx_http_ratelimit_ask_leases(ngx_http_ratelimit_asking_t *asking,
    rl_item_t *items, uint64_t now_us)
{
    ngx_uint_t                   i, late, pending, refused;
    ngx_http_ratelimit_zone_t   *zone;
    ngx_http_ratelimit_asked_t  *asked;

    pending = 0;
    refused = 0;

    for (i = 0; i < asking->n; i++) {
        zone = ngx_http_ratelimit_item_zone(&items[i]);
        asked = &asking->asked[i];

        asked->redis = zone->redis;
        asked->verdict = RL_TIMEOUT;
        asked->taken = 0;

        if (ngx_http_ratelimit_is_banned(&items[i])) {
            asked->verdict = RL_REFUSED;
            refused |= !items[i].dry_run;
            continue;
        }

        if (zone->redis == NULL) {
            continue;
        }

        if (asked->waiter.lease == NULL) {
            asked->lease = rl_lease_find(zone->leases, &items[i]);
        }

        if (asked->lease == NULL) {
            continue;
        }

        asked->verdict = rl_lease_take(asked->lease, &asked->waiter, &items[i],
                                       asking->asked_us, now_us);

        if (asked->verdict == RL_ADMITTED && items[i].cost_units) {
            asked->taken = 1;
        }

        if (asked->verdict == RL_PENDING) {
            late = now_us - asking->asked_us
                   >= (uint64_t) zone->redis->timeout * 1000;

            if (asking->away || late
                || ngx_http_ratelimit_is_away(zone->redis, asked->lease))
            {
                asked->verdict = RL_TIMEOUT;

            } else {
                pending = 1;
            }
        }

        refused |= asked->verdict == RL_REFUSED && !items[i].dry_run;
    }

    return pending && !refused;
}


/* not all had units: they are taken again when these have come */

static void
ngx_http_ratelimit_put_back(ngx_http_ratelimit_asking_t *asking,
    rl_item_t *items, uint64_t now_us)
{
    ngx_uint_t                   i;
    ngx_http_ratelimit_zone_t   *zone;
    ngx_http_ratelimit_asked_t  *asked;

    for (i = 0; i < asking->n; i++) {
        asked = &asking->asked[i];

        if (asked->taken) {
            zone = ngx_http_ratelimit_item_zone(&items[i]);
            rl_leases_refund(zone->leases, &items[i], now_us);
            asked->taken = 0;
        }
    }
}


static void
ngx_http_ratelimit_do_not_wait(ngx_http_ratelimit_asking_t *asking)
{
    ngx_uint_t  i;

    for (i = 0; i < asking->n; i++) {
        if (asking->asked[i].verdict == RL_PENDING) {
            asking->asked[i].verdict = RL_TIMEOUT;
        }
    }
}


/*
 * Of a lease that has units the request holds its place as well, until all
 * have answered.  False: too many wait already.
 */

static ngx_uint_t
ngx_http_ratelimit_wait_for_leases(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_asking_t *asking,
    rl_item_t *items)
{
    ngx_uint_t                   i;
    ngx_http_ratelimit_asked_t  *asked;

    if (!asking->waits) {
        record->asking = ngx_http_ratelimit_keep_asking(r, asking);

        if (record->asking == NULL) {
            ngx_http_ratelimit_do_not_wait(asking);
            return 0;
        }

        asking = record->asking;
    }

    items[0].retry_after_ms = 0;

    for (i = 0; i < asking->n; i++) {
        asked = &asking->asked[i];

        if (asked->lease == NULL || asked->verdict == RL_TIMEOUT) {
            continue;
        }

        if (asked->waiter.lease == NULL
            && rl_lease_wait(asked->lease, &asked->waiter, items[i].cost_units)
               != RL_OK)
        {
            ngx_http_ratelimit_do_not_wait(asking);
            return 0;
        }

        asked->sent_to = asked->redis;

        if (asked->verdict == RL_PENDING) {
            ngx_http_ratelimit_send_lease(asked->redis, asked->lease);
        }

        items[0].retry_after_ms = ngx_max(items[0].retry_after_ms,
                                          asked->redis->timeout + 1);
    }

    return 1;
}


ngx_uint_t
ngx_http_ratelimit_look_at(rl_process_t *process, rl_item_t *item,
    rl_time_t *now)
{
    ngx_uint_t                  found;
    ngx_http_ratelimit_zone_t  *zone;

    zone = ngx_http_ratelimit_item_zone(item);

    found = zone->redis
            ? rl_leases_look(zone->leases, ngx_http_ratelimit_now_us(), item)
            : rl_look(process, item, 1, now) != RL_TIMEOUT;

    /* who is banned is known, whatever is in use */

    switch (rl_look_bans(process, item, now)) {

    case RL_REFUSED:
        return 1;

    case RL_TIMEOUT:
        return 0;

    default:
        return found;
    }
}
