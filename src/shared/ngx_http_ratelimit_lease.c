
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * When a worker's leases are sent to Redis: at the end of a turn of the event
 * loop, all that is due in it together.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_lease.h"


static ngx_uint_t ngx_http_ratelimit_is_among(rl_lease_t **leases,
    ngx_uint_t n, rl_lease_t *lease);


ngx_uint_t
ngx_http_ratelimit_is_away(ngx_http_ratelimit_redis_t *redis,
    rl_lease_t *lease)
{
    ngx_http_ratelimit_link_t  *link;

    link = redis->shards[rl_lease_shard(lease)];

    if (ngx_http_ratelimit_is_closed(redis)) {
        return 1;
    }

    /* a worker that has just begun waits for its link once */

    if (link == NULL) {
        link = redis->links;
    }

    return link->state != NGX_HTTP_RATELIMIT_LINK_READY && link->failures;
}


void
ngx_http_ratelimit_send_lease(ngx_http_ratelimit_redis_t *redis,
    rl_lease_t *lease)
{
    ngx_http_ratelimit_link_t  *link;

    link = redis->shards[rl_lease_shard(lease)];

    if (link == NULL || link->state != NGX_HTTP_RATELIMIT_LINK_READY) {
        return;
    }

    if (link->ndue == sizeof(link->due) / sizeof(link->due[0])) {
        ngx_http_ratelimit_send_due(link);
    }

    link->due[link->ndue++] = lease;

    ngx_post_event(&link->flush, &ngx_posted_events);
}


void
ngx_http_ratelimit_send_due(ngx_http_ratelimit_link_t *link)
{
    uint64_t     now_us;
    rl_due_e     due;
    rl_lease_t  *lease, *leases[NGX_HTTP_RATELIMIT_BATCH];
    ngx_uint_t   i, n, ndue;

    ndue = link->ndue;
    link->ndue = 0;

    now_us = ngx_http_ratelimit_now_us();
    n = 0;

    for (i = 0; i < ndue; i++) {
        lease = link->due[i];

        due = rl_lease_is_due(lease, now_us);

        if (due == RL_DUE_LATER || due == RL_DUE_NOTHING) {
            ngx_http_ratelimit_block(link->redis, lease, now_us);
        }

        if (due != RL_DUE || ngx_http_ratelimit_is_among(leases, n, lease)) {
            continue;
        }

        if (n == NGX_HTTP_RATELIMIT_BATCH
            || (n && link->redis->cluster
                && rl_lease_shard(lease) != rl_lease_shard(leases[0])))
        {
            ngx_http_ratelimit_call(link, leases, n, now_us);
            n = 0;
        }

        leases[n++] = lease;
    }

    if (n) {
        ngx_http_ratelimit_call(link, leases, n, now_us);
    }
}


static ngx_uint_t
ngx_http_ratelimit_is_among(rl_lease_t **leases, ngx_uint_t n,
    rl_lease_t *lease)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (leases[i] == lease) {
            return 1;
        }
    }

    return 0;
}


/* one timer for all leases, at the time when the first of them ends */

void
ngx_http_ratelimit_watch(ngx_http_ratelimit_redis_t *redis, uint64_t now_us)
{
    uint64_t       next_us;
    ngx_msec_t     ms;
    ngx_uint_t     i;
    rl_leases_t  **leases;

    leases = redis->leases.elts;
    next_us = UINT64_MAX;

    for (i = 0; i < redis->leases.nelts; i++) {
        next_us = ngx_min(next_us, rl_leases_next_us(leases[i]));
    }

    if (next_us == UINT64_MAX) {
        return;
    }

    ms = next_us > now_us ? (ngx_msec_t) ((next_us - now_us) / 1000) + 1 : 1;

    if (redis->ending.timer_set) {

        if ((ngx_msec_int_t) (redis->ending.timer.key - ngx_current_msec - ms)
            <= 0)
        {
            return;
        }

        /* a timer that is set is not moved by less than 300 ms */

        ngx_del_timer(&redis->ending);
    }

    ngx_add_timer(&redis->ending, ms);
}


void
ngx_http_ratelimit_ending_event(ngx_event_t *ev)
{
    uint64_t                     now_us;
    ngx_uint_t                   i;
    rl_lease_t                  *lease;
    rl_leases_t                **leases;
    ngx_http_ratelimit_redis_t  *redis;

    redis = ev->data;
    leases = redis->leases.elts;
    now_us = ngx_http_ratelimit_now_us();

    for (i = 0; i < redis->leases.nelts; i++) {
        while ((lease = rl_leases_ending(leases[i], now_us)) != NULL) {

            if (rl_lease_is_due(lease, now_us) == RL_DUE) {
                ngx_http_ratelimit_send_lease(redis, lease);
            }
        }
    }

    ngx_http_ratelimit_watch(redis, now_us);
}


/* those who wait try again, in later events, in their order */

void
ngx_http_ratelimit_wake(rl_lease_t *lease, ngx_uint_t away)
{
    rl_waiter_t                  *waiter;
    ngx_http_ratelimit_asking_t  *asking;

    for (waiter = rl_lease_waiters(lease); waiter; waiter = waiter->next) {
        asking = waiter->data;

        if (away) {
            asking->away = 1;
        }

        asking->resume(asking->request);
    }
}


/* a link is there: whatever waited for it */

void
ngx_http_ratelimit_send_waiting(ngx_http_ratelimit_link_t *link)
{
    rl_lease_t                   *lease;
    ngx_uint_t                    i;
    rl_leases_t                 **leases;
    ngx_http_ratelimit_redis_t   *redis;

    redis = link->redis;
    leases = redis->leases.elts;

    for (i = 0; i < redis->leases.nelts; i++) {
        for (lease = rl_lease_next(leases[i], NULL);
             lease;
             lease = rl_lease_next(leases[i], lease))
        {
            if (redis->shards[rl_lease_shard(lease)] == link
                && rl_lease_waiters(lease))
            {
                ngx_http_ratelimit_send_lease(redis, lease);
            }
        }
    }
}
