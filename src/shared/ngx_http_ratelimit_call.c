
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What leases say to Redis, and what becomes of the replies.
 *
 * One EVALSHA is for several buckets, in a cluster for those of one shard.
 * The policies of a request so are mostly asked in one call.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_cluster.h"
#include "shared/ngx_http_ratelimit_lease.h"
#include "shared/ngx_http_ratelimit_loss.h"
#include "shared/ngx_http_ratelimit_outage.h"


/* of a lease: its key and its shard's, its request and its time to live */

#define NGX_HTTP_RATELIMIT_LEASE_LEN                                          \
    (4 * NGX_HTTP_RATELIMIT_ARG_LEN                                           \
     + 2 * NGX_HTTP_RATELIMIT_MAX_PREFIX + RL_SHARED_KEY_LEN                  \
     + RL_SHARD_KEY_LEN + RL_LEASE_REQUEST_LEN + NGX_INT64_LEN)


typedef struct {
    size_t                       len;
    uint64_t                     ttl_ms;
    u_char                       bytes[RL_LEASE_REQUEST_LEN];
} ngx_http_ratelimit_request_t;


static void ngx_http_ratelimit_set_send(ngx_http_ratelimit_link_t *link,
    uint64_t now_us, rl_lease_send_t *send);
static u_char *ngx_http_ratelimit_put_keys(ngx_http_ratelimit_redis_t *redis,
    rl_lease_t *lease, u_char *p);
static ngx_uint_t ngx_http_ratelimit_request(ngx_http_ratelimit_link_t *link,
    rl_lease_t *lease, rl_lease_send_t *send,
    ngx_http_ratelimit_request_t *request);
static u_char *ngx_http_ratelimit_put_values(
    ngx_http_ratelimit_request_t *request, u_char *p);
static void ngx_http_ratelimit_lease_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);
static ngx_uint_t ngx_http_ratelimit_lease_error(
    ngx_http_ratelimit_link_t *link, ngx_http_ratelimit_command_t *command,
    redisReply *reply);
static void ngx_http_ratelimit_lease_told(ngx_http_ratelimit_link_t *link,
    rl_lease_t *lease, u_char *bytes, uint64_t now_us);
static void ngx_http_ratelimit_measure(ngx_http_ratelimit_redis_t *redis,
    uint64_t us);


/* what all calls have in common: written once for each script */

void
ngx_http_ratelimit_prepare_calls(ngx_http_ratelimit_redis_t *redis)
{
    u_char                      *p, count[NGX_INT_T_LEN];
    ngx_uint_t                   n;
    ngx_http_ratelimit_heads_t  *heads;

    heads = &redis->heads;

    for (n = 1; n <= NGX_HTTP_RATELIMIT_BATCH; n++) {
        p = heads->call[n];

        p = ngx_sprintf(p, "*%ui\r\n", 3 + 4 * n);
        p = ngx_http_ratelimit_put_arg(p, (u_char *) "EVALSHA", 7);
        p = ngx_http_ratelimit_put_arg(p, redis->sha.data, redis->sha.len);
        p = ngx_http_ratelimit_put_arg(p, count, rl_render_u64(2 * n, count));

        heads->call_len[n] = p - heads->call[n];
    }

    heads->key_len = ngx_sprintf(heads->key, "$%uz\r\n%V",
                                 redis->prefix.len + RL_SHARED_KEY_LEN,
                                 &redis->prefix)
                     - heads->key;

    heads->shard_len = ngx_sprintf(heads->shard, "\r\n$%uz\r\n%V",
                                   redis->prefix.len + RL_SHARD_KEY_LEN,
                                   &redis->prefix)
                       - heads->shard;
}


