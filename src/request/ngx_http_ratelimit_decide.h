
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Deciding a request.
 */


#ifndef _NGX_HTTP_RATELIMIT_DECIDE_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_DECIDE_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "request/ngx_http_ratelimit_record.h"


/*
 * NGX_DECLINED: the request goes on; NGX_OK: it is to be refused, as its
 * record says; else the status of an error.
 */

ngx_int_t ngx_http_ratelimit_decide(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_array_t *entries);
ngx_int_t ngx_http_ratelimit_refused(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process,
    ngx_uint_t first);
ngx_int_t ngx_http_ratelimit_busy(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_http_ratelimit_record_t *record,
    ngx_uint_t n);
void ngx_http_ratelimit_not_evaluated(ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_policy_t *policy);

/* ngx_http_ratelimit_quick.c */

char *ngx_http_ratelimit_find_quick(ngx_conf_t *cf,
    ngx_http_ratelimit_loc_conf_t *rlcf);
ngx_int_t ngx_http_ratelimit_init_quick(ngx_conf_t *cf);
ngx_int_t ngx_http_ratelimit_decide_quickly(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf);


#endif /* _NGX_HTTP_RATELIMIT_DECIDE_H_INCLUDED_ */
