
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * A cluster: every node that has slots gets a link.  Only the slots of the
 * shards matter, so what is remembered is the link of each shard.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_cluster.h"
#include "shared/ngx_http_ratelimit_lease.h"
#include "shared/ngx_http_ratelimit_loss.h"
#include "shared/ngx_http_ratelimit_outage.h"


#define NGX_HTTP_RATELIMIT_LOOK_AGAIN  500


static void ngx_http_ratelimit_slots_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);
static void ngx_http_ratelimit_take_slots(ngx_http_ratelimit_link_t *link,
    redisReply *range);
static ngx_http_ratelimit_link_t *ngx_http_ratelimit_told_node(
    ngx_http_ratelimit_link_t *link, redisReply *node, ngx_uint_t make);
static void ngx_http_ratelimit_demoted(ngx_http_ratelimit_link_t *replica,
    redisReply *range);
static ngx_uint_t ngx_http_ratelimit_in_range(
    ngx_http_ratelimit_redis_t *redis, ngx_uint_t shard, redisReply *range);
static void ngx_http_ratelimit_set_shard(ngx_http_ratelimit_redis_t *redis,
    ngx_uint_t shard, ngx_http_ratelimit_link_t *link);
static ngx_uint_t ngx_http_ratelimit_shard_slot(
    ngx_http_ratelimit_redis_t *redis, ngx_uint_t shard);
static ngx_http_ratelimit_link_t *ngx_http_ratelimit_named_node(
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
    ngx_http_ratelimit_link_t   *node;
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

        return;
    }

    for (node = redis->links; node; node = node->next) {
        if (node->state == NGX_HTTP_RATELIMIT_LINK_READY) {
            ngx_http_ratelimit_send_waiting(node);
        }
    }
}


/* [first, last, [host, port, id], replicas ...] */

static void
ngx_http_ratelimit_take_slots(ngx_http_ratelimit_link_t *link,
    redisReply *range)
{
    size_t                      i;
    ngx_uint_t                  shard;
    ngx_http_ratelimit_link_t  *node, *replica;

    if (range->type != REDIS_REPLY_ARRAY || range->elements < 3
        || range->element[0]->type != REDIS_REPLY_INTEGER
        || range->element[1]->type != REDIS_REPLY_INTEGER)
    {
        return;
    }

    node = ngx_http_ratelimit_told_node(link, range->element[2], 1);

    if (node == NULL) {
        return;
    }

    for (i = 3; i < range->elements; i++) {
        replica = ngx_http_ratelimit_told_node(link, range->element[i], 0);

        if (replica) {
            ngx_http_ratelimit_demoted(replica, range);
        }
    }

    for (shard = 0; shard < RL_SHARDS; shard++) {
        if (ngx_http_ratelimit_in_range(link->redis, shard, range)) {
            ngx_http_ratelimit_set_shard(link->redis, shard, node);
        }
    }
}


static ngx_uint_t
ngx_http_ratelimit_in_range(ngx_http_ratelimit_redis_t *redis,
    ngx_uint_t shard, redisReply *range)
{
    long long  slot;

    slot = ngx_http_ratelimit_shard_slot(redis, shard);

    return slot >= range->element[0]->integer
           && slot <= range->element[1]->integer;
}


/* [host, port, ...]; without a host it is the one that was asked */

static ngx_http_ratelimit_link_t *
ngx_http_ratelimit_told_node(ngx_http_ratelimit_link_t *link,
    redisReply *node, ngx_uint_t make)
{
    redisReply  *host, *port;

    if (node->type != REDIS_REPLY_ARRAY || node->elements < 2) {
        return NULL;
    }

    host = node->element[0];
    port = node->element[1];

    if (port->type != REDIS_REPLY_INTEGER) {
        return NULL;
    }

    if (host->type != REDIS_REPLY_STRING || host->len == 0) {
        return ngx_http_ratelimit_node_at(link->redis,
                                          &link->sockaddr.sockaddr,
                                          link->socklen, &link->server->host);
    }

    return ngx_http_ratelimit_node(link->redis, (u_char *) host->str,
                                   host->len, port->integer, make);
}


/*
 * A master that became a replica has written what its replicas, one of which
 * is the master now, may never have read.
 */

static void
ngx_http_ratelimit_demoted(ngx_http_ratelimit_link_t *replica,
    redisReply *range)
{
    ngx_uint_t                   shard;
    ngx_http_ratelimit_redis_t  *redis;

    redis = replica->redis;

    for (shard = 0; shard < RL_SHARDS; shard++) {

        if (redis->counted[shard] == replica
            && ngx_http_ratelimit_in_range(redis, shard, range))
        {
            redis->counted[shard] = NULL;
            redis->lacks[shard] = 1;
        }
    }
}


/*
 * A shard that moves from a node that is there takes its counts along; what
 * one that is gone wrote last may be lost with it.  A node that was only told
 * to have it has nothing to lose: one that starts says what it had long ago.
 */

static void
ngx_http_ratelimit_set_shard(ngx_http_ratelimit_redis_t *redis,
    ngx_uint_t shard, ngx_http_ratelimit_link_t *link)
{
    ngx_http_ratelimit_link_t  *old;

    if (redis->shards[shard] == link && !redis->lacks[shard]) {
        return;
    }

    redis->shards[shard] = link;

    old = redis->counted[shard];

    if (old && old != link) {
        if (old->state != NGX_HTTP_RATELIMIT_LINK_READY) {
            redis->counted[shard] = NULL;
            redis->lacks[shard] = 1;

        } else {
            redis->stats->runs[shard] = 0;
        }
    }

    if (link->state == NGX_HTTP_RATELIMIT_LINK_READY) {
        if (redis->lacks[shard]) {
            ngx_http_ratelimit_lost_shard(link, shard);
        }

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


/*
 * Nobody else is asked before this node has said of itself whether it is a
 * master still: the new one may not know it yet.
 */

ngx_uint_t
ngx_http_ratelimit_moved(ngx_http_ratelimit_link_t *link, char *text,
    ngx_uint_t shard)
{
    ngx_http_ratelimit_redis_t  *redis;

    redis = link->redis;

    if (ngx_strncmp(text, "MOVED ", 6) != 0) {
        return 0;
    }

    if (redis->shards[shard] == link) {
        redis->shards[shard] = NULL;

        ngx_http_ratelimit_look_for_slots(link);

        if (!redis->look.timer_set) {
            ngx_add_timer(&redis->look, NGX_HTTP_RATELIMIT_LOOK_AGAIN);
        }
    }

    return 1;
}


/* a slot that is on its way is asked for once, and so says who asks */

ngx_http_ratelimit_link_t *
ngx_http_ratelimit_redirect(ngx_http_ratelimit_link_t *link, char *text)
{
    ngx_str_t                   arg;
    ngx_uint_t                  asks;
    ngx_http_ratelimit_link_t  *node;

    asks = (ngx_strncmp(text, "ASK ", 4) == 0);

    if (!asks && ngx_strncmp(text, "MOVED ", 6) != 0) {
        return NULL;
    }

    node = ngx_http_ratelimit_named_node(link, text);

    if (!asks || node == NULL) {
        return node;
    }

    ngx_str_set(&arg, "ASKING");

    return (node->state == NGX_HTTP_RATELIMIT_LINK_READY
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
ngx_http_ratelimit_named_node(ngx_http_ratelimit_link_t *link, char *text)
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
                                            port, 1);
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
