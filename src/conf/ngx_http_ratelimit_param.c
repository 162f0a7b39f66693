
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Parameters of directives, and what is said of wrong ones.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_limit_req.h"
#include "conf/ngx_http_ratelimit_param.h"


char *
ngx_http_ratelimit_invalid(ngx_conf_t *cf, char *what, ngx_str_t *value,
    const char *allowed)
{
    ngx_str_t  *directive;

    directive = cf->args->elts;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid %s \"%V\" in \"%V\", it %s",
                       what, value, directive, allowed);

    return NGX_CONF_ERROR;
}


char *
ngx_http_ratelimit_duplicate(ngx_conf_t *cf, ngx_str_t *parameter)
{
    ngx_str_t  *directive;

    directive = cf->args->elts;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "duplicate parameter \"%V\" in \"%V\"",
                       parameter, directive);

    return NGX_CONF_ERROR;
}


char *
ngx_http_ratelimit_set_param(ngx_conf_t *cf,
    ngx_http_ratelimit_param_t *params, ngx_uint_t *seen, void *conf,
    ngx_str_t *arg)
{
    u_char      *last;
    ngx_str_t    value;
    ngx_uint_t   i;
    u_char       allowed[NGX_HTTP_RATELIMIT_HINT_LEN];

    for (i = 0; params[i].name; i++) {

        if (!ngx_http_ratelimit_parameter(arg, params[i].name, &value)) {
            continue;
        }

        if (params[i].name[ngx_strlen(params[i].name) - 1] != '='
            && value.len)
        {
            continue;
        }

        if ((*seen & (1 << i)) && !params[i].repeats) {
            return ngx_http_ratelimit_duplicate(cf, arg);
        }

        *seen |= 1 << i;

        return params[i].set(cf, conf, &params[i], &value);
    }

    if (ngx_http_ratelimit_hint_parameter(cf, arg, allowed)) {
        return ngx_http_ratelimit_invalid(cf, "parameter", arg,
                                          (char *) allowed);
    }

    last = ngx_cpymem(allowed, "must be one of", 14);

    for (i = 0; params[i].name; i++) {
        last = ngx_sprintf(last, "%s %s", i ? "," : "", params[i].name);
    }

    *last = '\0';

    return ngx_http_ratelimit_invalid(cf, "parameter", arg, (char *) allowed);
}


ngx_uint_t
ngx_http_ratelimit_parameter(ngx_str_t *arg, char *name, ngx_str_t *value)
{
    size_t  len;

    len = ngx_strlen(name);

    if (arg->len < len || ngx_strncmp(arg->data, name, len) != 0) {
        return 0;
    }

    value->len = arg->len - len;
    value->data = arg->data + len;

    return 1;
}


char *
ngx_http_ratelimit_parse_status(ngx_conf_t *cf, ngx_str_t *text,
    ngx_uint_t *status)
{
    ngx_int_t  n;

    n = ngx_atoi(text->data, text->len);

    if (n < 400 || n > 599) {
        return ngx_http_ratelimit_invalid(cf, "status", text,
                                          "must be a code of 400 to 599");
    }

    if (n == NGX_HTTP_REQUEST_TIME_OUT
        || n == NGX_HTTP_CLIENT_CLOSED_REQUEST
        || (n >= NGX_HTTP_REQUEST_HEADER_TOO_LARGE && n <= NGX_HTTP_TO_HTTPS))
    {
        return ngx_http_ratelimit_invalid(cf, "status", text,
                   "must be a code that nginx sends, and 408, 494 to 497 and "
                   "499 are its own: it closes or says 400");
    }

    *status = n;

    return NGX_CONF_OK;
}
