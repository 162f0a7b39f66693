
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "tls=", "ca=" and "name=" of ratelimit_redis.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "shared/ngx_http_ratelimit_redis.h"


char *
ngx_http_ratelimit_redis_tls(ngx_conf_t *cf,
    ngx_http_ratelimit_redis_t *redis, ngx_uint_t on, ngx_str_t *tls,
    ngx_str_t *ca, ngx_str_t *name)
{
    if (!on) {
        if (ca->data || name->data) {
            return ngx_http_ratelimit_invalid(cf, ca->data ? "ca" : "name",
                                              ca->data ? ca : name,
                                              "needs \"tls=on\"");
        }

        return NGX_CONF_OK;
    }

#if (NGX_SSL)

    {
    ngx_pool_cleanup_t  *cln;

    redis->certificate_name = *name;

    redis->ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (redis->ssl == NULL) {
        return NGX_CONF_ERROR;
    }

    redis->ssl->log = cf->log;

    if (ngx_ssl_create(redis->ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(redis->ssl);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = redis->ssl;

    if (ca->data
        ? ngx_ssl_trusted_certificate(cf, redis->ssl, ca, 9) != NGX_OK
        : SSL_CTX_set_default_verify_paths(redis->ssl->ctx) != 1)
    {
        return NGX_CONF_ERROR;
    }

    /* what is to be sent may have moved when it is tried again */

    SSL_CTX_set_mode(redis->ssl->ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);

    /* nginx's own callback lets everything pass, to be asked later */

    SSL_CTX_set_verify(redis->ssl->ctx, SSL_VERIFY_PEER, NULL);

    return NGX_CONF_OK;
    }

#else

    return ngx_http_ratelimit_invalid(cf, "tls", tls,
                                      "must be off, this nginx has no SSL");

#endif
}
