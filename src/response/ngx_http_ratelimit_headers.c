
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_headers": which fields tell a client where it stands.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "response/ngx_http_ratelimit_headers.h"


#define NGX_HTTP_RATELIMIT_RESET     0x01
#define NGX_HTTP_RATELIMIT_POLICIES  0x02
#define NGX_HTTP_RATELIMIT_PREFIX    0x04


static char *ngx_http_ratelimit_dialect(ngx_conf_t *cf, ngx_str_t *name,
    ngx_array_t *dialects, ngx_http_ratelimit_dialect_t **dialect);
static char *ngx_http_ratelimit_dialect_parameter(ngx_conf_t *cf,
    ngx_http_ratelimit_dialect_t *dialect, ngx_str_t *arg, ngx_uint_t *seen);
static char *ngx_http_ratelimit_dialect_prefix(ngx_conf_t *cf,
    ngx_http_ratelimit_dialect_t *dialect, ngx_str_t *value);
static ngx_int_t ngx_http_ratelimit_init_dialect(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf,
    ngx_http_ratelimit_dialect_t *dialect);


/* by rl_dialect_kind_e: the parameters that a dialect takes */

static ngx_uint_t  ngx_http_ratelimit_dialect_parameters[] = {
    NGX_HTTP_RATELIMIT_RESET
    |NGX_HTTP_RATELIMIT_POLICIES
    |NGX_HTTP_RATELIMIT_PREFIX,                       /* x-ratelimit */
    NGX_HTTP_RATELIMIT_POLICIES,                      /* ietf */
    NGX_HTTP_RATELIMIT_POLICIES,                      /* draft3 */
    NGX_HTTP_RATELIMIT_POLICIES
    |NGX_HTTP_RATELIMIT_PREFIX                        /* per-policy */
};


