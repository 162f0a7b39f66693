
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The feed of bans in Redis: a worker of each machine reads twice a second
 * what is new there, and bans hold here by the time the next request comes.
 * Where the feed is a new one, or a ban could not be told, a worker tells of
 * all that are in force.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "shared/ngx_http_ratelimit_bans.h"
#include "shared/ngx_http_ratelimit_cluster.h"
#include "shared/ngx_http_ratelimit_eval.h"


/* between two looks, in ms: less than between two calls */

#define NGX_HTTP_RATELIMIT_LOOK_EVERY  400

/* a turn: sets of a zone that are looked at, bans that are told at most */

#define NGX_HTTP_RATELIMIT_WALK_SETS   256
#define NGX_HTTP_RATELIMIT_WALK_BANS   128


static ngx_uint_t ngx_http_ratelimit_is_due(ngx_atomic_t *at, ngx_msec_t ms);
static void ngx_http_ratelimit_read_feed(ngx_http_ratelimit_redis_t *redis);
static void ngx_http_ratelimit_feed_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);
static void ngx_http_ratelimit_feed_error(ngx_http_ratelimit_link_t *link,
    redisReply *reply);
static ngx_uint_t ngx_http_ratelimit_take_feed(
    ngx_http_ratelimit_redis_t *redis, rl_shared_feed_t *feed);
static const rl_policy_t *ngx_http_ratelimit_find_banning(
    ngx_http_ratelimit_redis_t *redis, uint64_t policy_id);
static ngx_http_ratelimit_zone_t *ngx_http_ratelimit_banning_zone(
    ngx_http_ratelimit_redis_t *redis, ngx_uint_t *i);
static void ngx_http_ratelimit_begin_walk(ngx_http_ratelimit_redis_t *redis);
static ngx_int_t ngx_http_ratelimit_walk(ngx_http_ratelimit_redis_t *redis,
    ngx_http_ratelimit_zone_t *zone, rl_time_t *now);
static void ngx_http_ratelimit_tell_banned(ngx_http_ratelimit_redis_t *redis,
    rl_banned_key_t *key, rl_time_t *now);


void
ngx_http_ratelimit_look_for_bans(ngx_http_ratelimit_redis_t *redis)
{
    ngx_uint_t                  i;
    ngx_http_ratelimit_link_t  *link;

    i = 0;
    link = redis->shards[NGX_HTTP_RATELIMIT_CLOCK_SHARD];

    if (link == NULL || link->state != NGX_HTTP_RATELIMIT_LINK_READY
        || ngx_http_ratelimit_banning_zone(redis, &i) == NULL
        || !ngx_http_ratelimit_is_due(&redis->stats->feed.next_look,
                                      NGX_HTTP_RATELIMIT_LOOK_EVERY))
    {
        return;
    }

    ngx_http_ratelimit_read_feed(redis);
}


/* true: of all workers this one is to do it */

static ngx_uint_t
ngx_http_ratelimit_is_due(ngx_atomic_t *at, ngx_msec_t ms)
{
    ngx_atomic_uint_t  due;

    due = *at;

    return (ngx_msec_int_t) (ngx_current_msec - due) >= 0
           && ngx_atomic_cmp_set(at, due, ngx_current_msec + ms);
}


static void
ngx_http_ratelimit_read_feed(ngx_http_ratelimit_redis_t *redis)
{
    u_char      name[NGX_HTTP_RATELIMIT_MAX_PREFIX + RL_SHARED_BAN_KEY_LEN],
                version[NGX_INT64_LEN];
    uint64_t    epoch;
    ngx_str_t   args[3];

    epoch = redis->stats->feed.epoch;

    args[0] = ngx_http_ratelimit_feed_name(redis, name);
    args[1].data = (u_char *) &epoch;
    args[1].len = sizeof(epoch);
    args[2].data = version;
    args[2].len = rl_render_u64(redis->stats->feed.version, version);

    (void) ngx_http_ratelimit_bans_eval(
                        redis->shards[NGX_HTTP_RATELIMIT_CLOCK_SHARD],
                        ngx_http_ratelimit_feed_reply, args, 1, 3);
}


