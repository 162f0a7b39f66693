
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Emptying a bucket in Redis: what counts is off it, its rows stay, so that
 * what they hold goes on to count against the quota.  What was used before the
 * TIME that is asked first was used before that, whoever asks the time later.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_cluster.h"
#include "shared/ngx_http_ratelimit_eval.h"
#include "shared/ngx_http_ratelimit_reset.h"


/* a slot that moves, and moved before, each with a server to load it on */

#define NGX_HTTP_RATELIMIT_MAX_REDIRECTS  6
#define NGX_HTTP_RATELIMIT_MAX_LOADS      3


static void ngx_http_ratelimit_reset_time_reply(
    ngx_http_ratelimit_link_t *link, ngx_http_ratelimit_command_t *command,
    redisReply *reply);
static ngx_int_t ngx_http_ratelimit_reset_sent(
    ngx_http_ratelimit_bucket_reset_t *reset);
static ngx_int_t ngx_http_ratelimit_send_reset(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_bucket_reset_t *reset);
static ngx_int_t ngx_http_ratelimit_not_reset(
    ngx_http_ratelimit_bucket_reset_t *reset, ngx_int_t rc, char *why);
static void ngx_http_ratelimit_reset_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);
static ngx_int_t ngx_http_ratelimit_reset_told(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_bucket_reset_t *reset, redisReply *reply);


/*
 * rows.lua has the layout.  Of a lease that is over, whose units were charged,
 * none is given back any more.
 */

static ngx_str_t  ngx_http_ratelimit_reset_script = ngx_string(
    "local v=redis.call('GET',KEYS[1])"
    "if v then local sub,zeros=string.sub,string.rep('\\0',7)"
    "local k=string.byte(v)local from,own=45,sub(v,39,44)"
    "if k<16 then from=39+17*(k%16)own=string.rep('\\0',17*(k%16))"
    "elseif k>=48 then from=47 own=struct.pack('<d',0)end "
    "local rows={}for o=from,#v,36 do local row=sub(v,o,o+35)"
    "if string.byte(row,36)==1 then row=sub(row,1,19)..zeros..sub(row,27)end "
    "rows[#rows+1]=row end "
    "redis.call('SET',KEYS[1],sub(v,1,7)..zeros..sub(v,15,38)..own.."
    "table.concat(rows),'KEEPTTL')end "
    "return 1");


ngx_int_t
ngx_http_ratelimit_reset_in_redis(ngx_http_ratelimit_redis_t *redis,
    ngx_http_ratelimit_bucket_reset_t *reset)
{
    ngx_str_t                   arg;
    ngx_http_ratelimit_link_t  *link;

    reset->redirects = 0;
    reset->loads = 0;

    link = redis->shards[NGX_HTTP_RATELIMIT_CLOCK_SHARD];

    if (link == NULL || link->state != NGX_HTTP_RATELIMIT_LINK_READY) {
        return ngx_http_ratelimit_not_reset(reset, NGX_DECLINED, NULL);
    }

    ngx_str_set(&arg, "TIME");

    reset->command = ngx_http_ratelimit_command(link,
                                           ngx_http_ratelimit_reset_time_reply,
                                           &arg, 1);

    return ngx_http_ratelimit_reset_sent(reset);
}


static ngx_int_t
ngx_http_ratelimit_reset_sent(ngx_http_ratelimit_bucket_reset_t *reset)
{
    if (reset->command == NULL) {
        return ngx_http_ratelimit_not_reset(reset, NGX_DECLINED,
                                            "too much is on the way to Redis");
    }

    reset->command->data = reset;

    return NGX_AGAIN;
}


