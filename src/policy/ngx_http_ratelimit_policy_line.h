
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What a "ratelimit_policy" line says, before it is checked as a whole.
 */


#ifndef _NGX_HTTP_RATELIMIT_POLICY_LINE_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_POLICY_LINE_H_INCLUDED_


#include "ngx_http_ratelimit.h"


typedef struct {
    ngx_http_ratelimit_policy_t *policy;
    ngx_array_t                  keys;       /* ngx_str_t */
    ngx_str_t                    quota;
    ngx_str_t                    concurrent;
    ngx_str_t                    algorithm;
    ngx_str_t                    ban;
    ngx_str_t                    after;
    ngx_str_t                    ban_restarts;
    ngx_str_t                    capacity;
    ngx_str_t                    tz;
} ngx_http_ratelimit_policy_line_t;


/* makes of it what the policy needs; or says what is wrong */

char *ngx_http_ratelimit_policy_check(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line);


#endif /* _NGX_HTTP_RATELIMIT_POLICY_LINE_H_INCLUDED_ */
