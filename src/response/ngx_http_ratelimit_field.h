
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Fields of a response, added to nginx's list without a call for each.
 */


#ifndef _NGX_HTTP_RATELIMIT_FIELD_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_FIELD_H_INCLUDED_


#include "ngx_http_ratelimit.h"


/* ngx_http_ratelimit_field.c */

ngx_int_t ngx_http_ratelimit_push_fields(ngx_http_request_t *r,
    ngx_uint_t foreign, ngx_table_elt_t *fields, rl_str_t *values,
    ngx_uint_t n);
ngx_uint_t ngx_http_ratelimit_has_field(ngx_http_request_t *r,
    ngx_table_elt_t *field);


static ngx_inline void
ngx_http_ratelimit_set_field(ngx_table_elt_t *h, ngx_table_elt_t *field,
    rl_str_t *value)
{
    *h = *field;
    h->value.len = value->len;
    h->value.data = (u_char *) value->data;
}


/*
 * 1 to 3 fields with values, in place of all others of the same names, where
 * there are fields that are not ours.
 */

static ngx_inline ngx_int_t
ngx_http_ratelimit_add_fields(ngx_http_request_t *r, ngx_uint_t foreign,
    ngx_table_elt_t *fields, rl_str_t *values, ngx_uint_t n)
{
    ngx_list_t       *headers;
    ngx_table_elt_t  *h;

    headers = &r->headers_out.headers;

    if (foreign || headers->last->nelts + n > headers->nalloc) {
        return ngx_http_ratelimit_push_fields(r, foreign, fields, values, n);
    }

    /* as ngx_list_push(), for all of them at once */

    h = headers->last->elts;
    h += headers->last->nelts;
    headers->last->nelts += n;

    switch (n) {

    case 3:
        ngx_http_ratelimit_set_field(&h[2], &fields[2], &values[2]);
        /* fall through */
    case 2:
        ngx_http_ratelimit_set_field(&h[1], &fields[1], &values[1]);
        /* fall through */
    default: /* 1 */
        ngx_http_ratelimit_set_field(&h[0], &fields[0], &values[0]);
    }

    return NGX_OK;
}


#endif /* _NGX_HTTP_RATELIMIT_FIELD_H_INCLUDED_ */
