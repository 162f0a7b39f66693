
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "server=" of ratelimit_redis: an address, or a name, which the system looks
 * up when nginx starts, and, where http has one, nginx's resolver at each
 * attempt to connect.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_redis.h"


static ngx_int_t ngx_http_ratelimit_redis_compare(const void *one,
    const void *two);
static ngx_uint_t ngx_http_ratelimit_resolves(ngx_resolver_t *resolver);
static void ngx_http_ratelimit_redis_local(ngx_conf_t *cf,
    ngx_http_ratelimit_redis_t *redis);
static ngx_int_t ngx_http_ratelimit_redis_lookup(ngx_conf_t *cf,
    ngx_http_ratelimit_redis_t *redis, ngx_http_ratelimit_server_t *named);


char *
ngx_http_ratelimit_redis_add_server(ngx_conf_t *cf,
    ngx_http_ratelimit_redis_t *redis, ngx_str_t *value)
{
    ngx_url_t                     u;
    ngx_http_ratelimit_server_t  *server;

    ngx_memzero(&u, sizeof(ngx_url_t));
    u.url = *value;
    u.default_port = 6379;
    u.no_resolve = 1;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in \"server=%V\" of \"ratelimit_redis\"",
                           u.err ? u.err : "no memory", value);
        return NGX_CONF_ERROR;
    }

    server = ngx_array_push(&redis->servers);
    if (server == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(server, sizeof(ngx_http_ratelimit_server_t));

    server->name = *value;
    server->host = u.host;
    server->port = u.port;
    server->naddrs = 1;

    if (u.naddrs) {
        server->name = u.addrs[0].name;
        server->sockaddr = u.addrs[0].sockaddr;
        server->socklen = u.addrs[0].socklen;
    }

    return NGX_CONF_OK;
}


/*
 * Rows and what is known of counts are of one Redis.  Where a reload names
 * other servers, or other data on them, there are others, and old workers go
 * on with theirs.  The order of the servers says nothing.
 */

ngx_int_t
ngx_http_ratelimit_redis_identify(ngx_conf_t *cf,
    ngx_http_ratelimit_redis_t *redis)
{
    size_t                        len;
    u_char                       *p;
    ngx_str_t                    *names;
    ngx_uint_t                    i, n;
    ngx_http_ratelimit_server_t  *servers;

    servers = redis->servers.elts;
    n = redis->servers.nelts;

    names = ngx_palloc(cf->pool, n * sizeof(ngx_str_t));
    if (names == NULL) {
        return NGX_ERROR;
    }

    len = sizeof("@:cluster/") + NGX_INT_T_LEN + redis->name.len
          + redis->prefix.len;

    for (i = 0; i < n; i++) {
        names[i] = servers[i].name;
        len += names[i].len + 1;
    }

    ngx_sort(names, n, sizeof(ngx_str_t), ngx_http_ratelimit_redis_compare);

    redis->identity.data = ngx_pnalloc(cf->pool, len);
    if (redis->identity.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(redis->identity.data, "%V@", &redis->name);

    for (i = 0; i < n; i++) {
        p = ngx_sprintf(p, "%V,", &names[i]);
    }

    p = ngx_sprintf(p, "%i%s/%V", redis->db, redis->cluster ? ":cluster" : "",
                    &redis->prefix);

    redis->identity.len = p - redis->identity.data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_redis_compare(const void *one, const void *two)
{
    const ngx_str_t  *a = one;
    const ngx_str_t  *b = two;

    return ngx_memn2cmp(a->data, b->data, a->len, b->len);
}


ngx_int_t
ngx_http_ratelimit_redis_resolve(ngx_conf_t *cf,
    ngx_http_ratelimit_redis_t *redis)
{
    ngx_uint_t                    i;
    ngx_array_t                   given;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_ratelimit_server_t  *servers, *server;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (ngx_http_ratelimit_resolves(clcf->resolver)) {
        redis->resolver = clcf->resolver;
        ngx_http_ratelimit_redis_local(cf, redis);
        return NGX_OK;
    }

    given = redis->servers;
    servers = given.elts;

    if (ngx_array_init(&redis->servers, cf->pool, given.nelts,
                       sizeof(ngx_http_ratelimit_server_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < given.nelts; i++) {

        if (servers[i].sockaddr == NULL) {
            if (ngx_http_ratelimit_redis_lookup(cf, redis, &servers[i])
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            continue;
        }

        server = ngx_array_push(&redis->servers);
        if (server == NULL) {
            return NGX_ERROR;
        }

        *server = servers[i];
    }

    return NGX_OK;
}


/*
 * nginx puts a resolver without servers where none is configured.  They are an
 * array in nginx, a list in Angie.
 */

static ngx_uint_t
ngx_http_ratelimit_resolves(ngx_resolver_t *resolver)
{
    void  *servers, *first;

    if (resolver == NULL) {
        return 0;
    }

    servers = &resolver->connections;

    if (sizeof(resolver->connections) == sizeof(ngx_array_t)) {
        return ((ngx_array_t *) servers)->nelts != 0;
    }

    ngx_memcpy(&first, servers, sizeof(void *));

    return first != NULL;
}


/* "localhost", and what else the resolver's servers have never heard of */

static void
ngx_http_ratelimit_redis_local(ngx_conf_t *cf,
    ngx_http_ratelimit_redis_t *redis)
{
    ngx_url_t                     u;
    ngx_uint_t                    i;
    ngx_http_ratelimit_server_t  *servers;

    servers = redis->servers.elts;

    for (i = 0; i < redis->servers.nelts; i++) {

        if (servers[i].sockaddr) {
            continue;
        }

        ngx_memzero(&u, sizeof(ngx_url_t));
        u.url = servers[i].name;
        u.default_port = 6379;

        if (ngx_parse_url(cf->pool, &u) == NGX_OK) {
            servers[i].local = u.addrs;
            servers[i].nlocal = u.naddrs;
        }
    }
}


static ngx_int_t
ngx_http_ratelimit_redis_lookup(ngx_conf_t *cf,
    ngx_http_ratelimit_redis_t *redis, ngx_http_ratelimit_server_t *named)
{
    ngx_url_t                     u;
    ngx_uint_t                    i;
    ngx_http_ratelimit_server_t  *server;

    ngx_memzero(&u, sizeof(ngx_url_t));
    u.url = named->name;
    u.default_port = 6379;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "%s in \"server=%V\" of \"ratelimit_redis\" \"%V\", "
                      "and http has no \"resolver\", in %s:%ui",
                      u.err ? u.err : "no memory", &named->name, &redis->name,
                      redis->file, redis->line);
        return NGX_ERROR;
    }

    for (i = 0; i < u.naddrs; i++) {
        server = ngx_array_push(&redis->servers);
        if (server == NULL) {
            return NGX_ERROR;
        }

        *server = *named;
        server->name = u.addrs[i].name;
        server->sockaddr = u.addrs[i].sockaddr;
        server->socklen = u.addrs[i].socklen;
    }

    return NGX_OK;
}
