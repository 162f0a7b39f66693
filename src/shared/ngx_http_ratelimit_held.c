
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What this machine has of Redis's buckets: rows, and units that they hold.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_link.h"
#include "shared/ngx_http_ratelimit_redis.h"


/* rows a second: some 200 microseconds, of the worker that is the first */

#define NGX_HTTP_RATELIMIT_HELD_TURN  8192

#define NGX_HTTP_RATELIMIT_HELD_TTL   3


/* goes on with this machine's rows, and begins anew behind the last */

void
ngx_http_ratelimit_count_held(ngx_http_ratelimit_redis_t *redis)
{
    uint32_t                           n;
    uint64_t                           held_units, now_us;
    rl_leases_t                      **leases;
    ngx_atomic_uint_t                  counted;
    ngx_http_ratelimit_count_t        *count;
    ngx_http_ratelimit_redis_stats_t  *stats;

    stats = redis->stats;
    counted = stats->counted;

    if ((time_t) counted == ngx_time()
        || !ngx_atomic_cmp_set(&stats->counted, counted, ngx_time()))
    {
        return;
    }

    count = &stats->count;
    leases = redis->leases.elts;
    now_us = ngx_http_ratelimit_now_us();

    /* a reload may have taken zones away */

    if (count->zone >= redis->leases.nelts) {
        ngx_memzero(count, sizeof(ngx_http_ratelimit_count_t));
    }

    n = NGX_HTTP_RATELIMIT_HELD_TURN;

    while (rl_leases_held(leases[count->zone], &count->at, &n, now_us,
                          &held_units))
    {
        count->rows++;
        count->held_units += held_units;
        count->at++;
        n--;
    }

    if (n == 0) {
        return;
    }

    count->at = 0;

    if (++count->zone == redis->leases.nelts) {
        stats->rows = count->rows;
        stats->held_units = count->held_units;

        ngx_memzero(count, sizeof(ngx_http_ratelimit_count_t));
    }
}


void
ngx_http_ratelimit_sum_held(ngx_http_ratelimit_redis_t *redis, uint64_t *rows,
    uint64_t *held_units)
{
    ngx_http_ratelimit_redis_stats_t  *stats;

    stats = redis->stats;

    *rows = 0;
    *held_units = 0;

    if ((time_t) stats->counted + NGX_HTTP_RATELIMIT_HELD_TTL >= ngx_time()) {
        *rows = stats->rows;
        *held_units = stats->held_units;
    }
}
