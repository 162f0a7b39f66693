
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * From a connection that stands to a link that is used: AUTH, SELECT, INFO,
 * the script, in a cluster its slots, and the names of all shards' counts.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_cluster.h"
#include "shared/ngx_http_ratelimit_lease.h"
#include "shared/ngx_http_ratelimit_login.h"

#include "ngx_http_ratelimit_script.h"


/* in which machines that share a Redis all notice that it is new */

#define NGX_HTTP_RATELIMIT_GRACE  500


static void ngx_http_ratelimit_plain_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);
static void ngx_http_ratelimit_info_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);
static ngx_str_t ngx_http_ratelimit_info(redisReply *reply, char *name);
static void ngx_http_ratelimit_script_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);
static void ngx_http_ratelimit_shard_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);
static ngx_uint_t ngx_http_ratelimit_is_error(ngx_http_ratelimit_link_t *link,
    redisReply *reply, int type);
static ngx_atomic_t *ngx_http_ratelimit_away(ngx_http_ratelimit_link_t *link);
static uint64_t ngx_http_ratelimit_wall_ms(void);


void
ngx_http_ratelimit_login(ngx_http_ratelimit_link_t *link)
{
    u_char                       db[NGX_INT_T_LEN];
    ngx_str_t                    args[4];
    ngx_uint_t                   n;
    ngx_http_ratelimit_redis_t  *redis;

    redis = link->redis;
    n = 0;

    if (redis->password.len) {
        ngx_str_set(&args[n], "AUTH");
        n++;

        if (redis->user.len) {
            args[n++] = redis->user;
        }

        args[n++] = redis->password;

        (void) ngx_http_ratelimit_command(link, ngx_http_ratelimit_plain_reply,
                                          args, n);
    }

    if (redis->db) {
        ngx_str_set(&args[0], "SELECT");
        args[1].data = db;
        args[1].len = rl_render_u64(redis->db, db);

        (void) ngx_http_ratelimit_command(link, ngx_http_ratelimit_plain_reply,
                                          args, 2);
    }

    ngx_str_set(&args[0], "INFO");
    ngx_str_set(&args[1], "server");
    ngx_str_set(&args[2], "replication");
    ngx_str_set(&args[3], "cluster");

    (void) ngx_http_ratelimit_command(link, ngx_http_ratelimit_info_reply,
                                      args, 4);

    ngx_http_ratelimit_load_script(link);
}


void
ngx_http_ratelimit_load_script(ngx_http_ratelimit_link_t *link)
{
    ngx_str_t  args[3];

    ngx_str_set(&args[0], "SCRIPT");
    ngx_str_set(&args[1], "LOAD");
    args[2].data = (u_char *) ngx_http_ratelimit_script;
    args[2].len = sizeof(ngx_http_ratelimit_script);

    (void) ngx_http_ratelimit_command(link, ngx_http_ratelimit_script_reply,
                                      args, 3);
}


static void
ngx_http_ratelimit_plain_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply)
{
    (void) ngx_http_ratelimit_is_error(link, reply, REDIS_REPLY_STATUS);
}


/* true: the link is broken, or was before */

static ngx_uint_t
ngx_http_ratelimit_is_error(ngx_http_ratelimit_link_t *link,
    redisReply *reply, int type)
{
    if (reply == NULL) {
        return 1;
    }

    if (reply->type != type) {
        ngx_http_ratelimit_break_link(link, 0,
                                      reply->type == REDIS_REPLY_ERROR
                                      ? reply->str
                                      : "its reply is not Redis's");
        return 1;
    }

    return 0;
}


static void
ngx_http_ratelimit_info_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply)
{
    ngx_str_t                    run_id, role, enabled;
    ngx_uint_t                   cluster;
    ngx_http_ratelimit_redis_t  *redis;

    if (ngx_http_ratelimit_is_error(link, reply, REDIS_REPLY_STRING)) {
        return;
    }

    redis = link->redis;

    run_id = ngx_http_ratelimit_info(reply, "\nrun_id:");
    role = ngx_http_ratelimit_info(reply, "\nrole:");
    enabled = ngx_http_ratelimit_info(reply, "\ncluster_enabled:");
    cluster = (enabled.len == 1 && enabled.data[0] == '1');

    if (run_id.len != sizeof(link->run_id)) {
        ngx_http_ratelimit_break_link(link, 0, "its INFO has no run_id");
        return;
    }

    if (cluster != redis->cluster) {
        ngx_http_ratelimit_break_link(link, 0, cluster
            ? "it is a cluster's, which needs \"cluster=on\""
            : "it is no cluster's, which \"cluster=on\" needs");
        return;
    }

    link->master = (role.len == 6 && ngx_strncmp(role.data, "master", 6) == 0);

    if (!link->master && !cluster) {
        ngx_http_ratelimit_break_link(link, 0, "it is not the master");
        return;
    }

    link->lost = link->run_id[0] != '\0'
                 && ngx_memcmp(link->run_id, run_id.data, run_id.len) != 0;

    ngx_memcpy(link->run_id, run_id.data, run_id.len);

    if (link->lost) {
        ngx_memzero(&link->clock, sizeof(rl_clock_t));
    }
}


