
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Values of parameters, which may have variables.
 */


#ifndef _NGX_HTTP_RATELIMIT_VALUE_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_VALUE_H_INCLUDED_


#include "ngx_http_ratelimit.h"


/* one that is a single variable is read without a copy */

struct ngx_http_ratelimit_value_s {
    ngx_http_complex_value_t     complex;
    ngx_str_t                    name;       /* of the variable, or empty */
    ngx_int_t                    index;      /* of the variable, or -1 */
    ngx_str_t                    arg;        /* it is $arg_NAME, or empty */
};


/* of what may stand in a response: no such value */

ngx_int_t ngx_http_ratelimit_compile(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t *cv);

char *ngx_http_ratelimit_compile_value(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_ratelimit_value_t **value);

/* before the first request, once nginx has bound variables to handlers */

void ngx_http_ratelimit_bind_values(ngx_http_core_main_conf_t *cmcf,
    ngx_array_t *values);

/* empty: a variable of it is not found, say */

ngx_int_t ngx_http_ratelimit_value(ngx_http_request_t *r,
    ngx_http_ratelimit_value_t *value, ngx_str_t *out);

/* not a constant */

static ngx_inline ngx_uint_t
ngx_http_ratelimit_value_varies(ngx_http_ratelimit_value_t *value)
{
    return value->complex.lengths != NULL;
}


static ngx_inline ngx_str_t *
ngx_http_ratelimit_value_text(ngx_http_ratelimit_value_t *value)
{
    return &value->complex.value;
}


/* as "if=" of access_log */

ngx_uint_t ngx_http_ratelimit_is_true(ngx_str_t *value);


#endif /* _NGX_HTTP_RATELIMIT_VALUE_H_INCLUDED_ */
