
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The sources of "ratelimit_key": what a request has there.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "key/ngx_http_ratelimit_jwt.h"
#include "key/ngx_http_ratelimit_key.h"
#include "key/ngx_http_ratelimit_key_field.h"


static ngx_int_t ngx_http_ratelimit_key_bearer(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_http_ratelimit_scratch_t *scratch,
    rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_key_arg(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_http_ratelimit_scratch_t *scratch,
    rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_key_jwt(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_http_ratelimit_scratch_t *scratch,
    rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_key_addr(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_http_ratelimit_scratch_t *scratch,
    rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_key_var(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_http_ratelimit_scratch_t *scratch,
    rl_str_t *out);


ngx_http_ratelimit_source_pt
ngx_http_ratelimit_source_value(rl_source_e kind)
{
    switch (kind) {

    case RL_SOURCE_BEARER:
        return ngx_http_ratelimit_key_bearer;

    case RL_SOURCE_BASIC:
        return ngx_http_ratelimit_key_basic;

    case RL_SOURCE_HEADER:
        return ngx_http_ratelimit_key_header;

    case RL_SOURCE_COOKIE:
        return ngx_http_ratelimit_key_cookie;

    case RL_SOURCE_ARG:
        return ngx_http_ratelimit_key_arg;

    case RL_SOURCE_JWT:
        return ngx_http_ratelimit_key_jwt;

    case RL_SOURCE_ADDR:
        return ngx_http_ratelimit_key_addr;

    default: /* RL_SOURCE_VAR */
        return ngx_http_ratelimit_key_var;
    }
}


static ngx_int_t
ngx_http_ratelimit_key_bearer(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_http_ratelimit_scratch_t *scratch,
    rl_str_t *out)
{
    return ngx_http_ratelimit_bearer(r, out);
}


static ngx_int_t
ngx_http_ratelimit_key_arg(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_http_ratelimit_scratch_t *scratch,
    rl_str_t *out)
{
    u_char  *buf;

    if (source->plain
        && rl_key_plain_arg(ngx_http_ratelimit_str(&r->args),
                            source->core.name, out))
    {
        return NGX_OK;
    }

    buf = NULL;

    if (ngx_strlchr(r->args.data, r->args.data + r->args.len, '%')) {

        buf = ngx_pnalloc(r->pool, r->args.len);
        if (buf == NULL) {
            return NGX_ERROR;
        }
    }

    return rl_key_arg(ngx_http_ratelimit_str(&r->args), source->core.name, buf,
                      out)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_ratelimit_key_jwt(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_http_ratelimit_scratch_t *scratch,
    rl_str_t *out)
{
    return ngx_http_ratelimit_jwt_value(r, source->index, scratch, out);
}


static ngx_int_t
ngx_http_ratelimit_key_addr(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_http_ratelimit_scratch_t *scratch,
    rl_str_t *out)
{
    size_t                len;
    u_char               *address, *buf;
    struct sockaddr      *sa;
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    sa = r->connection->sockaddr;

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        address = (u_char *) &sin->sin_addr;
        len = 4;
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;
        address = (u_char *) &sin6->sin6_addr;
        len = 16;
        break;
#endif

    default: /* AF_UNIX: the peer has no address */
        return NGX_DECLINED;
    }

    buf = ngx_http_ratelimit_key_buf(r, scratch, RL_ADDR_TEXT_LEN);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    return rl_key_addr(address, len, &source->core, buf, out) ? NGX_OK
                                                              : NGX_DECLINED;
}


static ngx_int_t
ngx_http_ratelimit_key_var(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_http_ratelimit_scratch_t *scratch,
    rl_str_t *out)
{
    ngx_http_variable_value_t  *vv;

    vv = ngx_http_get_flushed_variable(r, source->index);
    if (vv == NULL) {
        return NGX_ERROR;
    }

    if (vv->not_found || vv->len == 0) {
        return NGX_DECLINED;
    }

    *out = ngx_http_ratelimit_make_str(vv->data, vv->len);

    return NGX_OK;
}
