
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What a worker's leases send to Redis, and what becomes of the replies.
 *
 * All that is due at the end of a turn of the event loop goes in calls of
 * several buckets, in a cluster of one shard each.  The policies of a request
 * so are mostly asked in one call; all of them need an answer, and then it is
 * decided here, all or nothing.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_cluster.h"
#include "shared/ngx_http_ratelimit_lease.h"
#include "shared/ngx_http_ratelimit_login.h"
#include "shared/ngx_http_ratelimit_loss.h"


/* of a lease: its key and its shard's, its request and its time to live */

#define NGX_HTTP_RATELIMIT_LEASE_LEN                                          \
    (2 * NGX_HTTP_RATELIMIT_MAX_PREFIX + RL_SHARED_KEY_LEN                    \
     + RL_SHARD_KEY_LEN + RL_LEASE_REQUEST_LEN + NGX_INT64_LEN)

typedef struct {
    rl_lease_send_t              send;
    ngx_uint_t                   n;
    rl_lease_t                  *leases[NGX_HTTP_RATELIMIT_BATCH];
    ngx_str_t                    keys[2 * NGX_HTTP_RATELIMIT_BATCH];
    ngx_str_t                    values[2 * NGX_HTTP_RATELIMIT_BATCH];
    u_char                      *last;
    u_char                       buf[NGX_HTTP_RATELIMIT_BATCH
                                     * NGX_HTTP_RATELIMIT_LEASE_LEN];
} ngx_http_ratelimit_call_t;


static void ngx_http_ratelimit_send_leases(ngx_http_ratelimit_link_t *link,
    rl_lease_t **leases, ngx_uint_t n);
static void ngx_http_ratelimit_begin_call(ngx_http_ratelimit_call_t *call,
    ngx_http_ratelimit_link_t *link);
static void ngx_http_ratelimit_add_lease(ngx_http_ratelimit_call_t *call,
    ngx_http_ratelimit_link_t *link, rl_lease_t *lease);
static void ngx_http_ratelimit_lease_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);
static ngx_uint_t ngx_http_ratelimit_lease_error(
    ngx_http_ratelimit_link_t *link, ngx_http_ratelimit_command_t *command,
    redisReply *reply);
static ngx_uint_t ngx_http_ratelimit_send_asking(
    ngx_http_ratelimit_link_t *node, ngx_http_ratelimit_command_t *command);
static void ngx_http_ratelimit_asking_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);
static void ngx_http_ratelimit_lease_told(ngx_http_ratelimit_link_t *link,
    rl_lease_t *lease, u_char *bytes, uint64_t now_us);
static void ngx_http_ratelimit_watch(ngx_http_ratelimit_redis_t *redis,
    uint64_t now_us);
static void ngx_http_ratelimit_measure(ngx_http_ratelimit_redis_t *redis,
    uint64_t us);
static void ngx_http_ratelimit_wake(rl_lease_t *lease, ngx_uint_t away);


ngx_uint_t
ngx_http_ratelimit_is_away(ngx_http_ratelimit_redis_t *redis,
    rl_lease_t *lease)
{
    ngx_http_ratelimit_link_t  *link;

    link = redis->shards[rl_lease_shard(lease)];

    if ((ngx_msec_int_t) (redis->closed_until - ngx_current_msec) > 0) {
        return 1;
    }

    /* a worker that has just begun waits for its link once */

    if (link == NULL) {
        link = redis->links;
    }

    return link->state != NGX_HTTP_RATELIMIT_LINK_READY && link->failures;
}


void
ngx_http_ratelimit_send_lease(ngx_http_ratelimit_redis_t *redis,
    rl_lease_t *lease)
{
    ngx_http_ratelimit_link_t  *link;

    link = redis->shards[rl_lease_shard(lease)];

    if (link == NULL || link->state != NGX_HTTP_RATELIMIT_LINK_READY) {
        return;
    }

    if (link->ndue == sizeof(link->due) / sizeof(link->due[0])) {
        ngx_http_ratelimit_send_due(link);
    }

    link->due[link->ndue++] = lease;

    ngx_post_event(&link->flush, &ngx_posted_events);
}