char *
ngx_http_ratelimit_headers(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ratelimit_loc_conf_t  *rlcf = conf;

    char                           *rv;
    ngx_str_t                      *value;
    ngx_uint_t                      i, seen;
    ngx_http_ratelimit_dialect_t   *dialect;

    value = cf->args->elts;

    if (rlcf->dialects != NULL
        && (rlcf->headers_off
            || (value[1].len == 3
                && ngx_strncmp(value[1].data, "off", 3) == 0)))
    {
        return "off cannot stand beside other \"ratelimit_headers\" lines";
    }

    if (rlcf->dialects == NULL) {
        rlcf->dialects = ngx_array_create(cf->pool, 2, sizeof(void *));
        if (rlcf->dialects == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (cf->args->nelts == 2
        && value[1].len == 3 && ngx_strncmp(value[1].data, "off", 3) == 0)
    {
        rlcf->headers_off = 1;
        return NGX_CONF_OK;
    }

    dialect = NULL;
    seen = 0;

    for (i = 1; i < cf->args->nelts; i++) {

        if (dialect != NULL
            && ngx_strlchr(value[i].data, value[i].data + value[i].len, '='))
        {
            rv = ngx_http_ratelimit_dialect_parameter(cf, dialect, &value[i],
                                                      &seen);
        } else {
            seen = 0;
            rv = ngx_http_ratelimit_dialect(cf, &value[i], rlcf->dialects,
                                            &dialect);
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_dialect(ngx_conf_t *cf, ngx_str_t *name,
    ngx_array_t *dialects, ngx_http_ratelimit_dialect_t **dialect)
{
    const char                       *allowed;
    ngx_http_ratelimit_dialect_t     *d, **dp;
    ngx_http_ratelimit_main_conf_t   *rmcf;

    d = ngx_pcalloc(cf->pool, sizeof(ngx_http_ratelimit_dialect_t));
    if (d == NULL) {
        return NGX_CONF_ERROR;
    }

    allowed = rl_parse_dialect(ngx_http_ratelimit_str(name), &d->core.kind);
    if (allowed) {
        return ngx_http_ratelimit_invalid(cf, "headers", name, allowed);
    }

    if (d->core.kind == RL_DIALECT_X) {
        d->core.prefix = ngx_http_ratelimit_make_str((u_char *) "X-RateLimit-",
                                                     12);
    }

    d->core.reset = RL_RESET_DELTA;
    d->file = cf->conf_file->file.name.data;
    d->line = cf->conf_file->line;

    dp = ngx_array_push(dialects);
    if (dp == NULL) {
        return NGX_CONF_ERROR;
    }

    *dp = d;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    dp = ngx_array_push(&rmcf->dialects);
    if (dp == NULL) {
        return NGX_CONF_ERROR;
    }

    *dp = d;
    *dialect = d;

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_dialect_parameter(ngx_conf_t *cf,
    ngx_http_ratelimit_dialect_t *dialect, ngx_str_t *arg, ngx_uint_t *seen)
{
    ngx_str_t    value;
    ngx_uint_t   parameter;
    const char  *allowed;

    if (ngx_http_ratelimit_parameter(arg, "reset=", &value)) {
        parameter = NGX_HTTP_RATELIMIT_RESET;

    } else if (ngx_http_ratelimit_parameter(arg, "policies=", &value)) {
        parameter = NGX_HTTP_RATELIMIT_POLICIES;

    } else if (ngx_http_ratelimit_parameter(arg, "prefix=", &value)) {
        parameter = NGX_HTTP_RATELIMIT_PREFIX;

    } else {
        return ngx_http_ratelimit_invalid(cf, "parameter", arg,
                   "must be one of reset=, policies=, prefix=");
    }

    if (!(ngx_http_ratelimit_dialect_parameters[dialect->core.kind]
          & parameter))
    {
        return ngx_http_ratelimit_invalid(cf, "parameter", arg,
                   "must stand behind a dialect that takes it: x-ratelimit "
                   "takes reset=, policies=, prefix=, per-policy takes "
                   "prefix=, policies=, ietf and draft3 take policies=");
    }

    if (*seen & parameter) {
        return ngx_http_ratelimit_duplicate(cf, arg);
    }

    *seen |= parameter;

    switch (parameter) {

    case NGX_HTTP_RATELIMIT_RESET:
        allowed = rl_parse_reset(ngx_http_ratelimit_str(&value),
                                 &dialect->core.reset);
        if (allowed) {
            return ngx_http_ratelimit_invalid(cf, "reset", &value, allowed);
        }

        return NGX_CONF_OK;

    case NGX_HTTP_RATELIMIT_POLICIES:
        dialect->policies = ngx_http_ratelimit_policies(cf, &value);
        return dialect->policies ? NGX_CONF_OK : NGX_CONF_ERROR;

    default: /* NGX_HTTP_RATELIMIT_PREFIX */
        return ngx_http_ratelimit_dialect_prefix(cf, dialect, &value);
    }
}


static char *
ngx_http_ratelimit_dialect_prefix(ngx_conf_t *cf,
    ngx_http_ratelimit_dialect_t *dialect, ngx_str_t *value)
{
    const char  *allowed;

    allowed = rl_parse_prefix(ngx_http_ratelimit_str(value),
                              &dialect->core.prefix);
    if (allowed) {
        return ngx_http_ratelimit_invalid(cf, "prefix", value, allowed);
    }

    return NGX_CONF_OK;
}


void
ngx_http_ratelimit_merge_headers(ngx_http_ratelimit_loc_conf_t *prev,
    ngx_http_ratelimit_loc_conf_t *conf)
{
    ngx_uint_t                      i;
    ngx_http_ratelimit_dialect_t  **dialects;

    if (conf->dialects == NULL) {
        conf->dialects = prev->dialects;
    }

    if (conf->dialects == NULL) {
        return;
    }

    dialects = conf->dialects->elts;

    for (i = 0; i < conf->dialects->nelts; i++) {
        if (dialects[i]->core.kind == RL_DIALECT_IETF) {
            conf->want_next = 1;
        }
    }
}


/* names are rendered once, when all policies are known */

ngx_int_t
ngx_http_ratelimit_init_headers(ngx_conf_t *cf)
{
    ngx_uint_t                        i;
    ngx_http_ratelimit_dialect_t    **dialects;
    ngx_http_ratelimit_main_conf_t   *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    dialects = rmcf->dialects.elts;

    for (i = 0; i < rmcf->dialects.nelts; i++) {
        if (ngx_http_ratelimit_init_dialect(cf, rmcf, dialects[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_init_dialect(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf,
    ngx_http_ratelimit_dialect_t *dialect)
{
    u_char                        *buf;
    size_t                         size;
    ngx_uint_t                     i, j, n, nfields;
    rl_str_t                       name;
    rl_field_t                     names[RL_DIALECT_FIELDS];
    ngx_table_elt_t               *field;
    ngx_http_ratelimit_policy_t  **policies;

    if (dialect->core.prefix.len == 0
        && (ngx_http_ratelimit_dialect_parameters[dialect->core.kind]
            & NGX_HTTP_RATELIMIT_PREFIX))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ratelimit_headers\" \"per-policy\" has no "
                      "\"prefix=\" in %s:%ui", dialect->file, dialect->line);
        return NGX_ERROR;
    }

    policies = rmcf->policies.elts;
    n = (dialect->core.kind == RL_DIALECT_PER_POLICY) ? rmcf->policies.nelts
                                                      : 1;

    dialect->fields = ngx_pcalloc(cf->pool, n * RL_DIALECT_FIELDS
                                            * sizeof(ngx_table_elt_t));
    if (dialect->fields == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        name = rmcf->policies.nelts ? policies[i]->core.name
                                    : ngx_http_ratelimit_make_str(NULL, 0);

        size = RL_DIALECT_NAMES_LEN(dialect->core.prefix.len, name.len);

        buf = ngx_pnalloc(cf->pool, size);
        if (buf == NULL) {
            return NGX_ERROR;
        }

        nfields = rl_dialect_names(&dialect->core, name, buf, size, names);

        for (j = 0; j < nfields; j++) {
            field = &dialect->fields[i * RL_DIALECT_FIELDS + j];

            field->hash = 1;
            field->key.len = names[j].name.len;
            field->key.data = (u_char *) names[j].name.data;
            field->lowcase_key = (u_char *) names[j].lower.data;
        }
    }

    return NGX_OK;
}
