
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Values with variables.
 */


#ifndef _NGX_HTTP_RATELIMIT_VALUE_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_VALUE_H_INCLUDED_


#include "ngx_http_ratelimit.h"


/* a complex value; one that is a single variable is read without a copy */

typedef struct {
    ngx_http_complex_value_t     complex;
    ngx_str_t                    name;       /* of the variable, or empty */
    ngx_int_t                    index;      /* of the variable, or -1 */
} ngx_http_ratelimit_value_t;


ngx_int_t ngx_http_ratelimit_compile(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t *cv);
char *ngx_http_ratelimit_compile_slot(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t **cv);
ngx_int_t ngx_http_ratelimit_compile_value(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_ratelimit_value_t *value);
ngx_int_t ngx_http_ratelimit_value(ngx_http_request_t *r,
    ngx_http_ratelimit_value_t *value, ngx_str_t *out);

/* as "if=" of access_log */

ngx_uint_t ngx_http_ratelimit_is_true(ngx_str_t *value);


#endif /* _NGX_HTTP_RATELIMIT_VALUE_H_INCLUDED_ */
