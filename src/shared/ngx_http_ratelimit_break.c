
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The end of a link's connection, and where and when the next one is tried.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_link.h"
#include "shared/ngx_http_ratelimit_outage.h"


/*
 * Half of it up to one and a half, at random.  All machines must find a Redis
 * that has lost its counts within the grace.
 */

#define NGX_HTTP_RATELIMIT_MAX_BACKOFF  200


static void ngx_http_ratelimit_next_address(ngx_http_ratelimit_link_t *link);


void
ngx_http_ratelimit_break_link(ngx_http_ratelimit_link_t *link, ngx_err_t err,
    char *why)
{
    ngx_uint_t                   n;
    ngx_msec_t                   wait;
    ngx_http_ratelimit_redis_t  *redis;

    redis = link->redis;

    ngx_http_ratelimit_close_link(link);

    if (redis->closed) {
        return;
    }

    n = ngx_http_ratelimit_addresses(link);

    ngx_http_ratelimit_next_address(link);

    link->failures++;

    if (link->failures >= n) {
        ngx_http_ratelimit_outage(link, err, why);
    }

    wait = 0;

    if (link->failures % n == 0) {
        wait = 50 << ngx_min(link->failures / n, 2);
        wait = ngx_min(wait, NGX_HTTP_RATELIMIT_MAX_BACKOFF);
        wait = wait / 2 + ngx_random() % wait;
    }

    ngx_add_timer(&link->timer, wait + 1);

    if (redis->cluster && !redis->look.timer_set) {
        ngx_add_timer(&redis->look, wait + 1);
    }
}


/* each address of each server is tried at once, then there is a pause */

static void
ngx_http_ratelimit_next_address(ngx_http_ratelimit_link_t *link)
{
    ngx_http_ratelimit_redis_t  *redis;

    redis = link->redis;

    if (++link->naddr < link->server->naddrs) {
        return;
    }

    link->naddr = 0;

    if (!redis->cluster && redis->servers.nelts > 1) {
        link->socklen = 0;
        link->nserver = (link->nserver + 1) % redis->servers.nelts;
        link->server = (ngx_http_ratelimit_server_t *) redis->servers.elts
                       + link->nserver;
    }
}


ngx_uint_t
ngx_http_ratelimit_addresses(ngx_http_ratelimit_link_t *link)
{
    ngx_uint_t                    i, n;
    ngx_http_ratelimit_redis_t   *redis;
    ngx_http_ratelimit_server_t  *servers;

    redis = link->redis;

    if (redis->cluster) {
        return 1;
    }

    servers = redis->servers.elts;
    n = 0;

    for (i = 0; i < redis->servers.nelts; i++) {
        n += servers[i].naddrs;
    }

    return n;
}


void
ngx_http_ratelimit_close_link(ngx_http_ratelimit_link_t *link)
{
    ngx_queue_t                   *q;
    ngx_connection_t              *c;
    ngx_http_ratelimit_command_t  *command;

    c = link->peer.connection;

    link->state = NGX_HTTP_RATELIMIT_LINK_AWAY;
    link->peer.connection = NULL;
    link->out_len = 0;
    link->ndue = 0;

    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    if (link->flush.posted) {
        ngx_delete_posted_event(&link->flush);
    }

    ngx_http_ratelimit_end_resolve(link);

    if (link->reader) {
        redisReaderFree(link->reader);
        link->reader = NULL;
    }

    if (c) {

#if (NGX_SSL)

        if (c->ssl) {
            c->ssl->no_wait_shutdown = 1;
            c->ssl->no_send_shutdown = 1;
            (void) ngx_ssl_shutdown(c);
        }

#endif

        if (c->pool) {
            ngx_destroy_pool(c->pool);
        }

        ngx_close_connection(c);
    }

    /* handlers may send anew, by another link */

    while (!ngx_queue_empty(&link->commands)) {
        q = ngx_queue_head(&link->commands);
        ngx_queue_remove(q);
        command = ngx_queue_data(q, ngx_http_ratelimit_command_t, queue);

        command->handler(link, command, NULL);

        ngx_queue_insert_head(&link->free, &command->queue);
    }
}
