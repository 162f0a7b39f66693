
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What the workers of this machine have of Redis's buckets: rows, and units
 * that they hold.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_link.h"
#include "shared/ngx_http_ratelimit_redis.h"


/* leases a turn: some 50 microseconds */

#define NGX_HTTP_RATELIMIT_HELD_TURN  2048

/* a worker counts twice a second; one that is gone does not */

#define NGX_HTTP_RATELIMIT_HELD_TTL   3


/* goes on with this worker's leases, and begins anew behind the last */

void
ngx_http_ratelimit_count_held(ngx_http_ratelimit_redis_t *redis)
{
    uint64_t                     held_units;
    uint64_t                     now_us;
    ngx_uint_t                   n;
    rl_leases_t                **leases;
    ngx_http_ratelimit_held_t   *worker;
    ngx_http_ratelimit_count_t  *count;

    count = &redis->count;
    leases = redis->leases.elts;
    now_us = ngx_http_ratelimit_now_us();

    worker = &redis->stats->workers[ngx_worker % NGX_HTTP_RATELIMIT_WORKERS];
    worker->counted = ngx_time();

    for (n = 0;
         n < NGX_HTTP_RATELIMIT_HELD_TURN && count->zone < redis->leases.nelts;
         n++)
    {
        count->last = rl_lease_next(leases[count->zone], count->last);

        if (count->last == NULL) {
            count->zone++;
            continue;
        }

        count->rows += rl_lease_has_row(count->last, now_us, &held_units);
        count->held_units += held_units;
    }

    if (count->zone == redis->leases.nelts) {
        worker->rows = count->rows;
        worker->held_units = count->held_units;

        ngx_memzero(count, sizeof(ngx_http_ratelimit_count_t));
    }
}


void
ngx_http_ratelimit_sum_held(ngx_http_ratelimit_redis_t *redis, uint64_t *rows,
    uint64_t *held_units)
{
    ngx_uint_t                  i;
    ngx_http_ratelimit_held_t  *worker;

    *rows = 0;
    *held_units = 0;

    for (i = 0; i < NGX_HTTP_RATELIMIT_WORKERS; i++) {
        worker = &redis->stats->workers[i];

        if ((time_t) worker->counted + NGX_HTTP_RATELIMIT_HELD_TTL
            >= ngx_time())
        {
            *rows += worker->rows;
            *held_units += worker->held_units;
        }
    }
}
