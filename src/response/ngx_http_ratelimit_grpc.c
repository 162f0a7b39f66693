
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_body grpc": a refused call is answered in gRPC's own terms, as
 * headers that are trailers too.  Clients take an HTTP status of 429 for
 * UNAVAILABLE, and try other servers.
 */


#include "ngx_http_ratelimit.h"
#include "request/ngx_http_ratelimit_record.h"
#include "response/ngx_http_ratelimit_headers.h"
#include "response/ngx_http_ratelimit_refuse.h"


static ngx_str_t *ngx_http_ratelimit_grpc_type(ngx_http_request_t *r);
static ngx_int_t ngx_http_ratelimit_grpc_message(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, uint64_t retry_after_ms,
    ngx_str_t *text);
static ngx_int_t ngx_http_ratelimit_grpc_field(ngx_http_request_t *r,
    char *name, ngx_str_t *value);


/* one that begins with another stands before it */

static ngx_str_t  ngx_http_ratelimit_grpc_types[] = {
    ngx_string("application/grpc-web-text"),
    ngx_string("application/grpc-web"),
    ngx_string("application/grpc"),
    ngx_null_string
};


static ngx_str_t  ngx_http_ratelimit_resource_exhausted = ngx_string("8");


/* what is no call is refused by its HTTP status */

ngx_int_t
ngx_http_ratelimit_refuse_grpc(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record)
{
    uint64_t    ms;
    ngx_str_t  *type, message, pushback;

    type = ngx_http_ratelimit_grpc_type(r);
    if (type == NULL) {
        return record->status;
    }

    ms = ngx_http_ratelimit_told_ms(record->conf->headers,
                                    record->retry_after_ms);

    if (ngx_http_ratelimit_grpc_message(r, record, ms, &message) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    pushback.data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (pushback.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    pushback.len = rl_render_u64(ms, pushback.data);

    if (ngx_http_discard_request_body(r) != NGX_OK
        || ngx_http_ratelimit_grpc_field(r, "grpc-status",
                                    &ngx_http_ratelimit_resource_exhausted)
           != NGX_OK
        || ngx_http_ratelimit_grpc_field(r, "grpc-message", &message)
           != NGX_OK
        || ngx_http_ratelimit_grpc_field(r, "grpc-retry-pushback-ms",
                                         &pushback)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_length_n = 0;
    r->header_only = 1;

    ngx_http_finalize_request(r, ngx_http_send_header(r));

    return NGX_DONE;
}


/* that of the call, without what it says of the messages; NULL: it is none */

static ngx_str_t *
ngx_http_ratelimit_grpc_type(ngx_http_request_t *r)
{
    ngx_str_t  *type, *value;

    if (r->headers_in.content_type == NULL) {
        return NULL;
    }

    value = &r->headers_in.content_type->value;

    for (type = ngx_http_ratelimit_grpc_types; type->len; type++) {

        if (value->len >= type->len
            && ngx_strncasecmp(value->data, type->data, type->len) == 0
            && (value->len == type->len
                || value->data[type->len] == '+'
                || value->data[type->len] == ';'))
        {
            return type;
        }
    }

    return NULL;
}


/* of characters that need no escape */

static ngx_int_t
ngx_http_ratelimit_grpc_message(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, uint64_t retry_after_ms,
    ngx_str_t *text)
{
    ngx_str_t         name;
    const rl_item_t  *item;

    item = rl_most_restrictive(record->items, record->nitems, NULL);

    ngx_str_null(&name);

    if (item && !item->admitted) {
        name.len = item->policy->name.len;
        name.data = (u_char *) item->policy->name.data;
    }

    text->data = ngx_pnalloc(r->pool, sizeof("quota  exceeded, retry after  s")
                                      + name.len + NGX_INT64_LEN);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    text->len = ngx_sprintf(text->data,
                            "quota%s%V exceeded, retry after %uL s",
                            name.len ? " " : "", &name,
                            rl_seconds_up(retry_after_ms))
                - text->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_grpc_field(ngx_http_request_t *r, char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.len = ngx_strlen(name);
    h->key.data = (u_char *) name;
    h->lowcase_key = (u_char *) name;
    h->value = *value;

    return NGX_OK;
}
