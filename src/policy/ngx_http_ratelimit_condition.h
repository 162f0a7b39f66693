
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Which responses leave a charge as it is.
 */


#ifndef _NGX_HTTP_RATELIMIT_CONDITION_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_CONDITION_H_INCLUDED_


#include "ngx_http_ratelimit.h"


typedef struct ngx_http_ratelimit_condition_s  ngx_http_ratelimit_condition_t;


char *ngx_http_ratelimit_condition_parameter(ngx_conf_t *cf,
    ngx_http_ratelimit_condition_t **condition, char *name, ngx_str_t *value);
ngx_int_t ngx_http_ratelimit_response_counts(ngx_http_request_t *r,
    ngx_http_ratelimit_condition_t *condition);


#endif /* _NGX_HTTP_RATELIMIT_CONDITION_H_INCLUDED_ */
