
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * A client's standing, as it was decided or as it is found by looking.
 */


#ifndef _NGX_HTTP_RATELIMIT_STANDING_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_STANDING_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "request/ngx_http_ratelimit_record.h"


typedef struct {
    rl_item_t                   *item;       /* NULL: there is none */
    rl_time_t                    time;
    uint64_t                     retry_after_ms; /* 0: not refused */
} ngx_http_ratelimit_standing_t;


/* policy NULL: of the reported one */

ngx_int_t ngx_http_ratelimit_stand(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy,
    ngx_http_ratelimit_standing_t *standing);
rl_item_t *ngx_http_ratelimit_find_item(ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_policy_t *policy);


#endif /* _NGX_HTTP_RATELIMIT_STANDING_H_INCLUDED_ */
