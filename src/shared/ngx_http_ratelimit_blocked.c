
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Of a bucket one request of this machine is under way at a time.  Who waits
 * in another worker is blocked until that one has its reply, and tells all
 * workers: they have an eventfd in common, which nobody reads, as each write
 * to it is an event of its own.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_lease.h"
#include "shared/ngx_http_ratelimit_redis.h"

#include <sys/eventfd.h>


/* ms: for who is not told, as the other worker is gone, or cannot be told */

#define NGX_HTTP_RATELIMIT_BLOCKED_TIME  10
#define NGX_HTTP_RATELIMIT_POLLED_TIME   1

/* leases a turn */

#define NGX_HTTP_RATELIMIT_BLOCKED_TURN  512


static void ngx_http_ratelimit_close_wake(void *data);
static void ngx_http_ratelimit_wake_event(ngx_event_t *rev);
static void ngx_http_ratelimit_look_at_blocked(
    ngx_http_ratelimit_redis_t *redis, rl_lease_t *lease, uint64_t now_us);


/* each configuration has the descriptor by a number of its own */

ngx_int_t
ngx_http_ratelimit_add_wake(ngx_conf_t *cf, ngx_http_ratelimit_redis_t *redis)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_ratelimit_close_wake;
    cln->data = redis;

    redis->wake_fd = -1;

    return NGX_OK;
}


static void
ngx_http_ratelimit_close_wake(void *data)
{
    ngx_http_ratelimit_redis_t *redis = data;

    if (redis->wake_fd != -1) {
        (void) close(redis->wake_fd);
    }
}


ngx_int_t
ngx_http_ratelimit_open_wake(ngx_http_ratelimit_redis_t *redis,
    ngx_http_ratelimit_redis_t *old)
{
    redis->wake_fd = old ? fcntl(old->wake_fd, F_DUPFD_CLOEXEC, 0)
                         : eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

    return redis->wake_fd == -1 ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_http_ratelimit_watch_wake(ngx_cycle_t *cycle,
    ngx_http_ratelimit_redis_t *redis)
{
    ngx_connection_t  *c;

    if (!(ngx_event_flags & NGX_USE_CLEAR_EVENT)) {
        return NGX_OK;
    }

    c = ngx_get_connection(redis->wake_fd, cycle->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->data = redis;
    c->read->handler = ngx_http_ratelimit_wake_event;
    c->read->log = cycle->log;

    redis->wake = c;

    return ngx_add_event(c->read, NGX_READ_EVENT, NGX_CLEAR_EVENT);
}


/* the descriptor is the configuration's */

void
ngx_http_ratelimit_end_wake(ngx_http_ratelimit_redis_t *redis)
{
    if (redis->wake) {
        (void) ngx_del_event(redis->wake->read, NGX_READ_EVENT, 0);
        ngx_free_connection(redis->wake);
        redis->wake->fd = (ngx_socket_t) -1;
        redis->wake = NULL;
    }
}


void
ngx_http_ratelimit_wake_others(ngx_http_ratelimit_redis_t *redis)
{
    uint64_t  one = 1;

    /* who is not told now looks in a few ms */

    if (write(redis->wake_fd, &one, sizeof(one)) != sizeof(one)) {
        ngx_log_debug0(NGX_LOG_DEBUG_EVENT, redis->log, ngx_errno,
                       "ratelimit: other workers are not woken");
    }
}


static void
ngx_http_ratelimit_wake_event(ngx_event_t *rev)
{
    ngx_connection_t            *c;
    ngx_http_ratelimit_redis_t  *redis;

    c = rev->data;
    redis = c->data;

    ngx_http_ratelimit_blocked_event(&redis->blocked);
}


void
ngx_http_ratelimit_block(ngx_http_ratelimit_redis_t *redis, rl_lease_t *lease,
    uint64_t now_us)
{
    rl_lease_block(lease, now_us);

    if (!redis->blocked.timer_set) {
        ngx_add_timer(&redis->blocked,
                      redis->wake ? NGX_HTTP_RATELIMIT_BLOCKED_TIME
                                  : NGX_HTTP_RATELIMIT_POLLED_TIME);
    }
}


void
ngx_http_ratelimit_blocked_event(ngx_event_t *ev)
{
    uint64_t                     now_us;
    ngx_uint_t                   i, k, n;
    rl_lease_t                  *blocked[NGX_HTTP_RATELIMIT_BLOCKED_TURN];
    rl_leases_t                **leases;
    ngx_http_ratelimit_redis_t  *redis;

    redis = ev->data;
    leases = redis->leases.elts;
    now_us = ngx_http_ratelimit_now_us();

    for (i = 0; i < redis->leases.nelts; i++) {

        for (n = 0; n < NGX_HTTP_RATELIMIT_BLOCKED_TURN; n++) {
            blocked[n] = rl_leases_unblock(leases[i]);

            if (blocked[n] == NULL) {
                break;
            }
        }

        for (k = 0; k < n; k++) {
            ngx_http_ratelimit_look_at_blocked(redis, blocked[k], now_us);
        }

        if (n == NGX_HTTP_RATELIMIT_BLOCKED_TURN && !ev->timer_set) {
            ngx_add_timer(ev, NGX_HTTP_RATELIMIT_POLLED_TIME);
        }
    }
}


static void
ngx_http_ratelimit_look_at_blocked(ngx_http_ratelimit_redis_t *redis,
    rl_lease_t *lease, uint64_t now_us)
{
    rl_due_e  due;

    if (rl_lease_waiters(lease) == NULL) {
        return;
    }

    due = rl_lease_is_due(lease, now_us);

    if (due == RL_DUE_LATER) {
        ngx_http_ratelimit_block(redis, lease, now_us);
        return;
    }

    ngx_http_ratelimit_wake(lease, 0);

    if (due == RL_DUE) {
        ngx_http_ratelimit_send_lease(redis, lease);
    }
}
