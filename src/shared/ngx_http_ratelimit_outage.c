
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What is told of servers that are away, in the log, once for all workers, and
 * to the API.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_link.h"
#include "shared/ngx_http_ratelimit_outage.h"


static ngx_uint_t ngx_http_ratelimit_has_shard(
    ngx_http_ratelimit_link_t *link);
static ngx_atomic_t *ngx_http_ratelimit_away(ngx_http_ratelimit_link_t *link);
static uint64_t ngx_http_ratelimit_wall_ms(void);


void
ngx_http_ratelimit_is_back(ngx_http_ratelimit_link_t *link)
{
    uint64_t                     since;
    ngx_atomic_t                *away;
    ngx_http_ratelimit_redis_t  *redis;

    redis = link->redis;

    away = ngx_http_ratelimit_away(link);
    since = *away;

    if (since && ngx_atomic_cmp_set(away, since, 0)) {
        ngx_log_error(NGX_LOG_NOTICE, redis->log, 0,
                      "ratelimit: redis \"%V\" is back at %V, after %uL ms",
                      &redis->name, &link->server->name,
                      ngx_http_ratelimit_wall_ms() - since);
    }

    ngx_http_ratelimit_is_whole(redis);
}


void
ngx_http_ratelimit_is_whole(ngx_http_ratelimit_redis_t *redis)
{
    ngx_uint_t                  i;
    ngx_http_ratelimit_link_t  *link;

    if (redis->stats->connected) {
        return;
    }

    for (i = 0; i < RL_SHARDS; i++) {
        link = redis->shards[i];

        if (link == NULL || link->state != NGX_HTTP_RATELIMIT_LINK_READY) {
            return;
        }
    }

    redis->stats->connected = ngx_time();
}


void
ngx_http_ratelimit_outage(ngx_http_ratelimit_link_t *link, ngx_err_t err,
    char *why)
{
    size_t                             len;
    ngx_atomic_t                      *away;
    ngx_http_ratelimit_redis_t        *redis;
    ngx_http_ratelimit_redis_stats_t  *stats;

    redis = link->redis;
    stats = redis->stats;
    away = ngx_http_ratelimit_away(link);

    if (*away != 0
        || !ngx_atomic_cmp_set(away, 0, ngx_http_ratelimit_wall_ms()))
    {
        return;
    }

    if (!redis->cluster || ngx_http_ratelimit_has_shard(link)) {
        stats->connected = 0;
    }

    (void) ngx_atomic_fetch_add(&stats->outages, 1);

    len = ngx_min(ngx_strlen(why), 200);

    ngx_log_error(NGX_LOG_ERR, redis->log, err,
                  "ratelimit: redis \"%V\" is away at %V: %*s",
                  &redis->name, &link->server->name, len, why);
}


static ngx_uint_t
ngx_http_ratelimit_has_shard(ngx_http_ratelimit_link_t *link)
{
    ngx_uint_t  i;

    for (i = 0; i < RL_SHARDS; i++) {
        if (link->redis->shards[i] == link) {
            return 1;
        }
    }

    return 0;
}


/* of a cluster each node has its own; of several servers one is the master */

static ngx_atomic_t *
ngx_http_ratelimit_away(ngx_http_ratelimit_link_t *link)
{
    ngx_uint_t                   i;
    ngx_http_ratelimit_redis_t  *redis;

    redis = link->redis;
    i = 0;

    if (redis->cluster) {
        i = ngx_hash_key(link->server->name.data, link->server->name.len)
            % NGX_HTTP_RATELIMIT_OUTAGES;
    }

    return &redis->stats->away[i];
}


static uint64_t
ngx_http_ratelimit_wall_ms(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (uint64_t) tp->sec * 1000 + tp->msec;
}


void
ngx_http_ratelimit_complain(ngx_http_ratelimit_redis_t *redis, char *text)
{
    size_t  len;

    if (redis->complained == ngx_time()) {
        return;
    }

    redis->complained = ngx_time();

    len = ngx_min(ngx_strlen(text), 200);

    ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                  "ratelimit: redis \"%V\" did not decide: %*s",
                  &redis->name, len, text);
}
