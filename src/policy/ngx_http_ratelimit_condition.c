
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Which responses count: "skip_status=", "skip_if=", "count_status=" and
 * "count_if=" of a policy.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "conf/ngx_http_ratelimit_value.h"
#include "policy/ngx_http_ratelimit_condition.h"


/* "304" or "5xx" */

typedef struct {
    ngx_uint_t                   first;
    ngx_uint_t                   last;
} ngx_http_ratelimit_status_range_t;


struct ngx_http_ratelimit_condition_s {
    ngx_array_t                 *skip;       /* of status ranges; or NULL */
    ngx_array_t                 *count;
    ngx_http_ratelimit_value_t  *skip_if;
    ngx_http_ratelimit_value_t  *count_if;
};


static char *ngx_http_ratelimit_parse_statuses(ngx_conf_t *cf, char *name,
    ngx_str_t *value, ngx_array_t **ranges);
static ngx_int_t ngx_http_ratelimit_parse_range(ngx_str_t *text,
    ngx_http_ratelimit_status_range_t *range);
static ngx_int_t ngx_http_ratelimit_response_matches(ngx_http_request_t *r,
    ngx_array_t *ranges, ngx_http_ratelimit_value_t *condition);


char *
ngx_http_ratelimit_condition_parameter(ngx_conf_t *cf,
    ngx_http_ratelimit_condition_t **condition, char *name, ngx_str_t *value)
{
    ngx_http_ratelimit_value_t  **vp;

    if (*condition == NULL) {
        *condition = ngx_pcalloc(cf->pool,
                                 sizeof(ngx_http_ratelimit_condition_t));
        if (*condition == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_strcmp(name, "skip_status=") == 0) {
        return ngx_http_ratelimit_parse_statuses(cf, "skip_status", value,
                                                 &(*condition)->skip);
    }

    if (ngx_strcmp(name, "count_status=") == 0) {
        return ngx_http_ratelimit_parse_statuses(cf, "count_status", value,
                                                 &(*condition)->count);
    }

    vp = (ngx_strcmp(name, "skip_if=") == 0) ? &(*condition)->skip_if
                                             : &(*condition)->count_if;

    return ngx_http_ratelimit_compile_value(cf, value, vp);
}


/* "401,403,5xx" */

static char *
ngx_http_ratelimit_parse_statuses(ngx_conf_t *cf, char *name, ngx_str_t *value,
    ngx_array_t **ranges)
{
    u_char                             *p, *last;
    ngx_str_t                           text;
    ngx_http_ratelimit_status_range_t  *range;

    *ranges = ngx_array_create(cf->pool, 2,
                               sizeof(ngx_http_ratelimit_status_range_t));
    if (*ranges == NULL) {
        return NGX_CONF_ERROR;
    }

    last = value->data + value->len;

    for (text.data = value->data; text.data <= last; text.data = p + 1) {

        p = ngx_strlchr(text.data, last, ',');
        if (p == NULL) {
            p = last;
        }

        text.len = p - text.data;

        range = ngx_array_push(*ranges);
        if (range == NULL) {
            return NGX_CONF_ERROR;
        }

        if (ngx_http_ratelimit_parse_range(&text, range) != NGX_OK) {
            return ngx_http_ratelimit_invalid(cf, name, value,
                       "must be codes of 200 to 599 or classes such as 5xx, "
                       "separated by \",\"");
        }

        if (range->first == range->last
            && (range->first == NGX_HTTP_CLOSE
                || range->first == NGX_HTTP_CLIENT_CLOSED_REQUEST))
        {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "\"%s=%V\" matches no response of nginx's: "
                               "with %V none is sent", name, value, &text);
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_ratelimit_parse_range(ngx_str_t *text,
    ngx_http_ratelimit_status_range_t *range)
{
    ngx_int_t  n;

    if (text->len != 3) {
        return NGX_ERROR;
    }

    if (text->data[0] >= '2' && text->data[0] <= '5'
        && text->data[1] == 'x' && text->data[2] == 'x')
    {
        range->first = (text->data[0] - '0') * 100;
        range->last = range->first + 99;
        return NGX_OK;
    }

    n = ngx_atoi(text->data, text->len);

    if (n < 200 || n > 599) {
        return NGX_ERROR;
    }

    range->first = n;
    range->last = n;

    return NGX_OK;
}


/* 1: the units stay charged, 0: they go back */

ngx_int_t
ngx_http_ratelimit_response_counts(ngx_http_request_t *r,
    ngx_http_ratelimit_condition_t *condition)
{
    ngx_int_t  rc;

    if (condition->count || condition->count_if) {
        rc = ngx_http_ratelimit_response_matches(r, condition->count,
                                                 condition->count_if);
        if (rc != 1) {
            return rc;
        }
    }

    rc = ngx_http_ratelimit_response_matches(r, condition->skip,
                                             condition->skip_if);

    return (rc == NGX_ERROR) ? NGX_ERROR : !rc;
}


static ngx_int_t
ngx_http_ratelimit_response_matches(ngx_http_request_t *r, ngx_array_t *ranges,
    ngx_http_ratelimit_value_t *condition)
{
    ngx_str_t                           value;
    ngx_uint_t                          i, status;
    ngx_http_ratelimit_status_range_t  *range;

    if (ranges) {
        range = ranges->elts;
        status = r->headers_out.status;

        for (i = 0; i < ranges->nelts; i++) {
            if (status >= range[i].first && status <= range[i].last) {
                return 1;
            }
        }
    }

    if (condition == NULL) {
        return 0;
    }

    if (ngx_http_ratelimit_value(r, condition, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_ratelimit_is_true(&value);
}
