
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Telling Redis of a key that was refused, banned, or whose ban is lifted, by
 * the script bans.lua.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "shared/ngx_http_ratelimit_bans.h"
#include "shared/ngx_http_ratelimit_cluster.h"
#include "shared/ngx_http_ratelimit_eval.h"

#include <ngx_sha1.h>

#include "ngx_http_ratelimit_bans_script.h"


/* a slot that moves, and moved before, each with a server to load it on */

#define NGX_HTTP_RATELIMIT_MAX_REDIRECTS  3
#define NGX_HTTP_RATELIMIT_MAX_LOADS      3

/* two keys; whose it is, what is void, and the numbers */

#define NGX_HTTP_RATELIMIT_BAN_ARGS  (2 + 2 + NGX_HTTP_RATELIMIT_BAN_NUMBERS)


static void ngx_http_ratelimit_ban_send(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_ban_call_t *call);
static void ngx_http_ratelimit_ban_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);
static ngx_uint_t ngx_http_ratelimit_ban_again(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_ban_call_t *call, redisReply *reply);
static ngx_str_t ngx_http_ratelimit_ban_name(
    ngx_http_ratelimit_ban_call_t *call, u_char *buf);
static uint64_t ngx_http_ratelimit_ban_void(
    ngx_http_ratelimit_ban_call_t *call);
static void ngx_http_ratelimit_end_ban_call(
    ngx_http_ratelimit_ban_call_t *call, ngx_int_t rc, char *why);


static ngx_str_t  ngx_http_ratelimit_bans_text = {
    sizeof(ngx_http_ratelimit_bans_script),
    (u_char *) ngx_http_ratelimit_bans_script
};


ngx_http_ratelimit_ban_call_t *
ngx_http_ratelimit_create_ban_call(ngx_http_ratelimit_redis_t *redis,
    const rl_policy_t *policy, rl_hash_t *bucket)
{
    ngx_http_ratelimit_ban_call_t  *call;

    call = ngx_calloc(sizeof(ngx_http_ratelimit_ban_call_t), ngx_cycle->log);
    if (call) {
        call->redis = redis;
        call->policy = policy;
        call->bucket = *bucket;
    }

    return call;
}


void
ngx_http_ratelimit_send_ban_call(ngx_http_ratelimit_ban_call_t *call)
{
    ngx_http_ratelimit_ban_send(
                call->redis->shards[NGX_HTTP_RATELIMIT_CLOCK_SHARD], call);
}


static void
ngx_http_ratelimit_ban_send(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_ban_call_t *call)
{
    u_char                         names[2][NGX_HTTP_RATELIMIT_MAX_PREFIX
                                            + RL_SHARED_BAN_KEY_LEN],
                                   who[RL_SHARED_BAN_WHO_LEN],
                                   texts[1 + NGX_HTTP_RATELIMIT_BAN_NUMBERS]
                                        [NGX_INT64_LEN];
    uint64_t                       value;
    ngx_str_t                     *arg, args[NGX_HTTP_RATELIMIT_BAN_ARGS];
    ngx_uint_t                     i;
    ngx_http_ratelimit_command_t  *command;

    if (link == NULL || link->state != NGX_HTTP_RATELIMIT_LINK_READY) {
        ngx_http_ratelimit_end_ban_call(call, NGX_DECLINED, NULL);
        return;
    }

    rl_shared_ban_who(call->bucket, call->policy->secret.lo, who);

    args[0] = ngx_http_ratelimit_feed_name(call->redis, names[0]);
    args[1] = ngx_http_ratelimit_ban_name(call, names[1]);
    args[2].data = who;
    args[2].len = sizeof(who);

    for (i = 0; i <= call->nnumbers; i++) {
        value = i ? call->numbers[i - 1] : ngx_http_ratelimit_ban_void(call);

        arg = &args[3 + i];
        arg->data = texts[i];
        arg->len = rl_render_u64(value, texts[i]);
    }

    command = ngx_http_ratelimit_bans_eval(link, ngx_http_ratelimit_ban_reply,
                                           args, 2, 3 + i);
    if (command == NULL) {
        ngx_http_ratelimit_end_ban_call(call, NGX_DECLINED,
                                        "too much is on the way to Redis");
        return;
    }

    command->data = call;
}