void
ngx_http_ratelimit_send_due(ngx_http_ratelimit_link_t *link)
{
    uint64_t     now_us;
    rl_lease_t  *lease, *leases[NGX_HTTP_RATELIMIT_BATCH];
    ngx_uint_t   i, n, ndue;

    ndue = link->ndue;
    link->ndue = 0;

    now_us = ngx_http_ratelimit_now_us();
    n = 0;

    for (i = 0; i < ndue; i++) {
        lease = link->due[i];

        if (!rl_lease_is_due(lease, now_us)) {
            continue;
        }

        if (n == NGX_HTTP_RATELIMIT_BATCH
            || (n && link->redis->cluster
                && rl_lease_shard(lease) != rl_lease_shard(leases[0])))
        {
            ngx_http_ratelimit_send_leases(link, leases, n);
            n = 0;

            /* the same one may have been in it */

            if (!rl_lease_is_due(lease, now_us)) {
                continue;
            }
        }

        leases[n++] = lease;
    }

    if (n) {
        ngx_http_ratelimit_send_leases(link, leases, n);
    }
}


static void
ngx_http_ratelimit_send_leases(ngx_http_ratelimit_link_t *link,
    rl_lease_t **leases, ngx_uint_t n)
{
    u_char                         count[NGX_INT_T_LEN];
    ngx_str_t                      args[3 + 4 * NGX_HTTP_RATELIMIT_BATCH];
    ngx_uint_t                     i;
    ngx_http_ratelimit_call_t      call;
    ngx_http_ratelimit_command_t  *command;

    ngx_http_ratelimit_begin_call(&call, link);

    for (i = 0; i < n; i++) {

        /* one that stands twice among them has nothing to ask any more */

        if (!rl_lease_is_sent(leases[i])) {
            ngx_http_ratelimit_add_lease(&call, link, leases[i]);
        }
    }

    ngx_str_set(&args[0], "EVALSHA");
    args[1] = link->redis->sha;
    args[2].data = count;
    args[2].len = rl_render_u64(2 * call.n, count);

    ngx_memcpy(&args[3], call.keys, 2 * call.n * sizeof(ngx_str_t));
    ngx_memcpy(&args[3 + 2 * call.n], call.values,
               2 * call.n * sizeof(ngx_str_t));

    command = ngx_http_ratelimit_command(link, ngx_http_ratelimit_lease_reply,
                                         args, 3 + 4 * call.n);

    if (command == NULL) {
        for (i = 0; i < call.n; i++) {
            rl_lease_lost(call.leases[i]);
            ngx_http_ratelimit_wake(call.leases[i], 1);
        }

        return;
    }

    ngx_memcpy(command->leases, call.leases, call.n * sizeof(rl_lease_t *));
    command->nleases = call.n;
    command->sent_us = call.send.now_us;
    command->shard = rl_lease_shard(call.leases[0]);
}


/*
 * units that are waited for are held for some round trips: until what uses
 * them has told so
 */

static void
ngx_http_ratelimit_begin_call(ngx_http_ratelimit_call_t *call,
    ngx_http_ratelimit_link_t *link)
{
    ngx_uint_t   rtts_ms;
    ngx_time_t  *tp;

    tp = ngx_timeofday();
    rtts_ms = link->redis->rtt_us / 250 + 5;

    call->send.now_us = ngx_http_ratelimit_now_us();
    call->send.wall_ms = (uint64_t) tp->sec * 1000 + tp->msec;
    call->send.rtt_us = (uint32_t) link->redis->rtt_us;
    call->send.exiting = ngx_exiting ? 1 : 0;
    call->send.life_ms = (uint32_t) ngx_min(rtts_ms, link->redis->timeout);
    call->send.slack_ms = (uint16_t) ngx_max(rtts_ms, 50);

    call->n = 0;
    call->last = call->buf;
}


static void
ngx_http_ratelimit_add_lease(ngx_http_ratelimit_call_t *call,
    ngx_http_ratelimit_link_t *link, rl_lease_t *lease)
{
    u_char     *p;
    uint64_t    ttl_ms;
    ngx_str_t  *keys, *values, *prefix;

    prefix = &link->redis->prefix;
    keys = &call->keys[2 * call->n];
    values = &call->values[2 * call->n];
    p = call->last;

    keys[0].data = p;
    p = ngx_cpymem(p, prefix->data, prefix->len);
    rl_lease_key(lease, p);
    p += RL_SHARED_KEY_LEN;

    keys[1].data = p;
    keys[0].len = p - keys[0].data;
    p = ngx_cpymem(p, prefix->data, prefix->len);
    rl_shard_key(rl_lease_shard(lease), p);
    p += RL_SHARD_KEY_LEN;
    keys[1].len = p - keys[1].data;

    values[0].data = p;
    values[0].len = rl_lease_send(lease, &link->clock, &call->send, p,
                                  &ttl_ms);
    p += values[0].len;

    values[1].data = p;
    values[1].len = rl_render_u64(ttl_ms, p);
    p += values[1].len;

    call->last = p;
    call->leases[call->n++] = lease;
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

    if (ngx_strncmp(reply->str, "MOVED ", 6) == 0) {
        node = ngx_http_ratelimit_redirect(link, reply->str);

        if (node) {
            ngx_http_ratelimit_set_shard(link->redis, command->shard, node);
        }

        return node != NULL;
    }

    if (ngx_strncmp(reply->str, "ASK ", 4) == 0) {
        node = ngx_http_ratelimit_redirect(link, reply->str);

        return node && ngx_http_ratelimit_send_asking(node, command);
    }

    ngx_http_ratelimit_complain(link->redis, reply->str);

    /* of several servers another one is the master now */

    if (ngx_strncmp(reply->str, "READONLY", 8) == 0) {
        ngx_http_ratelimit_break_link(link, 0, "it is not the master");
    }

    return 0;
}


