
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What a key may be that a request names.
 */


#ifndef _NGX_HTTP_RATELIMIT_API_READING_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_API_READING_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "key/ngx_http_ratelimit_part.h"
#include "api/ngx_http_ratelimit_api.h"


/* a part of a key, as one of its sources makes it */

typedef struct {
    rl_hash_prefix_t            *hash_prefix;
    ngx_str_t                    prefix;     /* "tag:", or empty */
    rl_str_t                     text;
} ngx_http_ratelimit_api_reading_t;


ngx_int_t ngx_http_ratelimit_api_check_parts(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy);
ngx_int_t ngx_http_ratelimit_api_read_part(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_part_t *part,
    rl_str_t *text, ngx_array_t *readings);
ngx_int_t ngx_http_ratelimit_api_add_meant(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy,
    ngx_array_t *readings, ngx_uint_t which, ngx_array_t *meant);


#endif /* _NGX_HTTP_RATELIMIT_API_READING_H_INCLUDED_ */
