
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * A Redis that has lost counts.
 */


#ifndef _NGX_HTTP_RATELIMIT_LOSS_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_LOSS_H_INCLUDED_


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

/*
 * A server can be used, and lacks counts that it had, or that were another's
 * before; of a cluster this shard, as its last server is gone
 */

void ngx_http_ratelimit_lost_all(ngx_http_ratelimit_link_t *link);
void ngx_http_ratelimit_lost_shard(ngx_http_ratelimit_link_t *link,
    ngx_uint_t shard);

/* names the server's process; not 0 */

ngx_atomic_uint_t ngx_http_ratelimit_run(ngx_http_ratelimit_link_t *link);

/* one that was away is told what it missed, and what others found lost */

void ngx_http_ratelimit_tell_rest(ngx_http_ratelimit_redis_t *redis);

/* of redis->tell: a chunk of what is to be told */

void ngx_http_ratelimit_tell_redis_event(ngx_event_t *ev);


#endif /* _NGX_HTTP_RATELIMIT_LOSS_H_INCLUDED_ */
