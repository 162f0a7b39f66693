
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit": which policies decide a request here, and at what cost.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "conf/ngx_http_ratelimit_value.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_rule.h"


static char *ngx_http_ratelimit_add_rule(ngx_conf_t *cf,
    ngx_http_ratelimit_loc_conf_t *rlcf);
static char *ngx_http_ratelimit_add_step(ngx_conf_t *cf, ngx_array_t *steps,
    ngx_uint_t first, ngx_http_ratelimit_rule_t *rule, ngx_str_t *name);
static char *ngx_http_ratelimit_rule_if(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_rule_cost(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_rule_dry_run(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_rule_phase(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_rule_wait(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_rule_queue(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);


static ngx_http_ratelimit_param_t  ngx_http_ratelimit_rule_params[] = {
    { "methods=",      ngx_http_ratelimit_rule_methods, 0 },
    { "if=",           ngx_http_ratelimit_rule_if,      0 },
    { "cost=",         ngx_http_ratelimit_rule_cost,    0 },
    { "settle=",       ngx_http_ratelimit_settle_value, 0 },
    { "settle_at=",    ngx_http_ratelimit_settle_at,    0 },
    { "settle_every=", ngx_http_ratelimit_settle_every, 0 },
    { "unit=",         ngx_http_ratelimit_settle_unit,  0 },
    { "dry_run=",      ngx_http_ratelimit_rule_dry_run, 0 },
    { "phase=",        ngx_http_ratelimit_rule_phase,   0 },
    { "wait=",         ngx_http_ratelimit_rule_wait,    0 },
    { "queue=",        ngx_http_ratelimit_rule_queue,   0 },
    { NULL, NULL, 0 }
};


char *
ngx_http_ratelimit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ratelimit_loc_conf_t  *rlcf = conf;

    char                            *rv;
    ngx_str_t                       *value;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    value = cf->args->elts;

    if (value[1].len == 3 && ngx_strncmp(value[1].data, "off", 3) == 0) {

        if (cf->args->nelts > 2) {
            return ngx_http_ratelimit_invalid(cf, "parameter", &value[2],
                                              "must not stand beside off");
        }

        rlcf->off = 1;

    } else {
        rv = ngx_http_ratelimit_add_rule(cf, rlcf);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (rlcf->off && rlcf->steps) {
        return "off cannot stand beside other \"ratelimit\" lines";
    }

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);
    rmcf->used = 1;

    return NGX_CONF_OK;
}


/* a line's policies, each a step, and its parameters */

static char *
ngx_http_ratelimit_add_rule(ngx_conf_t *cf,
    ngx_http_ratelimit_loc_conf_t *rlcf)
{
    char                       *rv;
    ngx_str_t                  *value;
    ngx_uint_t                  i, seen, first;
    ngx_http_ratelimit_rule_t  *rule;

    rule = ngx_pcalloc(cf->pool, sizeof(ngx_http_ratelimit_rule_t));
    if (rule == NULL) {
        return NGX_CONF_ERROR;
    }

    if (rlcf->steps == NULL) {
        rlcf->steps = ngx_array_create(cf->pool, 4,
                                       sizeof(ngx_http_ratelimit_step_t));
        if (rlcf->steps == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    rule->file = cf->conf_file->file.name.data;
    rule->line = cf->conf_file->line;

    value = cf->args->elts;
    first = rlcf->steps->nelts;
    seen = 0;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strlchr(value[i].data, value[i].data + value[i].len, '=')) {
            rv = ngx_http_ratelimit_set_param(cf,
                                              ngx_http_ratelimit_rule_params,
                                              &seen, rule, &value[i]);
        } else {
            rv = ngx_http_ratelimit_add_step(cf, rlcf->steps, first, rule,
                                             &value[i]);
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (rlcf->steps->nelts == first) {
        return "names no policy";
    }

    if (rule->queue && rule->wait_ms == 0) {
        return "has \"queue=\" without \"wait=\"";
    }

    return ngx_http_ratelimit_check_settle(cf, &rule->settle, rule->cost);
}


/* first: the line's first step */

static char *
ngx_http_ratelimit_add_step(ngx_conf_t *cf, ngx_array_t *steps,
    ngx_uint_t first, ngx_http_ratelimit_rule_t *rule, ngx_str_t *name)
{
    ngx_http_ratelimit_step_t  *step, *other;

    step = ngx_array_push(steps);
    if (step == NULL) {
        return NGX_CONF_ERROR;
    }

    step->rule = rule;
    step->policy = ngx_http_ratelimit_use_policy(cf, name);
    if (step->policy == NULL) {
        return NGX_CONF_ERROR;
    }

    step->policy->limits = 1;

    other = (ngx_http_ratelimit_step_t *) steps->elts + first;

    for ( /* void */ ; other < step; other++) {
        if (other->policy == step->policy) {
            return ngx_http_ratelimit_duplicate(cf, name);
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_rule_if(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_rule_t *rule = conf;

    return ngx_http_ratelimit_compile_value(cf, value, &rule->condition);
}


static char *
ngx_http_ratelimit_rule_cost(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_rule_t *rule = conf;

    char        *rv;
    uint64_t     units;
    const char  *allowed;

    rv = ngx_http_ratelimit_compile_value(cf, value, &rule->cost);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (!ngx_http_ratelimit_value_varies(rule->cost)) {
        allowed = rl_parse_units(ngx_http_ratelimit_str(value), &units);
        if (allowed) {
            return ngx_http_ratelimit_invalid(cf, "cost", value, allowed);
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_rule_dry_run(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_rule_t *rule = conf;

    return ngx_http_ratelimit_compile_dry_run(cf, value, &rule->dry_run);
}


static char *
ngx_http_ratelimit_rule_wait(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_rule_t *rule = conf;

    rl_quota_t  time;

    if (rl_parse_window(ngx_http_ratelimit_str(value), 0, &time) != NULL
        || time.window_ms > NGX_HTTP_RATELIMIT_MAX_WAIT)
    {
        return ngx_http_ratelimit_invalid(cf, "wait", value,
                   "must be an integer with ms, s or m behind it, of 1ms to "
                   "60s");
    }

    rule->wait_ms = time.window_ms;

    if (rule->queue == 0) {
        rule->queue = 100;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_rule_queue(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_rule_t *rule = conf;

    uint64_t  n;

    if (rl_parse_units(ngx_http_ratelimit_str(value), &n) != NULL
        || n == 0 || n > 100000)
    {
        return ngx_http_ratelimit_invalid(cf, "queue", value,
                                          "must be an integer of 1 to 100000");
    }

    rule->queue = n;

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_rule_phase(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_rule_t *rule = conf;

    ngx_http_ratelimit_main_conf_t  *rmcf;

    if (value->len == 10 && ngx_strncmp(value->data, "precontent", 10) == 0) {
        rmcf = ngx_http_conf_get_module_main_conf(cf,
                                                  ngx_http_ratelimit_module);
        rmcf->precontent = 1;
        rule->precontent = 1;
        return NGX_CONF_OK;
    }

    if (value->len == 9 && ngx_strncmp(value->data, "preaccess", 9) == 0) {
        return NGX_CONF_OK;
    }

    return ngx_http_ratelimit_invalid(cf, "phase", value,
                                      "must be preaccess or precontent");
}


char *
ngx_http_ratelimit_compile_dry_run(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_ratelimit_value_t **value)
{
    char  *rv;

    rv = ngx_http_ratelimit_compile_value(cf, text, value);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (!ngx_http_ratelimit_value_varies(*value)
        && !(text->len == 2 && ngx_strncmp(text->data, "on", 2) == 0)
        && !(text->len == 3 && ngx_strncmp(text->data, "off", 3) == 0))
    {
        return ngx_http_ratelimit_invalid(cf, "dry_run", text,
                                          "must be on, off or a variable");
    }

    return NGX_CONF_OK;
}
