
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Resetting a key, or all of a policy's.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "api/ngx_http_ratelimit_api.h"
#include "api/ngx_http_ratelimit_api_known.h"


/* as of a scan: some 100 microseconds */

#define NGX_HTTP_RATELIMIT_API_SETS  256


/* a policy that was reset at a time, and how long that matters */

typedef struct {
    ngx_http_ratelimit_policy_t *policy;
    uint64_t                     at_ms;
    uint64_t                     until_ms;
    uint32_t                     set;
} ngx_http_ratelimit_reset_t;


static ngx_int_t ngx_http_ratelimit_api_delete_shared(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy);
static ngx_int_t ngx_http_ratelimit_api_delete_key(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy);
static ngx_int_t ngx_http_ratelimit_api_reset_policy(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy);
static ngx_int_t ngx_http_ratelimit_api_check_reset(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy);
static ngx_int_t ngx_http_ratelimit_api_reset_turn(
    ngx_http_ratelimit_api_call_t *call);


ngx_int_t
ngx_http_ratelimit_api_delete_keys(ngx_http_ratelimit_api_call_t *call)
{
    ngx_http_ratelimit_zone_t    *zone;
    ngx_http_ratelimit_policy_t  *policy;

    if (ngx_http_ratelimit_api_find_policy(call, &policy) != NGX_OK) {
        return call->rc;
    }

    zone = policy->shm_zone->data;

    if (zone->redis && call->args.all.data == NULL) {
        return ngx_http_ratelimit_api_delete_shared(call, policy);
    }

    return call->args.all.data
           ? ngx_http_ratelimit_api_reset_policy(call, policy)
           : ngx_http_ratelimit_api_delete_key(call, policy);
}


/* refusals that were counted are forgotten as well, if its name is known */

static ngx_int_t
ngx_http_ratelimit_api_delete_shared(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy)
{
    uint64_t       until_ms;
    rl_hash_t      bucket;
    rl_item_t      item;
    ngx_uint_t     banned;
    rl_process_t  *process;

    process = ngx_http_ratelimit_process(call->conf);

    if (policy->core.ban == NULL || process == NULL) {
        return ngx_http_ratelimit_api_reset_shared(call, policy);
    }

    if (ngx_http_ratelimit_api_find_bucket(call, policy, &bucket) != NGX_OK) {
        return call->rc;
    }

    banned = rl_banned_until(process, &policy->core, bucket.lo, &call->now,
                             &until_ms)
             == 1;

    if (!banned
        && (call->args.id.data
            || ngx_http_ratelimit_api_item(call, policy, &bucket, &item)
               != NGX_OK))
    {
        return ngx_http_ratelimit_api_reset_shared(call, policy);
    }

    return ngx_http_ratelimit_api_lift(call, policy, &bucket, banned);
}


static ngx_int_t
ngx_http_ratelimit_api_delete_key(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy)
{
    int            rc;
    u_char         id[16];
    rl_hash_t      bucket;
    rl_process_t  *process;

    if (ngx_http_ratelimit_api_find_bucket(call, policy, &bucket) != NGX_OK) {
        return call->rc;
    }

    process = ngx_http_ratelimit_process(call->conf);

    if (process == NULL) {
        return ngx_http_ratelimit_api_no_place(call);
    }

    rc = ngx_http_ratelimit_api_reset_key(process, policy, &bucket,
                                          &call->now);

    if (rc == RL_ERROR) {
        ngx_http_ratelimit_api_problem(call, NGX_HTTP_SERVICE_UNAVAILABLE,
                                       "the key is locked, try again");
        return call->rc;
    }

    rl_render_key_id(rl_key_id(&policy->core, bucket.lo), id);

    ngx_http_ratelimit_api_log(call, "key %*s of policy \"%V\" reset%s",
                               sizeof(id), id, &policy->name,
                               rc ? "" : " (it had no bucket)");

    return ngx_http_ratelimit_api_send_key(call, policy, &bucket);
}


/* 1: there was something to take off it, or a ban; RL_ERROR: it is locked */

int
ngx_http_ratelimit_api_reset_key(rl_process_t *process,
    ngx_http_ratelimit_policy_t *policy, rl_hash_t *bucket, rl_time_t *now)
{
    int  units, ban;

    units = rl_reset(process, policy->core.zone, bucket->lo, now);

    if (units == RL_ERROR) {
        return RL_ERROR;
    }

    ban = rl_lift_ban(process, &policy->core, bucket->lo, now);

    return ban ? ban : units;
}