static void
ngx_http_ratelimit_feed_reply(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply)
{
    rl_time_t                    now;
    rl_shared_feed_t             found;
    ngx_http_ratelimit_feed_t   *feed;
    ngx_http_ratelimit_redis_t  *redis;

    redis = link->redis;
    feed = &redis->stats->feed;

    if (reply == NULL) {
        return;
    }

    ngx_http_ratelimit_now(&now);

    if (reply->type != REDIS_REPLY_STRING
        || rl_shared_feed_reply((u_char *) reply->str, reply->len, &now,
                                &found)
           != RL_OK)
    {
        ngx_http_ratelimit_feed_error(link, reply);
        return;
    }

    /* what another process holds is taken at the next look */

    if (!ngx_http_ratelimit_take_feed(redis, &found)) {
        return;
    }

    /* whoever is killed in between reads it all once more */

    if (feed->epoch != found.epoch) {
        feed->version = 0;
        ngx_memory_barrier();
        feed->epoch = found.epoch;
        ngx_memory_barrier();
    }

    feed->version = found.version;

    if (found.n == RL_SHARED_FEED_MAX) {
        ngx_http_ratelimit_read_feed(redis);

    } else if (feed->told != feed->epoch) {
        ngx_http_ratelimit_begin_walk(redis);
    }
}


static void
ngx_http_ratelimit_feed_error(ngx_http_ratelimit_link_t *link,
    redisReply *reply)
{
    char                        *why;
    size_t                       len;
    ngx_http_ratelimit_redis_t  *redis;

    redis = link->redis;
    why = "what Redis has is not this module's";

    if (reply->type == REDIS_REPLY_ERROR) {
        if (ngx_http_ratelimit_bans_no_script(link, reply)) {
            ngx_http_ratelimit_read_feed(redis);
            return;
        }

        if (ngx_http_ratelimit_moved(link, reply->str,
                                     NGX_HTTP_RATELIMIT_CLOCK_SHARD)
            || ngx_strncmp(reply->str, "ASK ", 4) == 0)
        {
            return;
        }

        why = reply->str;
    }

    if (ngx_time() - redis->bans_complained < 60) {
        return;
    }

    redis->bans_complained = ngx_time();
    len = ngx_min(ngx_strlen(why), 200);

    ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                  "ratelimit: bans are not those of redis \"%V\": %*s",
                  &redis->name, len, why);
}


static ngx_uint_t
ngx_http_ratelimit_take_feed(ngx_http_ratelimit_redis_t *redis,
    rl_shared_feed_t *feed)
{
    uint32_t            i;
    rl_time_t           now;
    const rl_policy_t  *policy;

    ngx_http_ratelimit_now(&now);

    for (i = 0; i < feed->n; i++) {
        policy = ngx_http_ratelimit_find_banning(redis,
                                                 feed->bans[i].policy_id);

        if (policy
            && rl_take_ban(&ngx_http_ratelimit_this_process, policy,
                           &feed->bans[i], &now)
               == RL_ERROR)
        {
            return 0;
        }
    }

    return 1;
}


/* machines with other policies may share a Redis */

static const rl_policy_t *
ngx_http_ratelimit_find_banning(ngx_http_ratelimit_redis_t *redis,
    uint64_t policy_id)
{
    ngx_uint_t                   i, k;
    const rl_policy_t          **policies;
    ngx_http_ratelimit_zone_t   *zone;

    for (i = 0; ; i++) {
        zone = ngx_http_ratelimit_banning_zone(redis, &i);

        if (zone == NULL) {
            return NULL;
        }

        policies = zone->banning.elts;

        for (k = 0; k < zone->banning.nelts; k++) {
            if (policies[k]->secret.lo == policy_id) {
                return policies[k];
            }
        }
    }
}


/* the next one from *i on, of a policy that bans; NULL: there is none */

static ngx_http_ratelimit_zone_t *
ngx_http_ratelimit_banning_zone(ngx_http_ratelimit_redis_t *redis,
    ngx_uint_t *i)
{
    ngx_shm_zone_t                 **zones;
    ngx_http_ratelimit_zone_t       *zone;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_ratelimit_module);
    zones = rmcf->zones.elts;

    for ( /* void */ ; *i < rmcf->zones.nelts; (*i)++) {
        zone = zones[*i]->data;

        if (zone->redis == redis && zone->banning.nelts) {
            return zone;
        }
    }

    return NULL;
}


