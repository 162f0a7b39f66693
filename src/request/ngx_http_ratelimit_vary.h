
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What of an item varies from request to request.
 */


#ifndef _NGX_HTTP_RATELIMIT_VARY_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_VARY_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_step.h"
#include "request/ngx_http_ratelimit_record.h"


/* NGX_DECLINED: the line does not apply */

ngx_int_t ngx_http_ratelimit_rule_applies(ngx_http_request_t *r,
    ngx_http_ratelimit_rule_t *rule);

/* NGX_DECLINED: unlimited; NGX_ABORT: nobody can tell what it is */

ngx_int_t ngx_http_ratelimit_item_quota(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item);
ngx_int_t ngx_http_ratelimit_item_capacity(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item);

/* NGX_DECLINED: an earlier step decided, or the line does not apply */

ngx_int_t ngx_http_ratelimit_step_is_asked(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_step_t *step);

/*
 * NGX_HTTP_RATELIMIT_VARIES_ITEM of an item; where nobody can tell its quota,
 * which rc says, that of its cost and dry run which "ratelimit_on_error" asks
 * for.
 */

ngx_int_t ngx_http_ratelimit_vary_item(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_step_t *step,
    rl_item_t *item, ngx_int_t rc);


/* "label=" */

void ngx_http_ratelimit_label_item(ngx_http_request_t *r, rl_item_t *item,
    rl_time_t *now);


#endif /* _NGX_HTTP_RATELIMIT_VARY_H_INCLUDED_ */
