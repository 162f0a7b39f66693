
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * A cluster: every node that has slots gets a link.  Only the slots of the
 * shards matter, so what is remembered is the link of each shard.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_cluster.h"
#include "shared/ngx_http_ratelimit_loss.h"
#include "shared/ngx_http_ratelimit_outage.h"


#define NGX_HTTP_RATELIMIT_LOOK_AGAIN  500


static void ngx_http_ratelimit_slots_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);
static void ngx_http_ratelimit_take_slots(ngx_http_ratelimit_link_t *link,
    redisReply *range);
static void ngx_http_ratelimit_set_shard(ngx_http_ratelimit_redis_t *redis,
    ngx_uint_t shard, ngx_http_ratelimit_link_t *link);
static ngx_uint_t ngx_http_ratelimit_shard_slot(
    ngx_http_ratelimit_redis_t *redis, ngx_uint_t shard);
static ngx_http_ratelimit_link_t *ngx_http_ratelimit_redirect(
    ngx_http_ratelimit_link_t *link, char *text);
static void ngx_http_ratelimit_asking_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);


void
ngx_http_ratelimit_look_for_slots(ngx_http_ratelimit_link_t *link)
{
    ngx_str_t  args[2];

    ngx_str_set(&args[0], "CLUSTER");
    ngx_str_set(&args[1], "SLOTS");

    (void) ngx_http_ratelimit_command(link, ngx_http_ratelimit_slots_reply,
                                      args, 2);
}


static void
ngx_http_ratelimit_slots_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply)
{
    size_t                       i;
    ngx_uint_t                   shard;
    ngx_http_ratelimit_redis_t  *redis;

    if (reply == NULL) {
        return;
    }

    redis = link->redis;

    if (reply->type != REDIS_REPLY_ARRAY) {
        ngx_http_ratelimit_break_link(link, 0,
                                      reply->type == REDIS_REPLY_ERROR
                                      ? reply->str
                                      : "its reply is not Redis's");
        return;
    }

    for (i = 0; i < reply->elements; i++) {
        ngx_http_ratelimit_take_slots(link, reply->element[i]);
    }

    ngx_http_ratelimit_is_whole(redis);

    if (link->state == NGX_HTTP_RATELIMIT_LINK_LOGIN) {

        for (shard = 0; shard < RL_SHARDS; shard++) {
            if (redis->shards[shard] == link) {
                link->steps++;
                ngx_http_ratelimit_touch_shard(redis, shard, 0);
            }
        }

        if (--link->steps == 0) {
            ngx_http_ratelimit_ready(link);
        }
    }
}


/* [first, last, [host, port, id], replicas ...] */

static void
ngx_http_ratelimit_take_slots(ngx_http_ratelimit_link_t *link,
    redisReply *range)
{
    redisReply                 *host, *port;
    ngx_uint_t                  slot, shard;
    ngx_http_ratelimit_link_t  *node;

    if (range->type != REDIS_REPLY_ARRAY || range->elements < 3
        || range->element[0]->type != REDIS_REPLY_INTEGER
        || range->element[1]->type != REDIS_REPLY_INTEGER
        || range->element[2]->type != REDIS_REPLY_ARRAY
        || range->element[2]->elements < 2)
    {
        return;
    }

    host = range->element[2]->element[0];
    port = range->element[2]->element[1];

    if (port->type != REDIS_REPLY_INTEGER) {
        return;
    }

    /* no host: the one that was asked */

    node = (host->type == REDIS_REPLY_STRING && host->len)
           ? ngx_http_ratelimit_node(link->redis, (u_char *) host->str,
                                     host->len, port->integer)
           : ngx_http_ratelimit_node_at(link->redis, &link->sockaddr.sockaddr,
                                        link->socklen, &link->server->host);

    if (node == NULL) {
        return;
    }

    for (shard = 0; shard < RL_SHARDS; shard++) {
        slot = ngx_http_ratelimit_shard_slot(link->redis, shard);

        if (slot >= (ngx_uint_t) range->element[0]->integer
            && slot <= (ngx_uint_t) range->element[1]->integer)
        {
            ngx_http_ratelimit_set_shard(link->redis, shard, node);
        }
    }
}


