
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * $ratelimit_*: a client's standing and a request's status as text; each with
 * _NAME for one policy.
 */


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "response/ngx_http_ratelimit_render.h"
#include "response/ngx_http_ratelimit_variables.h"


static ngx_uint_t ngx_http_ratelimit_is_defined(
    ngx_http_core_main_conf_t *cmcf, ngx_str_t *name);


static ngx_str_t  ngx_http_ratelimit_waited =
    ngx_string("ratelimit_waited_ms");


/* a name that begins with another stands before it */

static ngx_http_ratelimit_variable_t  ngx_http_ratelimit_variables[] = {
    { ngx_string("ratelimit_status"), NULL },
    { ngx_string("ratelimit_policy"), ngx_http_ratelimit_render_policy },
    { ngx_string("ratelimit_limit"), ngx_http_ratelimit_render_limit },
    { ngx_string("ratelimit_remaining"),
      ngx_http_ratelimit_render_remaining },
    { ngx_string("ratelimit_used"), ngx_http_ratelimit_render_used },
    { ngx_string("ratelimit_reset_at"), ngx_http_ratelimit_render_reset_at },
    { ngx_string("ratelimit_reset_ms"), ngx_http_ratelimit_render_reset_ms },
    { ngx_string("ratelimit_reset"), ngx_http_ratelimit_render_reset },
    { ngx_string("ratelimit_retry_after_ms"),
      ngx_http_ratelimit_render_retry_after_ms },
    { ngx_string("ratelimit_retry_after"),
      ngx_http_ratelimit_render_retry_after },
    { ngx_string("ratelimit_window"), ngx_http_ratelimit_render_window },
    { ngx_string("ratelimit_key_id"), ngx_http_ratelimit_render_key_id },
    { ngx_null_string, NULL }
};


ngx_int_t
ngx_http_ratelimit_add_variables(ngx_conf_t *cf)
{
    u_char                         *p;
    ngx_str_t                       prefix;
    ngx_http_variable_t            *var;
    ngx_http_ratelimit_variable_t  *v;

    static ngx_str_t  version = ngx_string("ratelimit_version");

    var = ngx_http_add_variable(cf, &version, 0);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_http_ratelimit_get_version;

    var = ngx_http_add_variable(cf, &ngx_http_ratelimit_waited,
                                NGX_HTTP_VAR_NOCACHEABLE);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_http_ratelimit_waited_variable;

    for (v = ngx_http_ratelimit_variables; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, NGX_HTTP_VAR_NOCACHEABLE);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = ngx_http_ratelimit_get_variable;
        var->data = (uintptr_t) v;

        prefix.len = v->name.len + 1;
        prefix.data = ngx_pnalloc(cf->pool, prefix.len);
        if (prefix.data == NULL) {
            return NGX_ERROR;
        }

        p = ngx_cpymem(prefix.data, v->name.data, v->name.len);
        *p = '_';

        var = ngx_http_add_variable(cf, &prefix, NGX_HTTP_VAR_NOCACHEABLE
                                                 |NGX_HTTP_VAR_PREFIX);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = ngx_http_ratelimit_get_named_variable;
    }

    return NGX_OK;
}


/* a variable of a policy which nobody defined is a mistake */

ngx_int_t
ngx_http_ratelimit_check_variables(ngx_conf_t *cf)
{
    ngx_str_t                        name;
    ngx_uint_t                       i;
    ngx_http_variable_t             *v;
    ngx_http_core_main_conf_t       *cmcf;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);
    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    v = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {

        if (ngx_http_ratelimit_split_name(&v[i].name, &name) == NULL
            || name.data == NULL
            || ngx_http_ratelimit_find_policy(rmcf, &name) != NULL)
        {
            continue;
        }

        /* a variable that the configuration itself defines */

        if (ngx_http_ratelimit_is_defined(cmcf, &v[i].name)) {
            continue;
        }

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "unknown policy \"%V\" in variable \"$%V\"",
                      &name, &v[i].name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the policy that has to be looked at for a variable of that name, or NULL */

ngx_http_ratelimit_policy_t *
ngx_http_ratelimit_policy_of(ngx_conf_t *cf, ngx_str_t *variable)
{
    ngx_str_t                        name;
    ngx_http_core_main_conf_t       *cmcf;
    ngx_http_ratelimit_variable_t   *v;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    v = ngx_http_ratelimit_split_name(variable, &name);

    if (v == NULL || v->render == NULL || name.data == NULL
        || ngx_http_ratelimit_is_defined(cmcf, variable))
    {
        return NULL;
    }

    return ngx_http_ratelimit_find_policy(rmcf, &name);
}


static ngx_uint_t
ngx_http_ratelimit_is_defined(ngx_http_core_main_conf_t *cmcf, ngx_str_t *name)
{
    ngx_uint_t       i;
    ngx_hash_key_t  *key;

    key = cmcf->variables_keys->keys.elts;

    for (i = 0; i < cmcf->variables_keys->keys.nelts; i++) {
        if (key[i].key.len == name->len
            && ngx_strncmp(key[i].key.data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * "ratelimit_reset_at_token": the variable, and *policy is what follows; its
 * data is NULL where nothing does.
 */

ngx_http_ratelimit_variable_t *
ngx_http_ratelimit_split_name(ngx_str_t *full, ngx_str_t *policy)
{
    ngx_http_ratelimit_variable_t  *v;

    for (v = ngx_http_ratelimit_variables; v->name.len; v++) {

        if (full->len < v->name.len
            || ngx_strncmp(full->data, v->name.data, v->name.len) != 0)
        {
            continue;
        }

        if (full->len == v->name.len) {
            ngx_str_null(policy);
            return v;
        }

        if (full->data[v->name.len] == '_') {
            policy->len = full->len - v->name.len - 1;
            policy->data = full->data + v->name.len + 1;
            return v;
        }
    }

    return NULL;
}
