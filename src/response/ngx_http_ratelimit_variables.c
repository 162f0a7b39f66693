
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * $ratelimit_*: a client's standing and a request's status as text; each with
 * _NAME for one policy.
 */


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "request/ngx_http_ratelimit_record.h"
#include "request/ngx_http_ratelimit_standing.h"
#include "response/ngx_http_ratelimit_headers.h"
#include "response/ngx_http_ratelimit_render.h"
#include "response/ngx_http_ratelimit_variables.h"


typedef u_char *(*ngx_http_ratelimit_variable_pt)(u_char *p,
    ngx_http_ratelimit_standing_t *standing);


typedef struct {
    ngx_str_t                      name;     /* without $ and _NAME */
    ngx_http_ratelimit_variable_pt render;   /* NULL: the status */
} ngx_http_ratelimit_variable_t;


/* window texts are as long as they were written; the rest are numbers */

#define NGX_HTTP_RATELIMIT_VALUE_LEN  20


static ngx_int_t ngx_http_ratelimit_get_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_ratelimit_get_version(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_ratelimit_get_named_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_ratelimit_render_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, ngx_http_ratelimit_variable_t *variable,
    ngx_http_ratelimit_policy_t *policy);
static ngx_uint_t ngx_http_ratelimit_is_defined(
    ngx_http_core_main_conf_t *cmcf, ngx_str_t *name);
static ngx_http_ratelimit_variable_t *ngx_http_ratelimit_split_name(
    ngx_str_t *full, ngx_str_t *policy);
static ngx_http_ratelimit_headers_t *ngx_http_ratelimit_headers_of(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_ratelimit_status_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, ngx_http_ratelimit_policy_t *policy);
static ngx_int_t ngx_http_ratelimit_waited_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


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

static ngx_http_ratelimit_variable_t *
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


static ngx_int_t
ngx_http_ratelimit_get_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    return ngx_http_ratelimit_render_variable(r->main, v,
                             (ngx_http_ratelimit_variable_t *) data, NULL);
}


static ngx_int_t
ngx_http_ratelimit_get_version(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->len = sizeof(NGX_HTTP_RATELIMIT_VERSION) - 1;
    v->data = (u_char *) NGX_HTTP_RATELIMIT_VERSION;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_get_named_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                        name;
    ngx_http_ratelimit_policy_t     *policy;
    ngx_http_ratelimit_variable_t   *variable;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    variable = ngx_http_ratelimit_split_name((ngx_str_t *) data, &name);

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_ratelimit_module);
    policy = ngx_http_ratelimit_find_policy(rmcf, &name);

    if (variable == NULL || policy == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_ratelimit_render_variable(r->main, v, variable, policy);
}


static ngx_int_t
ngx_http_ratelimit_render_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, ngx_http_ratelimit_variable_t *variable,
    ngx_http_ratelimit_policy_t *policy)
{
    size_t                          len;
    u_char                         *p, *last;
    ngx_http_ratelimit_standing_t   standing;

    if (variable->render
        && ngx_http_ratelimit_stand(r, policy, &standing) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* not before: a key that asks for its own standing comes here meanwhile */

    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    if (variable->render == NULL) {
        return ngx_http_ratelimit_status_variable(r, v, policy);
    }

    len = NGX_HTTP_RATELIMIT_VALUE_LEN;

    if (standing.item) {
        len += standing.item->policy->name.len
               + standing.item->quota.window_text.len;

    } else if (variable->render != ngx_http_ratelimit_render_retry_after
               && variable->render != ngx_http_ratelimit_render_retry_after_ms)
    {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (standing.retry_after_ms) {
        standing.retry_after_ms = ngx_http_ratelimit_told_ms(
                                         ngx_http_ratelimit_headers_of(r),
                                         standing.retry_after_ms);
    }

    last = variable->render(p, &standing);

    v->len = last - p;
    v->data = p;

    return NGX_OK;
}


/* those of the location that decided, or of this one */

static ngx_http_ratelimit_headers_t *
ngx_http_ratelimit_headers_of(ngx_http_request_t *r)
{
    ngx_http_ratelimit_record_t    *record;
    ngx_http_ratelimit_loc_conf_t  *rlcf;

    record = ngx_http_ratelimit_get_record(r);

    if (record) {
        return record->conf->headers;
    }

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_ratelimit_module);

    return rlcf->headers;
}


static ngx_int_t
ngx_http_ratelimit_status_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, ngx_http_ratelimit_policy_t *policy)
{
    ngx_str_t                     status;
    rl_item_t                    *item;
    ngx_http_ratelimit_record_t  *record;

    record = ngx_http_ratelimit_get_record(r);

    if (record == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    item = policy ? ngx_http_ratelimit_find_item(record, policy) : NULL;

    if (policy ? item == NULL && record->error
               : record->failed || (record->error && !record->refused))
    {
        ngx_str_set(&status, "ERROR");

    } else if (policy ? item == NULL : record->nitems == 0) {
        ngx_str_set(&status, "BYPASSED");

    } else if (policy ? !item->admitted && !item->dry_run : record->refused) {
        ngx_str_set(&status, "REJECTED");

    } else if (policy ? !item->admitted : record->dry_run) {
        ngx_str_set(&status, "REJECTED_DRY_RUN");

    } else if (record->waited_ms) {
        ngx_str_set(&status, "DELAYED");

    } else {
        ngx_str_set(&status, "PASSED");
    }

    v->len = status.len;
    v->data = status.data;

    return NGX_OK;
}


/* of a request that was decided, whatever came of it */

static ngx_int_t
ngx_http_ratelimit_waited_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_ratelimit_record_t  *record;

    record = ngx_http_ratelimit_get_record(r->main);

    if (record == NULL || record->nitems == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    v->len = rl_render_u64(record->waited_ms, v->data);
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