static void
ngx_http_ratelimit_reset_time_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply)
{
    ngx_int_t                           rc;
    ngx_http_ratelimit_redis_t         *redis;
    ngx_http_ratelimit_bucket_reset_t  *reset;

    reset = command->data;

    if (reset == NULL) {
        return;
    }

    reset->command = NULL;
    reset->at_ms = reply ? ngx_http_ratelimit_reply_ms(reply) : 0;

    if (reset->at_ms == 0) {
        rc = ngx_http_ratelimit_not_reset(reset, NGX_DECLINED,
                                          reply ? "Redis does not tell the "
                                                  "time" : NULL);

    } else {
        redis = link->redis;
        rc = ngx_http_ratelimit_send_reset(
                         redis->shards[rl_item_shard(&reset->item)], reset);
    }

    if (rc != NGX_AGAIN) {
        reset->done(reset);
    }
}


static ngx_int_t
ngx_http_ratelimit_send_reset(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_bucket_reset_t *reset)
{
    u_char                      *p, name[NGX_HTTP_RATELIMIT_MAX_PREFIX
                                         + RL_SHARED_KEY_LEN];
    ngx_str_t                    key;
    ngx_http_ratelimit_redis_t  *redis;

    reset->command = NULL;

    if (link == NULL || link->state != NGX_HTTP_RATELIMIT_LINK_READY) {
        return ngx_http_ratelimit_not_reset(reset, NGX_DECLINED, NULL);
    }

    redis = link->redis;

    p = ngx_cpymem(name, redis->prefix.data, redis->prefix.len);
    rl_item_key(&reset->item, p);

    key.data = name;
    key.len = redis->prefix.len + RL_SHARED_KEY_LEN;

    reset->command = ngx_http_ratelimit_eval(link,
                                             ngx_http_ratelimit_reset_reply,
                                             &ngx_http_ratelimit_reset_script,
                                             &key, NULL, 0);

    return ngx_http_ratelimit_reset_sent(reset);
}


static ngx_int_t
ngx_http_ratelimit_not_reset(ngx_http_ratelimit_bucket_reset_t *reset,
    ngx_int_t rc, char *why)
{
    reset->rc = rc;
    reset->why_len = 0;

    if (why) {
        reset->why_len = ngx_min(ngx_strlen(why), sizeof(reset->why));
        ngx_memcpy(reset->why, why, reset->why_len);
    }

    return rc;
}


void
ngx_http_ratelimit_end_reset(ngx_http_ratelimit_bucket_reset_t *reset)
{
    if (reset->command) {
        reset->command->data = NULL;
        reset->command = NULL;
    }
}


static void
ngx_http_ratelimit_reset_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply)
{
    ngx_http_ratelimit_bucket_reset_t  *reset;

    reset = command->data;

    if (reset == NULL) {
        return;
    }

    reset->command = NULL;

    if (ngx_http_ratelimit_reset_told(link, reset, reply) != NGX_AGAIN) {
        reset->done(reset);
    }
}


static ngx_int_t
ngx_http_ratelimit_reset_told(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_bucket_reset_t *reset, redisReply *reply)
{
    ngx_http_ratelimit_link_t  *node;

    if (reply == NULL) {
        return ngx_http_ratelimit_not_reset(reset, NGX_ERROR, NULL);
    }

    if (reply->type == REDIS_REPLY_INTEGER) {
        reset->rc = NGX_OK;
        return NGX_OK;
    }

    if (reply->type != REDIS_REPLY_ERROR) {
        return ngx_http_ratelimit_not_reset(reset, NGX_ERROR,
                                            "Redis answered with something "
                                            "else");
    }

    if (reset->loads++ < NGX_HTTP_RATELIMIT_MAX_LOADS
        && ngx_http_ratelimit_no_script(link, reply,
                                        &ngx_http_ratelimit_reset_script))
    {
        return ngx_http_ratelimit_send_reset(link, reset);
    }

    node = NULL;

    if (reset->redirects++ < NGX_HTTP_RATELIMIT_MAX_REDIRECTS) {
        node = ngx_http_ratelimit_redirect(link, reply->str);
    }

    return node ? ngx_http_ratelimit_send_reset(node, reset)
                : ngx_http_ratelimit_not_reset(reset, NGX_DECLINED,
                                               reply->str);
}
