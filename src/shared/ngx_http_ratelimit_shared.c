
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What a worker has of its own in the zones that machines share: leases and
 * links, from its beginning to its end.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "zone/ngx_http_ratelimit_shm.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "shared/ngx_http_ratelimit_bans.h"
#include "shared/ngx_http_ratelimit_cluster.h"
#include "shared/ngx_http_ratelimit_lease.h"
#include "shared/ngx_http_ratelimit_loss.h"
#include "shared/ngx_http_ratelimit_overrides.h"
#include "shared/ngx_http_ratelimit_shared.h"


#define NGX_HTTP_RATELIMIT_MIN_LEASES  1024
#define NGX_HTTP_RATELIMIT_MAX_LEASES  (1024 * 1024)

/* how often a machine says that it is there, in s */

#define NGX_HTTP_RATELIMIT_ANNOUNCE    2


static ngx_int_t ngx_http_ratelimit_init_leases(ngx_cycle_t *cycle,
    ngx_http_ratelimit_zone_t *zone);
static ngx_int_t ngx_http_ratelimit_init_link(ngx_cycle_t *cycle,
    ngx_http_ratelimit_redis_t *redis);
static void ngx_http_ratelimit_announce_event(ngx_event_t *ev);
static void ngx_http_ratelimit_probe_links(ngx_http_ratelimit_redis_t *redis);
static void ngx_http_ratelimit_probe_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);
static void ngx_http_ratelimit_machines_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);


void
ngx_http_ratelimit_configure_shared(ngx_http_ratelimit_main_conf_t *rmcf)
{
    size_t                       size;
    ngx_uint_t                   i;
    ngx_shm_zone_t             **zones;
    ngx_http_ratelimit_zone_t   *zone;

    zones = rmcf->zones.elts;

    for (i = 0; i < rmcf->zones.nelts; i++) {
        zone = zones[i]->data;

        if (zone->redis) {
            rl_rows_configure(ngx_http_ratelimit_memory(zone->rows, &size));

            /* of policies that are new it has passed over bans */

            zone->redis->stats->feed.version = 0;
        }
    }
}


