
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
#include "shared/ngx_http_ratelimit_loss.h"
#include "shared/ngx_http_ratelimit_outage.h"

#include "ngx_http_ratelimit_rows_script.h"


static void ngx_http_ratelimit_auth_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);
static void ngx_http_ratelimit_plain_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);
static void ngx_http_ratelimit_info_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);
static ngx_str_t ngx_http_ratelimit_info(redisReply *reply, char *name);
static void ngx_http_ratelimit_script_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);


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

        (void) ngx_http_ratelimit_command(link, ngx_http_ratelimit_auth_reply,
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
    args[2].data = (u_char *) ngx_http_ratelimit_rows_script;
    args[2].len = sizeof(ngx_http_ratelimit_rows_script);

    (void) ngx_http_ratelimit_command(link, ngx_http_ratelimit_script_reply,
                                      args, 3);
}


/* what a server says of an AUTH that it does not know holds the password */

static void
ngx_http_ratelimit_auth_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply)
{
    ngx_uint_t  i;

    static char  *shown[] = { "WRONGPASS ", "NOAUTH ", "NOPERM ", "DENIED ",
                              "LOADING ", "ERR max number of clients" };

    if (reply && reply->type == REDIS_REPLY_ERROR) {
        for (i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
            if (ngx_strncmp(reply->str, shown[i], ngx_strlen(shown[i])) == 0) {
                break;
            }
        }

        if (i == sizeof(shown) / sizeof(shown[0])) {
            ngx_http_ratelimit_break_link(link, 0, "it refuses AUTH");
            return;
        }
    }

    (void) ngx_http_ratelimit_is_error(link, reply, REDIS_REPLY_STATUS);
}


static void
ngx_http_ratelimit_plain_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply)
{
    (void) ngx_http_ratelimit_is_error(link, reply, REDIS_REPLY_STATUS);
}


ngx_uint_t
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
    ngx_uint_t                   cluster, known;
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

    known = link->run_id[0] != '\0';

    link->lost = known
                 && ngx_memcmp(link->run_id, run_id.data, run_id.len) != 0;

    ngx_memcpy(link->run_id, run_id.data, run_id.len);

    /* a worker that has just begun has rows of those before it */

    if (!known && !cluster && redis->stats->run) {
        link->lost = redis->stats->run != ngx_http_ratelimit_run(link);
    }

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

    p = (char *) ngx_strstr(reply->str, name);

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

    ngx_http_ratelimit_prepare_calls(redis);

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


/* all is known of it */

void
ngx_http_ratelimit_ready(ngx_http_ratelimit_link_t *link)
{
    ngx_http_ratelimit_redis_t  *redis;

    redis = link->redis;

    link->state = NGX_HTTP_RATELIMIT_LINK_READY;
    link->failures = 0;

    ngx_del_timer(&link->timer);

    ngx_http_ratelimit_is_back(link);

    redis->stats->server = link->nserver;

    ngx_http_ratelimit_lost_all(link);
    link->lost = 0;

    /* only now: a worker that is killed has left all to who comes next */

    if (!redis->cluster) {
        redis->stats->run = ngx_http_ratelimit_run(link);
    }

    ngx_http_ratelimit_tell_rest(redis);
    ngx_http_ratelimit_send_waiting(link);
}
