
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Resetting a key that machines share: first in Redis, then, among the
 * overrides, all machines are told to forget what they have not told yet.
 *
 * Of a policy nobody knows the keys: the overrides have a mark, and a bucket
 * begins anew with the first request of a machine that has read it.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "shared/ngx_http_ratelimit_reset.h"
#include "api/ngx_http_ratelimit_api.h"
#include "api/ngx_http_ratelimit_api_known.h"


typedef struct {
    ngx_http_ratelimit_bucket_reset_t  reset;
    ngx_http_ratelimit_policy_t       *policy;
} ngx_http_ratelimit_api_reset_t;


static ngx_int_t ngx_http_ratelimit_api_reset_item(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy,
    rl_item_t *item);
static void ngx_http_ratelimit_api_reset_done(
    ngx_http_ratelimit_bucket_reset_t *reset);
static ngx_int_t ngx_http_ratelimit_api_tell_reset(
    ngx_http_ratelimit_api_call_t *call);
static ngx_int_t ngx_http_ratelimit_api_send_reset(
    ngx_http_ratelimit_api_call_t *call);
static void ngx_http_ratelimit_api_reset_cleanup(void *data);
static ngx_int_t ngx_http_ratelimit_api_policy_reset(
    ngx_http_ratelimit_api_call_t *call);


ngx_int_t
ngx_http_ratelimit_api_reset_shared(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy)
{
    rl_item_t  item;

    return ngx_http_ratelimit_api_reset_item(call, policy, &item) == NGX_OK
           ? ngx_http_ratelimit_api_reset_shared_item(call, policy, &item)
           : call->rc;
}


