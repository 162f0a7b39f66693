
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
    ngx_int_t state, char *why);


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
        ngx_http_ratelimit_unresolved(link, 0,
                                      "its name cannot be resolved");
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
        ngx_http_ratelimit_unresolved(link, 0,
                                      "its name cannot be resolved");
    }
}


static void
ngx_http_ratelimit_resolved(ngx_resolver_ctx_t *ctx)
{
    u_char                      why[NGX_MAX_ERROR_STR];
    ngx_int_t                   state;
    socklen_t                   socklen;
    ngx_sockaddr_t              sockaddr;
    ngx_resolver_addr_t        *addr;
    ngx_http_ratelimit_link_t  *link;

    link = ctx->data;

    state = ctx->state;

    if (state) {
        ngx_sprintf(why, "its name is not resolved (%i: %s)%Z", state,
                    ngx_resolver_strerror(state));

        ngx_http_ratelimit_end_resolve(link);
        ngx_http_ratelimit_unresolved(link, state, (char *) why);
        return;
    }

    addr = ngx_http_ratelimit_nth_address(ctx, link->naddr % ctx->naddrs);
    link->server->naddrs = ctx->naddrs;
    link->server->resolved = 1;

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


/*
 * The address is what it was, unless there is no such name any more; or it is
 * what the system said, if the resolver never knew it.
 */

static void
ngx_http_ratelimit_unresolved(ngx_http_ratelimit_link_t *link,
    ngx_int_t state, char *why)
{
    ngx_addr_t                   *addr;
    ngx_http_ratelimit_server_t  *server;

    server = link->server;

    if (link->socklen
        && (link->redis->cluster || state != NGX_RESOLVE_NXDOMAIN))
    {
        ngx_http_ratelimit_open_link(link);
        return;
    }

    if (server->nlocal == 0 || server->resolved) {
        ngx_http_ratelimit_break_link(link, 0, why);
        return;
    }

    addr = &server->local[link->naddr % server->nlocal];
    server->naddrs = server->nlocal;

    ngx_memcpy(&link->sockaddr, addr->sockaddr, addr->socklen);
    link->socklen = addr->socklen;

    ngx_http_ratelimit_open_link(link);
}


void
ngx_http_ratelimit_end_resolve(ngx_http_ratelimit_link_t *link)
{
    if (link->resolving) {
        ngx_resolve_name_done(link->resolving);
        link->resolving = NULL;
    }
}
