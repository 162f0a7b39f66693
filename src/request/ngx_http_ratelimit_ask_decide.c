
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Deciding what Redis was asked, once there are answers, or once there will be
 * none: all or nothing, together with the policies that are not shared.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_statistics.h"
#include "shared/ngx_http_ratelimit_lease.h"
#include "request/ngx_http_ratelimit_ask.h"


static void ngx_http_ratelimit_settle_items(
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_asking_t *asking,
    rl_item_t *items);
static void ngx_http_ratelimit_drop_local(
    ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_asking_t *asking, rl_item_t *items);
static ngx_uint_t ngx_http_ratelimit_is_local(
    ngx_http_ratelimit_asked_t *asked);
static ngx_uint_t ngx_http_ratelimit_undecided_item(
    ngx_http_ratelimit_record_t *record, rl_item_t *item);
static void ngx_http_ratelimit_divide(rl_item_t *item, ngx_uint_t machines);
static rl_verdict_e ngx_http_ratelimit_decide_local(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_asking_t *asking,
    rl_process_t *process);
static ngx_uint_t ngx_http_ratelimit_all_admit(
    ngx_http_ratelimit_asking_t *asking);
static void ngx_http_ratelimit_conclude_lease(
    ngx_http_ratelimit_asked_t *asked, ngx_uint_t keep, uint64_t now_us);
static void ngx_http_ratelimit_give_back_taken(
    ngx_http_ratelimit_asked_t *asked, uint64_t now_us);


rl_verdict_e
ngx_http_ratelimit_decide_asked(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_asking_t *asking,
    rl_process_t *process, rl_item_t *items, uint64_t now_us)
{
    ngx_uint_t                   i, all, keep;
    rl_verdict_e                 verdict;
    ngx_http_ratelimit_asked_t  *asked;

    ngx_http_ratelimit_settle_items(record, asking, items);

    if (record->failed) {
        return RL_TIMEOUT;
    }

    verdict = asking->refused ? RL_REFUSED : RL_ADMITTED;

    if (asking->nlocal) {
        verdict = ngx_http_ratelimit_decide_local(r, record, asking, process);

        if (verdict == RL_TIMEOUT && !asking->refused) {
            return verdict;
        }

        /* what Redis has refused stays refused, whatever they might say */

        if (verdict == RL_TIMEOUT) {
            ngx_http_ratelimit_drop_local(record, asking, items);
            verdict = RL_REFUSED;
        }
    }

    /* as the core does: items in dry run are charged if all admit */

    all = record->asks_dry ? ngx_http_ratelimit_all_admit(asking) : 1;

    for (i = 0; i < asking->n; i++) {
        asked = &asking->asked[i];

        if (asked->item == NULL) {
            continue;
        }

        if (ngx_http_ratelimit_is_banned(asked->item)) {

            /* it says so already */

        } else if (asked->redis) {
            keep = verdict == RL_ADMITTED && (all || !asked->item->dry_run);

            ngx_http_ratelimit_conclude_lease(asked, keep, now_us);

        } else if (!asking->refused) {

            /* it was counted when it was decided */

            continue;
        }

        rl_count_decision(process, asked->item, 1, verdict, &record->time);
    }

    return verdict;
}


/*
 * Who decides each item.  Those that nobody does any more are taken out: one
 * that has no answer yet, as another policy has refused, and one that Redis
 * cannot decide.
 */

static void
ngx_http_ratelimit_settle_items(ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_asking_t *asking, rl_item_t *items)
{
    ngx_uint_t                         i, n;
    ngx_http_ratelimit_asked_t        *asked;
    ngx_http_ratelimit_redis_stats_t  *stats;

    asking->nlocal = 0;
    asking->refused = 0;
    n = 0;

    for (i = 0; i < asking->n; i++) {
        asked = &asking->asked[i];
        asked->item = NULL;

        if (asked->redis && asked->verdict == RL_PENDING) {
            continue;
        }

        if (asked->redis && asked->verdict == RL_TIMEOUT) {
            asked->redis = NULL;

            if (!ngx_http_ratelimit_undecided_item(record, &items[i])) {
                continue;
            }
        }

        if (asked->redis) {
            stats = asked->redis->stats;

            (void) ngx_atomic_fetch_add(asking->waits ? &stats->decided
                                                      : &stats->leased, 1);
        }

        if (asked->verdict == RL_REFUSED && !items[i].dry_run) {
            asking->refused = 1;
        }

        if (n != i) {
            items[n] = items[i];
        }

        asked->item = &items[n++];
        asking->nlocal += ngx_http_ratelimit_is_local(asked);
    }

    record->nasked = n;
}


/* this machine's memory decides */

static ngx_uint_t
ngx_http_ratelimit_is_local(ngx_http_ratelimit_asked_t *asked)
{
    return asked->item && asked->redis == NULL
           && !ngx_http_ratelimit_is_banned(asked->item);
}


