
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The variables that tell how a client stands.
 */


#ifndef _NGX_HTTP_RATELIMIT_VARIABLES_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_VARIABLES_H_INCLUDED_


#include "ngx_http_ratelimit.h"


ngx_int_t ngx_http_ratelimit_add_variables(ngx_conf_t *cf);
ngx_int_t ngx_http_ratelimit_check_variables(ngx_conf_t *cf);
ngx_http_ratelimit_policy_t *ngx_http_ratelimit_policy_of(ngx_conf_t *cf,
    ngx_str_t *variable);

/* ngx_http_ratelimit_cycle.c */

ngx_int_t ngx_http_ratelimit_check_cycles(ngx_conf_t *cf);


#endif /* _NGX_HTTP_RATELIMIT_VARIABLES_H_INCLUDED_ */
