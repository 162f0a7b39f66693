
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Fields of a response where adding them is not that simple.
 */


#include "ngx_http_ratelimit.h"
#include "response/ngx_http_ratelimit_field.h"


static void ngx_http_ratelimit_remove_field(ngx_http_request_t *r,
    ngx_table_elt_t *field);


ngx_int_t
ngx_http_ratelimit_push_fields(ngx_http_request_t *r, ngx_table_elt_t *fields,
    rl_str_t *values, ngx_uint_t n)
{
    ngx_uint_t        i;
    ngx_table_elt_t  *h;

    for (i = 0; i < n; i++) {
        h = ngx_list_push(&r->headers_out.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        ngx_http_ratelimit_set_field(h, &fields[i], &values[i]);
    }

    return NGX_OK;
}


void
ngx_http_ratelimit_remove_fields(ngx_http_request_t *r,
    ngx_table_elt_t *fields, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        ngx_http_ratelimit_remove_field(r, &fields[i]);
    }
}


/* the upstream's field of the same name: two would contradict each other */

static void
ngx_http_ratelimit_remove_field(ngx_http_request_t *r, ngx_table_elt_t *field)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {

        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len == field->key.len
                && ngx_strncasecmp(h[i].key.data, field->lowcase_key,
                                   field->key.len)
                   == 0)
            {
                h[i].hash = 0;
            }
        }
    }
}
