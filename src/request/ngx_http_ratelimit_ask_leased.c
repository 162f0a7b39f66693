
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The usual decision of a shared policy: all its units are in hand.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "shared/ngx_http_ratelimit_lease.h"
#include "request/ngx_http_ratelimit_ask.h"


/* a request of more policies goes the longer way */

#define NGX_HTTP_RATELIMIT_LEASED  4


ngx_uint_t
ngx_http_ratelimit_use_leases(ngx_http_ratelimit_record_t *record,
    rl_process_t *process)
{
    uint64_t                           now_us;
    rl_item_t                         *items;
    ngx_uint_t                         i, n;
    rl_lease_t                        *lease,
                                      *leases[NGX_HTTP_RATELIMIT_LEASED];
    ngx_http_ratelimit_zone_t         *zone;
    ngx_http_ratelimit_redis_stats_t  *stats;

    n = record->nasked;

    if (record->asking || n > NGX_HTTP_RATELIMIT_LEASED) {
        return 0;
    }

    items = &record->items[record->nitems];
    now_us = ngx_http_ratelimit_now_us();

    for (i = 0; i < n; i++) {
        zone = ngx_http_ratelimit_item_zone(&items[i]);

        if (zone->redis == NULL) {
            return 0;
        }

        leases[i] = rl_lease_ready(zone->leases, &items[i], now_us);

        if (leases[i] == NULL) {
            return 0;
        }
    }

    for (i = 0; i < n; i++) {
        zone = ngx_http_ratelimit_item_zone(&items[i]);
        stats = zone->redis->stats;
        lease = leases[i];

        rl_lease_charge(lease, &items[i], now_us);

        if (rl_lease_is_due(lease, now_us)) {
            ngx_http_ratelimit_send_lease(zone->redis, lease);
        }

        (void) ngx_atomic_fetch_add(&stats->leased, 1);

        rl_count_decision(process, &items[i], 1, RL_ADMITTED, &record->time);
    }

    return 1;
}
