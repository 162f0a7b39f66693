
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The words of limit_req and of other limiters, and what they are here.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_limit_req.h"
#include "conf/ngx_http_ratelimit_param.h"


typedef struct {
    ngx_uint_t                   units;
    char                        *window;
} ngx_http_ratelimit_rate_t;


static u_char *ngx_http_ratelimit_hint_key(u_char *p, u_char *last,
    ngx_str_t *directive, ngx_str_t *arg);
static u_char *ngx_http_ratelimit_hint_rate(u_char *p, u_char *last,
    ngx_str_t *directive, ngx_str_t *value);
static u_char *ngx_http_ratelimit_hint_burst(u_char *p, u_char *last,
    ngx_str_t *directive, ngx_str_t *value);
static u_char *ngx_http_ratelimit_hint_zone(u_char *p, u_char *last,
    ngx_str_t *directive, ngx_str_t *value);
static ngx_int_t ngx_http_ratelimit_read_rate(ngx_str_t *text,
    ngx_http_ratelimit_rate_t *rate);
static ngx_uint_t ngx_http_ratelimit_is(ngx_str_t *text, char *word);


static struct {
    char                        *name;
    char                        *window;
} ngx_http_ratelimit_rate_units[] = {
    { "s",      "1s" },
    { "sec",    "1s" },
    { "second", "1s" },
    { "m",      "1m" },
    { "min",    "1m" },
    { "minute", "1m" },
    { "h",      "1h" },
    { "hour",   "1h" },
    { "d",      "1d" },
    { "day",    "1d" },
    { "M",      "1M" },
    { "month",  "1M" },
    { NULL, NULL }
};


char *
ngx_http_ratelimit_hint_parameter(ngx_conf_t *cf, ngx_str_t *arg, u_char *hint)
{
    u_char     *p, *last;
    ngx_str_t  *directive, value;

    directive = cf->args->elts;

    if (ngx_http_ratelimit_is(directive, "ratelimit_redis")) {
        return NULL;
    }

    last = hint + NGX_HTTP_RATELIMIT_HINT_LEN - 1;

    if (arg->len > 1 && arg->data[0] == '$') {
        p = ngx_http_ratelimit_hint_key(hint, last, directive, arg);

    } else if (ngx_http_ratelimit_parameter(arg, "rate=", &value)) {
        p = ngx_http_ratelimit_hint_rate(hint, last, directive, &value);

    } else if (ngx_http_ratelimit_parameter(arg, "burst=", &value)) {
        p = ngx_http_ratelimit_hint_burst(hint, last, directive, &value);

    } else if (ngx_http_ratelimit_parameter(arg, "zone=", &value)) {
        p = ngx_http_ratelimit_hint_zone(hint, last, directive, &value);

    } else if (ngx_http_ratelimit_is(arg, "nodelay")) {
        p = ngx_slprintf(hint, last, "is limit_req's, and goes without saying "
                         "here: requests are not delayed");

    } else if (ngx_http_ratelimit_parameter(arg, "delay=", &value)) {
        p = ngx_slprintf(hint, last, "is limit_req's, which can stand beside "
                         "this where requests should be delayed");

    } else {
        return NULL;
    }

    *p = '\0';

    return (char *) hint;
}


static u_char *
ngx_http_ratelimit_hint_key(u_char *p, u_char *last, ngx_str_t *directive,
    ngx_str_t *arg)
{
    return ngx_slprintf(p, last,
                        ngx_http_ratelimit_is(directive, "ratelimit_policy")
                        ? "must be key=%V"
                        : "belongs to a \"ratelimit_policy\", as key=%V", arg);
}


static u_char *
ngx_http_ratelimit_hint_rate(u_char *p, u_char *last, ngx_str_t *directive,
    ngx_str_t *value)
{
    ngx_http_ratelimit_rate_t  rate;

    p = ngx_slprintf(p, last,
                     ngx_http_ratelimit_is(directive, "ratelimit_policy")
                     ? "is limit_req's, here it is "
                     : "is limit_req's, here a \"ratelimit_policy\" has ");

    if (ngx_http_ratelimit_read_rate(value, &rate) != NGX_OK) {
        return ngx_slprintf(p, last, "quota=UNITS/WINDOW algorithm=gcra");
    }

    return ngx_slprintf(p, last, "quota=%ui/%s algorithm=gcra", rate.units,
                        rate.window);
}


/* the request itself, and so many more */

static u_char *
ngx_http_ratelimit_hint_burst(u_char *p, u_char *last, ngx_str_t *directive,
    ngx_str_t *value)
{
    ngx_int_t  burst;

    p = ngx_slprintf(p, last,
                     ngx_http_ratelimit_is(directive, "ratelimit_policy")
                     ? "is limit_req's, here it is "
                     : "is limit_req's, here a \"ratelimit_policy\" has ");

    burst = ngx_atoi(value->data, value->len);

    return (burst == NGX_ERROR)
           ? ngx_slprintf(p, last, "capacity=, one more than that, with "
                          "algorithm=gcra")
           : ngx_slprintf(p, last, "capacity=%i algorithm=gcra", burst + 1);
}


static u_char *
ngx_http_ratelimit_hint_zone(u_char *p, u_char *last, ngx_str_t *directive,
    ngx_str_t *value)
{
    return ngx_slprintf(p, last, "is limit_req's, here the name of a "
                        "\"ratelimit_policy\" stands alone: %V %V", directive,
                        value);
}


/* "10/s", "10r/s", "10/minute", and what else means a window of one */

char *
ngx_http_ratelimit_hint_quota(ngx_str_t *quota, u_char *hint)
{
    u_char                     *p, *last;
    ngx_http_ratelimit_rate_t   rate;

    if (ngx_http_ratelimit_read_rate(quota, &rate) != NGX_OK) {
        return NULL;
    }

    last = hint + NGX_HTTP_RATELIMIT_HINT_LEN - 1;
    p = ngx_slprintf(hint, last, "must be %ui/%s%s", rate.units, rate.window,
                     ngx_strcmp(rate.window, "1M") == 0
                     ? " with algorithm=calendar" : "");
    *p = '\0';

    return (char *) hint;
}


static ngx_int_t
ngx_http_ratelimit_read_rate(ngx_str_t *text, ngx_http_ratelimit_rate_t *rate)
{
    u_char      *p, *last;
    ngx_int_t    units;
    ngx_str_t    unit;
    ngx_uint_t   i;

    last = text->data + text->len;

    p = text->data;

    while (p < last && *p >= '0' && *p <= '9') {
        p++;
    }

    units = ngx_atoi(text->data, p - text->data);

    if (units == NGX_ERROR || units > (ngx_int_t) RL_MAX_UNITS) {
        return NGX_DECLINED;
    }

    if (p < last && *p == 'r') {
        p++;
    }

    if (p == last || *p++ != '/') {
        return NGX_DECLINED;
    }

    unit.data = p;
    unit.len = last - p;

    for (i = 0; ngx_http_ratelimit_rate_units[i].name; i++) {
        if (ngx_http_ratelimit_is(&unit,
                                  ngx_http_ratelimit_rate_units[i].name))
        {
            rate->units = units;
            rate->window = ngx_http_ratelimit_rate_units[i].window;

            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_http_ratelimit_is(ngx_str_t *text, char *word)
{
    return text->len == ngx_strlen(word)
           && ngx_strncmp(text->data, word, text->len) == 0;
}
