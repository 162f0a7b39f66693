
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The values that partition a policy, of "ratelimit_key" variables and others.
 */


#include "ngx_http_ratelimit.h"
#include "key/ngx_http_ratelimit_key.h"


static ngx_int_t ngx_http_ratelimit_key_first(ngx_http_request_t *r,
    ngx_http_ratelimit_key_t *key, u_char *scratch, ngx_uint_t *i,
    rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_key_lower(ngx_http_request_t *r,
    rl_str_t *text);


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


/* before the first request, for keys of one part */

ngx_int_t
ngx_http_ratelimit_value_starts(ngx_cycle_t *cycle, rl_zone_t *zone,
    ngx_http_ratelimit_value_t *value)
{
    ngx_uint_t                    i, n;
    ngx_http_ratelimit_source_t  *source;

    source = value->key ? value->key->sources.elts : NULL;
    n = value->key ? value->key->sources.nelts : 1;

    value->starts = ngx_pcalloc(cycle->pool, n * sizeof(rl_hash_start_t));
    if (value->starts == NULL) {
        return NGX_ERROR;
    }

    if (source && !value->key->cgi && !value->key->lower) {

        if (source->core.kind == RL_SOURCE_ARG
            && rl_is_plain_arg(source->core.name))
        {
            value->plain_arg = source->core.name;
        }

        value->bearer = (source->core.kind == RL_SOURCE_BEARER);
    }

    for (i = 0; i < n; i++) {
        rl_hash_start(zone,
                      source ? ngx_http_ratelimit_str(&source[i].prefix)
                             : ngx_http_ratelimit_make_str(NULL, 0),
                      &value->starts[i]);
    }

    return NGX_OK;
}


/* as ngx_http_ratelimit_value_part(), of whatever it is */

ngx_int_t
ngx_http_ratelimit_any_part(ngx_http_request_t *r,
    ngx_http_ratelimit_value_t *value, u_char *scratch, rl_part_t *out)
{
    ngx_int_t   rc;
    ngx_str_t   s;
    ngx_uint_t  i;

    if (value->key) {
        rc = ngx_http_ratelimit_key_first(r, value->key, scratch, &i,
                                          &out->text);
        if (rc == NGX_OK) {
            out->start = &value->starts[i];
        }

        return rc;
    }

    if (ngx_http_ratelimit_value(r, value, &s) != NGX_OK) {
        return NGX_ERROR;
    }

    out->text = ngx_http_ratelimit_str(&s);

    return s.len ? NGX_OK : NGX_DECLINED;
}


/* the first source that yields a value, and that; scratch may be NULL */

static ngx_int_t
ngx_http_ratelimit_key_first(ngx_http_request_t *r,
    ngx_http_ratelimit_key_t *key, u_char *scratch, ngx_uint_t *i,
    rl_str_t *out)
{
    ngx_int_t                     rc;
    ngx_http_ratelimit_source_t  *source;

    source = key->sources.elts;
    rc = NGX_DECLINED;

    for (*i = 0; *i < key->sources.nelts; (*i)++) {

        rc = key->cgi
             ? ngx_http_ratelimit_cgi_value(r, &source[*i], scratch, out)
             : ngx_http_ratelimit_key_value(r, &source[*i], scratch, out);

        if (rc != NGX_DECLINED) {
            break;
        }
    }

    if (rc == NGX_OK && key->lower) {
        return ngx_http_ratelimit_key_lower(r, out);
    }

    return rc;
}


static ngx_int_t
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
