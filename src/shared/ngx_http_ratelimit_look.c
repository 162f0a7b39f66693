
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Looking at a bucket in Redis: a GET, whose reply comes within "timeout=" or
 * breaks the link, as any other's.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_cluster.h"
#include "shared/ngx_http_ratelimit_look.h"


/* a slot that moves, and moved before */

#define NGX_HTTP_RATELIMIT_MAX_REDIRECTS  3


static ngx_int_t ngx_http_ratelimit_send_look(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_look_t *look);
static void ngx_http_ratelimit_look_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);
static char *ngx_http_ratelimit_seen(ngx_http_ratelimit_link_t *link,
    redisReply *reply, ngx_http_ratelimit_look_t *look);
static uint64_t ngx_http_ratelimit_server_ms(ngx_http_ratelimit_link_t *link);


ngx_int_t
ngx_http_ratelimit_look_in_redis(ngx_http_ratelimit_redis_t *redis,
    ngx_http_ratelimit_look_t *look)
{
    look->redirects = 0;

    return ngx_http_ratelimit_send_look(
                           redis->shards[rl_item_shard(&look->item)], look);
}


static ngx_int_t
ngx_http_ratelimit_send_look(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_look_t *look)
{
    u_char                      *p, key[NGX_HTTP_RATELIMIT_MAX_PREFIX
                                        + RL_SHARED_KEY_LEN];
    ngx_str_t                    args[2];
    ngx_http_ratelimit_redis_t  *redis;

    look->command = NULL;

    if (link == NULL || link->state != NGX_HTTP_RATELIMIT_LINK_READY) {
        look->why = "Redis is away";
        return NGX_DECLINED;
    }

    redis = link->redis;

    p = ngx_cpymem(key, redis->prefix.data, redis->prefix.len);
    rl_item_key(&look->item, p);

    ngx_str_set(&args[0], "GET");
    args[1].data = key;
    args[1].len = redis->prefix.len + RL_SHARED_KEY_LEN;

    look->command = ngx_http_ratelimit_command(link,
                                               ngx_http_ratelimit_look_reply,
                                               args, 2);
    if (look->command == NULL) {
        look->why = "too much is on the way to Redis";
        return NGX_DECLINED;
    }

    look->command->data = look;

    return NGX_AGAIN;
}


void
ngx_http_ratelimit_end_look(ngx_http_ratelimit_look_t *look)
{
    if (look->command) {
        look->command->data = NULL;
        look->command = NULL;
    }
}


static void
ngx_http_ratelimit_look_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply)
{
    ngx_http_ratelimit_link_t  *node;
    ngx_http_ratelimit_look_t  *look;

    look = command->data;

    if (look == NULL) {
        return;
    }

    look->command = NULL;

    node = NULL;

    if (reply && reply->type == REDIS_REPLY_ERROR
        && look->redirects++ < NGX_HTTP_RATELIMIT_MAX_REDIRECTS)
    {
        node = ngx_http_ratelimit_redirect(link, reply->str);
    }

    if (node == NULL) {
        look->why = ngx_http_ratelimit_seen(link, reply, look);

    } else if (ngx_http_ratelimit_send_look(node, look) == NGX_AGAIN) {
        return;
    }

    look->done(look);
}


static char *
ngx_http_ratelimit_seen(ngx_http_ratelimit_link_t *link, redisReply *reply,
    ngx_http_ratelimit_look_t *look)
{
    if (reply == NULL) {
        return "Redis went away";
    }

    if (reply->type == REDIS_REPLY_NIL) {
        ngx_memzero(&look->bucket, sizeof(rl_shared_bucket_t));
        return NULL;
    }

    if (reply->type == REDIS_REPLY_STRING
        && rl_shared_bucket(&look->item, (u_char *) reply->str, reply->len,
                            ngx_http_ratelimit_server_ms(link), &look->bucket)
           == RL_OK)
    {
        return NULL;
    }

    return "Redis answered with something else";
}


/* as far as it is known */

static uint64_t
ngx_http_ratelimit_server_ms(ngx_http_ratelimit_link_t *link)
{
    ngx_time_t  *tp;

    if (link->clock.at_us) {
        return ngx_http_ratelimit_now_us() / 1000 + link->clock.ahead_ms;
    }

    tp = ngx_timeofday();

    return (uint64_t) tp->sec * 1000 + tp->msec;
}
