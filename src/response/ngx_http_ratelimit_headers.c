
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_headers": which fields tell a client where it stands.  A dialect
 * is some templates of fields, as "fields" takes them.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "response/ngx_http_ratelimit_headers.h"


#define NGX_HTTP_RATELIMIT_RESET     0x01
#define NGX_HTTP_RATELIMIT_POLICIES  0x02
#define NGX_HTTP_RATELIMIT_PREFIX    0x04


/* a dialect of a line, as far as it has been read */

typedef struct {
    ngx_http_ratelimit_headers_t *headers;
    ngx_uint_t                   begun;      /* unsigned  begun:1; */
    rl_dialect_e                 kind;
    rl_reset_e                   reset;
    rl_str_t                     prefix;
    ngx_array_t                 *policies;
    ngx_array_t                  templates;  /* rl_template_t, of "fields" */
    ngx_uint_t                   seen;       /* parameters */
} ngx_http_ratelimit_dialect_t;


static ngx_http_ratelimit_headers_t *ngx_http_ratelimit_create_headers(
    ngx_conf_t *cf);
static char *ngx_http_ratelimit_headers_argument(ngx_conf_t *cf,
    ngx_http_ratelimit_dialect_t *dialect, ngx_str_t *arg);
static char *ngx_http_ratelimit_retry_after_max(ngx_conf_t *cf,
    ngx_http_ratelimit_headers_t *headers, ngx_str_t *arg, ngx_str_t *value);
static char *ngx_http_ratelimit_begin_dialect(ngx_conf_t *cf,
    ngx_http_ratelimit_dialect_t *dialect, ngx_str_t *name);
static ngx_uint_t ngx_http_ratelimit_is_template(ngx_str_t *arg);
static char *ngx_http_ratelimit_add_template(ngx_conf_t *cf,
    ngx_http_ratelimit_dialect_t *dialect, ngx_str_t *text);
static char *ngx_http_ratelimit_dialect_parameter(ngx_conf_t *cf,
    ngx_http_ratelimit_dialect_t *dialect, ngx_str_t *arg);
static char *ngx_http_ratelimit_end_dialect(ngx_conf_t *cf,
    ngx_http_ratelimit_dialect_t *dialect);
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
ngx_http_ratelimit_headers(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ratelimit_loc_conf_t  *rlcf = conf;

    char                          *rv;
    ngx_str_t                     *value;
    ngx_uint_t                     i, off;
    ngx_http_ratelimit_dialect_t   dialect;

    value = cf->args->elts;
    off = (value[1].len == 3 && ngx_strncmp(value[1].data, "off", 3) == 0);

    if (rlcf->headers && (rlcf->headers->off || off)) {
        return "off cannot stand beside other \"ratelimit_headers\" lines";
    }

    if (rlcf->headers == NULL) {
        rlcf->headers = ngx_http_ratelimit_create_headers(cf);
        if (rlcf->headers == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (off && cf->args->nelts == 2) {
        rlcf->headers->off = 1;
        return NGX_CONF_OK;
    }

    ngx_memzero(&dialect, sizeof(ngx_http_ratelimit_dialect_t));
    dialect.headers = rlcf->headers;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_http_ratelimit_headers_argument(cf, &dialect, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return ngx_http_ratelimit_end_dialect(cf, &dialect);
}


static char *
ngx_http_ratelimit_headers_argument(ngx_conf_t *cf,
    ngx_http_ratelimit_dialect_t *dialect, ngx_str_t *arg)
{
    ngx_str_t  value;

    if (dialect->begun && dialect->kind == RL_DIALECT_FIELDS
        && ngx_http_ratelimit_is_template(arg))
    {
        return ngx_http_ratelimit_add_template(cf, dialect, arg);
    }

    if (arg->len == 14 && ngx_strncmp(arg->data, "retry_after_ms", 14) == 0) {

        if (dialect->headers->retry_after_ms) {
            return ngx_http_ratelimit_duplicate(cf, arg);
        }

        dialect->headers->retry_after_ms = 1;
        return NGX_CONF_OK;
    }

    if (arg->len == 6 && ngx_strncmp(arg->data, "spread", 6) == 0) {

        if (dialect->headers->spread) {
            return ngx_http_ratelimit_duplicate(cf, arg);
        }

        dialect->headers->spread = 1;
        return NGX_CONF_OK;
    }

    if (ngx_http_ratelimit_parameter(arg, "retry_after_max=", &value)) {
        return ngx_http_ratelimit_retry_after_max(cf, dialect->headers, arg,
                                                  &value);
    }

    if (dialect->begun
        && ngx_strlchr(arg->data, arg->data + arg->len, '='))
    {
        return ngx_http_ratelimit_dialect_parameter(cf, dialect, arg);
    }

    return ngx_http_ratelimit_begin_dialect(cf, dialect, arg);
}


static char *
ngx_http_ratelimit_retry_after_max(ngx_conf_t *cf,
    ngx_http_ratelimit_headers_t *headers, ngx_str_t *arg, ngx_str_t *value)
{
    ngx_int_t  seconds;

    if (headers->retry_after_max_ms != NGX_HTTP_RATELIMIT_RETRY_AFTER_MAX) {
        return ngx_http_ratelimit_duplicate(cf, arg);
    }

    seconds = ngx_parse_time(value, 1);

    if (seconds < 1
        || (uint64_t) seconds * 1000 >= NGX_HTTP_RATELIMIT_RETRY_AFTER_MAX)
    {
        return ngx_http_ratelimit_invalid(cf, "retry_after_max", value,
                   "must be a time of at least 1s and below 20d");
    }

    headers->retry_after_max_ms = (uint64_t) seconds * 1000;

    return NGX_CONF_OK;
}


static ngx_http_ratelimit_headers_t *
ngx_http_ratelimit_create_headers(ngx_conf_t *cf)
{
    ngx_http_ratelimit_headers_t    *headers, **hp;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    headers = ngx_pcalloc(cf->pool, sizeof(ngx_http_ratelimit_headers_t));
    if (headers == NULL) {
        return NULL;
    }

    headers->retry_after_max_ms = NGX_HTTP_RATELIMIT_RETRY_AFTER_MAX;

    if (ngx_array_init(&headers->fields, cf->pool, 2, sizeof(void *))
        != NGX_OK)
    {
        return NULL;
    }

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    hp = ngx_array_push(&rmcf->headers);
    if (hp == NULL) {
        return NULL;
    }

    *hp = headers;

    return headers;
}


static char *
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

static ngx_uint_t
ngx_http_ratelimit_is_template(ngx_str_t *arg)
{
    u_char  *colon, *last;

    last = arg->data + arg->len;
    colon = ngx_strlchr(arg->data, last, ':');

    return colon && ngx_strlchr(arg->data, colon, '=') == NULL;
}


static char *
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


static char *
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

static char *
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


void
ngx_http_ratelimit_merge_headers(ngx_http_ratelimit_loc_conf_t *prev,
    ngx_http_ratelimit_loc_conf_t *conf)
{
    ngx_uint_t                     i;
    ngx_http_ratelimit_fields_t  **fields;

    if (conf->headers == NULL) {
        conf->headers = prev->headers;
    }

    if (conf->headers == NULL) {
        return;
    }

    conf->spread = conf->headers->spread;

    fields = conf->headers->fields.elts;

    for (i = 0; i < conf->headers->fields.nelts; i++) {
        if (fields[i]->core.want_next) {
            conf->want_next = 1;
        }
    }
}