/* the rest of the line that begins so, which is not the first one */

static ngx_str_t
ngx_http_ratelimit_info(redisReply *reply, char *name)
{
    char       *p;
    ngx_str_t   value;

    ngx_str_null(&value);

    p = ngx_strstr(reply->str, name);

    if (p) {
        value.data = (u_char *) p + ngx_strlen(name);
        value.len = strcspn((char *) value.data, "\r\n");
    }

    return value;
}


static void
ngx_http_ratelimit_script_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply)
{
    ngx_uint_t                   shard;
    ngx_http_ratelimit_redis_t  *redis;

    if (ngx_http_ratelimit_is_error(link, reply, REDIS_REPLY_STRING)) {
        return;
    }

    redis = link->redis;

    if ((size_t) reply->len != sizeof(redis->sha_buf)) {
        ngx_http_ratelimit_break_link(link, 0, "its reply is not Redis's");
        return;
    }

    ngx_memcpy(redis->sha_buf, reply->str, sizeof(redis->sha_buf));
    redis->sha.data = redis->sha_buf;
    redis->sha.len = sizeof(redis->sha_buf);

    if (link->state != NGX_HTTP_RATELIMIT_LINK_LOGIN) {
        return;
    }

    if (redis->cluster) {
        link->steps = 1;
        ngx_http_ratelimit_look_for_slots(link);
        return;
    }

    link->steps = RL_SHARDS;

    for (shard = 0; shard < RL_SHARDS; shard++) {
        ngx_http_ratelimit_touch_shard(redis, shard, 0);
    }
}


void
ngx_http_ratelimit_touch_shard(ngx_http_ratelimit_redis_t *redis,
    ngx_uint_t shard, ngx_uint_t hold)
{
    u_char                        *p, key[64 + RL_SHARD_KEY_LEN];
    ngx_str_t                      args[6];
    ngx_http_ratelimit_link_t     *link;
    ngx_http_ratelimit_command_t  *command;

    link = redis->shards[shard];

    if (link == NULL || link->state < NGX_HTTP_RATELIMIT_LINK_LOGIN) {
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
    uint64_t                     known;
    ngx_http_ratelimit_redis_t  *redis;

    redis = link->redis;
    known = redis->generations[shard];
    redis->generations[shard] = name;

    if (known && known != name) {
        ngx_http_ratelimit_lost(redis, shard);
    }
}


void
ngx_http_ratelimit_lost(ngx_http_ratelimit_redis_t *redis, ngx_uint_t shard)
{
    if ((ngx_msec_int_t) (redis->closed_until - ngx_current_msec) <= 0) {
        (void) ngx_atomic_fetch_add(&redis->stats->losses, 1);

        ngx_log_error(NGX_LOG_WARN, redis->log, 0,
                      "ratelimit: the counts of redis \"%V\" are new, it is "
                      "told what was used", &redis->name);
    }

    redis->closed_until = ngx_current_msec + NGX_HTTP_RATELIMIT_GRACE;

    ngx_http_ratelimit_tell_redis(redis, shard);
}


/* all is known of it */

void
ngx_http_ratelimit_ready(ngx_http_ratelimit_link_t *link)
{
    uint64_t                           since;
    ngx_atomic_t                      *away;
    ngx_http_ratelimit_redis_t        *redis;
    ngx_http_ratelimit_redis_stats_t  *stats;

    redis = link->redis;
    stats = redis->stats;

    link->state = NGX_HTTP_RATELIMIT_LINK_READY;
    link->failures = 0;

    ngx_del_timer(&link->timer);

    away = ngx_http_ratelimit_away(link);
    since = *away;

    if (since && ngx_atomic_cmp_set(away, since, 0)) {
        ngx_log_error(NGX_LOG_NOTICE, redis->log, 0,
                      "ratelimit: redis \"%V\" is back at %V, after %uL ms",
                      &redis->name, &link->server->name,
                      ngx_http_ratelimit_wall_ms() - since);
    }

    if (stats->connected == 0) {
        stats->connected = ngx_time();
    }

    stats->server = link->nserver;

    if (link->lost) {
        link->lost = 0;
        ngx_http_ratelimit_lost(redis, RL_SHARDS);
    }

    ngx_http_ratelimit_send_waiting(link);
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

    stats->connected = 0;
    (void) ngx_atomic_fetch_add(&stats->outages, 1);

    len = ngx_min(ngx_strlen(why), 200);

    ngx_log_error(NGX_LOG_ERR, redis->log, err,
                  "ratelimit: redis \"%V\" is away at %V: %*s",
                  &redis->name, &link->server->name, len, why);
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
