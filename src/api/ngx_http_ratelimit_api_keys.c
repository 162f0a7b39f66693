
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Single keys: looking, listing.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "api/ngx_http_ratelimit_api.h"


/* a key of a list, and whose it is */

typedef struct {
    rl_top_key_t                 key;
    ngx_http_ratelimit_policy_t *policy;
} ngx_http_ratelimit_top_t;


/* both of them, by rl_top_e */

typedef struct {
    ngx_http_ratelimit_policy_t *policy;     /* NULL: of all */
    ngx_uint_t                   max;
    ngx_uint_t                   list;       /* that is being written */
    ngx_uint_t                   n[2];
    ngx_http_ratelimit_top_t     top[2][NGX_HTTP_RATELIMIT_API_MAX_TOP];
} ngx_http_ratelimit_lists_t;


/* some 7 microseconds a policy, 30 a key */

#define NGX_HTTP_RATELIMIT_API_POLICIES  64
#define NGX_HTTP_RATELIMIT_API_KEYS      16


static ngx_int_t ngx_http_ratelimit_api_top(
    ngx_http_ratelimit_api_call_t *call);
static ngx_int_t ngx_http_ratelimit_api_search_turn(
    ngx_http_ratelimit_api_call_t *call);
static void ngx_http_ratelimit_api_search(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy, rl_top_e list);
static ngx_int_t ngx_http_ratelimit_api_list_turn(
    ngx_http_ratelimit_api_call_t *call);
static ngx_uint_t ngx_http_ratelimit_api_add_top(ngx_http_ratelimit_top_t *top,
    ngx_uint_t n, ngx_uint_t max, ngx_http_ratelimit_policy_t *policy,
    rl_top_key_t *key);
static ngx_int_t ngx_http_ratelimit_api_send_meant(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy,
    ngx_array_t *meant);


ngx_int_t
ngx_http_ratelimit_api_get_keys(ngx_http_ratelimit_api_call_t *call)
{
    ngx_array_t                       meant;
    ngx_http_ratelimit_zone_t        *zone;
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

    zone = policy->shm_zone->data;

    if (zone->redis) {
        return ngx_http_ratelimit_api_send_shared(call, policy, &meant);
    }

    if (meant.nelts > 1) {
        return ngx_http_ratelimit_api_send_meant(call, policy, &meant);
    }

    ngx_http_ratelimit_api_free_tags(&meant);

    key = meant.elts;

    return ngx_http_ratelimit_api_send_key(call, policy, &key->bucket);
}


ngx_int_t
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


/* how many keys a list may have; as many as there may be where none is said */

ngx_int_t
ngx_http_ratelimit_api_parse_top(ngx_http_ratelimit_api_call_t *call,
    ngx_uint_t *max)
{
    ngx_int_t  n;

    *max = NGX_HTTP_RATELIMIT_API_MAX_TOP;

    if (call->args.top.data == NULL) {
        return NGX_OK;
    }

    n = ngx_atoi(call->args.top.data, call->args.top.len);

    if (n < 1 || n > NGX_HTTP_RATELIMIT_API_MAX_TOP) {
        return ngx_http_ratelimit_api_problem(call, NGX_HTTP_BAD_REQUEST,
                                              "\"top=\" must be 1 to %d",
                                              NGX_HTTP_RATELIMIT_API_MAX_TOP);
    }

    *max = n;

    return NGX_OK;
}


/* of one policy, or of all */

