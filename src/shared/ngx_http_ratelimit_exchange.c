
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Overrides on their way between this machine and Redis: TIME and GET, and
 * where this machine knows more, or is to change something, a SET of all of
 * them, if they are still what was read; else from the beginning.
 *
 * To see whether there is something new costs a GET a second and zone: nothing
 * is published, so nothing can be missed by a machine that is away.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_cluster.h"
#include "shared/ngx_http_ratelimit_eval.h"
#include "shared/ngx_http_ratelimit_overrides.h"


/* how often others may come first; a slot that moves, and moved before */

#define NGX_HTTP_RATELIMIT_MAX_ATTEMPTS   16
#define NGX_HTTP_RATELIMIT_MAX_REDIRECTS  3


typedef void (*ngx_http_ratelimit_exchange_send_pt)(
    ngx_http_ratelimit_link_t *link, ngx_http_ratelimit_exchange_t *exchange);


static void ngx_http_ratelimit_time_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);
static void ngx_http_ratelimit_fetch(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_exchange_t *exchange);
static void ngx_http_ratelimit_fetch_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);
static ngx_int_t ngx_http_ratelimit_read_reply(
    ngx_http_ratelimit_exchange_t *exchange, redisReply *reply);
static void ngx_http_ratelimit_fetched(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_exchange_t *exchange);
static ngx_int_t ngx_http_ratelimit_make_changes(
    ngx_http_ratelimit_exchange_t *exchange);
static void ngx_http_ratelimit_store(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_exchange_t *exchange);
static void ngx_http_ratelimit_store_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);
static ngx_uint_t ngx_http_ratelimit_not_replied(
    ngx_http_ratelimit_link_t *link, ngx_http_ratelimit_exchange_t *exchange,
    redisReply *reply, ngx_http_ratelimit_exchange_send_pt send,
    ngx_int_t lost);
static size_t ngx_http_ratelimit_overrides_key(
    ngx_http_ratelimit_zone_t *zone, u_char *key);
static void ngx_http_ratelimit_end_exchange(
    ngx_http_ratelimit_exchange_t *exchange, ngx_int_t rc, char *why);


/* ARGV: the version that is to be there, or nothing; what is to replace it */

static ngx_str_t  ngx_http_ratelimit_store_script = ngx_string(
    "if string.sub(redis.call('GET',KEYS[1])or'',1,8)~=ARGV[1]then return 0 "
    "end redis.call('SET',KEYS[1],ARGV[2])return 1");


ngx_http_ratelimit_exchange_t *
ngx_http_ratelimit_create_exchange(ngx_http_ratelimit_zone_t *zone)
{
    ngx_http_ratelimit_exchange_t  *exchange;

    exchange = ngx_calloc(sizeof(ngx_http_ratelimit_exchange_t),
                          ngx_cycle->log);
    if (exchange) {
        exchange->zone = zone;
    }

    return exchange;
}


void
ngx_http_ratelimit_look_for_overrides(ngx_http_ratelimit_redis_t *redis)
{
    ngx_uint_t                       i;
    ngx_shm_zone_t                 **zones;
    ngx_http_ratelimit_zone_t       *zone;
    ngx_http_ratelimit_exchange_t   *exchange;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    if (redis->shards[NGX_HTTP_RATELIMIT_CLOCK_SHARD] == NULL
        || redis->shards[NGX_HTTP_RATELIMIT_CLOCK_SHARD]->state
           != NGX_HTTP_RATELIMIT_LINK_READY)
    {
        return;
    }

    rmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_ratelimit_module);
    zones = rmcf->zones.elts;

    for (i = 0; i < rmcf->zones.nelts; i++) {
        zone = zones[i]->data;

        if (zone->redis != redis || !ngx_http_ratelimit_overrides_due(zone)) {
            continue;
        }

        exchange = ngx_http_ratelimit_create_exchange(zone);

        if (exchange) {
            ngx_http_ratelimit_begin_exchange(exchange);
        }
    }
}


void
ngx_http_ratelimit_begin_exchange(ngx_http_ratelimit_exchange_t *exchange)
{
    ngx_str_t                      arg;
    ngx_http_ratelimit_link_t     *link;
    ngx_http_ratelimit_command_t  *command;

    link = exchange->zone->redis->shards[NGX_HTTP_RATELIMIT_CLOCK_SHARD];

    if (link == NULL || link->state != NGX_HTTP_RATELIMIT_LINK_READY) {
        ngx_http_ratelimit_end_exchange(exchange, NGX_DECLINED, NULL);
        return;
    }

    exchange->redirects = 0;
    exchange->asked_us = ngx_http_ratelimit_now_us();

    ngx_str_set(&arg, "TIME");

    command = ngx_http_ratelimit_command(link, ngx_http_ratelimit_time_reply,
                                         &arg, 1);
    if (command == NULL) {
        ngx_http_ratelimit_end_exchange(exchange, NGX_DECLINED,
                                        "too much is on the way to Redis");
        return;
    }

    command->data = exchange;
}


