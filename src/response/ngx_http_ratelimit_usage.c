
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_usage": which number of a response's body is a variable.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "request/ngx_http_ratelimit_record.h"
#include "response/ngx_http_ratelimit_usage.h"


#define NGX_HTTP_RATELIMIT_MIN_MAX   1024
#define NGX_HTTP_RATELIMIT_MAX_MAX   (16 * 1024 * 1024)
#define NGX_HTTP_RATELIMIT_MAX       (64 * 1024)


static char *ngx_http_ratelimit_usage_json(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_usage_types(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_usage_max(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static ngx_int_t ngx_http_ratelimit_add_usage(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf, ngx_http_ratelimit_usage_t *usage);
static ngx_int_t ngx_http_ratelimit_usage_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


static ngx_http_ratelimit_param_t  ngx_http_ratelimit_usage_params[] = {
    { "json=",  ngx_http_ratelimit_usage_json,  1 },
    { "types=", ngx_http_ratelimit_usage_types, 0 },
    { "max=",   ngx_http_ratelimit_usage_max,   0 },
    { NULL, NULL, 0 }
};


static ngx_str_t  ngx_http_ratelimit_usage_default_types =
    ngx_string("application/json,text/event-stream,application/x-ndjson");


char *
ngx_http_ratelimit_usage(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ratelimit_main_conf_t  *rmcf = conf;

    char                         *rv;
    ngx_str_t                    *value, name;
    ngx_uint_t                    i, seen;
    ngx_http_ratelimit_usage_t   *usage;

    value = cf->args->elts;
    name = value[1];

    if (name.len < 2 || name.data[0] != '$') {
        return ngx_http_ratelimit_invalid(cf, "variable", &name,
                                          "must be a name behind \"$\"");
    }

    name.len--;
    name.data++;

    usage = ngx_pcalloc(cf->pool, sizeof(ngx_http_ratelimit_usage_t));
    if (usage == NULL
        || ngx_array_init(&usage->pointers, cf->pool, 2,
                          sizeof(rl_usage_pointer_t))
           != NGX_OK
        || ngx_array_init(&usage->types, cf->pool, 3, sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    usage->name = name;
    usage->max = NGX_HTTP_RATELIMIT_MAX;
    usage->file = cf->conf_file->file.name.data;
    usage->line = cf->conf_file->line;

    seen = 0;

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_ratelimit_set_param(cf, ngx_http_ratelimit_usage_params,
                                          &seen, usage, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (usage->pointers.nelts == 0) {
        return "needs \"json=\"";
    }

    rl_usage_search(usage->pointers.elts, usage->pointers.nelts,
                    &usage->search);

    if (usage->types.nelts == 0
        && ngx_http_ratelimit_usage_types(cf, usage, NULL,
                                      &ngx_http_ratelimit_usage_default_types)
           != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return (ngx_http_ratelimit_add_usage(cf, rmcf, usage) == NGX_OK)
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* its variable, and its place among all */

static ngx_int_t
ngx_http_ratelimit_add_usage(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf, ngx_http_ratelimit_usage_t *usage)
{
    ngx_int_t                     index;
    ngx_http_variable_t          *var;
    ngx_http_ratelimit_usage_t  **pp;

    var = ngx_http_add_variable(cf, &usage->name, NGX_HTTP_VAR_NOCACHEABLE);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_http_ratelimit_usage_variable;
    var->data = (uintptr_t) usage;

    index = ngx_http_get_variable_index(cf, &usage->name);
    if (index == NGX_ERROR) {
        return NGX_ERROR;
    }

    usage->index = index;

    pp = ngx_array_push(&rmcf->usages);
    if (pp == NULL) {
        return NGX_ERROR;
    }

    *pp = usage;

    return NGX_OK;
}


/* a value of the sum; "|" stands between pointers to the same one */

static char *
ngx_http_ratelimit_usage_json(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_usage_t *usage = conf;

    u_char              *p, *last;
    uint32_t             n;
    rl_str_t             text;
    const char          *allowed;
    rl_usage_pointer_t  *pointer;

    pointer = usage->pointers.elts;
    n = usage->pointers.nelts
        ? pointer[usage->pointers.nelts - 1].value + 1 : 0;

    if (n == RL_MAX_USAGE_VALUES) {
        return "adds up more than 8 values";
    }

    last = value->data + value->len;

    for (text.data = value->data; text.data <= last; text.data = p + 1) {

        p = ngx_strlchr((u_char *) text.data, last, '|');
        if (p == NULL) {
            p = last;
        }

        text.len = p - text.data;

        pointer = ngx_array_push(&usage->pointers);
        if (pointer == NULL) {
            return NGX_CONF_ERROR;
        }

        allowed = rl_parse_usage_pointer(text, n, pointer);
        if (allowed) {
            return ngx_http_ratelimit_invalid(cf, "json", value, allowed);
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_usage_types(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_usage_t *usage = conf;

    u_char     *p, *last;
    ngx_str_t  *type, text;

    last = value->data + value->len;

    for (text.data = value->data; text.data <= last; text.data = p + 1) {

        p = ngx_strlchr(text.data, last, ',');
        if (p == NULL) {
            p = last;
        }

        text.len = p - text.data;

        if (ngx_strlchr(text.data, p, '/') == NULL) {
            return ngx_http_ratelimit_invalid(cf, "types", value,
                                              "must be media types, "
                                              "separated by \",\"");
        }

        type = ngx_array_push(&usage->types);
        if (type == NULL) {
            return NGX_CONF_ERROR;
        }

        *type = text;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_usage_max(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_usage_t *usage = conf;

    ssize_t  size;

    size = ngx_parse_size(value);

    if (size < NGX_HTTP_RATELIMIT_MIN_MAX || size > NGX_HTTP_RATELIMIT_MAX_MAX)
    {
        return ngx_http_ratelimit_invalid(cf, "max", value,
                                          "must be a size of 1k to 16m");
    }

    usage->max = size;

    return NGX_CONF_OK;
}


/* empty: nothing was found, so far */

static ngx_int_t
ngx_http_ratelimit_usage_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    uint64_t                      units;
    ngx_http_ratelimit_record_t  *record;
    ngx_http_ratelimit_reader_t  *reader;

    record = ngx_http_ratelimit_get_record(r->main);
    reader = record ? record->readers : NULL;

    while (reader && reader->usage != (ngx_http_ratelimit_usage_t *) data) {
        reader = reader->next;
    }

    if (reader == NULL || !rl_usage_units(&reader->core, &units)) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    v->len = rl_render_u64(units, v->data);
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
