
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Deciding a request.
 */


#ifndef _NGX_HTTP_RATELIMIT_DECIDE_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_DECIDE_H_INCLUDED_


#include "ngx_http_ratelimit.h"


/*
 * NGX_DECLINED: the request goes on; NGX_OK: it is to be refused, as its
 * record says; else the status of an error.  An empty plan is for internal
 * requests only, which may have something to end.
 */

ngx_int_t ngx_http_ratelimit_decide(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_array_t *plan);


#endif /* _NGX_HTTP_RATELIMIT_DECIDE_H_INCLUDED_ */
