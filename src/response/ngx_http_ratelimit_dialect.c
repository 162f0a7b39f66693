
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The dialects of "ratelimit_headers": each is some templates of fields, as
 * "fields" takes them.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "response/ngx_http_ratelimit_dialect.h"
#include "response/ngx_http_ratelimit_headers.h"


#define NGX_HTTP_RATELIMIT_RESET     0x01
#define NGX_HTTP_RATELIMIT_POLICIES  0x02
#define NGX_HTTP_RATELIMIT_PREFIX    0x04


static char *ngx_http_ratelimit_dialect_templates(ngx_conf_t *cf,
    ngx_http_ratelimit_dialect_t *dialect);
static ngx_http_ratelimit_fields_t *ngx_http_ratelimit_create_fields(
    ngx_conf_t *cf, ngx_http_ratelimit_dialect_t *dialect);


/* by rl_dialect_e: the parameters that a dialect takes */

static ngx_uint_t  ngx_http_ratelimit_dialect_parameters[] = {
    NGX_HTTP_RATELIMIT_RESET
    |NGX_HTTP_RATELIMIT_POLICIES
    |NGX_HTTP_RATELIMIT_PREFIX,                       /* x-ratelimit */
    NGX_HTTP_RATELIMIT_POLICIES,                      /* ietf */
    NGX_HTTP_RATELIMIT_POLICIES,                      /* draft3 */
    NGX_HTTP_RATELIMIT_POLICIES
    |NGX_HTTP_RATELIMIT_PREFIX,                       /* per-policy */
    NGX_HTTP_RATELIMIT_POLICIES                       /* fields */
};