static void
ngx_http_ratelimit_time_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply)
{
    ngx_http_ratelimit_exchange_t  *exchange;

    exchange = command->data;

    if (reply == NULL) {
        ngx_http_ratelimit_end_exchange(exchange, NGX_DECLINED, NULL);
        return;
    }

    exchange->server_ms = ngx_http_ratelimit_reply_ms(reply);

    if (exchange->server_ms == 0) {
        ngx_http_ratelimit_end_exchange(exchange, NGX_DECLINED,
                                        "Redis does not tell the time");
        return;
    }

    ngx_http_ratelimit_fetch(link, exchange);
}


static void
ngx_http_ratelimit_fetch(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_exchange_t *exchange)
{
    u_char                         key[NGX_HTTP_RATELIMIT_MAX_PREFIX
                                       + RL_SHARED_OVERRIDES_KEY_LEN];
    ngx_str_t                      args[2];
    ngx_http_ratelimit_command_t  *command;

    ngx_str_set(&args[0], "GET");
    args[1].data = key;
    args[1].len = ngx_http_ratelimit_overrides_key(exchange->zone, key);

    command = ngx_http_ratelimit_command(link, ngx_http_ratelimit_fetch_reply,
                                         args, 2);
    if (command == NULL) {
        ngx_http_ratelimit_end_exchange(exchange, NGX_DECLINED,
                                        "too much is on the way to Redis");
        return;
    }

    command->data = exchange;
}


static void
ngx_http_ratelimit_fetch_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply)
{
    ngx_http_ratelimit_exchange_t  *exchange;

    exchange = command->data;

    if (ngx_http_ratelimit_not_replied(link, exchange, reply,
                                       ngx_http_ratelimit_fetch, NGX_DECLINED))
    {
        return;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_http_ratelimit_end_exchange(exchange, NGX_DECLINED, reply->str);
        return;
    }

    if (ngx_http_ratelimit_read_reply(exchange, reply) != NGX_OK) {
        ngx_http_ratelimit_end_exchange(exchange, NGX_DECLINED,
                                        "what Redis has is not this module's");
        return;
    }

    ngx_http_ratelimit_fetched(link, exchange);
}


static ngx_int_t
ngx_http_ratelimit_read_reply(ngx_http_ratelimit_exchange_t *exchange,
    redisReply *reply)
{
    int  rc;

    if (reply->type == REDIS_REPLY_NIL) {
        ngx_str_set(&exchange->found, "");
        ngx_memzero(&exchange->overrides, sizeof(rl_shared_overrides_t));
        return NGX_OK;
    }

    if (reply->type != REDIS_REPLY_STRING) {
        return NGX_ERROR;
    }

    rc = rl_shared_overrides_read((u_char *) reply->str, reply->len,
                                  &exchange->overrides);
    if (rc != RL_OK) {
        return NGX_ERROR;
    }

    exchange->found.data = exchange->found_buf;
    exchange->found.len = sizeof(exchange->found_buf);
    ngx_memcpy(exchange->found_buf, reply->str, sizeof(exchange->found_buf));

    return NGX_OK;
}


/* what is new here holds at once, even if Redis cannot be told the rest */

static void
ngx_http_ratelimit_fetched(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_exchange_t *exchange)
{
    ngx_int_t  rc;

    rc = ngx_http_ratelimit_take_overrides(exchange, 1);

    if (rc == NGX_OK) {
        rc = ngx_http_ratelimit_merge_overrides(exchange);
    }

    if (rc == NGX_AGAIN) {
        ngx_http_ratelimit_end_exchange(exchange, NGX_DECLINED,
                                        "the zone is held by a stopped "
                                        "process");
        return;
    }

    if (rc == NGX_OK && exchange->nchanges == 0) {
        ngx_http_ratelimit_end_exchange(exchange, NGX_OK, NULL);
        return;
    }

    if (ngx_http_ratelimit_make_changes(exchange) != NGX_OK) {
        ngx_http_ratelimit_end_exchange(exchange, NGX_BUSY, NULL);
        return;
    }

    ngx_http_ratelimit_store(link, exchange);
}


