
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "settle=" of a "ratelimit" line, and what may stand beside it.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "conf/ngx_http_ratelimit_value.h"
#include "policy/ngx_http_ratelimit_rule.h"
#include "policy/ngx_http_ratelimit_settle.h"


/* of "settle_every=", in ms */

#define NGX_HTTP_RATELIMIT_MIN_EVERY  1000
#define NGX_HTTP_RATELIMIT_MAX_EVERY  (24 * 60 * 60 * 1000)


char *
ngx_http_ratelimit_settle_value(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_rule_t *rule = conf;

    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);
    rmcf->settles = 1;

    return ngx_http_ratelimit_compile_value(cf, value, &rule->settle.value);
}


char *
ngx_http_ratelimit_settle_at(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_rule_t *rule = conf;

    if (value->len != 3 || ngx_strncmp(value->data, "end", 3) != 0) {
        return ngx_http_ratelimit_invalid(cf, "settle_at", value,
                                          "must be end");
    }

    rule->settle.at_end = 1;

    return NGX_CONF_OK;
}


char *
ngx_http_ratelimit_settle_every(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_rule_t *rule = conf;

    ngx_int_t  ms;

    ms = ngx_parse_time(value, 0);

    if (ms < NGX_HTTP_RATELIMIT_MIN_EVERY
        || ms > NGX_HTTP_RATELIMIT_MAX_EVERY)
    {
        return ngx_http_ratelimit_invalid(cf, "settle_every", value,
                                          "must be a time of 1s to 1d");
    }

    rule->settle.every = ms;

    return NGX_CONF_OK;
}


char *
ngx_http_ratelimit_settle_unit(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_rule_t *rule = conf;

    if (value->len != 2 || ngx_strncmp(value->data, "ms", 2) != 0) {
        return ngx_http_ratelimit_invalid(cf, "unit", value, "must be ms");
    }

    rule->settle.in_ms = 1;

    return NGX_CONF_OK;
}


char *
ngx_http_ratelimit_check_settle(ngx_conf_t *cf,
    ngx_http_ratelimit_settle_t *settle, ngx_http_ratelimit_value_t *cost)
{
    uint64_t     units;
    ngx_str_t   *text;
    const char  *allowed;

    if (settle->value == NULL) {
        return (settle->at_end || settle->every || settle->in_ms)
               ? "has \"settle_at=\", \"settle_every=\" or \"unit=\" "
                 "without \"settle=\""
               : NGX_CONF_OK;
    }

    if (settle->every && !settle->at_end) {
        return "has \"settle_every=\" without \"settle_at=end\"";
    }

    text = ngx_http_ratelimit_value_text(settle->value);

    if (!ngx_http_ratelimit_value_varies(settle->value)) {
        allowed = settle->in_ms
                  ? rl_read_seconds(ngx_http_ratelimit_str(text), &units)
                  : rl_parse_units(ngx_http_ratelimit_str(text), &units);

        if (allowed) {
            return ngx_http_ratelimit_invalid(cf, "settle", text, allowed);
        }
    }

    /* it is read when the header goes out, and nothing was sent then */

    if (!settle->at_end
        && (ngx_strcmp(text->data, "$bytes_sent") == 0
            || ngx_strcmp(text->data, "$body_bytes_sent") == 0))
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"settle=%V\" is 0 for every response, since it "
                           "is read before the header is sent; "
                           "\"settle_at=end\" reads it behind the response",
                           text);
    }

    /* what reserves nothing admits any number at once */

    if (cost && !ngx_http_ratelimit_value_varies(cost)
        && rl_parse_units(
               ngx_http_ratelimit_str(ngx_http_ratelimit_value_text(cost)),
               &units)
           == NULL
        && units == 0)
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"cost=0\" reserves nothing for \"settle=\": "
                           "requests are admitted whatever is left%s; "
                           "reserve an estimate",
                           settle->at_end
                           ? "" : ", and free when the client goes away");
    }

    return NGX_CONF_OK;
}


const char *
ngx_http_ratelimit_read_settle(ngx_http_ratelimit_settle_t *settle,
    ngx_str_t *value, uint64_t *units)
{
    if (value->len == 0) {
        return NULL;
    }

    return settle->in_ms
           ? rl_read_seconds(ngx_http_ratelimit_str(value), units)
           : rl_read_units(ngx_http_ratelimit_str(value), units);
}
