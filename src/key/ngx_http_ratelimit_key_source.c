
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The sources of "ratelimit_key": what a request has there.
 */


#include "ngx_http_ratelimit.h"
#include "key/ngx_http_ratelimit_key.h"


/* of a header field; scratch as for ngx_http_ratelimit_key_value() */

typedef ngx_int_t (*ngx_http_ratelimit_field_pt)(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_str_t *field, u_char *scratch,
    rl_str_t *out);


static ngx_int_t ngx_http_ratelimit_key_authorization(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_http_ratelimit_field_pt extract,
    u_char *scratch, rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_key_field(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, rl_str_t *name,
    ngx_http_ratelimit_field_pt extract, u_char *scratch, rl_str_t *out);
static u_char *ngx_http_ratelimit_key_buf(ngx_http_request_t *r,
    u_char *scratch, size_t len);
static ngx_int_t ngx_http_ratelimit_key_bearer(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_str_t *field, u_char *scratch,
    rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_key_basic(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_str_t *field, u_char *scratch,
    rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_key_header(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_str_t *field, u_char *scratch,
    rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_key_cookie(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_str_t *field, u_char *scratch,
    rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_key_arg(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_key_addr(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, u_char *scratch, rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_key_var(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, rl_str_t *out);


ngx_int_t
ngx_http_ratelimit_key_value(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, u_char *scratch, rl_str_t *out)
{
    rl_str_t  name;

    switch (source->core.kind) {

    case RL_SOURCE_BEARER:
        return ngx_http_ratelimit_bearer(r, out);

    case RL_SOURCE_BASIC:
        return ngx_http_ratelimit_key_authorization(r, source,
                                                  ngx_http_ratelimit_key_basic,
                                                  scratch, out);

    case RL_SOURCE_HEADER:
        return ngx_http_ratelimit_key_field(r, source, &source->core.name,
                                            ngx_http_ratelimit_key_header,
                                            scratch, out);

    case RL_SOURCE_COOKIE:
        name = ngx_http_ratelimit_make_str((u_char *) "Cookie", 6);
        return ngx_http_ratelimit_key_field(r, source, &name,
                                            ngx_http_ratelimit_key_cookie,
                                            scratch, out);

    case RL_SOURCE_ARG:
        return ngx_http_ratelimit_key_arg(r, source, out);

    case RL_SOURCE_JWT:
        return ngx_http_ratelimit_jwt_value(r, source->index, out);

    case RL_SOURCE_ADDR:
        return ngx_http_ratelimit_key_addr(r, source, scratch, out);

    default: /* RL_SOURCE_VAR */
        return ngx_http_ratelimit_key_var(r, source, out);
    }
}


/* the bearer credential; NGX_DECLINED: there is none */

ngx_int_t
ngx_http_ratelimit_bearer(ngx_http_request_t *r, rl_str_t *out)
{
    return ngx_http_ratelimit_key_authorization(r, NULL,
                                                ngx_http_ratelimit_key_bearer,
                                                NULL, out);
}


/*
 * nginx knows the first Authorization field; the others are only looked for
 * where that one yields nothing, and where it is NULL there are none.
 */

static ngx_int_t
ngx_http_ratelimit_key_authorization(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_http_ratelimit_field_pt extract,
    u_char *scratch, rl_str_t *out)
{
    rl_str_t          name;
    ngx_int_t         rc;
    ngx_table_elt_t  *first;

    first = r->headers_in.authorization;

    if (first == NULL) {
        return NGX_DECLINED;
    }

    rc = extract(r, source, &first->value, scratch, out);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    name = ngx_http_ratelimit_make_str((u_char *) "Authorization", 13);

    return ngx_http_ratelimit_key_field(r, source, &name, extract, scratch,
                                        out);
}


/*
 * The first field of that name from which the source yields a value: an empty
 * field in front of the real one must not hide it.
 */

static ngx_int_t
ngx_http_ratelimit_key_field(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, rl_str_t *name,
    ngx_http_ratelimit_field_pt extract, u_char *scratch, rl_str_t *out)
{
    ngx_int_t         rc;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    for (part = &r->headers_in.headers.part; part; part = part->next) {

        header = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (header[i].key.len != name->len
                || ngx_strncasecmp(header[i].key.data, (u_char *) name->data,
                                   name->len)
                   != 0)
            {
                continue;
            }

            rc = extract(r, source, &header[i].value, scratch, out);

            if (rc != NGX_DECLINED) {
                return rc;
            }
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_ratelimit_key_bearer(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_str_t *field, u_char *scratch,
    rl_str_t *out)
{
    return rl_key_bearer(ngx_http_ratelimit_str(field), out) ? NGX_OK
                                                             : NGX_DECLINED;
}


static ngx_int_t
ngx_http_ratelimit_key_basic(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_str_t *field, u_char *scratch,
    rl_str_t *out)
{
    u_char  *buf;

    buf = ngx_http_ratelimit_key_buf(r, scratch, field->len);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    return rl_key_basic(ngx_http_ratelimit_str(field), buf, out)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_ratelimit_key_header(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_str_t *field, u_char *scratch,
    rl_str_t *out)
{
    return rl_key_header(ngx_http_ratelimit_str(field), out) ? NGX_OK
                                                             : NGX_DECLINED;
}


static ngx_int_t
ngx_http_ratelimit_key_cookie(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_str_t *field, u_char *scratch,
    rl_str_t *out)
{
    u_char  *buf;

    buf = ngx_http_ratelimit_key_buf(r, scratch, field->len);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    return rl_key_cookie(ngx_http_ratelimit_str(field), source->core.name, buf,
                         out)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_ratelimit_key_arg(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, rl_str_t *out)
{
    u_char  *buf;

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
ngx_http_ratelimit_key_addr(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, u_char *scratch, rl_str_t *out)
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
    ngx_http_ratelimit_source_t *source, rl_str_t *out)
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


static u_char *
ngx_http_ratelimit_key_buf(ngx_http_request_t *r, u_char *scratch, size_t len)
{
    if (scratch && len <= NGX_HTTP_RATELIMIT_SCRATCH) {
        return scratch;
    }

    return ngx_pnalloc(r->pool, len);
}
