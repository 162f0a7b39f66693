
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


static void ngx_http_ratelimit_renew(ngx_http_ratelimit_zone_t *zone,
    rl_item_t *item);


ngx_uint_t
ngx_http_ratelimit_use_leases(ngx_http_ratelimit_record_t *record,
    rl_process_t *process)
{
    int                         due[NGX_HTTP_RATELIMIT_LEASED];
    uint64_t                    now_us;
    rl_item_t                  *items;
    ngx_uint_t                  i, n;
    ngx_http_ratelimit_zone_t  *zone;

    n = record->nasked;

    if (record->asking || n > NGX_HTTP_RATELIMIT_LEASED) {
        return 0;
    }

    items = &record->items[record->nitems];
    now_us = ngx_http_ratelimit_now_us();

    for (i = 0; i < n; i++) {
        zone = ngx_http_ratelimit_item_zone(&items[i]);

        if (zone->redis == NULL
            || !rl_leases_use(zone->leases, &items[i], now_us, &due[i]))
        {
            while (i--) {
                zone = ngx_http_ratelimit_item_zone(&items[i]);
                rl_leases_refund(zone->leases, &items[i], now_us);
            }

            return 0;
        }
    }

    for (i = 0; i < n; i++) {
        zone = ngx_http_ratelimit_item_zone(&items[i]);

        if (due[i]) {
            ngx_http_ratelimit_renew(zone, &items[i]);
        }

        (void) ngx_atomic_fetch_add(&zone->redis->stats->leased, 1);

        rl_count_decision(process, &items[i], 1, RL_ADMITTED, &record->time);
    }

    return 1;
}


static void
ngx_http_ratelimit_renew(ngx_http_ratelimit_zone_t *zone, rl_item_t *item)
{
    rl_lease_t  *lease;

    lease = rl_lease_find(zone->leases, item);

    if (lease) {
        ngx_http_ratelimit_send_lease(zone->redis, lease);
    }
}
