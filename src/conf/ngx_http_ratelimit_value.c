
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Values with variables: complex values, and the ones that are a single
 * variable, which are read without nginx's script engine and a copy.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_value.h"


ngx_int_t
ngx_http_ratelimit_compile(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t *cv)
{
    ngx_http_compile_complex_value_t  ccv;

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = cv;

    return ngx_http_compile_complex_value(&ccv);
}


char *
ngx_http_ratelimit_compile_slot(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t **cv)
{
    *cv = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (*cv == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_ratelimit_compile(cf, text, *cv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_ratelimit_compile_value(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_ratelimit_value_t *value)
{
    u_char     *p, *last;
    ngx_str_t   name;

    value->name.len = 0;
    value->index = NGX_ERROR;

    if (ngx_http_ratelimit_compile(cf, text, &value->complex) != NGX_OK) {
        return NGX_ERROR;
    }

    /* "$name" alone, and not a capture such as "$1" */

    p = text->data;
    last = p + text->len;

    if (p == last || *p++ != '$' || p == last
        || (*p >= '0' && *p <= '9'))
    {
        return NGX_OK;
    }

    name.data = p;
    name.len = last - p;

    for ( /* void */ ; p < last; p++) {
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
              || (*p >= '0' && *p <= '9') || *p == '_'))
        {
            return NGX_OK;
        }
    }

    value->name = name;
    value->index = ngx_http_get_variable_index(cf, &name);

    return (value->index == NGX_ERROR) ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_http_ratelimit_value(ngx_http_request_t *r,
    ngx_http_ratelimit_value_t *value, ngx_str_t *out)
{
    ngx_http_variable_value_t  *vv;

    if (value->index == NGX_ERROR) {
        return ngx_http_complex_value(r, &value->complex, out);
    }

    vv = ngx_http_get_flushed_variable(r, value->index);
    if (vv == NULL) {
        return NGX_ERROR;
    }

    out->len = vv->not_found ? 0 : vv->len;
    out->data = vv->data;

    return NGX_OK;
}


ngx_uint_t
ngx_http_ratelimit_is_true(ngx_str_t *value)
{
    return value->len != 0 && !(value->len == 1 && value->data[0] == '0');
}
