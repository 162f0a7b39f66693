
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_headers", when all policies are known: names of fields are
 * rendered once, and stand once.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "response/ngx_http_ratelimit_headers.h"


/* a name that a level's responses may have */

typedef struct {
    ngx_table_elt_t              *elt;
    ngx_http_ratelimit_fields_t  *fields;
} ngx_http_ratelimit_field_name_t;


static ngx_int_t ngx_http_ratelimit_init_fields(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf, ngx_http_ratelimit_fields_t *fields);
static void ngx_http_ratelimit_warn_hidden(ngx_conf_t *cf,
    ngx_http_ratelimit_fields_t *fields);
static ngx_int_t ngx_http_ratelimit_init_name(ngx_conf_t *cf,
    ngx_table_elt_t *elt, rl_template_t *field, rl_str_t policy);
static ngx_int_t ngx_http_ratelimit_check_names(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf,
    ngx_http_ratelimit_headers_t *headers);
static ngx_int_t ngx_http_ratelimit_add_names(
    ngx_http_ratelimit_main_conf_t *rmcf, ngx_http_ratelimit_fields_t *fields,
    ngx_array_t *names);
static ngx_uint_t ngx_http_ratelimit_is_told(
    ngx_http_ratelimit_fields_t *fields, ngx_http_ratelimit_policy_t *policy);
static int ngx_libc_cdecl ngx_http_ratelimit_compare_names(const void *one,
    const void *two);


ngx_int_t
ngx_http_ratelimit_init_headers(ngx_conf_t *cf)
{
    ngx_uint_t                        i, j;
    ngx_http_ratelimit_fields_t     **fields;
    ngx_http_ratelimit_headers_t    **headers;
    ngx_http_ratelimit_main_conf_t   *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    headers = rmcf->headers.elts;

    for (i = 0; i < rmcf->headers.nelts; i++) {
        fields = headers[i]->fields.elts;

        for (j = 0; j < headers[i]->fields.nelts; j++) {
            if (ngx_http_ratelimit_init_fields(cf, rmcf, fields[j])
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }

        if (ngx_http_ratelimit_check_names(cf, rmcf, headers[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_init_fields(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf, ngx_http_ratelimit_fields_t *fields)
{
    rl_str_t                       name;
    ngx_uint_t                     i, j, n;
    ngx_table_elt_t               *elt;
    ngx_http_ratelimit_policy_t  **policies;

    policies = rmcf->policies.elts;
    n = (fields->core.scope == RL_EACH) ? rmcf->policies.nelts : 1;

    ngx_http_ratelimit_warn_hidden(cf, fields);

    elt = ngx_pcalloc(cf->pool, n * fields->core.n * sizeof(ngx_table_elt_t));
    if (elt == NULL) {
        return NGX_ERROR;
    }

    fields->elts = elt;

    for (i = 0; i < n; i++) {
        name = (fields->core.scope == RL_EACH)
               ? policies[i]->core.name
               : ngx_http_ratelimit_make_str(NULL, 0);

        for (j = 0; j < fields->core.n; j++) {
            if (ngx_http_ratelimit_init_name(cf, elt++,
                                             &fields->core.templates[j], name)
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/* "policies=" with none that may be told of */

static void
ngx_http_ratelimit_warn_hidden(ngx_conf_t *cf,
    ngx_http_ratelimit_fields_t *fields)
{
    ngx_uint_t                     i;
    ngx_http_ratelimit_policy_t  **policies;

    if (fields->policies == NULL) {
        return;
    }

    policies = fields->policies->elts;

    for (i = 0; i < fields->policies->nelts; i++) {
        if (!policies[i]->core.hidden) {
            return;
        }
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"ratelimit_headers\" tells of no policy, those of "
                  "\"policies=\" are hidden, in %s:%ui",
                  fields->file, fields->line);
}


static ngx_int_t
ngx_http_ratelimit_init_name(ngx_conf_t *cf, ngx_table_elt_t *elt,
    rl_template_t *field, rl_str_t policy)
{
    u_char    *buf;
    rl_str_t   name, lower;

    buf = ngx_pnalloc(cf->pool, RL_FIELD_NAME_LEN(field, policy.len));
    if (buf == NULL) {
        return NGX_ERROR;
    }

    rl_field_name(field, policy, buf, &name, &lower);

    elt->hash = 1;
    elt->key.len = name.len;
    elt->key.data = (u_char *) name.data;
    elt->lowcase_key = (u_char *) lower.data;

    return NGX_OK;
}


/* two fields of one name would contradict each other */

static ngx_int_t
ngx_http_ratelimit_check_names(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf,
    ngx_http_ratelimit_headers_t *headers)
{
    ngx_uint_t                        i;
    ngx_array_t                       names;
    ngx_http_ratelimit_fields_t     **fields, *later;
    ngx_http_ratelimit_field_name_t  *name;

    if (ngx_array_init(&names, cf->temp_pool, 16,
                       sizeof(ngx_http_ratelimit_field_name_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    fields = headers->fields.elts;

    for (i = 0; i < headers->fields.nelts; i++) {
        if (ngx_http_ratelimit_add_names(rmcf, fields[i], &names) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    name = names.elts;

    ngx_qsort(name, names.nelts, sizeof(ngx_http_ratelimit_field_name_t),
              ngx_http_ratelimit_compare_names);

    for (i = 1; i < names.nelts; i++) {

        if (ngx_http_ratelimit_compare_names(&name[i - 1], &name[i]) != 0) {
            continue;
        }

        later = (name[i - 1].fields->line > name[i].fields->line)
                ? name[i - 1].fields : name[i].fields;

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "duplicate field \"%V\" in \"ratelimit_headers\" in "
                      "%s:%ui", &name[i].elt->key, later->file, later->line);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_add_names(ngx_http_ratelimit_main_conf_t *rmcf,
    ngx_http_ratelimit_fields_t *fields, ngx_array_t *names)
{
    ngx_uint_t                        i, j, n;
    ngx_http_ratelimit_policy_t     **policies;
    ngx_http_ratelimit_field_name_t  *name;

    policies = rmcf->policies.elts;
    n = (fields->core.scope == RL_EACH) ? rmcf->policies.nelts : 1;

    for (i = 0; i < n; i++) {

        if (fields->core.scope == RL_EACH
            && !ngx_http_ratelimit_is_told(fields, policies[i]))
        {
            continue;
        }

        for (j = 0; j < fields->core.n; j++) {
            name = ngx_array_push(names);
            if (name == NULL) {
                return NGX_ERROR;
            }

            name->elt = &fields->elts[i * fields->core.n + j];
            name->fields = fields;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_ratelimit_is_told(ngx_http_ratelimit_fields_t *fields,
    ngx_http_ratelimit_policy_t *policy)
{
    ngx_uint_t                     i;
    ngx_http_ratelimit_policy_t  **policies;

    if (policy->core.hidden) {
        return 0;
    }

    if (fields->policies == NULL) {
        return 1;
    }

    policies = fields->policies->elts;

    for (i = 0; i < fields->policies->nelts; i++) {
        if (policies[i] == policy) {
            return 1;
        }
    }

    return 0;
}


static int ngx_libc_cdecl
ngx_http_ratelimit_compare_names(const void *one, const void *two)
{
    const ngx_http_ratelimit_field_name_t  *a = one;
    const ngx_http_ratelimit_field_name_t  *b = two;

    return (int) ngx_memn2cmp(a->elt->lowcase_key, b->elt->lowcase_key,
                              a->elt->key.len, b->elt->key.len);
}