void
ngx_http_ratelimit_call(ngx_http_ratelimit_link_t *link, rl_lease_t **leases,
    ngx_uint_t n, uint64_t now_us)
{
    u_char                        *p;
    ngx_uint_t                     i, nsent;
    rl_lease_t                    *sent[NGX_HTTP_RATELIMIT_BATCH];
    rl_lease_send_t                send;
    ngx_http_ratelimit_heads_t    *heads;
    ngx_http_ratelimit_command_t  *command;
    ngx_http_ratelimit_request_t   requests[NGX_HTTP_RATELIMIT_BATCH];

    heads = &link->redis->heads;

    p = ngx_http_ratelimit_begin_command(link, NGX_HTTP_RATELIMIT_CALL_LEN
                                         + n * NGX_HTTP_RATELIMIT_LEASE_LEN);
    if (p == NULL) {
        for (i = 0; i < n; i++) {
            ngx_http_ratelimit_wake(leases[i], 1);
        }

        return;
    }

    ngx_http_ratelimit_set_send(link, now_us, &send);

    nsent = 0;

    for (i = 0; i < n; i++) {
        if (ngx_http_ratelimit_request(link, leases[i], &send,
                                       &requests[nsent]))
        {
            sent[nsent++] = leases[i];
        }
    }

    if (nsent == 0) {
        return;
    }

    p = ngx_cpymem(p, heads->call[nsent], heads->call_len[nsent]);

    for (i = 0; i < nsent; i++) {
        p = ngx_http_ratelimit_put_keys(link->redis, sent[i], p);
    }

    for (i = 0; i < nsent; i++) {
        p = ngx_http_ratelimit_put_values(&requests[i], p);
    }

    command = ngx_http_ratelimit_end_command(link,
                                             ngx_http_ratelimit_lease_reply,
                                             p);

    ngx_memcpy(command->leases, sent, nsent * sizeof(rl_lease_t *));
    command->nleases = nsent;
    command->sent_us = now_us;
    command->shard = rl_lease_shard(sent[0]);
}


/*
 * units that are waited for are held for some round trips: until what uses
 * them has told so
 */

static void
ngx_http_ratelimit_set_send(ngx_http_ratelimit_link_t *link, uint64_t now_us,
    rl_lease_send_t *send)
{
    ngx_uint_t   rtts_ms;
    ngx_time_t  *tp;

    tp = ngx_timeofday();
    rtts_ms = link->redis->rtt_us / 250 + 5;

    send->now_us = now_us;
    send->wall_ms = (uint64_t) tp->sec * 1000 + tp->msec;
    send->rtt_us = (uint32_t) link->redis->rtt_us;
    send->exiting = link->redis->closed;
    send->closed = ngx_http_ratelimit_is_closed(link->redis);
    send->life_ms = (uint32_t) ngx_min(rtts_ms, link->redis->timeout);
    send->slack_ms = (uint16_t) ngx_max(rtts_ms, 50);
}


static u_char *
ngx_http_ratelimit_put_keys(ngx_http_ratelimit_redis_t *redis,
    rl_lease_t *lease, u_char *p)
{
    p = ngx_cpymem(p, redis->heads.key, redis->heads.key_len);
    rl_lease_key(lease, p);
    p += RL_SHARED_KEY_LEN;

    p = ngx_cpymem(p, redis->heads.shard, redis->heads.shard_len);
    rl_shard_key(rl_lease_shard(lease), p);
    p += RL_SHARD_KEY_LEN;

    *p++ = CR; *p++ = LF;

    return p;
}


/* false: another worker has just asked, or the row is not to be had */

static ngx_uint_t
ngx_http_ratelimit_request(ngx_http_ratelimit_link_t *link, rl_lease_t *lease,
    rl_lease_send_t *send, ngx_http_ratelimit_request_t *request)
{
    request->len = rl_lease_send(lease, &link->clock, send, request->bytes,
                                 &request->ttl_ms);

    if (request->len == 0 && rl_lease_waiters(lease)) {
        ngx_http_ratelimit_block(link->redis, lease, send->now_us);
    }

    return request->len != 0;
}


static u_char *
ngx_http_ratelimit_put_values(ngx_http_ratelimit_request_t *request,
    u_char *p)
{
    u_char  ttl[NGX_INT64_LEN];

    p = ngx_http_ratelimit_put_arg(p, request->bytes, request->len);

    return ngx_http_ratelimit_put_arg(p, ttl,
                                      rl_render_u64(request->ttl_ms, ttl));
}


