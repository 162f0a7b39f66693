
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "wait=": decisions of requests that may wait.
 */


#ifndef _NGX_HTTP_RATELIMIT_WAIT_DECIDE_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_WAIT_DECIDE_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "request/ngx_http_ratelimit_record.h"


/* an item that is prepared stands on a line with "wait=" */

ngx_int_t ngx_http_ratelimit_may_queue(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_item_t *item,
    ngx_http_ratelimit_rule_t *rule);

/*
 * Decides the record's items that are asked.  RL_PENDING: the request is in a
 * queue and to be put aside, for the first item's retry_after_ms at most.
 */

rl_verdict_e ngx_http_ratelimit_try(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process);

/* it cannot be put aside; true: the next attempt is its last */

ngx_uint_t ngx_http_ratelimit_give_up_queue(
    ngx_http_ratelimit_record_t *record);


#endif /* _NGX_HTTP_RATELIMIT_WAIT_DECIDE_H_INCLUDED_ */
