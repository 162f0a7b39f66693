
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What stands in a request's header fields: credentials, cookies, any field.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "key/ngx_http_ratelimit_key.h"
#include "key/ngx_http_ratelimit_key_field.h"


/* what a source has of one field's value; as ngx_http_ratelimit_source_pt */

typedef ngx_int_t (*ngx_http_ratelimit_field_pt)(ngx_http_request_t *r,
    rl_source_t *source, ngx_str_t *field,
    ngx_http_ratelimit_scratch_t *scratch, rl_str_t *out);


static ngx_int_t ngx_http_ratelimit_field_bearer(ngx_http_request_t *r,
    rl_source_t *source, ngx_str_t *field,
    ngx_http_ratelimit_scratch_t *scratch, rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_field_basic(ngx_http_request_t *r,
    rl_source_t *source, ngx_str_t *field,
    ngx_http_ratelimit_scratch_t *scratch, rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_field_header(ngx_http_request_t *r,
    rl_source_t *source, ngx_str_t *field,
    ngx_http_ratelimit_scratch_t *scratch, rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_field_cookie(ngx_http_request_t *r,
    rl_source_t *source, ngx_str_t *field,
    ngx_http_ratelimit_scratch_t *scratch, rl_str_t *out);


/*
 * The first field of that name from which the source yields a value: an empty
 * field in front of the real one must not hide it.
 */

static ngx_inline ngx_int_t
ngx_http_ratelimit_find_field(ngx_http_request_t *r,
    rl_source_t *source, rl_str_t name,
    ngx_http_ratelimit_field_pt extract,
    ngx_http_ratelimit_scratch_t *scratch, rl_str_t *out)
{
    ngx_int_t         rc;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header, *last;

    for (part = &r->headers_in.headers.part; part; part = part->next) {

        header = part->elts;
        last = header + part->nelts;

        for ( /* void */ ; header < last; header++) {

            if (header->key.len != name.len
                || !rl_is_field(header->key.data, name))
            {
                continue;
            }

            rc = extract(r, source, &header->value, scratch, out);

            if (rc != NGX_DECLINED) {
                return rc;
            }
        }
    }

    return NGX_DECLINED;
}


/*
 * nginx knows the first Authorization field; the others are only looked for
 * where that one yields nothing, and where it is NULL there are none.
 */

static ngx_inline ngx_int_t
ngx_http_ratelimit_authorization(ngx_http_request_t *r,
    rl_source_t *source, ngx_http_ratelimit_field_pt extract,
    ngx_http_ratelimit_scratch_t *scratch, rl_str_t *out)
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

    return ngx_http_ratelimit_find_field(r, source, name, extract, scratch,
                                         out);
}


/* the bearer credential */

ngx_int_t
ngx_http_ratelimit_bearer(ngx_http_request_t *r, rl_str_t *out)
{
    return ngx_http_ratelimit_authorization(r, NULL,
                                            ngx_http_ratelimit_field_bearer,
                                            NULL, out);
}


ngx_int_t
ngx_http_ratelimit_key_basic(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_http_ratelimit_scratch_t *scratch,
    rl_str_t *out)
{
    return ngx_http_ratelimit_authorization(r, &source->core,
                                            ngx_http_ratelimit_field_basic,
                                            scratch, out);
}


ngx_int_t
ngx_http_ratelimit_key_header(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_http_ratelimit_scratch_t *scratch,
    rl_str_t *out)
{
    return ngx_http_ratelimit_find_field(r, &source->core, source->core.name,
                                         ngx_http_ratelimit_field_header,
                                         scratch, out);
}


ngx_int_t
ngx_http_ratelimit_key_cookie(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_http_ratelimit_scratch_t *scratch,
    rl_str_t *out)
{
    rl_str_t  name;

    name = ngx_http_ratelimit_make_str((u_char *) "Cookie", 6);

    return ngx_http_ratelimit_find_field(r, &source->core, name,
                                         ngx_http_ratelimit_field_cookie,
                                         scratch, out);
}


static ngx_int_t
ngx_http_ratelimit_field_bearer(ngx_http_request_t *r, rl_source_t *source,
    ngx_str_t *field, ngx_http_ratelimit_scratch_t *scratch, rl_str_t *out)
{
    return rl_key_bearer(ngx_http_ratelimit_str(field), out) ? NGX_OK
                                                             : NGX_DECLINED;
}


static ngx_int_t
ngx_http_ratelimit_field_basic(ngx_http_request_t *r, rl_source_t *source,
    ngx_str_t *field, ngx_http_ratelimit_scratch_t *scratch, rl_str_t *out)
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
ngx_http_ratelimit_field_header(ngx_http_request_t *r, rl_source_t *source,
    ngx_str_t *field, ngx_http_ratelimit_scratch_t *scratch, rl_str_t *out)
{
    return rl_key_header(ngx_http_ratelimit_str(field), out) ? NGX_OK
                                                             : NGX_DECLINED;
}


static ngx_int_t
ngx_http_ratelimit_field_cookie(ngx_http_request_t *r, rl_source_t *source,
    ngx_str_t *field, ngx_http_ratelimit_scratch_t *scratch, rl_str_t *out)
{
    u_char  *buf;

    buf = ngx_http_ratelimit_key_buf(r, scratch, field->len);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    return rl_key_cookie(ngx_http_ratelimit_str(field), source->name, buf,
                         out)
           ? NGX_OK : NGX_DECLINED;
}


u_char *
ngx_http_ratelimit_key_buf(ngx_http_request_t *r,
    ngx_http_ratelimit_scratch_t *scratch, size_t len)
{
    if (scratch && len <= NGX_HTTP_RATELIMIT_SCRATCH) {
        return scratch->bytes;
    }

    return ngx_pnalloc(r->pool, len);
}
