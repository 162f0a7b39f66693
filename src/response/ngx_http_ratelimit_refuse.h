
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_body": what a refused client is sent.
 */


#ifndef _NGX_HTTP_RATELIMIT_REFUSE_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_REFUSE_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "request/ngx_http_ratelimit_record.h"


char *ngx_http_ratelimit_body(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_ratelimit_refuse(ngx_http_request_t *r);

/* ngx_http_ratelimit_grpc.c */

ngx_int_t ngx_http_ratelimit_refuse_grpc(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record);


#endif /* _NGX_HTTP_RATELIMIT_REFUSE_H_INCLUDED_ */
