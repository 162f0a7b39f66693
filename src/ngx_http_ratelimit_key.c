
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The values that partition a policy, of "ratelimit_key" variables and others.
 */


#include "ngx_http_ratelimit_module.h"
#include "ngx_http_ratelimit_key.h"


static ngx_http_ratelimit_noinline ngx_int_t ngx_http_ratelimit_key_part(
    ngx_http_request_t *r, ngx_http_ratelimit_key_t *key, u_char *scratch,
    rl_part_t *out);
static ngx_http_ratelimit_noinline ngx_int_t ngx_http_ratelimit_other_part(
    ngx_http_request_t *r, ngx_http_ratelimit_value_t *value, rl_part_t *out);


/* "tag:value" of the first source that yields a value, empty if none does */

ngx_int_t
ngx_http_ratelimit_key_text(ngx_http_request_t *r,
    ngx_http_ratelimit_key_t *key, ngx_str_t *out)
{
    u_char      *p;
    ngx_int_t    rc;
    rl_part_t    part;
    ngx_uint_t   i;

    out->len = 0;

    rc = ngx_http_ratelimit_key_part(r, key, NULL, &part);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : NGX_ERROR;
    }

    out->len = part.tag_len + part.text.len;
    out->data = (u_char *) part.text.data;

    if (part.tag_len == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, out->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;

    for (i = 0; i < part.tag_len; i++) {
        *p++ = (u_char) (part.tag >> 8 * i);
    }

    ngx_memcpy(p, part.text.data, part.text.len);

    return NGX_OK;
}


/*
 * A value as a part of a key: a tag and what the source yields are not put
 * together for its hash.  scratch is of NGX_HTTP_RATELIMIT_SCRATCH bytes, and
 * must live as long as the part.  NGX_DECLINED: it is empty.
 */

ngx_int_t
ngx_http_ratelimit_value_part(ngx_http_request_t *r,
    ngx_http_ratelimit_value_t *value, u_char *scratch, rl_part_t *out)
{
    ngx_http_ratelimit_source_t  *source;

    if (value->key == NULL) {
        return ngx_http_ratelimit_other_part(r, value, out);
    }

    source = value->key->sources.elts;

    if (source->plain_arg && r->args.len <= NGX_HTTP_RATELIMIT_SCRATCH) {

        /* no need to look for escapes first, there is room for them */

        out->tag = source->prefix;
        out->tag_len = source->prefix_len;

        if (rl_key_plain_arg(ngx_http_ratelimit_str(&r->args),
                             source->core.name, scratch, &out->text))
        {
            return NGX_OK;
        }
    }

    return ngx_http_ratelimit_key_part(r, value->key, scratch, out);
}


/* of what is no "ratelimit_key" */

static ngx_int_t
ngx_http_ratelimit_other_part(ngx_http_request_t *r,
    ngx_http_ratelimit_value_t *value, rl_part_t *out)
{
    ngx_str_t  s;

    out->tag = 0;
    out->tag_len = 0;

    if (value->arg.len) {
        return rl_key_raw_arg(ngx_http_ratelimit_str(&r->args),
                              ngx_http_ratelimit_str(&value->arg), &out->text)
               ? NGX_OK : NGX_DECLINED;
    }

    if (ngx_http_ratelimit_value(r, value, &s) != NGX_OK) {
        return NGX_ERROR;
    }

    out->text = ngx_http_ratelimit_str(&s);

    return s.len ? NGX_OK : NGX_DECLINED;
}


/* of the first source that yields a value; scratch may be NULL */

static ngx_int_t
ngx_http_ratelimit_key_part(ngx_http_request_t *r,
    ngx_http_ratelimit_key_t *key, u_char *scratch, rl_part_t *out)
{
    ngx_int_t                     rc;
    ngx_http_ratelimit_source_t  *source, *last;

    source = key->sources.elts;
    last = source + key->sources.nelts;

    do {
        rc = ngx_http_ratelimit_key_value(r, source, scratch, &out->text);

        if (rc != NGX_DECLINED) {
            out->tag = source->prefix;
            out->tag_len = source->prefix_len;
            return rc;
        }

    } while (++source < last);

    return NGX_DECLINED;
}