ngx_http_ratelimit_command_t *
ngx_http_ratelimit_bans_eval(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_reply_pt handler, ngx_str_t *args, ngx_uint_t nkeys,
    ngx_uint_t n)
{
    u_char         bytes[20];
    ngx_str_t      all[3 + NGX_HTTP_RATELIMIT_BAN_ARGS];
    ngx_sha1_t     sha1;

    static u_char  sha[40], *found;

    /* refusals are many */

    if (found == NULL) {
        ngx_sha1_init(&sha1);
        ngx_sha1_update(&sha1, ngx_http_ratelimit_bans_text.data,
                        ngx_http_ratelimit_bans_text.len);
        ngx_sha1_final(bytes, &sha1);
        ngx_hex_dump(sha, bytes, sizeof(bytes));
        found = sha;
    }

    ngx_str_set(&all[0], "EVALSHA");
    all[1].data = found;
    all[1].len = sizeof(sha);
    all[2].data = (u_char *) (nkeys == 1 ? "1" : "2");
    all[2].len = 1;

    ngx_memcpy(&all[3], args, n * sizeof(ngx_str_t));

    return ngx_http_ratelimit_command(link, handler, all, 3 + n);
}


ngx_uint_t
ngx_http_ratelimit_bans_no_script(ngx_http_ratelimit_link_t *link,
    redisReply *reply)
{
    return ngx_http_ratelimit_no_script(link, reply,
                                        &ngx_http_ratelimit_bans_text);
}


static void
ngx_http_ratelimit_ban_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply)
{
    rl_time_t                       now;
    ngx_http_ratelimit_ban_call_t  *call;

    call = command->data;

    if (reply == NULL) {
        ngx_http_ratelimit_end_ban_call(call, NGX_ERROR, NULL);
        return;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        if (!ngx_http_ratelimit_ban_again(link, call, reply)) {
            ngx_http_ratelimit_end_ban_call(call, NGX_DECLINED, reply->str);
        }

        return;
    }

    ngx_http_ratelimit_now(&now);

    if (reply->type != REDIS_REPLY_STRING
        || rl_shared_ban_reply((u_char *) reply->str, reply->len, &now,
                               &call->begins, &call->ban)
           != RL_OK)
    {
        ngx_http_ratelimit_end_ban_call(call, NGX_ERROR,
                                        "Redis answered with something else");
        return;
    }

    ngx_http_ratelimit_end_ban_call(call, NGX_OK, NULL);
}


/* what was not executed may be told again, and does not count twice */

static ngx_uint_t
ngx_http_ratelimit_ban_again(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_ban_call_t *call, redisReply *reply)
{
    ngx_http_ratelimit_link_t  *node;

    if (call->loads++ < NGX_HTTP_RATELIMIT_MAX_LOADS
        && ngx_http_ratelimit_bans_no_script(link, reply))
    {
        ngx_http_ratelimit_ban_send(link, call);
        return 1;
    }

    if (call->redirects++ >= NGX_HTTP_RATELIMIT_MAX_REDIRECTS) {
        return 0;
    }

    (void) ngx_http_ratelimit_moved(link, reply->str,
                                    NGX_HTTP_RATELIMIT_CLOCK_SHARD);

    node = ngx_http_ratelimit_redirect(link, reply->str);

    if (node == NULL) {
        return 0;
    }

    ngx_http_ratelimit_ban_send(node, call);

    return 1;
}


static ngx_str_t
ngx_http_ratelimit_ban_name(ngx_http_ratelimit_ban_call_t *call, u_char *buf)
{
    u_char     *p;
    ngx_str_t   name;

    p = ngx_cpymem(buf, call->redis->prefix.data, call->redis->prefix.len);
    rl_shared_ban_key(call->bucket.lo, p);

    name.data = buf;
    name.len = call->redis->prefix.len + RL_SHARED_BAN_KEY_LEN;

    return name;
}


ngx_str_t
ngx_http_ratelimit_feed_name(ngx_http_ratelimit_redis_t *redis, u_char *buf)
{
    u_char     *p;
    ngx_str_t   name;

    p = ngx_cpymem(buf, redis->prefix.data, redis->prefix.len);
    p = ngx_cpymem(p, RL_SHARED_FEED_KEY, sizeof(RL_SHARED_FEED_KEY) - 1);

    name.data = buf;
    name.len = p - buf;

    return name;
}


/* how long ago the policy was reset, in ms; 0: it was not */

static uint64_t
ngx_http_ratelimit_ban_void(ngx_http_ratelimit_ban_call_t *call)
{
    uint64_t   reset_ms;
    rl_time_t  now;

    ngx_http_ratelimit_now(&now);

    reset_ms = rl_policy_reset_at(call->policy, &now);

    return reset_ms == 0 ? 0
                         : now.mono_ms > reset_ms ? now.mono_ms - reset_ms : 1;
}


static void
ngx_http_ratelimit_end_ban_call(ngx_http_ratelimit_ban_call_t *call,
    ngx_int_t rc, char *why)
{
    call->rc = rc;
    call->why = why;

    call->done(call);

    ngx_free(call);
}