static ngx_int_t
ngx_http_ratelimit_api_top(ngx_http_ratelimit_api_call_t *call)
{
    ngx_uint_t                    max;
    ngx_http_ratelimit_lists_t   *lists;
    ngx_http_ratelimit_policy_t  *policy;

    policy = NULL;

    if (ngx_http_ratelimit_api_parse_top(call, &max) != NGX_OK
        || (call->args.policy.data
            && ngx_http_ratelimit_api_find_policy(call, &policy) != NGX_OK))
    {
        return call->rc;
    }

    lists = ngx_pcalloc(call->request->pool,
                        sizeof(ngx_http_ratelimit_lists_t));
    if (lists == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    lists->policy = policy;
    lists->max = max;

    call->data = lists;

    return ngx_http_ratelimit_api_turns(call,
                                        ngx_http_ratelimit_api_search_turn);
}


static ngx_int_t
ngx_http_ratelimit_api_search_turn(ngx_http_ratelimit_api_call_t *call)
{
    ngx_uint_t                     i, n, end;
    ngx_http_ratelimit_lists_t    *lists;
    ngx_http_ratelimit_policy_t  **policies;

    lists = call->data;
    policies = call->conf->policies.elts;
    n = call->conf->policies.nelts;
    i = call->next;
    end = ngx_http_ratelimit_api_slice(&call->next, n,
                                       NGX_HTTP_RATELIMIT_API_POLICIES);

    for ( /* void */ ; i < end; i++) {
        if (lists->policy == NULL || policies[i] == lists->policy) {
            ngx_http_ratelimit_api_search(call, policies[i], RL_TOP_REFUSED);
            ngx_http_ratelimit_api_search(call, policies[i], RL_TOP_ADMITTED);
        }
    }

    if (end == n) {
        call->next = 0;
        call->turn = ngx_http_ratelimit_api_list_turn;
    }

    return NGX_AGAIN;
}


static void
ngx_http_ratelimit_api_search(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy, rl_top_e list)
{
    size_t                       nkeys, i;
    rl_top_key_t                 keys[RL_MAX_TOP_KEYS];
    ngx_http_ratelimit_lists_t  *lists;

    lists = call->data;

    nkeys = rl_top_keys(&policy->core, list, &call->now, keys,
                        ngx_min(lists->max, RL_MAX_TOP_KEYS));

    for (i = 0; i < nkeys; i++) {
        lists->n[list] = ngx_http_ratelimit_api_add_top(lists->top[list],
                                                        lists->n[list],
                                                        lists->max, policy,
                                                        &keys[i]);
    }
}


/* how many of a policy's are refused, not in dry run, and since when */

json_t *
ngx_http_ratelimit_api_refused_keys(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy)
{
    size_t         nkeys, i, n;
    uint64_t       since_ms;
    rl_top_key_t   keys[RL_MAX_TOP_KEYS];

    nkeys = rl_top_keys(&policy->core, RL_TOP_REFUSED, &call->now, keys,
                        RL_MAX_TOP_KEYS);
    n = 0;
    since_ms = UINT64_MAX;

    for (i = 0; i < nkeys; i++) {
        if (keys[i].requests_last_minute && !keys[i].dry_run) {
            n++;
            since_ms = ngx_min(since_ms, keys[i].first_seen_ms);
        }
    }

    return json_pack("{s:I, s:o}",
                     "last_minute", (json_int_t) n,
                     "since", n ? ngx_http_ratelimit_api_time(&call->now,
                                                              since_ms)
                                : json_null());
}


/* the keys that were found, of one list after the other */

static ngx_int_t
ngx_http_ratelimit_api_list_turn(ngx_http_ratelimit_api_call_t *call)
{
    json_t                      *json;
    rl_hash_t                    bucket;
    ngx_uint_t                   i, end, n;
    ngx_http_ratelimit_top_t    *top;
    ngx_http_ratelimit_lists_t  *lists;

    static char  *names[] = { "{\n  \"top_refused\": [",
                             ",\n  \"top_admitted\": [" };

    lists = call->data;
    top = lists->top[lists->list];
    n = lists->n[lists->list];
    i = call->next;
    end = ngx_http_ratelimit_api_slice(&call->next, n,
                                       NGX_HTTP_RATELIMIT_API_KEYS);

    if (i == 0
        && ngx_http_ratelimit_api_add_text(call, names[lists->list]) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for ( /* void */ ; i < end; i++) {
        bucket.lo = top[i].key.key_id;
        bucket.hi = 0;

        json = ngx_http_ratelimit_api_bucket(call, top[i].policy, &bucket);

        if (ngx_http_ratelimit_api_add_text(call, i ? ",\n    " : "\n    ")
            != NGX_OK
            || ngx_http_ratelimit_api_add_json(call, json, 4) != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (end < n) {
        return NGX_AGAIN;
    }

    if (ngx_http_ratelimit_api_add_text(call, n ? "\n  ]" : "]") != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (lists->list++ == 0) {
        call->next = 0;
        return NGX_AGAIN;
    }

    if (ngx_http_ratelimit_api_add_text(call, "\n}\n") != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_ratelimit_api_send(call, NGX_HTTP_OK, "application/json",
                                       call->out);
}


/* keeps the list in order, the last one falls off; returns its length */

static ngx_uint_t
ngx_http_ratelimit_api_add_top(ngx_http_ratelimit_top_t *top, ngx_uint_t n,
    ngx_uint_t max, ngx_http_ratelimit_policy_t *policy, rl_top_key_t *key)
{
    ngx_uint_t     i;
    rl_top_key_t  *other;

    for (i = n; i > 0; i--) {
        other = &top[i - 1].key;

        if (other->requests_last_minute > key->requests_last_minute
            || (other->requests_last_minute == key->requests_last_minute
                && other->last_seen_ms >= key->last_seen_ms))
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