static void
ngx_http_ratelimit_drop_local(ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_asking_t *asking, rl_item_t *items)
{
    ngx_uint_t                   i, n;
    ngx_http_ratelimit_asked_t  *asked;

    n = 0;

    for (i = 0; i < asking->n; i++) {
        asked = &asking->asked[i];

        if (ngx_http_ratelimit_is_local(asked)) {
            asked->item = NULL;
        }

        if (asked->item == NULL) {
            continue;
        }

        if (asked->item != &items[n]) {
            items[n] = *asked->item;
        }

        asked->item = &items[n++];
    }

    record->nasked = n;
}


/* "on_error="; true: it is decided here after all */

static ngx_uint_t
ngx_http_ratelimit_undecided_item(ngx_http_ratelimit_record_t *record,
    rl_item_t *item)
{
    ngx_http_ratelimit_zone_t         *zone;
    ngx_http_ratelimit_redis_stats_t  *stats;

    zone = ngx_http_ratelimit_item_zone(item);
    stats = zone->redis->stats;

    if (zone->on_error == NGX_HTTP_RATELIMIT_ERROR_LOCAL) {
        (void) ngx_atomic_fetch_add(&stats->local, 1);
        ngx_http_ratelimit_divide(item, stats->machines);

        return 1;
    }

    record->error = 1;

    ngx_http_ratelimit_count(ngx_http_ratelimit_item_policy(item),
                             RL_COUNT_ERRORS);

    if (zone->on_error == NGX_HTTP_RATELIMIT_ERROR_REFUSE
        && item->cost_units && !item->dry_run)
    {
        (void) ngx_atomic_fetch_add(&stats->refused, 1);
        record->failed = 1;

    } else {
        (void) ngx_atomic_fetch_add(&stats->allowed, 1);
    }

    return 0;
}


/* while the machines cannot speak, each has its part, rounded up */

static void
ngx_http_ratelimit_divide(rl_item_t *item, ngx_uint_t machines)
{
    if (machines > 1) {
        item->quota.units = (item->quota.units + machines - 1) / machines;
        item->capacity_units = (item->capacity_units + machines - 1)
                               / machines;
    }
}


/* what is not Redis's; only looked at where that has refused already */

static rl_verdict_e
ngx_http_ratelimit_decide_local(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_asking_t *asking,
    rl_process_t *process)
{
    rl_item_t                   *local;
    ngx_uint_t                   i, n;
    rl_verdict_e                 verdict;
    ngx_http_ratelimit_asked_t  *asked;

    local = ngx_palloc(r->pool, asking->nlocal * sizeof(rl_item_t));
    if (local == NULL) {
        return RL_TIMEOUT;
    }

    n = 0;

    for (i = 0; i < asking->n; i++) {
        asked = &asking->asked[i];

        if (ngx_http_ratelimit_is_local(asked)) {
            local[n++] = *asked->item;
        }
    }

    if (!asking->refused) {
        verdict = rl_decide(process, local, n, &record->time);

    } else if (rl_look(process, local, n, &record->time) == RL_TIMEOUT) {
        verdict = RL_TIMEOUT;

    } else {
        verdict = RL_REFUSED;
    }

    n = 0;

    for (i = 0; i < asking->n; i++) {
        asked = &asking->asked[i];

        if (ngx_http_ratelimit_is_local(asked)) {
            *asked->item = local[n++];
        }
    }

    return verdict;
}


static ngx_uint_t
ngx_http_ratelimit_all_admit(ngx_http_ratelimit_asking_t *asking)
{
    ngx_uint_t                   i;
    ngx_http_ratelimit_asked_t  *asked;

    for (i = 0; i < asking->n; i++) {
        asked = &asking->asked[i];

        if (asked->item
            && (asked->redis ? asked->verdict != RL_ADMITTED
                             : !asked->item->admitted))
        {
            return 0;
        }
    }

    return 1;
}


/* keep: what was taken is used */

static void
ngx_http_ratelimit_conclude_lease(ngx_http_ratelimit_asked_t *asked,
    ngx_uint_t keep, uint64_t now_us)
{
    if (!keep || !asked->taken) {
        ngx_http_ratelimit_give_back_taken(asked, now_us);
        rl_lease_answer(asked->lease, asked->verdict, now_us, asked->item);
        return;
    }

    asked->taken = 0;

    /* of one that has waited, its end sees to that */

    if (asked->waiter.lease == NULL
        && rl_lease_is_due(asked->lease, now_us) == RL_DUE)
    {
        ngx_http_ratelimit_send_lease(asked->redis, asked->lease);
    }
}


static void
ngx_http_ratelimit_give_back_taken(ngx_http_ratelimit_asked_t *asked,
    uint64_t now_us)
{
    ngx_http_ratelimit_zone_t  *zone;

    if (asked->taken) {
        zone = ngx_http_ratelimit_item_zone(asked->item);
        rl_leases_refund(zone->leases, asked->item, now_us);
        asked->taken = 0;
    }
}


void
ngx_http_ratelimit_give_back(ngx_http_ratelimit_asking_t *asking,
    uint64_t now_us)
{
    ngx_uint_t  i;

    for (i = 0; i < asking->n; i++) {
        ngx_http_ratelimit_give_back_taken(&asking->asked[i], now_us);
    }
}
