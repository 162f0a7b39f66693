
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What comes of a decision that is not plain admission.
 */


#ifndef _NGX_HTTP_RATELIMIT_CONCLUDE_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_CONCLUDE_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_step.h"
#include "request/ngx_http_ratelimit_record.h"


/* "spread": of a refused decision, before anything is told of it */

void ngx_http_ratelimit_take_turns(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_uint_t first);

/*
 * These return what ngx_http_ratelimit_decide() does.  slowest is the item to
 * wait longest for, first the first item of this decision.
 */

ngx_int_t ngx_http_ratelimit_refused(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_item_t *slowest, ngx_uint_t first);
ngx_int_t ngx_http_ratelimit_refused_dry(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_item_t *slowest, ngx_uint_t first);
ngx_int_t ngx_http_ratelimit_timed_out(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_http_ratelimit_record_t *record,
    rl_verdict_e verdict);
ngx_int_t ngx_http_ratelimit_fail(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_http_ratelimit_record_t *record);

/*
 * A policy of the plan is not asked, for rc: NGX_DECLINED, it does not apply,
 * NGX_ABORT, nobody can tell what it allows, or NGX_ERROR.
 */

ngx_int_t ngx_http_ratelimit_not_asked(ngx_http_ratelimit_loc_conf_t *rlcf,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_policy_t *policy,
    rl_item_t *item, ngx_int_t rc);


#endif /* _NGX_HTTP_RATELIMIT_CONCLUDE_H_INCLUDED_ */
