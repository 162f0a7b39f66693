
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * A Redis that has lost counts: how that is noticed, and that it is told what
 * was used.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_bans.h"
#include "shared/ngx_http_ratelimit_eval.h"
#include "shared/ngx_http_ratelimit_lease.h"
#include "shared/ngx_http_ratelimit_login.h"
#include "shared/ngx_http_ratelimit_loss.h"


/* in which machines that share a Redis all notice that it is new */

#define NGX_HTTP_RATELIMIT_GRACE       1000

/* a turn: rows that are told, of so many that are looked at */

#define NGX_HTTP_RATELIMIT_TELL_CHUNK  128
#define NGX_HTTP_RATELIMIT_TELL_LOOKS  8192


static void ngx_http_ratelimit_shard_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);
static void ngx_http_ratelimit_notice_loss(ngx_http_ratelimit_redis_t *redis);
static ngx_uint_t ngx_http_ratelimit_has_told(
    ngx_http_ratelimit_redis_t *redis, ngx_uint_t shard);
static ngx_uint_t ngx_http_ratelimit_tell_rows(
    ngx_http_ratelimit_redis_t *redis, rl_leases_t *leases, ngx_uint_t shard,
    uint64_t now_us, uint32_t *looks, ngx_uint_t n);
static void ngx_http_ratelimit_hold_shards(ngx_http_ratelimit_redis_t *redis,
    u_char *tells);


void
ngx_http_ratelimit_touch_shard(ngx_http_ratelimit_redis_t *redis,
    ngx_uint_t shard, ngx_uint_t hold)
{
    u_char                        *p, key[NGX_HTTP_RATELIMIT_MAX_PREFIX
                                          + RL_SHARD_KEY_LEN];
    ngx_str_t                      args[6];
    ngx_http_ratelimit_link_t     *link;
    ngx_http_ratelimit_command_t  *command;

    link = redis->shards[shard];

    /* the login counts the replies to its own, which do not hold */

    if (link == NULL
        || link->state < (hold ? NGX_HTTP_RATELIMIT_LINK_READY
                               : NGX_HTTP_RATELIMIT_LINK_LOGIN))
    {
        return;
    }

    p = ngx_cpymem(key, redis->prefix.data, redis->prefix.len);
    rl_shard_key(shard, p);

    ngx_str_set(&args[0], "EVALSHA");
    args[1] = redis->sha;
    ngx_str_set(&args[2], "1");
    args[3].data = key;
    args[3].len = redis->prefix.len + RL_SHARD_KEY_LEN;
    args[4].data = link->run_id;
    args[4].len = 8;
    args[5].data = (u_char *) (hold ? "1" : "0");
    args[5].len = 1;

    /* that name is one of its run, as good as any that nobody had before */

    command = ngx_http_ratelimit_command(link, ngx_http_ratelimit_shard_reply,
                                         args, 6);
    if (command) {
        command->shard = shard;
    }
}


static void
ngx_http_ratelimit_shard_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply)
{
    rl_shard_t  shard;

    if (reply == NULL) {
        return;
    }

    if (reply->type != REDIS_REPLY_STRING
        || (size_t) reply->len != RL_SHARD_REPLY_LEN)
    {
        /* a slot that has moved meanwhile is found by who needs it */

        if (link->state == NGX_HTTP_RATELIMIT_LINK_LOGIN
            && !link->redis->cluster)
        {
            (void) ngx_http_ratelimit_is_error(link, reply,
                                               REDIS_REPLY_STRING);
            return;
        }

    } else {
        rl_shard_reply((u_char *) reply->str, &shard);
        ngx_http_ratelimit_generation(link, command->shard, shard.name);
    }

    if (link->state == NGX_HTTP_RATELIMIT_LINK_LOGIN && --link->steps == 0) {
        ngx_http_ratelimit_ready(link);
    }
}


void
ngx_http_ratelimit_generation(ngx_http_ratelimit_link_t *link,
    ngx_uint_t shard, uint64_t name)
{
    uint64_t                           known;
    ngx_http_ratelimit_redis_stats_t  *stats;

    stats = link->redis->stats;
    known = stats->generations[shard];

    /* rows outlive workers, so it is the machine that has known another */

    if (known && known != name) {
        ngx_http_ratelimit_lost(link->redis, shard);
    }

    stats->generations[shard] = name;
    link->redis->counted[shard] = link;
}


void
ngx_http_ratelimit_lost(ngx_http_ratelimit_redis_t *redis, ngx_uint_t shard)
{
    ngx_uint_t     i;
    rl_leases_t  **leases;

    leases = redis->leases.elts;

    for (i = 0; i < redis->leases.nelts; i++) {
        rl_leases_lose(leases[i], (uint32_t) shard);
    }

    if (shard == NGX_HTTP_RATELIMIT_CLOCK_SHARD || shard == RL_SHARDS) {
        ngx_http_ratelimit_lose_bans(redis);
    }

    ngx_http_ratelimit_notice_loss(redis);
}


/* nothing is asked for until all machines have had the time to notice */

static void
ngx_http_ratelimit_notice_loss(ngx_http_ratelimit_redis_t *redis)
{
    if (!ngx_http_ratelimit_is_closed(redis)) {
        (void) ngx_atomic_fetch_add(&redis->stats->losses, 1);

        ngx_log_error(NGX_LOG_WARN, redis->log, 0,
                      "ratelimit: the counts of redis \"%V\" are new, it is "
                      "told what was used", &redis->name);
    }

    redis->stats->closed_until = ngx_current_msec + NGX_HTTP_RATELIMIT_GRACE;

    ngx_http_ratelimit_tell_rest(redis);
}


