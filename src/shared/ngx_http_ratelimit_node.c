
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Nodes of a cluster: a link for each address that one was told at.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_cluster.h"
#include "shared/ngx_http_ratelimit_outage.h"


#define NGX_HTTP_RATELIMIT_MAX_NODES  1000


static ngx_http_ratelimit_link_t *ngx_http_ratelimit_find_node(
    ngx_http_ratelimit_redis_t *redis, struct sockaddr *sockaddr,
    socklen_t socklen);
static ngx_http_ratelimit_link_t *ngx_http_ratelimit_add_node(
    ngx_http_ratelimit_redis_t *redis, struct sockaddr *sockaddr,
    socklen_t socklen, ngx_str_t *host);


ngx_http_ratelimit_link_t *
ngx_http_ratelimit_node(ngx_http_ratelimit_redis_t *redis, u_char *host,
    size_t len, ngx_int_t port, ngx_uint_t make)
{
    ngx_str_t                   name;
    ngx_addr_t                  addr;
    ngx_pool_t                 *pool;
    ngx_http_ratelimit_link_t  *node;

    pool = ngx_create_pool(512, redis->log);
    if (pool == NULL) {
        return NULL;
    }

    node = NULL;

    if (port < 1 || port > 65535
        || ngx_parse_addr(pool, &addr, host, len) != NGX_OK)
    {
        ngx_http_ratelimit_complain(redis, "a node of the cluster is told by "
                                           "name, not by address");

    } else {
        ngx_inet_set_port(addr.sockaddr, (in_port_t) port);

        name.data = host;
        name.len = len;

        node = make ? ngx_http_ratelimit_node_at(redis, addr.sockaddr,
                                                 addr.socklen, &name)
                    : ngx_http_ratelimit_find_node(redis, addr.sockaddr,
                                                   addr.socklen);
    }

    ngx_destroy_pool(pool);

    return node;
}


ngx_http_ratelimit_link_t *
ngx_http_ratelimit_node_at(ngx_http_ratelimit_redis_t *redis,
    struct sockaddr *sockaddr, socklen_t socklen, ngx_str_t *host)
{
    ngx_uint_t                  n;
    ngx_http_ratelimit_link_t  *node;

    node = ngx_http_ratelimit_find_node(redis, sockaddr, socklen);
    if (node) {
        return node;
    }

    n = 0;

    for (node = redis->links; node; node = node->next) {
        n++;
    }

    return (n < NGX_HTTP_RATELIMIT_MAX_NODES)
           ? ngx_http_ratelimit_add_node(redis, sockaddr, socklen, host)
           : NULL;
}


static ngx_http_ratelimit_link_t *
ngx_http_ratelimit_find_node(ngx_http_ratelimit_redis_t *redis,
    struct sockaddr *sockaddr, socklen_t socklen)
{
    ngx_http_ratelimit_link_t  *node;

    for (node = redis->links; node; node = node->next) {

        if (node->socklen
            && ngx_cmp_sockaddr(&node->sockaddr.sockaddr, node->socklen,
                                sockaddr, socklen, 1)
               == NGX_OK)
        {
            break;
        }
    }

    return node;
}


static ngx_http_ratelimit_link_t *
ngx_http_ratelimit_add_node(ngx_http_ratelimit_redis_t *redis,
    struct sockaddr *sockaddr, socklen_t socklen, ngx_str_t *host)
{
    u_char                       *p;
    ngx_http_ratelimit_link_t    *node;
    ngx_http_ratelimit_server_t  *server;

    /* as long as the worker; there are few */

    server = ngx_calloc(sizeof(ngx_http_ratelimit_server_t) + socklen
                        + NGX_SOCKADDR_STRLEN + host->len, redis->log);
    if (server == NULL) {
        return NULL;
    }

    server->sockaddr = (struct sockaddr *) (server + 1);
    server->socklen = socklen;
    server->naddrs = 1;

    p = ngx_cpymem(server->sockaddr, sockaddr, socklen);

    server->name.data = p;
    server->name.len = ngx_sock_ntop(server->sockaddr, server->socklen, p,
                                     NGX_SOCKADDR_STRLEN, 1);
    p += NGX_SOCKADDR_STRLEN;

    server->host.data = p;
    server->host.len = host->len;
    ngx_memcpy(p, host->data, host->len);

    node = ngx_http_ratelimit_create_link(redis, server);

    if (node) {
        ngx_http_ratelimit_connect(node);
    }

    return node;
}
