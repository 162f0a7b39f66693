
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Policies whose bucket or quota depends on their own standing, and keys that
 * depend on themselves, as far as the configuration shows it: a map hides it.
 */


#include "ngx_http_ratelimit.h"
#include "key/ngx_http_ratelimit_key.h"
#include "key/ngx_http_ratelimit_part.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "response/ngx_http_ratelimit_variables.h"


#define NGX_HTTP_RATELIMIT_NEW      0
#define NGX_HTTP_RATELIMIT_VISITED  1        /* and what it depends on is */
#define NGX_HTTP_RATELIMIT_DONE     2


static ngx_int_t ngx_http_ratelimit_visit_policy(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_t *policy, ngx_str_t *by);
static ngx_int_t ngx_http_ratelimit_visit_key(ngx_conf_t *cf,
    ngx_http_ratelimit_key_t *key, ngx_str_t *by);
static ngx_int_t ngx_http_ratelimit_visit_value(ngx_conf_t *cf,
    ngx_http_ratelimit_value_t *value);
static ngx_int_t ngx_http_ratelimit_visit_variable(ngx_conf_t *cf,
    ngx_uint_t index);


ngx_int_t
ngx_http_ratelimit_check_cycles(ngx_conf_t *cf)
{
    ngx_uint_t                        i;
    ngx_http_ratelimit_key_t        **keys;
    ngx_http_ratelimit_policy_t     **policies;
    ngx_http_ratelimit_main_conf_t   *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    policies = rmcf->policies.elts;

    for (i = 0; i < rmcf->policies.nelts; i++) {
        if (ngx_http_ratelimit_visit_policy(cf, policies[i], NULL) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    keys = rmcf->keys.elts;

    for (i = 0; i < rmcf->keys.nelts; i++) {
        if (ngx_http_ratelimit_visit_key(cf, keys[i], NULL) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* all that a look at it evaluates */

static ngx_int_t
ngx_http_ratelimit_visit_policy(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_t *policy, ngx_str_t *by)
{
    ngx_uint_t                    i;
    ngx_http_ratelimit_part_t    *part;
    ngx_http_ratelimit_value_t  **scale;

    if (policy->visit == NGX_HTTP_RATELIMIT_DONE) {
        return NGX_OK;
    }

    if (policy->visit == NGX_HTTP_RATELIMIT_VISITED) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ratelimit_policy\" \"%V\" must not depend on its own "
                      "standing, as it does by \"$%V\" in %s:%ui",
                      &policy->name, by, policy->file, policy->line);
        return NGX_ERROR;
    }

    policy->visit = NGX_HTTP_RATELIMIT_VISITED;

    part = policy->partition->parts.elts;

    for (i = 0; i < policy->partition->parts.nelts; i++) {
        if (ngx_http_ratelimit_visit_value(cf, part[i].value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    scale = policy->scales.elts;

    for (i = 0; i < policy->scales.nelts; i++) {
        if (ngx_http_ratelimit_visit_value(cf, scale[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_ratelimit_visit_value(cf, policy->quota) != NGX_OK
        || ngx_http_ratelimit_visit_value(cf, policy->capacity) != NGX_OK
        || ngx_http_ratelimit_visit_value(cf, policy->label) != NGX_OK)
    {
        return NGX_ERROR;
    }

    policy->visit = NGX_HTTP_RATELIMIT_DONE;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_visit_key(ngx_conf_t *cf, ngx_http_ratelimit_key_t *key,
    ngx_str_t *by)
{
    ngx_uint_t                    i;
    ngx_http_ratelimit_source_t  *source;

    if (key->visit == NGX_HTTP_RATELIMIT_DONE) {
        return NGX_OK;
    }

    if (key->visit == NGX_HTTP_RATELIMIT_VISITED) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ratelimit_key\" \"$%V\" must not depend on itself, "
                      "as it does by \"$%V\" in %s:%ui",
                      &key->name, by, key->file, key->line);
        return NGX_ERROR;
    }

    key->visit = NGX_HTTP_RATELIMIT_VISITED;

    source = key->sources.elts;

    for (i = 0; i < key->sources.nelts; i++) {
        if (source[i].core.kind == RL_SOURCE_VAR
            && ngx_http_ratelimit_visit_variable(cf, source[i].index)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    key->visit = NGX_HTTP_RATELIMIT_DONE;

    return NGX_OK;
}


/* nginx lists the variables of a text, to flush them */

static ngx_int_t
ngx_http_ratelimit_visit_value(ngx_conf_t *cf,
    ngx_http_ratelimit_value_t *value)
{
    ngx_uint_t  *index;

    if (value == NULL || value->complex.flushes == NULL) {
        return NGX_OK;
    }

    for (index = value->complex.flushes; *index != (ngx_uint_t) -1; index++) {
        if (ngx_http_ratelimit_visit_variable(cf, *index) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_visit_variable(ngx_conf_t *cf, ngx_uint_t index)
{
    ngx_str_t                    *name;
    ngx_http_variable_t          *v;
    ngx_http_ratelimit_key_t     *key;
    ngx_http_core_main_conf_t    *cmcf;
    ngx_http_ratelimit_policy_t  *policy;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    v = cmcf->variables.elts;
    name = &v[index].name;

    policy = ngx_http_ratelimit_policy_of(cf, name);
    if (policy) {
        return ngx_http_ratelimit_visit_policy(cf, policy, name);
    }

    key = ngx_http_ratelimit_find_key(cf, name);

    return key ? ngx_http_ratelimit_visit_key(cf, key, name) : NGX_OK;
}