/* a slot is on its way: once, the node that it goes to is to answer */

static ngx_uint_t
ngx_http_ratelimit_send_asking(ngx_http_ratelimit_link_t *node,
    ngx_http_ratelimit_command_t *command)
{
    ngx_str_t   arg;
    ngx_uint_t  i;

    ngx_str_set(&arg, "ASKING");

    if (node->state != NGX_HTTP_RATELIMIT_LINK_READY
        || ngx_http_ratelimit_command(node, ngx_http_ratelimit_asking_reply,
                                      &arg, 1)
           == NULL)
    {
        return 0;
    }

    for (i = 0; i < command->nleases; i++) {
        rl_lease_lost(command->leases[i]);
    }

    ngx_http_ratelimit_send_leases(node, command->leases, command->nleases);
    command->nleases = 0;

    return 1;
}


static void
ngx_http_ratelimit_asking_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply)
{
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


/* one timer for all leases, at the time when the first of them ends */

static void
ngx_http_ratelimit_watch(ngx_http_ratelimit_redis_t *redis, uint64_t now_us)
{
    uint64_t       next_us;
    ngx_msec_t     ms;
    ngx_uint_t     i;
    rl_leases_t  **leases;

    leases = redis->leases.elts;
    next_us = UINT64_MAX;

    for (i = 0; i < redis->leases.nelts; i++) {
        next_us = ngx_min(next_us, rl_leases_next_us(leases[i]));
    }

    if (next_us == UINT64_MAX) {
        return;
    }

    ms = next_us > now_us ? (ngx_msec_t) ((next_us - now_us) / 1000) + 1 : 1;

    if (redis->ending.timer_set) {

        if ((ngx_msec_int_t) (redis->ending.timer.key - ngx_current_msec - ms)
            <= 0)
        {
            return;
        }

        /* a timer that is set is not moved by less than 300 ms */

        ngx_del_timer(&redis->ending);
    }

    ngx_add_timer(&redis->ending, ms);
}


void
ngx_http_ratelimit_ending_event(ngx_event_t *ev)
{
    uint64_t                     now_us;
    ngx_uint_t                   i;
    rl_lease_t                  *lease;
    rl_leases_t                **leases;
    ngx_http_ratelimit_redis_t  *redis;

    redis = ev->data;
    leases = redis->leases.elts;
    now_us = ngx_http_ratelimit_now_us();

    for (i = 0; i < redis->leases.nelts; i++) {
        while ((lease = rl_leases_ending(leases[i], now_us)) != NULL) {

            if (rl_lease_is_due(lease, now_us)) {
                ngx_http_ratelimit_send_lease(redis, lease);
            }
        }
    }

    ngx_http_ratelimit_watch(redis, now_us);
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


/* those who wait try again, in later events, in their order */

static void
ngx_http_ratelimit_wake(rl_lease_t *lease, ngx_uint_t away)
{
    rl_waiter_t                  *waiter;
    ngx_http_ratelimit_asking_t  *asking;

    for (waiter = rl_lease_waiters(lease); waiter; waiter = waiter->next) {
        asking = waiter->data;

        if (away) {
            asking->away = 1;
        }

        asking->resume(asking->request);
    }
}


/* a link is there: whatever waited for it */

void
ngx_http_ratelimit_send_waiting(ngx_http_ratelimit_link_t *link)
{
    rl_lease_t                   *lease;
    ngx_uint_t                    i;
    rl_leases_t                 **leases;
    ngx_http_ratelimit_redis_t   *redis;

    redis = link->redis;
    leases = redis->leases.elts;

    for (i = 0; i < redis->leases.nelts; i++) {
        for (lease = rl_lease_next(leases[i], NULL);
             lease;
             lease = rl_lease_next(leases[i], lease))
        {
            if (redis->shards[rl_lease_shard(lease)] == link
                && rl_lease_waiters(lease))
            {
                ngx_http_ratelimit_send_lease(redis, lease);
            }
        }
    }
}
