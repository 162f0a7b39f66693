
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_policy": the parameters of a line.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "conf/ngx_http_ratelimit_value.h"
#include "policy/ngx_http_ratelimit_condition.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_policy_line.h"


static char *ngx_http_ratelimit_policy_key(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_quota(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_concurrent(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_scale(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_algorithm(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_capacity(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_tz(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_zone(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_status(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_hidden(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_keep(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_ban(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_after(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_ban_restarts(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_label(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_condition(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);


static ngx_http_ratelimit_param_t  ngx_http_ratelimit_policy_params[] = {
    { "key=",          ngx_http_ratelimit_policy_key,       1 },
    { "quota=",        ngx_http_ratelimit_policy_quota,     0 },
    { "concurrent=",   ngx_http_ratelimit_policy_concurrent, 0 },
    { "scale=",        ngx_http_ratelimit_policy_scale,     1 },
    { "algorithm=",    ngx_http_ratelimit_policy_algorithm, 0 },
    { "capacity=",     ngx_http_ratelimit_policy_capacity,  0 },
    { "tz=",           ngx_http_ratelimit_policy_tz,        0 },
    { "zone=",         ngx_http_ratelimit_policy_zone,      0 },
    { "status=",       ngx_http_ratelimit_policy_status,    0 },
    { "hidden",        ngx_http_ratelimit_policy_hidden,    0 },
    { "keep",          ngx_http_ratelimit_policy_keep,      0 },
    { "ban=",          ngx_http_ratelimit_policy_ban,       0 },
    { "after=",        ngx_http_ratelimit_policy_after,     0 },
    { "ban_restarts",  ngx_http_ratelimit_policy_ban_restarts, 0 },
    { "skip_status=",  ngx_http_ratelimit_policy_condition, 0 },
    { "skip_if=",      ngx_http_ratelimit_policy_condition, 0 },
    { "count_status=", ngx_http_ratelimit_policy_condition, 0 },
    { "count_if=",     ngx_http_ratelimit_policy_condition, 0 },
    { "label=",        ngx_http_ratelimit_policy_label,     0 },
    { NULL, NULL, 0 }
};


char *
ngx_http_ratelimit_policy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                              *rv;
    ngx_str_t                         *value;
    ngx_uint_t                         i, seen;
    ngx_http_ratelimit_policy_t       *policy;
    ngx_http_ratelimit_policy_line_t   line;

    value = cf->args->elts;

    if (ngx_http_ratelimit_policy_name(&value[1]) != NGX_OK) {
        return ngx_http_ratelimit_invalid(cf, "name", &value[1],
                   "must be lower-case letters, digits and \"_\", begin with "
                   "a letter, and be neither \"on\" nor \"off\" nor begin "
                   "with \"at\"");
    }

    policy = ngx_http_ratelimit_add_policy(cf, &value[1]);
    if (policy == NULL) {
        return NGX_CONF_ERROR;
    }

    if (policy->defined) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate policy \"%V\" in \"ratelimit_policy\", "
                           "first defined in %s:%ui",
                           &value[1], policy->file, policy->line);
        return NGX_CONF_ERROR;
    }

    policy->defined = 1;
    policy->file = cf->conf_file->file.name.data;
    policy->line = cf->conf_file->line;

    ngx_memzero(&line, sizeof(ngx_http_ratelimit_policy_line_t));
    line.policy = policy;
    seen = 0;

    if (ngx_array_init(&line.keys, cf->pool, 2, sizeof(ngx_str_t)) != NGX_OK
        || ngx_array_init(&policy->scales, cf->pool, 1,
                          sizeof(ngx_http_ratelimit_value_t *))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_ratelimit_set_param(cf, ngx_http_ratelimit_policy_params,
                                          &seen, &line, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return ngx_http_ratelimit_policy_check(cf, &line);
}


static char *
ngx_http_ratelimit_policy_key(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_policy_line_t *line = conf;

    ngx_str_t  *key;

    if (value->len == 0) {
        return ngx_http_ratelimit_invalid(cf, "key", value,
                   "must be a variable or a text with variables");
    }

    key = ngx_array_push(&line->keys);
    if (key == NULL) {
        return NGX_CONF_ERROR;
    }

    *key = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_policy_quota(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_policy_line_t *line = conf;

    line->quota = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_policy_concurrent(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_policy_line_t *line = conf;

    line->concurrent = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_policy_scale(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_policy_line_t *line = conf;

    uint32_t                      scale;
    const char                   *allowed;
    ngx_http_ratelimit_value_t  **vp;

    if (line->policy->scales.nelts == NGX_HTTP_RATELIMIT_MAX_SCALES) {
        return ngx_http_ratelimit_invalid(cf, "scale", value,
                                          "must not stand more than 8 times");
    }

    vp = ngx_array_push(&line->policy->scales);
    if (vp == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_ratelimit_compile_value(cf, value, vp) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (!ngx_http_ratelimit_value_varies(*vp)) {
        allowed = rl_parse_scale(ngx_http_ratelimit_str(value), &scale);
        if (allowed) {
            return ngx_http_ratelimit_invalid(cf, "scale", value, allowed);
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_policy_algorithm(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_policy_line_t *line = conf;

    const char  *allowed;

    line->algorithm = *value;

    allowed = rl_parse_algorithm(ngx_http_ratelimit_str(value),
                                 &line->policy->core.algorithm);
    if (allowed) {
        return ngx_http_ratelimit_invalid(cf, "algorithm", value, allowed);
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_policy_capacity(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_policy_line_t *line = conf;

    line->capacity = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_policy_tz(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_policy_line_t *line = conf;

    const char  *allowed;

    line->tz = *value;

    allowed = rl_parse_tz(ngx_http_ratelimit_str(value),
                          &line->policy->core.tz_ms);
    if (allowed) {
        return ngx_http_ratelimit_invalid(cf, "tz", value, allowed);
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_policy_zone(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_policy_line_t *line = conf;

    if (value->len == 0) {
        return ngx_http_ratelimit_invalid(cf, "zone", value,
                   "must be the name of a \"ratelimit_zone\"");
    }

    line->policy->zone_name = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_policy_status(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_policy_line_t *line = conf;

    return ngx_http_ratelimit_parse_status(cf, value, &line->policy->status);
}


static char *
ngx_http_ratelimit_policy_hidden(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_policy_line_t *line = conf;

    line->policy->core.hidden = 1;

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_policy_keep(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_policy_line_t *line = conf;

    line->policy->keep = 1;

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_policy_ban(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_policy_line_t *line = conf;

    const char  *allowed;

    line->ban = *value;

    allowed = rl_parse_bans(ngx_http_ratelimit_str(value), &line->policy->ban);

    return allowed ? ngx_http_ratelimit_invalid(cf, "ban", value, allowed)
                   : NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_policy_after(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_policy_line_t *line = conf;

    uint64_t  after;

    line->after = *value;

    if (rl_parse_units(ngx_http_ratelimit_str(value), &after) != NULL
        || after == 0 || after > RL_MAX_BAN_AFTER)
    {
        return ngx_http_ratelimit_invalid(cf, "after", value,
                                          "must be an integer of 1 to 255");
    }

    line->policy->ban.after = (uint32_t) after;

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_policy_ban_restarts(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_policy_line_t *line = conf;

    ngx_str_set(&line->ban_restarts, "ban_restarts");
    line->policy->ban.restarts = 1;

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_policy_label(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_policy_line_t *line = conf;

    if (value->len == 0) {
        return ngx_http_ratelimit_invalid(cf, "label", value,
                   "must be a variable or a text with variables");
    }

    return ngx_http_ratelimit_compile_value(cf, value, &line->policy->label);
}


static char *
ngx_http_ratelimit_policy_condition(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_policy_line_t *line = conf;

    return ngx_http_ratelimit_condition_parameter(cf, &line->policy->condition,
                                                  param->name, value);
}
