
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The address of a link's server: what the configuration says, or what its
 * name stands for now.  Of several addresses each attempt takes the next one.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_link.h"


static void ngx_http_ratelimit_resolved(ngx_resolver_ctx_t *ctx);


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

    link->socklen = 0;

    ctx = ngx_resolve_start(redis->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        ngx_http_ratelimit_break_link(link, 0, "its name cannot be resolved");
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
        ngx_http_ratelimit_break_link(link, 0, "its name cannot be resolved");
    }
}


static void
ngx_http_ratelimit_resolved(ngx_resolver_ctx_t *ctx)
{
    u_char                      why[NGX_MAX_ERROR_STR];
    ngx_resolver_addr_t        *addr;
    ngx_http_ratelimit_link_t  *link;

    link = ctx->data;

    if (ctx->state) {
        ngx_sprintf(why, "its name is not resolved (%i: %s)%Z", ctx->state,
                    ngx_resolver_strerror(ctx->state));

        ngx_http_ratelimit_break_link(link, 0, (char *) why);
        return;
    }

    addr = &ctx->addrs[link->naddr++ % ctx->naddrs];

    ngx_memcpy(&link->sockaddr, addr->sockaddr, addr->socklen);
    link->socklen = addr->socklen;

    ngx_inet_set_port(&link->sockaddr.sockaddr, link->server->port);

    ngx_http_ratelimit_end_resolve(link);
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
