
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


static ngx_uint_t ngx_http_ratelimit_settle_items(
    ngx_http_ratelimit_record_t *record, rl_item_t *items);
static ngx_uint_t ngx_http_ratelimit_undecided_item(
    ngx_http_ratelimit_record_t *record, rl_item_t *item);
static void ngx_http_ratelimit_divide(rl_item_t *item, ngx_uint_t machines);
static rl_verdict_e ngx_http_ratelimit_decide_rest(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process,
    ngx_uint_t refused);
static void ngx_http_ratelimit_use_leases(ngx_http_ratelimit_record_t *record,
    rl_verdict_e verdict, uint64_t now_us);


rl_verdict_e
ngx_http_ratelimit_decide_asked(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process,
    rl_item_t *items, uint64_t now_us)
{
    ngx_uint_t                    i, refused;
    rl_verdict_e                  verdict;
    ngx_http_ratelimit_asked_t   *asked;
    ngx_http_ratelimit_asking_t  *asking;

    refused = ngx_http_ratelimit_settle_items(record, items);

    if (record->failed) {
        return RL_BUSY;
    }

    asking = record->asking;

    verdict = ngx_http_ratelimit_decide_rest(r, record, process, refused);

    if (verdict == RL_BUSY) {
        return verdict;
    }

    ngx_http_ratelimit_use_leases(record, verdict, now_us);

    for (i = 0; i < asking->n; i++) {
        asked = &asking->asked[i];

        /* the others were counted when they were decided */

        if (asked->item && (asked->redis || refused)) {
            rl_count_decision(process, asked->item, 1, verdict, &record->time);
        }
    }

    return verdict;
}


/*
 * Who decides each item.  Those that nobody does any more are taken out: one
 * that has no answer yet, as another policy has refused, and one that Redis
 * cannot decide.
 */

static ngx_uint_t
ngx_http_ratelimit_settle_items(ngx_http_ratelimit_record_t *record,
    rl_item_t *items)
{
    ngx_uint_t                         i, n, kept, refused;
    ngx_http_ratelimit_asked_t        *asked;
    ngx_http_ratelimit_asking_t       *asking;
    ngx_http_ratelimit_redis_stats_t  *stats;

    asking = record->asking;
    n = 0;
    refused = 0;

    for (i = 0; i < asking->n; i++) {
        asked = &asking->asked[i];
        kept = 1;

        if (asked->redis && asked->verdict == RL_PENDING) {
            kept = 0;

        } else if (asked->redis && asked->verdict == RL_BUSY) {
            kept = ngx_http_ratelimit_undecided_item(record, &items[i]);
            asked->redis = NULL;

        } else if (asked->redis) {
            stats = asked->redis->stats;

            (void) ngx_atomic_fetch_add(asking->waits ? &stats->decided
                                                      : &stats->leased, 1);

            refused |= asked->verdict == RL_REFUSED && !items[i].dry_run;
        }

        asked->item = NULL;

        if (kept) {
            if (n != i) {
                items[n] = items[i];
            }

            asked->item = &items[n++];
        }
    }

    record->nasked = n;

    return refused;
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
        item->quota.units = (uint32_t) ((item->quota.units + machines - 1)
                                        / machines);
        item->capacity_units = (uint32_t) ((item->capacity_units + machines
                                            - 1) / machines);
    }
}


/* what is not Redis's, unless it has refused already */

static rl_verdict_e
ngx_http_ratelimit_decide_rest(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process,
    ngx_uint_t refused)
{
    rl_item_t                    *rest;
    ngx_uint_t                    i, n;
    rl_verdict_e                  verdict;
    ngx_http_ratelimit_asked_t   *asked;
    ngx_http_ratelimit_asking_t  *asking;

    asking = record->asking;
    verdict = refused ? RL_REFUSED : RL_ADMITTED;

    n = 0;

    for (i = 0; i < asking->n; i++) {
        asked = &asking->asked[i];

        n += asked->item && asked->redis == NULL;
    }

    if (n == 0) {
        return verdict;
    }

    rest = ngx_palloc(r->pool, n * sizeof(rl_item_t));
    if (rest == NULL) {
        return RL_BUSY;
    }

    n = 0;

    for (i = 0; i < asking->n; i++) {
        asked = &asking->asked[i];

        if (asked->item && asked->redis == NULL) {
            rest[n++] = *asked->item;
        }
    }

    if (refused) {
        if (rl_look(process, rest, n, &record->time) == RL_BUSY) {
            return RL_BUSY;
        }

    } else {
        verdict = rl_decide(process, rest, n, &record->time);
    }

    n = 0;

    for (i = 0; i < asking->n; i++) {
        asked = &asking->asked[i];

        if (asked->item && asked->redis == NULL) {
            *asked->item = rest[n++];
        }
    }

    return verdict;
}


/* as the core does: items in dry run are charged if all admit */

static void
ngx_http_ratelimit_use_leases(ngx_http_ratelimit_record_t *record,
    rl_verdict_e verdict, uint64_t now_us)
{
    ngx_uint_t                    i, all;
    ngx_http_ratelimit_asked_t   *asked;
    ngx_http_ratelimit_asking_t  *asking;

    asking = record->asking;
    all = 1;

    for (i = 0; i < asking->n; i++) {
        asked = &asking->asked[i];

        if (asked->item
            && (asked->redis ? asked->verdict != RL_ADMITTED
                             : !asked->item->admitted))
        {
            all = 0;
        }
    }

    for (i = 0; i < asking->n; i++) {
        asked = &asking->asked[i];

        if (asked->item == NULL || asked->redis == NULL) {
            continue;
        }

        if (verdict == RL_ADMITTED && asked->verdict == RL_ADMITTED
            && (all || !asked->item->dry_run))
        {
            rl_lease_use(asked->lease, asked->item->cost_units, now_us);

            if (rl_lease_is_due(asked->lease, now_us)) {
                ngx_http_ratelimit_send_lease(asked->redis, asked->lease);
            }
        }

        rl_lease_answer(asked->lease, asked->verdict, now_us, asked->item);
    }
}
