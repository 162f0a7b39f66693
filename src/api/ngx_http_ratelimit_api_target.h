
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What an override is for, and what it says.
 */


#ifndef _NGX_HTTP_RATELIMIT_API_TARGET_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_API_TARGET_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "api/ngx_http_ratelimit_api.h"


typedef struct {
    ngx_http_ratelimit_zone_t   *zone;       /* NULL: whichever has it */
    uint64_t                     id;
    uint64_t                     key_id;     /* of a key, else 0 */
    ngx_http_ratelimit_policy_t *policy;     /* NULL: all of the zone */
    u_char                       text[512];  /* for the log */
    size_t                       len;
} ngx_http_ratelimit_target_t;


/* a zone, a policy, or a policy's key; of what was stored, also of one gone */

ngx_int_t ngx_http_ratelimit_api_find_target(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_target_t *target);
ngx_int_t ngx_http_ratelimit_api_find_stored(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_target_t *target);

/* until_ms is from now on, or 0: it holds until it is cleared */

ngx_int_t ngx_http_ratelimit_api_parse_override(
    ngx_http_ratelimit_api_call_t *call, rl_override_t *override);


#endif /* _NGX_HTTP_RATELIMIT_API_TARGET_H_INCLUDED_ */
