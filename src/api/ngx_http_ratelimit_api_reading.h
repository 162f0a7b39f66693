
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What a key may be that a request names.
 */


#ifndef _NGX_HTTP_RATELIMIT_API_READING_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_API_READING_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "api/ngx_http_ratelimit_api.h"


ngx_int_t ngx_http_ratelimit_api_check_parts(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy);

/* meant: ngx_http_ratelimit_api_meant_t */

ngx_int_t ngx_http_ratelimit_api_read_keys(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy, ngx_array_t *meant);


#endif /* _NGX_HTTP_RATELIMIT_API_READING_H_INCLUDED_ */
