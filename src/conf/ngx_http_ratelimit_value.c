
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Values of parameters: complex values, and the ones that are a single
 * variable, which are read without nginx's script engine and a copy.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "conf/ngx_http_ratelimit_value.h"


static ngx_int_t ngx_http_ratelimit_find_variable(ngx_conf_t *cf,
    ngx_str_t *text, ngx_http_ratelimit_value_t *value);
static ngx_http_get_variable_pt ngx_http_ratelimit_argument_handler(
    ngx_http_core_main_conf_t *cmcf);


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
ngx_http_ratelimit_compile_value(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_ratelimit_value_t **value)
{
    ngx_http_ratelimit_value_t      **vp;
    ngx_http_ratelimit_main_conf_t   *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    vp = ngx_array_push(&rmcf->values);
    if (vp == NULL) {
        return NGX_CONF_ERROR;
    }

    *vp = ngx_pcalloc(cf->pool, sizeof(ngx_http_ratelimit_value_t));
    if (*vp == NULL) {
        return NGX_CONF_ERROR;
    }

    *value = *vp;

    if (ngx_http_ratelimit_compile(cf, text, &(*value)->complex) != NGX_OK
        || ngx_http_ratelimit_find_variable(cf, text, *value) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_ratelimit_find_variable(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_ratelimit_value_t *value)
{
    u_char     *p, *last;
    ngx_str_t   name;

    value->index = NGX_ERROR;

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


/*
 * "$arg_NAME" is found without nginx's variables: some 300 instructions less.
 * It is, unless a "set", a "map" or another module has made it something else.
 */

void
ngx_http_ratelimit_bind_values(ngx_http_core_main_conf_t *cmcf,
    ngx_array_t *values)
{
    ngx_uint_t                    i;
    ngx_http_variable_t          *variable;
    ngx_http_get_variable_pt      handler;
    ngx_http_ratelimit_value_t  **value;

    handler = ngx_http_ratelimit_argument_handler(cmcf);
    value = values->elts;

    for (i = 0; handler && i < values->nelts; i++) {

        if (value[i]->index == NGX_ERROR) {
            continue;
        }

        variable = cmcf->variables.elts;
        variable += value[i]->index;

        if (variable->get_handler == handler) {
            value[i]->arg.len = variable->name.len - 4;
            value[i]->arg.data = variable->name.data + 4;
        }
    }
}


static ngx_http_get_variable_pt
ngx_http_ratelimit_argument_handler(ngx_http_core_main_conf_t *cmcf)
{
    ngx_uint_t            i;
    ngx_http_variable_t  *prefix;

    prefix = cmcf->prefix_variables.elts;

    for (i = 0; i < cmcf->prefix_variables.nelts; i++) {
        if (prefix[i].name.len == 4
            && ngx_strncmp(prefix[i].name.data, "arg_", 4) == 0)
        {
            return prefix[i].get_handler;
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_ratelimit_value(ngx_http_request_t *r,
    ngx_http_ratelimit_value_t *value, ngx_str_t *out)
{
    rl_str_t                    arg;
    ngx_http_variable_value_t  *vv;

    if (value->arg.len) {
        arg.len = 0;
        arg.data = NULL;

        (void) rl_key_raw_arg(ngx_http_ratelimit_str(&r->args),
                              ngx_http_ratelimit_str(&value->arg), &arg);
        out->len = arg.len;
        out->data = (u_char *) arg.data;

        return NGX_OK;
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


ngx_uint_t
ngx_http_ratelimit_is_true(ngx_str_t *value)
{
    return value->len != 0 && !(value->len == 1 && value->data[0] == '0');
}
