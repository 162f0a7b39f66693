
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What is known of a key: of its limit, its bucket, its last requests.
 */


#ifndef _NGX_HTTP_RATELIMIT_API_KNOWN_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_API_KNOWN_H_INCLUDED_


#include "api/ngx_http_ratelimit_api.h"


/* where a limit comes from */

#define NGX_HTTP_RATELIMIT_LIMIT_UNKNOWN   0
#define NGX_HTTP_RATELIMIT_LIMIT_CONF      1
#define NGX_HTTP_RATELIMIT_LIMIT_REQUEST   2
#define NGX_HTTP_RATELIMIT_LIMIT_BUCKET    3
#define NGX_HTTP_RATELIMIT_LIMIT_OVERRIDE  4


typedef struct {
    ngx_http_ratelimit_policy_t *policy;
    rl_item_t                    item;
    ngx_uint_t                   limit_source;
    rl_bucket_t                  stored;
    rl_top_key_t                 refused;
    rl_top_key_t                 admitted;
    uint64_t                     banned_until_ms; /* 0: it is not */
    unsigned                     exists:1;   /* there is a bucket */
    unsigned                     was_refused:1;
    unsigned                     was_admitted:1;
    unsigned                     looked:1;   /* the item says how it stands */
} ngx_http_ratelimit_known_t;


void ngx_http_ratelimit_api_learn(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *configured, rl_hash_t *bucket,
    ngx_http_ratelimit_known_t *known);

/* NGX_DECLINED: nobody knows its quota, or it has none */

ngx_int_t ngx_http_ratelimit_api_item(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy, rl_hash_t *bucket, rl_item_t *item);


#endif /* _NGX_HTTP_RATELIMIT_API_KNOWN_H_INCLUDED_ */