char *
ngx_http_ratelimit_begin_dialect(ngx_conf_t *cf,
    ngx_http_ratelimit_dialect_t *dialect, ngx_str_t *name)
{
    char                          *rv;
    const char                    *allowed;
    ngx_http_ratelimit_headers_t  *headers;

    rv = ngx_http_ratelimit_end_dialect(cf, dialect);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    headers = dialect->headers;

    ngx_memzero(dialect, sizeof(ngx_http_ratelimit_dialect_t));

    dialect->headers = headers;
    dialect->begun = 1;

    allowed = rl_parse_dialect(ngx_http_ratelimit_str(name), &dialect->kind);
    if (allowed) {
        return ngx_http_ratelimit_invalid(cf, "headers", name, allowed);
    }

    if (dialect->kind == RL_DIALECT_X) {
        dialect->prefix = ngx_http_ratelimit_make_str(
                                               (u_char *) "X-RateLimit-", 12);
    }

    if (ngx_array_init(&dialect->templates, cf->pool, 4, sizeof(rl_template_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* "Name: a=b", not "policies=a:b" */

ngx_uint_t
ngx_http_ratelimit_is_template(ngx_str_t *arg)
{
    u_char  *colon, *last;

    last = arg->data + arg->len;
    colon = ngx_strlchr(arg->data, last, ':');

    return colon && ngx_strlchr(arg->data, colon, '=') == NULL;
}


char *
ngx_http_ratelimit_add_template(ngx_conf_t *cf,
    ngx_http_ratelimit_dialect_t *dialect, ngx_str_t *text)
{
    const char     *allowed;
    rl_template_t  *field;

    field = ngx_array_push(&dialect->templates);
    if (field == NULL) {
        return NGX_CONF_ERROR;
    }

    allowed = rl_parse_template(ngx_http_ratelimit_str(text), field);
    if (allowed) {
        return ngx_http_ratelimit_invalid(cf, "field", text, allowed);
    }

    return NGX_CONF_OK;
}


char *
ngx_http_ratelimit_dialect_parameter(ngx_conf_t *cf,
    ngx_http_ratelimit_dialect_t *dialect, ngx_str_t *arg)
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

    if (!(ngx_http_ratelimit_dialect_parameters[dialect->kind] & parameter)) {
        return ngx_http_ratelimit_invalid(cf, "parameter", arg,
                   "must stand behind a dialect that takes it: x-ratelimit "
                   "takes reset=, policies=, prefix=, per-policy takes "
                   "prefix=, policies=, ietf, draft3 and fields take "
                   "policies=");
    }

    if (dialect->seen & parameter) {
        return ngx_http_ratelimit_duplicate(cf, arg);
    }

    dialect->seen |= parameter;

    switch (parameter) {

    case NGX_HTTP_RATELIMIT_RESET:
        allowed = rl_parse_reset(ngx_http_ratelimit_str(&value),
                                 &dialect->reset);
        return allowed ? ngx_http_ratelimit_invalid(cf, "reset", &value,
                                                    allowed)
                       : NGX_CONF_OK;

    case NGX_HTTP_RATELIMIT_POLICIES:
        dialect->policies = ngx_http_ratelimit_policies(cf, &value);
        return dialect->policies ? NGX_CONF_OK : NGX_CONF_ERROR;

    default: /* NGX_HTTP_RATELIMIT_PREFIX */
        allowed = rl_parse_prefix(ngx_http_ratelimit_str(&value),
                                  &dialect->prefix);
        return allowed ? ngx_http_ratelimit_invalid(cf, "prefix", &value,
                                                    allowed)
                       : NGX_CONF_OK;
    }
}


/* its templates become fields of the level */

char *
ngx_http_ratelimit_end_dialect(ngx_conf_t *cf,
    ngx_http_ratelimit_dialect_t *dialect)
{
    char                         *rv;
    ngx_uint_t                    i;
    rl_template_t                *templates;
    ngx_http_ratelimit_fields_t  *fields;

    if (!dialect->begun) {
        return NGX_CONF_OK;
    }

    if (dialect->kind == RL_DIALECT_PER_POLICY && dialect->prefix.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"ratelimit_headers\" \"per-policy\" has no "
                           "\"prefix=\"");
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_ratelimit_dialect_templates(cf, dialect);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (dialect->templates.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"ratelimit_headers\" \"fields\" has no "
                           "\"Name: template\"");
        return NGX_CONF_ERROR;
    }

    templates = dialect->templates.elts;
    fields = NULL;

    for (i = 0; i < dialect->templates.nelts; i++) {

        if (fields && rl_fields_add(&fields->core, &templates[i])) {
            continue;
        }

        fields = ngx_http_ratelimit_create_fields(cf, dialect);
        if (fields == NULL) {
            return NGX_CONF_ERROR;
        }

        (void) rl_fields_add(&fields->core, &templates[i]);
    }

    return NGX_CONF_OK;
}


/* those of a dialect that has a name, written as people would */

static char *
ngx_http_ratelimit_dialect_templates(ngx_conf_t *cf,
    ngx_http_ratelimit_dialect_t *dialect)
{
    char        *rv;
    ngx_str_t    text;
    ngx_uint_t   i;

    for (i = 0; /* void */ ; i++) {

        text.data = ngx_pnalloc(cf->pool,
                                RL_DIALECT_TEMPLATE_LEN(dialect->prefix.len));
        if (text.data == NULL) {
            return NGX_CONF_ERROR;
        }

        text.len = rl_dialect_template(dialect->kind, dialect->prefix,
                                       dialect->reset, i, text.data);
        if (text.len == 0) {
            return NGX_CONF_OK;
        }

        rv = ngx_http_ratelimit_add_template(cf, dialect, &text);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }
}


static ngx_http_ratelimit_fields_t *
ngx_http_ratelimit_create_fields(ngx_conf_t *cf,
    ngx_http_ratelimit_dialect_t *dialect)
{
    ngx_http_ratelimit_fields_t  *fields, **fp;

    fields = ngx_pcalloc(cf->pool, sizeof(ngx_http_ratelimit_fields_t));
    if (fields == NULL) {
        return NULL;
    }

    fp = ngx_array_push(&dialect->headers->fields);
    if (fp == NULL) {
        return NULL;
    }

    *fp = fields;

    fields->policies = dialect->policies;
    fields->file = cf->conf_file->file.name.data;
    fields->line = cf->conf_file->line;

    return fields;
}