static ngx_int_t
ngx_http_ratelimit_make_changes(ngx_http_ratelimit_exchange_t *exchange)
{
    ngx_uint_t              i;
    rl_override_t           override;
    rl_shared_overrides_t  *overrides;

    overrides = &exchange->overrides;

    overrides->version = rl_shared_overrides_next(overrides,
                                                  exchange->server_ms,
                                                  (uint16_t) ngx_random());

    for (i = 0; i < exchange->nchanges; i++) {
        override = exchange->changes[i];

        if (override.until_ms) {
            override.until_ms += exchange->server_ms;
        }

        if (rl_shared_overrides_set(overrides, &override, overrides->version,
                                    exchange->server_ms)
            != RL_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_ratelimit_store(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_exchange_t *exchange)
{
    u_char                         name[NGX_HTTP_RATELIMIT_MAX_PREFIX
                                        + RL_SHARED_OVERRIDES_KEY_LEN],
                                   bytes[RL_SHARED_OVERRIDES_LEN];
    ngx_str_t                      key, args[2];
    ngx_http_ratelimit_command_t  *command;

    key.data = name;
    key.len = ngx_http_ratelimit_overrides_key(exchange->zone, name);

    args[0] = exchange->found;
    args[1].data = bytes;
    args[1].len = rl_shared_overrides_write(&exchange->overrides, bytes);

    command = ngx_http_ratelimit_eval(link, ngx_http_ratelimit_store_reply,
                                      &ngx_http_ratelimit_store_script, &key,
                                      args, 2);
    if (command == NULL) {
        ngx_http_ratelimit_end_exchange(exchange, NGX_DECLINED,
                                        "too much is on the way to Redis");
        return;
    }

    command->data = exchange;
}


static void
ngx_http_ratelimit_store_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply)
{
    ngx_http_ratelimit_exchange_t  *exchange;

    exchange = command->data;

    if (ngx_http_ratelimit_not_replied(link, exchange, reply,
                                       ngx_http_ratelimit_store, NGX_ERROR))
    {
        return;
    }

    if (reply->type == REDIS_REPLY_ERROR) {

        if (exchange->attempts++ < NGX_HTTP_RATELIMIT_MAX_ATTEMPTS
            && ngx_http_ratelimit_no_script(link, reply,
                                            &ngx_http_ratelimit_store_script))
        {
            ngx_http_ratelimit_begin_exchange(exchange);
            return;
        }

        ngx_http_ratelimit_end_exchange(exchange, NGX_DECLINED, reply->str);
        return;
    }

    if (reply->type != REDIS_REPLY_INTEGER || reply->integer != 1) {

        if (exchange->attempts++ < NGX_HTTP_RATELIMIT_MAX_ATTEMPTS) {
            ngx_http_ratelimit_begin_exchange(exchange);
            return;
        }

        ngx_http_ratelimit_end_exchange(exchange, NGX_DECLINED,
                                        "other machines come first");
        return;
    }

    /* else the next look for what is new does it */

    (void) ngx_http_ratelimit_take_overrides(exchange, 0);

    ngx_http_ratelimit_end_exchange(exchange, NGX_OK, NULL);
}


/*
 * True: the connection has gone, and the exchange ends as `lost`; or `send`
 * has asked another node, which has the slot now.
 */

static ngx_uint_t
ngx_http_ratelimit_not_replied(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_exchange_t *exchange, redisReply *reply,
    ngx_http_ratelimit_exchange_send_pt send, ngx_int_t lost)
{
    ngx_http_ratelimit_link_t  *node;

    if (reply == NULL) {
        ngx_http_ratelimit_end_exchange(exchange, lost, NULL);
        return 1;
    }

    if (reply->type != REDIS_REPLY_ERROR
        || exchange->redirects >= NGX_HTTP_RATELIMIT_MAX_REDIRECTS)
    {
        return 0;
    }

    exchange->redirects++;

    (void) ngx_http_ratelimit_moved(link, reply->str,
                                    NGX_HTTP_RATELIMIT_CLOCK_SHARD);

    node = ngx_http_ratelimit_redirect(link, reply->str);

    if (node == NULL || node->state != NGX_HTTP_RATELIMIT_LINK_READY) {
        return 0;
    }

    send(node, exchange);

    return 1;
}


static size_t
ngx_http_ratelimit_overrides_key(ngx_http_ratelimit_zone_t *zone, u_char *key)
{
    u_char    *p;
    rl_str_t   name;

    name.data = zone->name.data;
    name.len = zone->name.len;

    p = ngx_cpymem(key, zone->redis->prefix.data, zone->redis->prefix.len);
    rl_shared_overrides_key(&zone->zone, name, p);

    return zone->redis->prefix.len + RL_SHARED_OVERRIDES_KEY_LEN;
}


static void
ngx_http_ratelimit_end_exchange(ngx_http_ratelimit_exchange_t *exchange,
    ngx_int_t rc, char *why)
{
    size_t                      len;
    ngx_http_ratelimit_zone_t  *zone;

    zone = exchange->zone;

    exchange->rc = rc;
    exchange->why = why;

    /* of a Redis that is away there is a line already */

    if (rc != NGX_OK && exchange->done == NULL && why) {
        len = ngx_min(ngx_strlen(why), 200);

        ngx_log_error(NGX_LOG_ERR, zone->redis->log, 0,
                      "ratelimit: overrides of zone \"%V\" are not those of "
                      "redis \"%V\": %*s",
                      &zone->name, &zone->redis->name, len, why);
    }

    if (exchange->done) {
        exchange->done(exchange);
    }

    ngx_free(exchange);
}
