
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What is told of servers that are away.
 */


#ifndef _NGX_HTTP_RATELIMIT_OUTAGE_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_OUTAGE_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_link.h"


/* its server cannot be reached, and why; it can be used again */

void ngx_http_ratelimit_outage(ngx_http_ratelimit_link_t *link, ngx_err_t err,
    char *why);
void ngx_http_ratelimit_is_back(ngx_http_ratelimit_link_t *link);

/* a shard has another link: if all can be used, nothing is away */

void ngx_http_ratelimit_is_whole(ngx_http_ratelimit_redis_t *redis);

/* that something was not decided, once a second at most */

void ngx_http_ratelimit_complain(ngx_http_ratelimit_redis_t *redis,
    char *text);


#endif /* _NGX_HTTP_RATELIMIT_OUTAGE_H_INCLUDED_ */
