
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The words of limit_req and of other limiters, and what they are here.
 */


#ifndef _NGX_HTTP_RATELIMIT_LIMIT_REQ_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_LIMIT_REQ_H_INCLUDED_


#include "ngx_http_ratelimit.h"


/* what is to be said of a wrong parameter, or of a wrong quota; or NULL */

#define NGX_HTTP_RATELIMIT_HINT_LEN  512

char *ngx_http_ratelimit_hint_parameter(ngx_conf_t *cf, ngx_str_t *arg,
    u_char *hint);
char *ngx_http_ratelimit_hint_quota(ngx_str_t *quota, u_char *hint);


#endif /* _NGX_HTTP_RATELIMIT_LIMIT_REQ_H_INCLUDED_ */
