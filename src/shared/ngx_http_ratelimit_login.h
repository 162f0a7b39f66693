
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What a server is: who may use it, whether it is the master, whether its
 * counts are those that we know.
 */


#ifndef _NGX_HTTP_RATELIMIT_LOGIN_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_LOGIN_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_link.h"
#include "shared/ngx_http_ratelimit_redis.h"


/*
 * Whether a reply is not of the type that it must be: then the link is broken,
 * or was before.
 */

ngx_uint_t ngx_http_ratelimit_is_error(ngx_http_ratelimit_link_t *link,
    redisReply *reply, int type);


#endif /* _NGX_HTTP_RATELIMIT_LOGIN_H_INCLUDED_ */