/*
 * A shard that moves from a node that is there takes its counts along; what
 * one that is gone wrote last may be lost with it.
 */

static void
ngx_http_ratelimit_set_shard(ngx_http_ratelimit_redis_t *redis,
    ngx_uint_t shard, ngx_http_ratelimit_link_t *link)
{
    ngx_http_ratelimit_link_t  *old;

    old = redis->shards[shard];

    if (old == link) {
        return;
    }

    redis->shards[shard] = link;

    if (old && old->state != NGX_HTTP_RATELIMIT_LINK_READY) {
        ngx_http_ratelimit_lost(redis, shard);
    }

    if (link->state == NGX_HTTP_RATELIMIT_LINK_READY) {
        ngx_http_ratelimit_touch_shard(redis, shard, 0);
        ngx_http_ratelimit_tell_rest(redis);
    }
}


static ngx_uint_t
ngx_http_ratelimit_shard_slot(ngx_http_ratelimit_redis_t *redis,
    ngx_uint_t shard)
{
    u_char     key[RL_SHARD_KEY_LEN];
    rl_str_t   text;

    rl_shard_key(shard, key);

    text.data = key;
    text.len = sizeof(key);

    return rl_hash_slot(text);
}


ngx_http_ratelimit_link_t *
ngx_http_ratelimit_moved(ngx_http_ratelimit_link_t *link, char *text,
    ngx_uint_t shard)
{
    ngx_http_ratelimit_link_t  *node;

    if (ngx_strncmp(text, "MOVED ", 6) != 0) {
        return NULL;
    }

    node = ngx_http_ratelimit_redirect(link, text);

    if (node) {
        ngx_http_ratelimit_set_shard(link->redis, shard, node);
        ngx_http_ratelimit_is_whole(link->redis);
    }

    return node;
}


/* a slot is on its way: once, the node that it goes to is to answer */

ngx_http_ratelimit_link_t *
ngx_http_ratelimit_asking(ngx_http_ratelimit_link_t *link, char *text)
{
    ngx_str_t                   arg;
    ngx_http_ratelimit_link_t  *node;

    if (ngx_strncmp(text, "ASK ", 4) != 0) {
        return NULL;
    }

    node = ngx_http_ratelimit_redirect(link, text);

    ngx_str_set(&arg, "ASKING");

    return (node
            && node->state == NGX_HTTP_RATELIMIT_LINK_READY
            && ngx_http_ratelimit_command(node,
                                          ngx_http_ratelimit_asking_reply,
                                          &arg, 1))
           ? node : NULL;
}


static void
ngx_http_ratelimit_asking_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply)
{
}


static ngx_http_ratelimit_link_t *
ngx_http_ratelimit_redirect(ngx_http_ratelimit_link_t *link, char *text)
{
    u_char     *host, *colon, *last;
    ngx_int_t   port;

    host = (u_char *) strrchr(text, ' ') + 1;
    colon = (u_char *) strrchr((char *) host, ':');
    last = host + ngx_strlen(host);

    if (colon == NULL) {
        return NULL;
    }

    port = ngx_atoi(colon + 1, last - colon - 1);

    return (colon == host)
           ? NULL : ngx_http_ratelimit_node(link->redis, host, colon - host,
                                            port);
}


/* while a shard has no node, another node is asked who has it now */

void
ngx_http_ratelimit_look_event(ngx_event_t *ev)
{
    ngx_uint_t                   shard;
    ngx_http_ratelimit_link_t   *link;
    ngx_http_ratelimit_redis_t  *redis;

    redis = ev->data;

    for (shard = 0; shard < RL_SHARDS; shard++) {
        link = redis->shards[shard];

        if (link == NULL || link->state != NGX_HTTP_RATELIMIT_LINK_READY) {
            break;
        }
    }

    if (shard == RL_SHARDS) {
        return;
    }

    link = ngx_http_ratelimit_ready_link(redis);

    if (link) {
        ngx_http_ratelimit_look_for_slots(link);
    }

    ngx_add_timer(ev, NGX_HTTP_RATELIMIT_LOOK_AGAIN);
}
