
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What the module says at run time.
 */


#ifndef _NGX_HTTP_RATELIMIT_LOG_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_LOG_H_INCLUDED_


#include "ngx_http_ratelimit.h"


/* bytes of a nonsensical value that a log line shows: it may be a client's */
#define NGX_HTTP_RATELIMIT_MAX_SHOWN  64

/* a reason of RL_TIMEOUT */
#define NGX_HTTP_RATELIMIT_LOCKED                                             \
    "another worker process holds a lock and does not move"


void ngx_http_ratelimit_log_refusal(ngx_http_request_t *r, rl_item_t *item,
    ngx_uint_t level, rl_time_t *now);
void ngx_http_ratelimit_log_ban(ngx_http_request_t *r, rl_item_t *item,
    ngx_uint_t level);
void ngx_http_ratelimit_log_undecided(ngx_http_request_t *r,
    const rl_policy_t *policy, rl_complaint_e what, char *reason,
    char *consequence);
void ngx_http_ratelimit_log_invalid(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_complaint_e what, ngx_str_t *value,
    const char *allowed, char *consequence);


/* "$name" of "ratelimit_usage" yields nothing, and why */

void ngx_http_ratelimit_log_unread(ngx_http_request_t *r,
    const rl_policy_t *policy, ngx_str_t *name, char *reason);


#endif /* _NGX_HTTP_RATELIMIT_LOG_H_INCLUDED_ */
