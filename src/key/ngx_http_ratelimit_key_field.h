
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What stands in a request's header fields.
 */


#ifndef _NGX_HTTP_RATELIMIT_KEY_FIELD_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_KEY_FIELD_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "key/ngx_http_ratelimit_key.h"
#include "key/ngx_http_ratelimit_scratch.h"


/* NGX_DECLINED: there is none */

ngx_int_t ngx_http_ratelimit_bearer(ngx_http_request_t *r, rl_str_t *out);

/* as any ngx_http_ratelimit_source_pt */

ngx_int_t ngx_http_ratelimit_key_basic(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_http_ratelimit_scratch_t *scratch,
    rl_str_t *out);
ngx_int_t ngx_http_ratelimit_key_header(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_http_ratelimit_scratch_t *scratch,
    rl_str_t *out);
ngx_int_t ngx_http_ratelimit_key_cookie(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_http_ratelimit_scratch_t *scratch,
    rl_str_t *out);

/* scratch, if there is one and len fits, else memory of the request's */

u_char *ngx_http_ratelimit_key_buf(ngx_http_request_t *r,
    ngx_http_ratelimit_scratch_t *scratch, size_t len);


#endif /* _NGX_HTTP_RATELIMIT_KEY_FIELD_H_INCLUDED_ */