/*
 * The mark holds at once.  How long it is needed is found out afterwards, a
 * slice of the zone in each turn; if this process dies meanwhile it stays for
 * longer, which costs requests some instructions and changes nothing else.
 */

static ngx_int_t
ngx_http_ratelimit_api_reset_policy(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy)
{
    int                          rc;
    rl_process_t                *process;
    ngx_http_ratelimit_zone_t   *zone;
    ngx_http_ratelimit_reset_t  *reset;

    if (ngx_http_ratelimit_api_check_reset(call, policy) != NGX_OK) {
        return call->rc;
    }

    zone = policy->shm_zone->data;

    if (zone->redis) {
        return ngx_http_ratelimit_api_reset_shared_policy(call, policy);
    }

    process = ngx_http_ratelimit_process(call->conf);

    if (process == NULL) {
        return ngx_http_ratelimit_api_no_place(call);
    }

    reset = ngx_pcalloc(call->request->pool,
                        sizeof(ngx_http_ratelimit_reset_t));
    if (reset == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* others may have charged since this turn began */

    ngx_time_update();
    ngx_http_ratelimit_now(&call->now);

    rc = rl_policy_reset(process, &policy->core, &call->now);

    if (rc == RL_ERROR) {
        ngx_http_ratelimit_api_problem(call, NGX_HTTP_INSUFFICIENT_STORAGE,
                                       "a zone has no more than %d overrides "
                                       "and resets, delete an override",
                                       (int) RL_MAX_OVERRIDES);
        return call->rc;
    }

    if (rc == RL_TIMEOUT) {
        ngx_http_ratelimit_api_problem(call, NGX_HTTP_SERVICE_UNAVAILABLE,
                                       "the zone is held by a stopped "
                                       "process");
        return call->rc;
    }

    ngx_http_ratelimit_api_log(call, "all keys of policy \"%V\" reset",
                               &policy->name);

    reset->policy = policy;
    reset->at_ms = rl_policy_reset_at(&policy->core, &call->now);

    call->data = reset;

    return ngx_http_ratelimit_api_turns(call,
                                        ngx_http_ratelimit_api_reset_turn);
}


/* a forgotten "key=" must not reset all */

static ngx_int_t
ngx_http_ratelimit_api_check_reset(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy)
{
    ngx_str_t  *all;

    all = &call->args.all;

    if (all->len != 3 || ngx_strncmp(all->data, "yes", 3) != 0) {
        return ngx_http_ratelimit_api_problem(call, NGX_HTTP_BAD_REQUEST,
                                              "\"all=\" must be \"yes\"");
    }

    if (call->args.id.data || call->args.keys.nelts) {
        return ngx_http_ratelimit_api_problem(call, NGX_HTTP_BAD_REQUEST,
                                              "\"all=\" excludes \"key=\" "
                                              "and \"id=\"");
    }

    if (policy->core.algorithm == RL_CONCURRENT) {
        return ngx_http_ratelimit_api_problem(call, NGX_HTTP_CONFLICT,
                                              "the units of policy \"%V\" are "
                                              "held by requests, and come "
                                              "back as these end",
                                              &policy->name);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_api_reset_turn(ngx_http_ratelimit_api_call_t *call)
{
    rl_policy_t                 *policy;
    rl_process_t                *process;
    ngx_http_ratelimit_reset_t  *reset;

    reset = call->data;
    policy = &reset->policy->core;

    reset->set = rl_scan_policy(policy, reset->set,
                                NGX_HTTP_RATELIMIT_API_SETS, &reset->until_ms);

    if (reset->set) {
        return NGX_AGAIN;
    }

    ngx_http_ratelimit_now(&call->now);
    process = ngx_http_ratelimit_process(call->conf);

    /* else it stays for as long as any bucket could matter */

    if (process && reset->until_ms != UINT64_MAX) {
        rl_policy_reset_until(process, policy, reset->at_ms, reset->until_ms,
                              &call->now);
    }

    return ngx_http_ratelimit_api_send_policy_reset(call, reset->policy,
                                                    reset->at_ms);
}


ngx_int_t
ngx_http_ratelimit_api_send_policy_reset(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy, uint64_t at_ms)
{
    return ngx_http_ratelimit_api_send_json(call, NGX_HTTP_OK,
               json_pack("{s:o, s:o, s:o}",
                   "policy", ngx_http_ratelimit_api_string(&policy->name),
                   "zone", ngx_http_ratelimit_api_string(
                                                  &policy->shm_zone->shm.name),
                   "reset_at", ngx_http_ratelimit_api_time(&call->now,
                                                           at_ms)));
}
