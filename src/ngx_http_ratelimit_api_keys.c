
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Single keys: looking, listing, resetting.
 */


#include "ngx_http_ratelimit_api.h"


/* a key of a list, and whose it is */

typedef struct {
    rl_watched_t                 key;
    ngx_http_ratelimit_policy_t *policy;
} ngx_http_ratelimit_top_t;


static ngx_int_t ngx_http_ratelimit_api_top(
    ngx_http_ratelimit_api_call_t *call);
static json_t *ngx_http_ratelimit_api_list(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy,
    rl_watch_e list, ngx_uint_t max);
static ngx_uint_t ngx_http_ratelimit_api_add_top(ngx_http_ratelimit_top_t *top,
    ngx_uint_t n, ngx_uint_t max, ngx_http_ratelimit_policy_t *policy,
    rl_watched_t *key);
static ngx_int_t ngx_http_ratelimit_api_send_meant(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy,
    ngx_array_t *meant);
static ngx_int_t ngx_http_ratelimit_api_send_key(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy,
    rl_hash_t *bucket);


ngx_int_t
ngx_http_ratelimit_api_get_keys(ngx_http_ratelimit_api_call_t *call)
{
    ngx_array_t                       meant;
    ngx_http_ratelimit_policy_t      *policy;
    ngx_http_ratelimit_api_meant_t   *key;

    if (call->args.top.data) {
        return ngx_http_ratelimit_api_top(call);
    }

    if (ngx_http_ratelimit_api_find_policy(call, &policy) != NGX_OK
        || ngx_http_ratelimit_api_find_buckets(call, policy, &meant) != NGX_OK)
    {
        return call->rc;
    }

    if (meant.nelts > 1) {
        return ngx_http_ratelimit_api_send_meant(call, policy, &meant);
    }

    key = meant.elts;

    return ngx_http_ratelimit_api_send_key(call, policy, &key->bucket);
}


ngx_int_t
ngx_http_ratelimit_api_delete_key(ngx_http_ratelimit_api_call_t *call)
{
    int                           rc;
    u_char                        id[16];
    rl_hash_t                     bucket;
    rl_process_t                 *process;
    ngx_http_ratelimit_policy_t  *policy;

    if (ngx_http_ratelimit_api_find_policy(call, &policy) != NGX_OK
        || ngx_http_ratelimit_api_find_bucket(call, policy, &bucket) != NGX_OK)
    {
        return call->rc;
    }

    process = ngx_http_ratelimit_process(call->conf);

    if (process == NULL) {
        return ngx_http_ratelimit_api_no_place(call);
    }

    rc = rl_reset(process, policy->core.zone, bucket.lo, &call->now);

    if (rc == RL_ERROR) {
        ngx_http_ratelimit_api_problem(call, NGX_HTTP_SERVICE_UNAVAILABLE,
                                       "the key is locked, try again");
        return call->rc;
    }

    rl_render_key_id(rl_key_id(&policy->core, bucket.lo), id);

    ngx_http_ratelimit_api_log(call, "key %*s of policy \"%V\" reset%s",
                               sizeof(id), id, &policy->name,
                               rc ? "" : " (it was not stored)");

    return ngx_http_ratelimit_api_send_key(call, policy, &bucket);
}


static ngx_int_t
ngx_http_ratelimit_api_send_key(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy, rl_hash_t *bucket)
{
    return ngx_http_ratelimit_api_send_json(call, NGX_HTTP_OK,
                       ngx_http_ratelimit_api_bucket(call, policy, bucket));
}


/* of several keys that may be meant, each with the tags of its parts */

static ngx_int_t
ngx_http_ratelimit_api_send_meant(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy, ngx_array_t *meant)
{
    json_t                          *keys, *json;
    ngx_uint_t                       i;
    ngx_http_ratelimit_api_meant_t  *key;

    keys = json_array();
    key = meant->elts;

    for (i = 0; i < meant->nelts; i++) {
        json = ngx_http_ratelimit_api_bucket(call, policy, &key[i].bucket);
        json_object_set_new(json, "tags", key[i].tags);
        json_array_append_new(keys, json);
    }

    return ngx_http_ratelimit_api_send_json(call, NGX_HTTP_OK,
                                            json_pack("{s:o}", "keys", keys));
}


/* of one policy, or of all */

static ngx_int_t
ngx_http_ratelimit_api_top(ngx_http_ratelimit_api_call_t *call)
{
    ngx_int_t                     max;
    ngx_http_ratelimit_policy_t  *policy;

    policy = NULL;
    max = ngx_atoi(call->args.top.data, call->args.top.len);

    if (max < 1 || max > NGX_HTTP_RATELIMIT_API_MAX_TOP) {
        ngx_http_ratelimit_api_problem(call, NGX_HTTP_BAD_REQUEST,
                                       "\"top=\" must be 1 to %d",
                                       NGX_HTTP_RATELIMIT_API_MAX_TOP);
        return call->rc;
    }

    if (call->args.policy.data
        && ngx_http_ratelimit_api_find_policy(call, &policy) != NGX_OK)
    {
        return call->rc;
    }

    return ngx_http_ratelimit_api_send_json(call, NGX_HTTP_OK,
               json_pack("{s:o, s:o}",
                         "refused", ngx_http_ratelimit_api_list(call, policy,
                                                     RL_REFUSED_MOST, max),
                         "busiest", ngx_http_ratelimit_api_list(call, policy,
                                                     RL_BUSIEST, max)));
}


static json_t *
ngx_http_ratelimit_api_list(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy, rl_watch_e list, ngx_uint_t max)
{
    json_t                        *json;
    size_t                         nkeys, j;
    rl_hash_t                      bucket;
    ngx_uint_t                     i, n;
    rl_watched_t                   keys[RL_MAX_WATCHED];
    ngx_http_ratelimit_top_t       top[NGX_HTTP_RATELIMIT_API_MAX_TOP];
    ngx_http_ratelimit_policy_t  **policies;

    policies = call->conf->policies.elts;
    n = 0;

    for (i = 0; i < call->conf->policies.nelts; i++) {

        if (policy && policies[i] != policy) {
            continue;
        }

        nkeys = rl_watched(&policies[i]->core, list, &call->now, keys,
                           ngx_min(max, RL_MAX_WATCHED));

        for (j = 0; j < nkeys; j++) {
            n = ngx_http_ratelimit_api_add_top(top, n, max, policies[i],
                                               &keys[j]);
        }
    }

    json = json_array();

    for (i = 0; i < n; i++) {
        bucket.lo = top[i].key.key_id;
        bucket.hi = 0;

        json_array_append_new(json,
            ngx_http_ratelimit_api_bucket(call, top[i].policy, &bucket));
    }

    return json;
}


/* keeps the list in order, the last one falls off; returns its length */

static ngx_uint_t
ngx_http_ratelimit_api_add_top(ngx_http_ratelimit_top_t *top, ngx_uint_t n,
    ngx_uint_t max, ngx_http_ratelimit_policy_t *policy, rl_watched_t *key)
{
    ngx_uint_t     i;
    rl_watched_t  *other;

    for (i = n; i > 0; i--) {
        other = &top[i - 1].key;

        if (other->recent > key->recent
            || (other->recent == key->recent
                && other->last_ms >= key->last_ms))
        {
            break;
        }

        if (i < max) {
            top[i] = top[i - 1];
        }
    }

    if (i == max) {
        return n;
    }

    top[i].key = *key;
    top[i].policy = policy;

    return ngx_min(n + 1, max);
}
