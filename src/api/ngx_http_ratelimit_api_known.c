
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What is known of a key.  Its limit comes from the configuration where that
 * is constant; where it is a variable's, there is no request to evaluate it
 * for, and what the key's last request had is taken instead.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "request/ngx_http_ratelimit_ask.h"
#include "api/ngx_http_ratelimit_api.h"
#include "api/ngx_http_ratelimit_api_known.h"


static void ngx_http_ratelimit_api_learn_limit(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_known_t *known);
static void ngx_http_ratelimit_api_override_decides(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_known_t *known);
static ngx_int_t ngx_http_ratelimit_api_constant_quota(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_known_t *known);


void
ngx_http_ratelimit_api_learn(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *configured, rl_hash_t *bucket,
    ngx_http_ratelimit_known_t *known)
{
    rl_item_t     *item;
    rl_policy_t   *policy;
    rl_process_t  *process;

    ngx_memzero(known, sizeof(ngx_http_ratelimit_known_t));

    known->policy = configured;
    item = &known->item;
    policy = &configured->core;

    item->policy = policy;
    item->bucket = *bucket;
    item->cost_units = 1;
    item->reset = rl_policy_shared_reset(policy, &call->now);

    known->was_refused = rl_find_top_key(policy, RL_TOP_REFUSED, bucket->lo,
                                         &call->now, &known->refused);
    known->was_admitted = rl_find_top_key(policy, RL_TOP_ADMITTED, bucket->lo,
                                          &call->now, &known->admitted);

    process = ngx_http_ratelimit_process(call->conf);

    /* an id may be of another policy's bucket */

    known->exists = process
                    && rl_inspect(process, policy->zone, bucket->lo,
                                  &call->now, &known->stored) == 1
                    && known->stored.algorithm == policy->algorithm;

    if (known->exists) {
        item->bucket = known->stored.bucket;

        /* from before the policy was reset */

        rl_empty_older(process, item, &call->now);
    }

    ngx_http_ratelimit_api_learn_limit(call, known);

    known->looked = process && item->quota.window_ms && !item->quota.unlimited
                    && ngx_http_ratelimit_look_at(process, item, &call->now);

    if (process
        && rl_banned_until(process, policy, bucket->lo, &call->now,
                           &known->banned_until_ms)
           == 1)
    {
        item->admitted = 0;
        item->remaining_units = 0;
        item->retry_after_ms = known->banned_until_ms - call->now.mono_ms;
    }
}


/* where it is known from */

static void
ngx_http_ratelimit_api_learn_limit(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_known_t *known)
{
    rl_item_t     *item;
    rl_top_key_t  *last;

    item = &known->item;

    if (ngx_http_ratelimit_api_constant_quota(call, known) == NGX_OK) {
        known->limit_source = NGX_HTTP_RATELIMIT_LIMIT_CONF;

    } else if (known->was_refused || known->was_admitted) {
        last = !known->was_admitted || (known->was_refused
                                        && known->refused.last_seen_ms
                                           > known->admitted.last_seen_ms)
               ? &known->refused : &known->admitted;

        item->quota = last->quota;
        item->capacity_units = last->capacity_units;
        known->limit_source = NGX_HTTP_RATELIMIT_LIMIT_REQUEST;

    } else if (known->exists) {
        item->quota = known->stored.quota;
        item->capacity_units = known->stored.capacity_units;
        known->limit_source = NGX_HTTP_RATELIMIT_LIMIT_BUCKET;
    }

    if (known->limit_source != NGX_HTTP_RATELIMIT_LIMIT_CONF) {
        ngx_http_ratelimit_api_override_decides(call, known);
    }
}


/*
 * An override that gives the units, or lets all through, holds since it was
 * set, whatever the last request had.  A scale may be in that already.
 */

static void
ngx_http_ratelimit_api_override_decides(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_known_t *known)
{
    rl_item_t   *item;
    rl_quota_t   quota;

    item = &known->item;
    quota = item->quota;

    if (!rl_override_apply(&known->policy->core, &item->bucket, &call->now,
                           &quota))
    {
        return;
    }

    item->quota = quota;
    known->limit_source = NGX_HTTP_RATELIMIT_LIMIT_OVERRIDE;

    if (known->policy->capacity == NULL || quota.units == 0) {
        item->capacity_units = quota.units;
    }
}


/* as a request's is made, with all overrides */

static ngx_int_t
ngx_http_ratelimit_api_constant_quota(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_known_t *known)
{
    ngx_http_ratelimit_policy_t  *policy;

    policy = known->policy;

    if ((policy->step.varies & (NGX_HTTP_RATELIMIT_VARIES_QUOTA
                                |NGX_HTTP_RATELIMIT_VARIES_CAPACITY))
        && !policy->constant_quota.unlimited)
    {
        return NGX_DECLINED;
    }

    known->item.quota = policy->step.item.quota;

    rl_override_apply(&policy->core, &known->item.bucket, &call->now,
                      &known->item.quota);

    known->item.capacity_units = rl_capacity_units(&policy->core,
                                                   &known->item.quota);

    return NGX_OK;
}


ngx_int_t
ngx_http_ratelimit_api_item(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy, rl_hash_t *bucket, rl_item_t *item)
{
    ngx_http_ratelimit_known_t  known;

    ngx_http_ratelimit_api_learn(call, policy, bucket, &known);

    *item = known.item;

    return (item->quota.window_ms && !item->quota.unlimited) ? NGX_OK
                                                             : NGX_DECLINED;
}
