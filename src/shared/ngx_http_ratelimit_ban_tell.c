
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What others are told of bans, and what comes of it here.
 *
 * A refusal is told once, and while much is on the way not at all: it counts
 * here, and a guesser has more of them.  A ban that could not be told is told
 * with all others later.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "shared/ngx_http_ratelimit_bans.h"


/* refusals of a worker that are on the way at once */

#define NGX_HTTP_RATELIMIT_MAX_REFUSALS  1024


static void ngx_http_ratelimit_tell_refusal(ngx_http_ratelimit_redis_t *redis,
    rl_item_t *item, ngx_uint_t log_level, ngx_str_t *addr);
static void ngx_http_ratelimit_refusal_told(
    ngx_http_ratelimit_ban_call_t *call);
static void ngx_http_ratelimit_begin_ban(ngx_http_ratelimit_ban_call_t *call,
    rl_time_t *now);
static void ngx_http_ratelimit_ban_told(ngx_http_ratelimit_ban_call_t *call);
static void ngx_http_ratelimit_take_ban(ngx_http_ratelimit_ban_call_t *call,
    rl_time_t *now);


/* of a key that is banned already there is nothing to tell */

void
ngx_http_ratelimit_tell_ban(ngx_http_ratelimit_redis_t *redis, rl_item_t *item,
    rl_time_t *now, ngx_uint_t log_level, ngx_str_t *addr)
{
    if (item->policy->ban == NULL || item->admitted) {
        return;
    }

    switch (item->banned) {

    case RL_BANNED:
        return;

    case RL_BAN_BEGINS:
    case RL_BAN_RESTARTS:
        ngx_http_ratelimit_tell_again(redis, item->policy, &item->bucket, now);
        return;

    default:
        ngx_http_ratelimit_tell_refusal(redis, item, log_level, addr);
    }
}


static void
ngx_http_ratelimit_tell_refusal(ngx_http_ratelimit_redis_t *redis,
    rl_item_t *item, ngx_uint_t log_level, ngx_str_t *addr)
{
    ngx_http_ratelimit_ban_call_t  *call;

    if (redis->refusals >= NGX_HTTP_RATELIMIT_MAX_REFUSALS) {
        return;
    }

    call = ngx_http_ratelimit_create_ban_call(redis, item->policy,
                                              &item->bucket);
    if (call == NULL) {
        return;
    }

    call->window_ms = item->quota.window_ms;
    call->numbers[0] = item->quota.window_ms;
    call->numbers[1] = item->policy->ban->after;
    call->nnumbers = 2;
    call->dry_run = item->dry_run;
    call->log_level = log_level;
    call->addr_len = ngx_min(addr->len, sizeof(call->addr));
    ngx_memcpy(call->addr, addr->data, call->addr_len);
    call->done = ngx_http_ratelimit_refusal_told;

    redis->refusals++;

    ngx_http_ratelimit_send_ban_call(call);
}


/* another machine may have begun a ban, of which Redis tells at once */

static void
ngx_http_ratelimit_refusal_told(ngx_http_ratelimit_ban_call_t *call)
{
    rl_time_t  now;

    call->redis->refusals--;

    if (call->rc != NGX_OK) {
        return;
    }

    ngx_http_ratelimit_now(&now);

    ngx_http_ratelimit_take_ban(call, &now);

    if (call->begins) {
        ngx_http_ratelimit_begin_ban(call, &now);
    }
}


/* the request has its answer; the line names its client, as fail2ban reads */

static void
ngx_http_ratelimit_begin_ban(ngx_http_ratelimit_ban_call_t *call,
    rl_time_t *now)
{
    u_char     id[16];
    rl_item_t  item;

    ngx_memzero(&item, sizeof(rl_item_t));

    item.policy = call->policy;
    item.bucket = call->bucket;
    item.quota.window_ms = call->window_ms;
    item.dry_run = call->dry_run;

    rl_begin_ban(&ngx_http_ratelimit_this_process, &item, now);

    if (item.banned != RL_BAN_BEGINS) {
        return;
    }

    rl_render_key_id(rl_key_id(call->policy, call->bucket.lo), id);

    ngx_log_error(call->log_level, ngx_cycle->log, 0,
                  "ratelimit: %s by policy \"%*s\", key %*s, for %uLs, "
                  "client: %*s, by what all machines have refused",
                  call->dry_run ? "would be banned (dry run)" : "banned",
                  call->policy->name.len, call->policy->name.data,
                  sizeof(id), id, rl_seconds_up(item.retry_after_ms),
                  call->addr_len, call->addr);

    ngx_http_ratelimit_tell_again(call->redis, call->policy, &call->bucket,
                                  now);
}


void
ngx_http_ratelimit_tell_again(ngx_http_ratelimit_redis_t *redis,
    const rl_policy_t *policy, rl_hash_t *bucket, rl_time_t *now)
{
    rl_shared_ban_t                 ban;
    ngx_http_ratelimit_ban_call_t  *call;

    if (rl_ban_of(&ngx_http_ratelimit_this_process, policy, *bucket, now, &ban)
        != 1)
    {
        return;
    }

    call = ngx_http_ratelimit_create_ban_call(redis, policy, bucket);
    if (call == NULL) {
        ngx_http_ratelimit_ban_untold(redis);
        return;
    }

    call->numbers[0] = now->mono_ms - ngx_min(ban.since_ms, now->mono_ms);
    call->numbers[1] = ban.until_ms - now->mono_ms;
    call->numbers[2] = ban.forget_ms - now->mono_ms;
    call->numbers[3] = ban.level;
    call->nnumbers = 4;
    call->done = ngx_http_ratelimit_ban_told;

    ngx_http_ratelimit_send_ban_call(call);
}


static void
ngx_http_ratelimit_ban_told(ngx_http_ratelimit_ban_call_t *call)
{
    rl_time_t  now;

    if (call->rc != NGX_OK) {
        ngx_http_ratelimit_ban_untold(call->redis);
        return;
    }

    ngx_http_ratelimit_now(&now);

    ngx_http_ratelimit_take_ban(call, &now);
}


void
ngx_http_ratelimit_lift_ban(ngx_http_ratelimit_ban_call_t *call)
{
    const rl_ban_t  *ban;

    /* no machine remembers one for longer */

    ban = call->policy->ban;
    call->numbers[0] = 2 * ban->durations_ms[ban->n - 1];
    call->nnumbers = 1;

    ngx_http_ratelimit_send_ban_call(call);
}


/* where the lock is not to be had the feed tells it once more */

static void
ngx_http_ratelimit_take_ban(ngx_http_ratelimit_ban_call_t *call,
    rl_time_t *now)
{
    if (call->ban.policy_id == call->policy->secret.lo) {
        (void) rl_take_ban(&ngx_http_ratelimit_this_process, call->policy,
                           &call->ban, now);
    }
}