ngx_int_t
ngx_http_ratelimit_init_shared(ngx_cycle_t *cycle,
    ngx_http_ratelimit_main_conf_t *rmcf)
{
    ngx_uint_t                     i;
    ngx_shm_zone_t               **zones;
    ngx_http_ratelimit_zone_t     *zone;
    ngx_http_ratelimit_redis_t   **redises;

    redises = rmcf->redises.elts;

    for (i = 0; i < rmcf->redises.nelts; i++) {
        if (ngx_array_init(&redises[i]->leases, cycle->pool, 1,
                           sizeof(rl_leases_t *))
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    /* one without a place among them has no part in the rows until it has */

    if (rmcf->zones.nelts && rmcf->redises.nelts) {
        (void) ngx_http_ratelimit_process(rmcf);
    }

    zones = rmcf->zones.elts;

    for (i = 0; i < rmcf->zones.nelts; i++) {
        zone = zones[i]->data;

        if (zone->redis
            && ngx_http_ratelimit_init_leases(cycle, zone) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < rmcf->redises.nelts; i++) {
        if (redises[i]->used
            && ngx_http_ratelimit_init_link(cycle, redises[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * Leases are of rows that this worker waits for or watches: less than the
 * zone's buckets
 */

static ngx_int_t
ngx_http_ratelimit_init_leases(ngx_cycle_t *cycle,
    ngx_http_ratelimit_zone_t *zone)
{
    void             *memory, *rows;
    size_t            size;
    uint64_t          n;
    rl_leases_t     **leases;
    rl_zone_stats_t   stats;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    rl_zone_stats(&zone->zone, 0, NULL, &stats);

    n = stats.capacity / ngx_max(ccf->worker_processes, 1);
    n = ngx_max(n, NGX_HTTP_RATELIMIT_MIN_LEASES);
    n = ngx_min(n, NGX_HTTP_RATELIMIT_MAX_LEASES);

    memory = ngx_alloc(rl_leases_size((uint32_t) n), cycle->log);
    leases = ngx_array_push(&zone->redis->leases);

    if (memory == NULL || leases == NULL) {
        return NGX_ERROR;
    }

    rows = ngx_http_ratelimit_memory(zone->rows, &size);

    zone->leases = rl_leases_create(memory, (uint32_t) n,
                                    &ngx_http_ratelimit_this_process, rows,
                                    (uint32_t) zone->redis->timeout,
                                    zone->mode == NGX_HTTP_RATELIMIT_LEASE);
    *leases = zone->leases;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_init_link(ngx_cycle_t *cycle,
    ngx_http_ratelimit_redis_t *redis)
{
    ngx_uint_t                    i, n, shard;
    ngx_event_t                  *events[6];
    ngx_http_ratelimit_link_t    *link;
    ngx_http_ratelimit_server_t  *servers;

    redis->log = cycle->log;

    redis->announce.handler = ngx_http_ratelimit_announce_event;
    redis->look.handler = ngx_http_ratelimit_look_event;
    redis->tell.handler = ngx_http_ratelimit_tell_redis_event;
    redis->ending.handler = ngx_http_ratelimit_ending_event;
    redis->blocked.handler = ngx_http_ratelimit_blocked_event;
    redis->tell_bans.handler = ngx_http_ratelimit_feed_event;

    events[0] = &redis->announce;
    events[1] = &redis->look;
    events[2] = &redis->tell;
    events[3] = &redis->ending;
    events[4] = &redis->blocked;
    events[5] = &redis->tell_bans;

    for (i = 0; i < 6; i++) {
        events[i]->data = redis;
        events[i]->log = cycle->log;
        events[i]->cancelable = 1;
    }

    servers = redis->servers.elts;
    n = redis->cluster ? redis->servers.nelts : 1;

    for (i = 0; i < n; i++) {
        link = ngx_http_ratelimit_create_link(redis, &servers[i]);
        if (link == NULL) {
            return NGX_ERROR;
        }

        for (shard = 0; !redis->cluster && shard < RL_SHARDS; shard++) {
            redis->shards[shard] = link;
        }

        ngx_http_ratelimit_connect(link);
    }

    ngx_add_timer(&redis->announce, 500);

    return ngx_http_ratelimit_watch_wake(cycle, redis);
}


/* one worker of the machine says that it is there, and how many there are */

static void
ngx_http_ratelimit_announce_event(ngx_event_t *ev)
{
    u_char                             *p, key[NGX_HTTP_RATELIMIT_MAX_PREFIX
                                            + sizeof("{00}machines")];
    ngx_str_t                           args[5];
    ngx_atomic_uint_t                   due;
    ngx_uint_t                          i;
    rl_leases_t                       **leases;
    ngx_http_ratelimit_link_t          *link;
    ngx_http_ratelimit_redis_t         *redis;
    ngx_http_ratelimit_redis_stats_t   *stats;

    redis = ev->data;
    leases = redis->leases.elts;
    stats = redis->stats;

    ngx_add_timer(ev, 500);

    for (i = 0; i < redis->leases.nelts; i++) {
        rl_leases_join(leases[i]);
    }

    ngx_http_ratelimit_count_held(redis);
    ngx_http_ratelimit_probe_links(redis);
    ngx_http_ratelimit_tell_rest(redis);
    ngx_http_ratelimit_look_for_overrides(redis);
    ngx_http_ratelimit_look_for_bans(redis);

    link = redis->shards[0];
    due = stats->next_count;

    if (link == NULL || link->state != NGX_HTTP_RATELIMIT_LINK_READY
        || (time_t) due > ngx_time()
        || !ngx_atomic_cmp_set(&stats->next_count, due,
                               ngx_time() + NGX_HTTP_RATELIMIT_ANNOUNCE))
    {
        return;
    }

    p = ngx_cpymem(key, redis->prefix.data, redis->prefix.len);
    p = ngx_cpymem(p, "{00}machines", sizeof("{00}machines") - 1);

    ngx_str_set(&args[0], "EVALSHA");
    args[1] = redis->sha;
    ngx_str_set(&args[2], "1");
    args[3].data = key;
    args[3].len = p - key;
    args[4].data = stats->machine;
    args[4].len = sizeof(stats->machine);

    (void) ngx_http_ratelimit_command(link, ngx_http_ratelimit_machines_reply,
                                      args, 5);
}


/*
 * A server may go without a word, and another one, with other counts, be found
 * in its place: a worker must know of it before that one gives anything, even
 * if nobody asks this worker for anything.
 */

static void
ngx_http_ratelimit_probe_links(ngx_http_ratelimit_redis_t *redis)
{
    ngx_str_t                   arg;
    ngx_http_ratelimit_link_t  *link;

    ngx_str_set(&arg, "TIME");

    for (link = redis->links; link; link = link->next) {
        if (link->state == NGX_HTTP_RATELIMIT_LINK_READY
            && ngx_queue_empty(&link->commands))
        {
            (void) ngx_http_ratelimit_command(link,
                                              ngx_http_ratelimit_probe_reply,
                                              &arg, 1);
        }
    }
}


/* that there is one is enough */

static void
ngx_http_ratelimit_probe_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply)
{
}


static void
ngx_http_ratelimit_machines_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply)
{
    if (reply && reply->type == REDIS_REPLY_INTEGER && reply->integer > 0) {
        link->redis->stats->machines = (ngx_atomic_uint_t) reply->integer;
    }
}
