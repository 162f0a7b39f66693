
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What a request asks of the core.
 */


#ifndef _NGX_HTTP_RATELIMIT_PLAN_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_PLAN_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_rule.h"


ngx_int_t ngx_http_ratelimit_item(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item, rl_item_t *known,
    ngx_uint_t nknown, rl_time_t *now);
ngx_int_t ngx_http_ratelimit_rule_applies(ngx_http_request_t *r,
    ngx_http_ratelimit_rule_t *rule);
ngx_int_t ngx_http_ratelimit_rule_cost(ngx_http_request_t *r,
    ngx_http_ratelimit_entry_t *entry, rl_item_t *item);
ngx_int_t ngx_http_ratelimit_rule_dry_run(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_http_ratelimit_rule_t *rule,
    rl_item_t *item);


#endif /* _NGX_HTTP_RATELIMIT_PLAN_H_INCLUDED_ */
