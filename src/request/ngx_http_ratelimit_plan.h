
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What a request asks of the core.
 */


#ifndef _NGX_HTTP_RATELIMIT_PLAN_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_PLAN_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_step.h"


/* NGX_DECLINED: the step's line does not apply */

ngx_int_t ngx_http_ratelimit_step_applies(ngx_http_request_t *r,
    ngx_http_ratelimit_step_t *step);

/*
 * Fills what an item asks of the core, but for cost and dry run.  same is an
 * item of this very decision with the same key, or NULL: what a key was in an
 * earlier one, before authentication or a redirect, says nothing of what it is
 * now.  NGX_DECLINED: the policy does not apply to this request.  NGX_ABORT:
 * nobody can tell what it allows.
 */

ngx_int_t ngx_http_ratelimit_item(ngx_http_request_t *r,
    ngx_http_ratelimit_step_t *step, rl_item_t *item, rl_item_t *same,
    rl_time_t *now);

ngx_int_t ngx_http_ratelimit_item_cost(ngx_http_request_t *r,
    ngx_http_ratelimit_step_t *step, rl_item_t *item);
ngx_int_t ngx_http_ratelimit_item_dry_run(ngx_http_request_t *r,
    ngx_http_ratelimit_step_t *step, rl_item_t *item);


#endif /* _NGX_HTTP_RATELIMIT_PLAN_H_INCLUDED_ */
