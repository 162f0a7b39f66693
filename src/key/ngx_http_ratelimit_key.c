
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What a "ratelimit_key" variable is for a request.
 */


#include "ngx_http_ratelimit.h"
#include "key/ngx_http_ratelimit_key.h"


/* "tag:value" of the first source that yields a value, empty if none does */

ngx_int_t
ngx_http_ratelimit_key_text(ngx_http_request_t *r,
    ngx_http_ratelimit_key_t *key, ngx_str_t *out)
{
    u_char                       *p;
    rl_str_t                      text;
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    ngx_http_ratelimit_source_t  *source;

    out->len = 0;

    rc = ngx_http_ratelimit_key_first(r, key, NULL, &i, &text);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : NGX_ERROR;
    }

    source = key->sources.elts;
    source += i;

    out->len = source->prefix.len + text.len;
    out->data = (u_char *) text.data;

    if (source->prefix.len == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, out->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;

    p = ngx_cpymem(p, source->prefix.data, source->prefix.len);
    ngx_memcpy(p, text.data, text.len);

    return NGX_OK;
}


ngx_int_t
ngx_http_ratelimit_key_lower(ngx_http_request_t *r, rl_str_t *text)
{
    u_char  *buf;

    buf = ngx_pnalloc(r->pool, text->len);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    *text = rl_key_lower(*text, buf);

    return NGX_OK;
}
