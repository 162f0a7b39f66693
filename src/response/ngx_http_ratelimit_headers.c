
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_headers": which fields tell a client where it stands.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "response/ngx_http_ratelimit_dialect.h"
#include "response/ngx_http_ratelimit_headers.h"


static ngx_http_ratelimit_headers_t *ngx_http_ratelimit_create_headers(
    ngx_conf_t *cf);
static char *ngx_http_ratelimit_headers_argument(ngx_conf_t *cf,
    ngx_http_ratelimit_dialect_t *dialect, ngx_str_t *arg);
static char *ngx_http_ratelimit_retry_after_max(ngx_conf_t *cf,
    ngx_http_ratelimit_headers_t *headers, ngx_str_t *arg, ngx_str_t *value);


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
