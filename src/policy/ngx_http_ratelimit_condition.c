
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


static char *ngx_http_ratelimit_parse_condition(ngx_conf_t *cf,
    ngx_http_ratelimit_condition_t *condition, char *name, ngx_str_t *value);
static void ngx_http_ratelimit_init_counts(
    ngx_http_ratelimit_condition_t *condition);
static char *ngx_http_ratelimit_parse_statuses(ngx_conf_t *cf, char *name,
    ngx_str_t *value, ngx_http_ratelimit_statuses_t *statuses);
static ngx_uint_t ngx_http_ratelimit_parse_range(ngx_str_t *text,
    ngx_uint_t *first);
static ngx_int_t ngx_http_ratelimit_condition_holds(ngx_http_request_t *r,
    ngx_http_ratelimit_value_t *condition);


char *
ngx_http_ratelimit_condition_parameter(ngx_conf_t *cf,
    ngx_http_ratelimit_condition_t **condition, char *name, ngx_str_t *value)
{
    char  *rv;

    if (*condition == NULL) {
        *condition = ngx_pcalloc(cf->pool,
                                 sizeof(ngx_http_ratelimit_condition_t));
        if (*condition == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    rv = ngx_http_ratelimit_parse_condition(cf, *condition, name, value);

    if (rv == NGX_CONF_OK) {
        ngx_http_ratelimit_init_counts(*condition);
    }

    return rv;
}


static char *
ngx_http_ratelimit_parse_condition(ngx_conf_t *cf,
    ngx_http_ratelimit_condition_t *condition, char *name, ngx_str_t *value)
{
    if (ngx_strcmp(name, "skip_status=") == 0) {
        return ngx_http_ratelimit_parse_statuses(cf, "skip_status", value,
                                                 &condition->skip);
    }

    if (ngx_strcmp(name, "skip_if=") == 0) {
        return ngx_http_ratelimit_compile_value(cf, value,
                                                &condition->skip_if);
    }

    condition->only = 1;

    if (ngx_strcmp(name, "count_status=") == 0) {
        return ngx_http_ratelimit_parse_statuses(cf, "count_status", value,
                                                 &condition->count);
    }

    return ngx_http_ratelimit_compile_value(cf, value, &condition->count_if);
}


static void
ngx_http_ratelimit_init_counts(ngx_http_ratelimit_condition_t *condition)
{
    uint64_t    bits;
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_RATELIMIT_STATUS_WORDS; i++) {
        bits = condition->only ? condition->count.bits[i] : ~(uint64_t) 0;
        bits &= ~condition->skip.bits[i];

        condition->counts.bits[i] = condition->skip_if ? 0 : bits;
    }
}


/* "401,403,5xx" */

static char *
ngx_http_ratelimit_parse_statuses(ngx_conf_t *cf, char *name, ngx_str_t *value,
    ngx_http_ratelimit_statuses_t *statuses)
{
    u_char      *p, *last;
    ngx_str_t    text;
    ngx_uint_t   first, i, n;

    last = value->data + value->len;

    for (text.data = value->data; text.data <= last; text.data = p + 1) {

        p = ngx_strlchr(text.data, last, ',');
        if (p == NULL) {
            p = last;
        }

        text.len = p - text.data;

        n = ngx_http_ratelimit_parse_range(&text, &first);

        if (n == 0) {
            return ngx_http_ratelimit_invalid(cf, name, value,
                       "must be codes of 200 to 599 or classes such as 5xx, "
                       "separated by \",\"");
        }

        if (n == 1
            && (first == NGX_HTTP_CLOSE
                || first == NGX_HTTP_CLIENT_CLOSED_REQUEST))
        {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "\"%s=%V\" matches no response of nginx's: "
                               "with %V none is sent", name, value, &text);
        }

        first -= NGX_HTTP_RATELIMIT_FIRST_STATUS;

        for (i = first; i < first + n; i++) {
            statuses->bits[i / 64] |= (uint64_t) 1 << i % 64;
        }
    }

    return NGX_CONF_OK;
}


/* "304" or "5xx"; how many statuses that is, from *first on, 0: it is none */

static ngx_uint_t
ngx_http_ratelimit_parse_range(ngx_str_t *text, ngx_uint_t *first)
{
    ngx_int_t  n;

    if (text->len != 3) {
        return 0;
    }

    if (text->data[0] >= '2' && text->data[0] <= '5'
        && text->data[1] == 'x' && text->data[2] == 'x')
    {
        *first = (text->data[0] - '0') * 100;
        return 100;
    }

    n = ngx_atoi(text->data, text->len);

    if (n < 200 || n > 599) {
        return 0;
    }

    *first = n;
    return 1;
}


ngx_int_t
ngx_http_ratelimit_response_may_count(ngx_http_request_t *r,
    ngx_http_ratelimit_condition_t *condition)
{
    ngx_int_t   rc;
    ngx_uint_t  status;

    status = r->headers_out.status;

    if (condition->only
        && !ngx_http_ratelimit_has_status(&condition->count, status))
    {
        rc = ngx_http_ratelimit_condition_holds(r, condition->count_if);

        if (rc != 1) {
            return rc;
        }
    }

    if (ngx_http_ratelimit_has_status(&condition->skip, status)) {
        return 0;
    }

    rc = ngx_http_ratelimit_condition_holds(r, condition->skip_if);

    return (rc == NGX_ERROR) ? NGX_ERROR : !rc;
}


/* "skip_if=" or "count_if=", where there is any */

static ngx_int_t
ngx_http_ratelimit_condition_holds(ngx_http_request_t *r,
    ngx_http_ratelimit_value_t *condition)
{
    ngx_str_t  value;

    if (condition == NULL) {
        return 0;
    }

    if (ngx_http_ratelimit_value(r, condition, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_ratelimit_is_true(&value);
}
