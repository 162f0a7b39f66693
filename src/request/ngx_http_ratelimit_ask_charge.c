
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Charges that are corrected, also those of buckets that machines share.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "shared/ngx_http_ratelimit_lease.h"
#include "request/ngx_http_ratelimit_ask.h"


static void ngx_http_ratelimit_send_correction(
    ngx_http_ratelimit_zone_t *zone, rl_item_t *item, uint64_t now_us);


rl_verdict_e
ngx_http_ratelimit_refund_item(rl_process_t *process, rl_item_t *item,
    rl_time_t *now)
{
    uint64_t                    now_us;
    ngx_http_ratelimit_zone_t  *zone;

    if (!item->leased) {
        return rl_refund(process, item, 1, now);
    }

    zone = ngx_http_ratelimit_item_zone(item);
    now_us = ngx_http_ratelimit_now_us();

    /* of a row that had to give way nothing is known any more */

    rl_leases_refund(zone->leases, item, now_us);
    rl_count_corrected(process, item, item->cost_units, 0);

    ngx_http_ratelimit_send_correction(zone, item, now_us);

    return RL_ADMITTED;
}


/* where all leases are in use whoever has one of the row next sends it */

static void
ngx_http_ratelimit_send_correction(ngx_http_ratelimit_zone_t *zone,
    rl_item_t *item, uint64_t now_us)
{
    rl_lease_t  *lease;

    lease = rl_lease_find(zone->leases, item);

    if (lease && rl_lease_is_due(lease, now_us) == RL_DUE) {
        ngx_http_ratelimit_send_lease(zone->redis, lease);
    }
}


rl_verdict_e
ngx_http_ratelimit_settle_item(rl_process_t *process, rl_item_t *item,
    uint64_t units, rl_time_t *now)
{
    uint64_t                    now_us;
    uint64_t                    reserved;
    ngx_http_ratelimit_zone_t  *zone;

    if (!item->leased) {
        return rl_settle(process, item, units, now);
    }

    reserved = item->cost_units;

    /* in dry run with a policy that has refused */

    if (!item->charged && reserved) {
        return RL_ADMITTED;
    }

    zone = ngx_http_ratelimit_item_zone(item);
    now_us = ngx_http_ratelimit_now_us();

    if (rl_leases_settle(zone->leases, item, units, now_us) != RL_OK) {
        return RL_TIMEOUT;
    }

    rl_count_corrected(process, item, reserved - ngx_min(units, reserved),
                       units - ngx_min(units, reserved));

    ngx_http_ratelimit_send_correction(zone, item, now_us);

    return RL_ADMITTED;
}
