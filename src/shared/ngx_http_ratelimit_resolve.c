
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The address of a link's server: what the configuration says, or what its
 * name stands for now.  Of several addresses each attempt takes the next one,
 * in an order of our own: the resolver begins with another one each time.
 *
 * A cluster's link is one node's as long as the worker, so it keeps its
 * address: it knows that node's run and counts.  There a name is a way to find
 * nodes, other ones too while none of those that are known can be reached.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_cluster.h"
#include "shared/ngx_http_ratelimit_link.h"


static void ngx_http_ratelimit_resolved(ngx_resolver_ctx_t *ctx);
static ngx_resolver_addr_t *ngx_http_ratelimit_nth_address(
    ngx_resolver_ctx_t *ctx, ngx_uint_t nth);
static void ngx_http_ratelimit_unresolved(ngx_http_ratelimit_link_t *link,
    char *why);


void
ngx_http_ratelimit_resolve(ngx_http_ratelimit_link_t *link)
{
    ngx_resolver_ctx_t           *ctx;
    ngx_http_ratelimit_redis_t   *redis;
    ngx_http_ratelimit_server_t  *server;

    redis = link->redis;
    server = link->server;

    if (server->sockaddr) {
        ngx_memcpy(&link->sockaddr, server->sockaddr, server->socklen);
        link->socklen = server->socklen;

        ngx_http_ratelimit_open_link(link);
        return;
    }

    if (redis->cluster && link->socklen
        && ngx_http_ratelimit_ready_link(redis))
    {
        ngx_http_ratelimit_open_link(link);
        return;
    }

    ctx = ngx_resolve_start(redis->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        ngx_http_ratelimit_unresolved(link, "its name cannot be resolved");
        return;
    }

    ctx->name = server->host;
    ctx->handler = ngx_http_ratelimit_resolved;
    ctx->data = link;
    ctx->timeout = ngx_max(redis->timeout, NGX_HTTP_RATELIMIT_LOGIN_TIME);
    ctx->cancelable = 1;

    link->resolving = ctx;

    /* what is in the cache is told at once */

    if (ngx_resolve_name(ctx) != NGX_OK) {
        link->resolving = NULL;
        ngx_http_ratelimit_unresolved(link, "its name cannot be resolved");
    }
}


static void
ngx_http_ratelimit_resolved(ngx_resolver_ctx_t *ctx)
{
    u_char                      why[NGX_MAX_ERROR_STR];
    socklen_t                   socklen;
    ngx_sockaddr_t              sockaddr;
    ngx_resolver_addr_t        *addr;
    ngx_http_ratelimit_link_t  *link;

    link = ctx->data;

    if (ctx->state) {
        ngx_sprintf(why, "its name is not resolved (%i: %s)%Z", ctx->state,
                    ngx_resolver_strerror(ctx->state));

        ngx_http_ratelimit_end_resolve(link);
        ngx_http_ratelimit_unresolved(link, (char *) why);
        return;
    }

    addr = ngx_http_ratelimit_nth_address(ctx, link->naddr % ctx->naddrs);
    link->server->naddrs = ctx->naddrs;

    ngx_memcpy(&sockaddr, addr->sockaddr, addr->socklen);
    socklen = addr->socklen;

    ngx_inet_set_port(&sockaddr.sockaddr, link->server->port);

    ngx_http_ratelimit_end_resolve(link);

    if (link->redis->cluster && link->socklen) {
        (void) ngx_http_ratelimit_node_at(link->redis, &sockaddr.sockaddr,
                                          socklen, &link->server->host);

    } else {
        link->sockaddr = sockaddr;
        link->socklen = socklen;
    }

    ngx_http_ratelimit_open_link(link);
}


/* in their order; there are few */

static ngx_resolver_addr_t *
ngx_http_ratelimit_nth_address(ngx_resolver_ctx_t *ctx, ngx_uint_t nth)
{
    int                   rc;
    ngx_uint_t            i, k, before;
    ngx_resolver_addr_t  *a, *b;

    for (i = 0; i < ctx->naddrs - 1; i++) {
        a = &ctx->addrs[i];
        before = 0;

        for (k = 0; k < ctx->naddrs; k++) {
            b = &ctx->addrs[k];

            rc = ngx_memn2cmp((u_char *) b->sockaddr, (u_char *) a->sockaddr,
                              b->socklen, a->socklen);

            if (rc < 0 || (rc == 0 && k < i)) {
                before++;
            }
        }

        if (before == nth) {
            break;
        }
    }

    return &ctx->addrs[i];
}


static void
ngx_http_ratelimit_unresolved(ngx_http_ratelimit_link_t *link, char *why)
{
    if (link->redis->cluster && link->socklen) {
        ngx_http_ratelimit_open_link(link);
        return;
    }

    ngx_http_ratelimit_break_link(link, 0, why);
}


void
ngx_http_ratelimit_end_resolve(ngx_http_ratelimit_link_t *link)
{
    if (link->resolving) {
        ngx_resolve_name_done(link->resolving);
        link->resolving = NULL;
    }
}