static void
ngx_http_ratelimit_lease_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply)
{
    uint64_t    now_us;
    ngx_uint_t  i, again;

    if (reply && reply->type == REDIS_REPLY_STRING
        && (size_t) reply->len == command->nleases * RL_LEASE_REPLY_LEN)
    {
        now_us = ngx_http_ratelimit_now_us();

        ngx_http_ratelimit_measure(link->redis, now_us - command->sent_us);

        for (i = 0; i < command->nleases; i++) {
            ngx_http_ratelimit_lease_told(link, command->leases[i],
                                          (u_char *) reply->str
                                          + i * RL_LEASE_REPLY_LEN, now_us);
        }

        ngx_http_ratelimit_watch(link->redis, now_us);

        return;
    }

    again = reply ? ngx_http_ratelimit_lease_error(link, command, reply) : 0;

    for (i = 0; i < command->nleases; i++) {
        rl_lease_lost(command->leases[i]);

        if (again) {
            ngx_http_ratelimit_send_lease(link->redis, command->leases[i]);

        } else {
            ngx_http_ratelimit_wake(command->leases[i], 1);
        }
    }
}


/* true: nothing was done, and it can be asked once more */

static ngx_uint_t
ngx_http_ratelimit_lease_error(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply)
{
    ngx_uint_t                  i;
    ngx_http_ratelimit_link_t  *node;

    if (reply->type != REDIS_REPLY_ERROR) {
        ngx_http_ratelimit_complain(link->redis, "its reply is not the "
                                                 "script's");
        return 0;
    }

    if (ngx_strncmp(reply->str, "NOSCRIPT", 8) == 0) {
        ngx_http_ratelimit_load_script(link);
        return 1;
    }

    if (ngx_http_ratelimit_moved(link, reply->str, command->shard)) {
        return 1;
    }

    node = ngx_http_ratelimit_redirect(link, reply->str);

    if (node) {
        for (i = 0; i < command->nleases; i++) {
            rl_lease_lost(command->leases[i]);
        }

        ngx_http_ratelimit_call(node, command->leases, command->nleases,
                                ngx_http_ratelimit_now_us());
        command->nleases = 0;

        return 1;
    }

    ngx_http_ratelimit_complain(link->redis, reply->str);

    /* of several servers another one is the master now */

    if (ngx_strncmp(reply->str, "READONLY", 8) == 0) {
        ngx_http_ratelimit_break_link(link, 0, "it is not the master");
    }

    return 0;
}


static void
ngx_http_ratelimit_lease_told(ngx_http_ratelimit_link_t *link,
    rl_lease_t *lease, u_char *bytes, uint64_t now_us)
{
    uint64_t                           generation;
    rl_lease_reply_e                   told;
    ngx_http_ratelimit_redis_stats_t  *stats;

    stats = link->redis->stats;

    told = rl_lease_reply(lease, &link->clock, bytes, now_us, &generation);

    if (rl_lease_wakes(lease)) {
        ngx_http_ratelimit_wake_others(link->redis);
    }

    if (generation) {
        ngx_http_ratelimit_generation(link, rl_lease_shard(lease), generation);
    }

    switch (told) {

    case RL_LEASE_TOLD:
        ngx_http_ratelimit_wake(lease, 0);

        /* nobody may have waited any more: units go back, if not borrowed */

        if (rl_lease_waiters(lease) == NULL) {
            ngx_http_ratelimit_send_lease(link->redis, lease);
        }

        break;

    case RL_LEASE_YOUNG:
        ngx_http_ratelimit_wake(lease, 1);
        break;

    case RL_LEASE_CLOCK_SET:
        (void) ngx_atomic_fetch_add(&stats->clock_sets, 1);

        ngx_log_error(NGX_LOG_WARN, link->redis->log, 0,
                      "ratelimit: the clock of redis \"%V\" was set forward",
                      &link->redis->name);

        /* fall through */

    case RL_LEASE_AGAIN:
        ngx_http_ratelimit_send_lease(link->redis, lease);
        break;
    }
}


static void
ngx_http_ratelimit_measure(ngx_http_ratelimit_redis_t *redis, uint64_t us)
{
    ngx_uint_t                         i;
    ngx_http_ratelimit_redis_stats_t  *stats;

    redis->rtt_us = redis->rtt_us ? (7 * redis->rtt_us + us) / 8 : us;

    stats = redis->stats;

    for (i = 0; i < NGX_HTTP_RATELIMIT_LATENCIES - 1; i++) {
        if (us < (uint64_t) 64 << i) {
            break;
        }
    }

    (void) ngx_atomic_fetch_add(&stats->round_trips, 1);
    (void) ngx_atomic_fetch_add(&stats->round_trips_us, us);
    (void) ngx_atomic_fetch_add(&stats->latencies[i], 1);
}
