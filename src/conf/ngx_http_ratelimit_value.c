
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Values with variables: complex values, and the ones that are a single
 * variable, which are read without nginx's script engine and a copy.
 */


#include "ngx_http_ratelimit.h"


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
    value->arg.len = 0;
    value->plain_arg.len = 0;
    value->bearer = 0;
    value->index = NGX_ERROR;
    value->key = NULL;

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


/* a "ratelimit_key" may stand behind its use: looked for at the end */

void
ngx_http_ratelimit_bind_value(ngx_conf_t *cf,
    ngx_http_ratelimit_value_t *value)
{
    if (value->name.len) {
        value->key = ngx_http_ratelimit_find_key(cf, &value->name);
    }
}


/*
 * "$arg_NAME" is found without nginx's variables: some 300 instructions less.
 * It is, unless a "set", a "map" or another module has made it something else;
 * that is known once nginx has bound the variables to their handlers.
 */

void
ngx_http_ratelimit_bind_argument(ngx_http_core_main_conf_t *cmcf,
    ngx_http_ratelimit_value_t *value)
{
    ngx_uint_t            i;
    ngx_http_variable_t  *variable, *prefix;

    if (value->index == NGX_ERROR || value->name.len < 5) {
        return;
    }

    variable = cmcf->variables.elts;
    variable += value->index;

    prefix = cmcf->prefix_variables.elts;

    for (i = 0; i < cmcf->prefix_variables.nelts; i++) {
        if (prefix[i].name.len == 4
            && ngx_strncmp(prefix[i].name.data, "arg_", 4) == 0
            && ngx_strncmp(variable->name.data, "arg_", 4) == 0
            && variable->get_handler == prefix[i].get_handler)
        {
            value->arg.len = variable->name.len - 4;
            value->arg.data = variable->name.data + 4;
            return;
        }
    }
}


ngx_int_t
ngx_http_ratelimit_value(ngx_http_request_t *r,
    ngx_http_ratelimit_value_t *value, ngx_str_t *out)
{
    ngx_http_variable_value_t  *vv;

    if (value->key) {
        return ngx_http_ratelimit_key_text(r, value->key, out);
    }

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