ngx_int_t
ngx_http_ratelimit_api_reset_shared_item(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item)
{
    ngx_int_t                        rc;
    ngx_http_cleanup_t              *cln;
    ngx_http_ratelimit_zone_t       *zone;
    ngx_http_ratelimit_api_reset_t  *reset;

    reset = ngx_pcalloc(call->request->pool,
                        sizeof(ngx_http_ratelimit_api_reset_t));
    cln = ngx_http_cleanup_add(call->request, 0);

    if (reset == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_ratelimit_api_reset_cleanup;
    cln->data = &reset->reset;

    reset->policy = policy;
    reset->reset.item = *item;
    reset->reset.done = ngx_http_ratelimit_api_reset_done;
    reset->reset.data = call;

    call->data = reset;

    rc = ngx_http_ratelimit_api_later(call, ngx_http_ratelimit_api_tell_reset);

    if (rc != NGX_DONE) {
        return rc;
    }

    zone = policy->shm_zone->data;

    if (ngx_http_ratelimit_reset_in_redis(zone->redis, &reset->reset)
        != NGX_AGAIN)
    {
        ngx_post_event(&call->event, &ngx_posted_events);
    }

    return rc;
}


/* of an id, the rest of its name is in this machine's row */

static ngx_int_t
ngx_http_ratelimit_api_reset_item(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item)
{
    rl_hash_t                   bucket;
    ngx_http_ratelimit_zone_t  *zone;

    if (ngx_http_ratelimit_api_find_bucket(call, policy, &bucket) != NGX_OK) {
        return NGX_DECLINED;
    }

    zone = policy->shm_zone->data;

    if (ngx_http_ratelimit_api_item(call, policy, &bucket, item) != NGX_OK) {
        return ngx_http_ratelimit_api_problem(call, NGX_HTTP_CONFLICT,
                                              "no request has told the key's "
                                              "quota");
    }

    if (call->args.id.data && !rl_leases_bucket(zone->leases, item)) {
        return ngx_http_ratelimit_api_problem(call, NGX_HTTP_CONFLICT,
                                              "Redis has keys by their name, "
                                              "not by their id");
    }

    return NGX_OK;
}


static void
ngx_http_ratelimit_api_reset_done(ngx_http_ratelimit_bucket_reset_t *reset)
{
    ngx_http_ratelimit_api_call_t  *call;

    call = reset->data;

    ngx_post_event(&call->event, &ngx_posted_events);
}


static ngx_int_t
ngx_http_ratelimit_api_tell_reset(ngx_http_ratelimit_api_call_t *call)
{
    u_char                              id[16];
    ngx_str_t                           what, why;
    rl_item_t                          *item;
    rl_override_t                       told;
    ngx_http_ratelimit_zone_t          *zone;
    ngx_http_ratelimit_api_reset_t     *reset;
    ngx_http_ratelimit_api_changes_t   *changes;

    reset = call->data;
    item = &reset->reset.item;
    zone = reset->policy->shm_zone->data;

    if (reset->reset.rc != NGX_OK) {
        why.data = reset->reset.why;
        why.len = reset->reset.why_len;

        return ngx_http_ratelimit_api_not_changed(call, reset->reset.rc, &why);
    }

    rl_shared_reset(item, reset->reset.at_ms, &told);
    rl_render_key_id(told.key_id, id);

    what = ngx_http_ratelimit_api_what(call, "key %*s of policy \"%V\" reset",
                                       sizeof(id), id, &reset->policy->name);

    changes = ngx_http_ratelimit_api_changes(call,
                                          ngx_http_ratelimit_api_send_reset);

    if (what.data == NULL || changes == NULL
        || ngx_http_ratelimit_api_add_change(changes, zone, &told) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_ratelimit_api_make_changes(changes, &what);
}


static ngx_int_t
ngx_http_ratelimit_api_send_reset(ngx_http_ratelimit_api_call_t *call)
{
    ngx_array_t                      meant;
    ngx_http_ratelimit_api_reset_t  *reset;
    ngx_http_ratelimit_api_meant_t  *key;

    reset = call->data;

    if (ngx_array_init(&meant, call->request->pool, 1,
                       sizeof(ngx_http_ratelimit_api_meant_t))
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    key = ngx_array_push(&meant);

    key->bucket = reset->reset.item.bucket;
    key->tags = json_null();

    return ngx_http_ratelimit_api_send_shared(call, reset->policy, &meant);
}


static void
ngx_http_ratelimit_api_reset_cleanup(void *data)
{
    ngx_http_ratelimit_bucket_reset_t *reset = data;

    ngx_http_ratelimit_end_reset(reset);
}


ngx_int_t
ngx_http_ratelimit_api_reset_shared_policy(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy)
{
    ngx_str_t                          what;
    ngx_uint_t                         varies;
    rl_override_t                      mark;
    ngx_http_ratelimit_step_t         *step;
    ngx_http_ratelimit_api_changes_t  *changes;

    step = &policy->step;
    varies = policy->core.algorithm == RL_GCRA
             ? (step->varies & (NGX_HTTP_RATELIMIT_VARIES_QUOTA
                                |NGX_HTTP_RATELIMIT_VARIES_CAPACITY))
             : policy->quota != NULL;

    rl_policy_shared_mark(&policy->core, varies ? NULL : &step->item.quota,
                          &mark);

    ngx_memcpy(mark.policy, policy->name.data,
               ngx_min(policy->name.len, sizeof(mark.policy)));

    call->data = policy;

    what = ngx_http_ratelimit_api_what(call, "all keys of policy \"%V\" reset",
                                       &policy->name);

    changes = ngx_http_ratelimit_api_changes(call,
                                         ngx_http_ratelimit_api_policy_reset);

    if (what.data == NULL || changes == NULL
        || ngx_http_ratelimit_api_add_change(changes, policy->shm_zone->data,
                                             &mark)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_ratelimit_api_make_changes(changes, &what);
}


static ngx_int_t
ngx_http_ratelimit_api_policy_reset(ngx_http_ratelimit_api_call_t *call)
{
    uint64_t                      at_ms;
    ngx_http_ratelimit_policy_t  *policy;

    policy = call->data;

    ngx_http_ratelimit_now(&call->now);

    /* 0: a stopped process has the zone, which is to know it later */

    at_ms = rl_policy_reset_at(&policy->core, &call->now);

    return ngx_http_ratelimit_api_send_policy_reset(call, policy,
                                            at_ms ? at_ms : call->now.mono_ms);
}
