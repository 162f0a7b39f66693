
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


/* asks what the counts of a shard are called; hold: and keeps it shut */

void ngx_http_ratelimit_touch_shard(ngx_http_ratelimit_redis_t *redis,
    ngx_uint_t shard, ngx_uint_t hold);

/* the counts of a shard have this name */

void ngx_http_ratelimit_generation(ngx_http_ratelimit_link_t *link,
    ngx_uint_t shard, uint64_t name);

/* of a shard, or all (RL_SHARDS), the counts, or the last ones, are gone */

void ngx_http_ratelimit_lost(ngx_http_ratelimit_redis_t *redis,
    ngx_uint_t shard);

/* once a second at most */

void ngx_http_ratelimit_complain(ngx_http_ratelimit_redis_t *redis,
    char *text);


#endif /* _NGX_HTTP_RATELIMIT_LOGIN_H_INCLUDED_ */