void
ngx_http_ratelimit_lose_bans(ngx_http_ratelimit_redis_t *redis)
{
    redis->stats->feed.version = 0;

    ngx_http_ratelimit_ban_untold(redis);
}


void
ngx_http_ratelimit_ban_untold(ngx_http_ratelimit_redis_t *redis)
{
    (void) ngx_atomic_fetch_add(&redis->stats->feed.untold, 1);

    redis->stats->feed.told = 0;
}


/* a worker at a time; where that one is killed another one begins anew */

static void
ngx_http_ratelimit_begin_walk(ngx_http_ratelimit_redis_t *redis)
{
    if (redis->tell_bans.timer_set
        || !ngx_http_ratelimit_is_due(&redis->stats->feed.next_walk, 1000))
    {
        return;
    }

    ngx_memzero(&redis->walk, sizeof(ngx_http_ratelimit_bans_walk_t));

    redis->walk.epoch = redis->stats->feed.epoch;
    redis->walk.untold = redis->stats->feed.untold;

    ngx_add_timer(&redis->tell_bans, 1);
}


void
ngx_http_ratelimit_feed_event(ngx_event_t *ev)
{
    rl_time_t                        now;
    ngx_http_ratelimit_zone_t       *zone;
    ngx_http_ratelimit_feed_t       *feed;
    ngx_http_ratelimit_redis_t      *redis;
    ngx_http_ratelimit_bans_walk_t  *walk;

    redis = ev->data;
    walk = &redis->walk;
    feed = &redis->stats->feed;

    zone = ngx_http_ratelimit_banning_zone(redis, &walk->zone);

    if (zone == NULL) {

        if (walk->untold == feed->untold) {
            feed->told = walk->epoch;
        }

        return;
    }

    feed->next_walk = ngx_current_msec + 1000;

    ngx_http_ratelimit_now(&now);

    /* what cannot be told now is told from the beginning */

    if (ngx_http_ratelimit_walk(redis, zone, &now) == NGX_OK
        && walk->untold == feed->untold)
    {
        ngx_add_timer(ev, 5);
    }
}


static ngx_int_t
ngx_http_ratelimit_walk(ngx_http_ratelimit_redis_t *redis,
    ngx_http_ratelimit_zone_t *zone, rl_time_t *now)
{
    int                              rc;
    size_t                           i, n;
    ngx_uint_t                       sets, told;
    rl_process_t                    *process;
    rl_banned_key_t                  keys[RL_MAX_BANNED_OF_SET];
    ngx_http_ratelimit_bans_walk_t  *walk;

    process = &ngx_http_ratelimit_this_process;
    walk = &redis->walk;
    told = 0;

    if (process->process_table == NULL) {
        return NGX_ERROR;
    }

    for (sets = 0;
         sets < NGX_HTTP_RATELIMIT_WALK_SETS
         && told < NGX_HTTP_RATELIMIT_WALK_BANS;
         sets++)
    {
        rc = rl_next_banned(process, &zone->zone, &walk->at, now, keys, &n);

        if (rc == RL_ERROR) {
            return NGX_ERROR;
        }

        if (rc == 0) {
            ngx_memzero(&walk->at, sizeof(rl_bans_walk_t));
            walk->zone++;
            break;
        }

        for (i = 0; i < n; i++) {
            ngx_http_ratelimit_tell_banned(redis, &keys[i], now);
        }

        told += n;
    }

    return NGX_OK;
}


/* of its bucket's name the zone has enough to find it */

static void
ngx_http_ratelimit_tell_banned(ngx_http_ratelimit_redis_t *redis,
    rl_banned_key_t *key, rl_time_t *now)
{
    rl_hash_t           bucket;
    const rl_policy_t  *policy;

    policy = ngx_http_ratelimit_find_banning(redis, key->policy_id);

    if (policy) {
        bucket.lo = key->key_id;
        bucket.hi = key->tag;

        ngx_http_ratelimit_tell_again(redis, policy, &bucket, now);
    }
}