/*
 * In a cluster that is what its shards had: one that is only asked for nodes
 * may be another at each connection, where many stand behind one address.
 * It is counted once for all workers, though each must notice it.
 */

void
ngx_http_ratelimit_lost_all(ngx_http_ratelimit_link_t *link)
{
    ngx_uint_t                   shard;
    ngx_http_ratelimit_redis_t  *redis;

    redis = link->redis;

    if (!redis->cluster) {
        if (!link->lost) {
            return;
        }

        if (redis->stats->run != ngx_http_ratelimit_run(link)) {
            ngx_http_ratelimit_lost(redis, RL_SHARDS);

        } else {
            ngx_http_ratelimit_notice_loss(redis);
        }

        return;
    }

    for (shard = 0; shard < RL_SHARDS; shard++) {
        if (redis->shards[shard] == link
            && (redis->lacks[shard]
                || (link->lost && redis->counted[shard] == link)))
        {
            ngx_http_ratelimit_lost_shard(link, shard);
        }
    }
}


void
ngx_http_ratelimit_lost_shard(ngx_http_ratelimit_link_t *link,
    ngx_uint_t shard)
{
    ngx_atomic_t                *run;
    ngx_http_ratelimit_redis_t  *redis;

    redis = link->redis;
    run = &redis->stats->runs[shard];

    redis->lacks[shard] = 0;

    if (*run == ngx_http_ratelimit_run(link)) {
        ngx_http_ratelimit_notice_loss(redis);
        return;
    }

    *run = ngx_http_ratelimit_run(link);

    ngx_http_ratelimit_lost(redis, shard);
}


ngx_atomic_uint_t
ngx_http_ratelimit_run(ngx_http_ratelimit_link_t *link)
{
    return ngx_murmur_hash2(link->run_id, sizeof(link->run_id)) | 1;
}


/*
 * Redis has lost its counts, or its last ones.  Every machine tells it what it
 * has used, and while it tells a shard that stays closed; nothing is asked for
 * until all have had the time to notice.  All workers of a machine tell: one
 * of them might be killed.
 */

void
ngx_http_ratelimit_tell_rest(ngx_http_ratelimit_redis_t *redis)
{
    ngx_uint_t  shard;

    for (shard = 0; shard < RL_SHARDS && !redis->tell.timer_set; shard++) {
        if (!ngx_http_ratelimit_has_told(redis, shard)) {
            ngx_add_timer(&redis->tell, 1);
        }
    }
}


static ngx_uint_t
ngx_http_ratelimit_has_told(ngx_http_ratelimit_redis_t *redis,
    ngx_uint_t shard)
{
    ngx_uint_t     i;
    rl_leases_t  **leases;

    leases = redis->leases.elts;

    for (i = 0; i < redis->leases.nelts; i++) {
        if (!rl_leases_have_told(leases[i], (uint32_t) shard)) {
            return 0;
        }
    }

    return 1;
}


/*
 * A chunk of the tellings, shard by shard, so that those that were told open;
 * the next one when they have been answered.  Those of a server that is away
 * wait for it.
 */

void
ngx_http_ratelimit_tell_redis_event(ngx_event_t *ev)
{
    u_char                       tells[RL_SHARDS];
    uint32_t                     looks;
    uint64_t                     now_us;
    ngx_uint_t                   i, n, shard, more;
    rl_leases_t                **leases;
    ngx_http_ratelimit_link_t   *link;
    ngx_http_ratelimit_redis_t  *redis;

    redis = ev->data;
    leases = redis->leases.elts;
    looks = NGX_HTTP_RATELIMIT_TELL_LOOKS;
    now_us = ngx_http_ratelimit_now_us();
    n = 0;
    more = 0;

    for (shard = 0; shard < RL_SHARDS; shard++) {
        link = redis->shards[shard];
        tells[shard] = 0;

        if (link == NULL || link->state != NGX_HTTP_RATELIMIT_LINK_READY) {
            continue;
        }

        for (i = 0; i < redis->leases.nelts; i++) {
            n += ngx_http_ratelimit_tell_rows(redis, leases[i], shard, now_us,
                                              &looks,
                                         NGX_HTTP_RATELIMIT_TELL_CHUNK - n);
        }

        tells[shard] = !ngx_http_ratelimit_has_told(redis, shard);
        more |= tells[shard];
    }

    if (more) {
        ngx_http_ratelimit_hold_shards(redis, tells);
        ngx_add_timer(ev, 5);
    }
}


/* returns how many are sent, at most n */

static ngx_uint_t
ngx_http_ratelimit_tell_rows(ngx_http_ratelimit_redis_t *redis,
    rl_leases_t *leases, ngx_uint_t shard, uint64_t now_us, uint32_t *looks,
    ngx_uint_t n)
{
    ngx_uint_t   i;
    rl_lease_t  *untold[NGX_HTTP_RATELIMIT_TELL_CHUNK];

    n = rl_leases_untold(leases, (uint32_t) shard, now_us, looks, untold, n);

    for (i = 0; i < n; i++) {
        ngx_http_ratelimit_send_lease(redis, untold[i]);
    }

    return n;
}


static void
ngx_http_ratelimit_hold_shards(ngx_http_ratelimit_redis_t *redis,
    u_char *tells)
{
    ngx_uint_t  i;

    if (ngx_current_msec - redis->held < 200) {
        return;
    }

    redis->held = ngx_current_msec;

    for (i = 0; i < RL_SHARDS; i++) {
        if (tells[i]) {
            ngx_http_ratelimit_touch_shard(redis, i, 1);
        }
    }
}
