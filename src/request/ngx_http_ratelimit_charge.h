
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Charges that are given back, kept or settled.
 */


#ifndef _NGX_HTTP_RATELIMIT_CHARGE_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_CHARGE_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "request/ngx_http_ratelimit_record.h"


void ngx_http_ratelimit_return_charges(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_uint_t n);
void ngx_http_ratelimit_keep_charges(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record);
ngx_int_t ngx_http_ratelimit_correct_charges(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record);
void ngx_http_ratelimit_raise_charges(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record);
void ngx_http_ratelimit_end_charges(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record);


#endif /* _NGX_HTTP_RATELIMIT_CHARGE_H_INCLUDED_ */
