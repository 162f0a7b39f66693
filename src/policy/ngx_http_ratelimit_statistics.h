
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What the policies have decided, counted.
 */


#ifndef _NGX_HTTP_RATELIMIT_STATISTICS_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_STATISTICS_H_INCLUDED_


#include "ngx_http_ratelimit.h"


void ngx_http_ratelimit_init_statistics(ngx_http_ratelimit_main_conf_t *rmcf);
void ngx_http_ratelimit_count(ngx_http_ratelimit_policy_t *policy,
    rl_counter_e what);
void ngx_http_ratelimit_count_items(rl_item_t *items, ngx_uint_t n,
    rl_counter_e what);


#endif /* _NGX_HTTP_RATELIMIT_STATISTICS_H_INCLUDED_ */
