
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The variables that tell how a client stands.
 */


#ifndef _NGX_HTTP_RATELIMIT_VARIABLES_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_VARIABLES_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "request/ngx_http_ratelimit_standing.h"


typedef u_char *(*ngx_http_ratelimit_variable_pt)(u_char *p,
    ngx_http_ratelimit_standing_t *standing);


typedef struct {
    ngx_str_t                      name;     /* without $ and _NAME */
    ngx_http_ratelimit_variable_pt render;   /* NULL: the status */
} ngx_http_ratelimit_variable_t;


/* ngx_http_ratelimit_variables.c */

ngx_int_t ngx_http_ratelimit_add_variables(ngx_conf_t *cf);
ngx_int_t ngx_http_ratelimit_check_variables(ngx_conf_t *cf);
ngx_http_ratelimit_policy_t *ngx_http_ratelimit_policy_of(ngx_conf_t *cf,
    ngx_str_t *variable);

ngx_http_ratelimit_variable_t *ngx_http_ratelimit_split_name(ngx_str_t *full,
    ngx_str_t *policy);

/* ngx_http_ratelimit_variable_value.c */

ngx_int_t ngx_http_ratelimit_get_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
ngx_int_t ngx_http_ratelimit_get_version(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
ngx_int_t ngx_http_ratelimit_get_named_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
ngx_int_t ngx_http_ratelimit_waited_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

/* ngx_http_ratelimit_cycle.c */

ngx_int_t ngx_http_ratelimit_check_cycles(ngx_conf_t *cf);


#endif /* _NGX_HTTP_RATELIMIT_VARIABLES_H_INCLUDED_ */
