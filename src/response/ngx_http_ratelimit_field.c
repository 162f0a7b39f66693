
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Fields of a response where adding them is not that simple.
 */


#include "ngx_http_ratelimit.h"
#include "response/ngx_http_ratelimit_field.h"


static ngx_inline ngx_uint_t ngx_http_ratelimit_same_name(ngx_table_elt_t *h,
    ngx_table_elt_t *field);
static void ngx_http_ratelimit_remove_fields(ngx_http_request_t *r,
    ngx_table_elt_t *fields, rl_str_t *values, ngx_uint_t n);


/* those of any number that have a value */

ngx_int_t
ngx_http_ratelimit_push_fields(ngx_http_request_t *r, ngx_uint_t foreign,
    ngx_table_elt_t *fields, rl_str_t *values, ngx_uint_t n)
{
    ngx_uint_t        i;
    ngx_table_elt_t  *h;

    if (foreign) {
        ngx_http_ratelimit_remove_fields(r, fields, values, n);
    }

    for (i = 0; i < n; i++) {

        if (values[i].len == 0) {
            continue;
        }

        h = ngx_list_push(&r->headers_out.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        ngx_http_ratelimit_set_field(h, &fields[i], &values[i]);
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_ratelimit_has_field(ngx_http_request_t *r, ngx_table_elt_t *field)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {

        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_ratelimit_same_name(&h[i], field)) {
                return 1;
            }
        }
    }

    return 0;
}


/* an upstream's, "add_header"'s: two of one name contradict each other */

static void
ngx_http_ratelimit_remove_fields(ngx_http_request_t *r,
    ngx_table_elt_t *fields, rl_str_t *values, ngx_uint_t n)
{
    ngx_uint_t        i, j;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {

        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            for (j = 0; j < n; j++) {
                if (values[j].len
                    && ngx_http_ratelimit_same_name(&h[i], &fields[j]))
                {
                    h[i].hash = 0;
                }
            }
        }
    }
}


static ngx_inline ngx_uint_t
ngx_http_ratelimit_same_name(ngx_table_elt_t *h, ngx_table_elt_t *field)
{
    return h->key.len == field->key.len
           && h->hash
           && ngx_strncasecmp(h->key.data, field->lowcase_key, h->key.len)
              == 0;
}
