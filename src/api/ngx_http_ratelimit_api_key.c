
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * One key's bucket as JSON.  Its limit comes from the configuration where that
 * is constant; where it is a variable's, there is no request to evaluate it
 * for, and what the key's last request had is taken instead.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "request/ngx_http_ratelimit_ask.h"
#include "api/ngx_http_ratelimit_api.h"


/* where a limit comes from */

#define NGX_HTTP_RATELIMIT_LIMIT_UNKNOWN   0
#define NGX_HTTP_RATELIMIT_LIMIT_CONF      1
#define NGX_HTTP_RATELIMIT_LIMIT_REQUEST   2
#define NGX_HTTP_RATELIMIT_LIMIT_BUCKET    3
#define NGX_HTTP_RATELIMIT_LIMIT_OVERRIDE  4


/* all that is known of a key */

typedef struct {
    ngx_http_ratelimit_policy_t *policy;
    rl_item_t                    item;
    ngx_uint_t                   limit_source;
    rl_bucket_t                  stored;
    rl_top_key_t                 refused;
    rl_top_key_t                 admitted;
    uint64_t                     banned_until_ms; /* 0: it is not */
    unsigned                     exists:1;   /* there is a bucket */
    unsigned                     was_refused:1;
    unsigned                     was_admitted:1;
    unsigned                     looked:1;   /* the item says how it stands */
} ngx_http_ratelimit_known_t;


static void ngx_http_ratelimit_api_learn(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_known_t *known, rl_hash_t *bucket);
static void ngx_http_ratelimit_api_learn_limit(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_known_t *known);
static void ngx_http_ratelimit_api_add_figures(
    ngx_http_ratelimit_api_call_t *call, json_t *json,
    ngx_http_ratelimit_known_t *known);
static void ngx_http_ratelimit_api_override_decides(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_known_t *known);
static ngx_int_t ngx_http_ratelimit_api_constant_quota(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_known_t *known);
static json_t *ngx_http_ratelimit_api_top_key(
    ngx_http_ratelimit_api_call_t *call, rl_top_key_t *key);
static json_t *ngx_http_ratelimit_api_refused(
    ngx_http_ratelimit_api_call_t *call, rl_top_key_t *key);
static json_t *ngx_http_ratelimit_api_key_override(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy,
    uint64_t key_id);
static json_t *ngx_http_ratelimit_api_last_seen(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_known_t *known);
static json_t *ngx_http_ratelimit_api_window(
    ngx_http_ratelimit_known_t *known);


static char  *ngx_http_ratelimit_limit_sources[] = {
    "unknown", "configuration", "last_request", "bucket", "override"
};


json_t *
ngx_http_ratelimit_api_bucket(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy, rl_hash_t *bucket)
{
    json_t                      *json;
    rl_item_t                   *item;
    ngx_http_ratelimit_known_t   known;

    ngx_memzero(&known, sizeof(ngx_http_ratelimit_known_t));

    known.policy = policy;
    item = &known.item;
    item->policy = &policy->core;

    ngx_http_ratelimit_api_learn(call, &known, bucket);

    json = json_pack("{s:o, s:o, s:o, s:b, s:s, s:b}",
               "policy", ngx_http_ratelimit_api_string(&policy->name),
               "zone", ngx_http_ratelimit_api_string(
                                             &policy->shm_zone->shm.name),
               "key_id", ngx_http_ratelimit_api_key_id(
                                       rl_key_id(&policy->core, bucket->lo)),
               "exists", known.exists,
               "limit_source",
               ngx_http_ratelimit_limit_sources[known.limit_source],
               "unlimited", item->quota.unlimited);

    if (policy->label) {
        json_object_set_new(json, "label",
                            ngx_http_ratelimit_api_key_label(policy,
                                                             bucket->lo));
    }

    ngx_http_ratelimit_api_add_figures(call, json, &known);

    json_object_set_new(json, "banned_until", known.banned_until_ms
                        ? ngx_http_ratelimit_api_time(&call->now,
                                                      known.banned_until_ms)
                        : json_null());
    json_object_set_new(json, "last_seen",
                        ngx_http_ratelimit_api_last_seen(call, &known));
    json_object_set_new(json, "refused", known.was_refused
                        ? ngx_http_ratelimit_api_refused(call, &known.refused)
                        : json_null());
    json_object_set_new(json, "admitted", known.was_admitted
                        ? ngx_http_ratelimit_api_top_key(call, &known.admitted)
                        : json_null());
    json_object_set_new(json, "override",
                        ngx_http_ratelimit_api_key_override(call, policy,
                                                            bucket->lo));

    return json;
}


/* null where it is not known how the bucket stands */

static void
ngx_http_ratelimit_api_add_figures(ngx_http_ratelimit_api_call_t *call,
    json_t *json, ngx_http_ratelimit_known_t *known)
{
    rl_item_t  *item;

#define ngx_http_ratelimit_api_figure(figure)                                 \
    (known->looked ? json_integer((json_int_t) (figure)) : json_null())

    item = &known->item;

    json_object_set_new(json, "limit",
                        ngx_http_ratelimit_api_figure(item->limit_units));
    json_object_set_new(json, "remaining",
                        ngx_http_ratelimit_api_figure(item->remaining_units));
    json_object_set_new(json, "window", ngx_http_ratelimit_api_window(known));

    if (item->policy->algorithm == RL_CONCURRENT) {
        json_object_set_new(json, "window_ms", json_null());
        json_object_set_new(json, "reset_ms", json_null());

    } else {
        json_object_set_new(json, "window_ms",
                            ngx_http_ratelimit_api_figure(
                                            rl_window_ms(item->policy,
                                                         &item->quota,
                                                         &call->now)));
        json_object_set_new(json, "reset_ms",
                            ngx_http_ratelimit_api_figure(item->admitted
                                                      ? item->reset_ms
                                                      : item->retry_after_ms));
    }

    json_object_set_new(json, "retry_after_ms",
                        ngx_http_ratelimit_api_figure(item->retry_after_ms));
}


ngx_int_t
ngx_http_ratelimit_api_item(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy, rl_hash_t *bucket, rl_item_t *item)
{
    ngx_http_ratelimit_known_t  known;

    ngx_memzero(&known, sizeof(ngx_http_ratelimit_known_t));

    known.policy = policy;

    ngx_http_ratelimit_api_learn(call, &known, bucket);

    *item = known.item;

    return (item->quota.window_ms && !item->quota.unlimited) ? NGX_OK
                                                             : NGX_DECLINED;
}


static void
ngx_http_ratelimit_api_learn(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_known_t *known, rl_hash_t *bucket)
{
    rl_item_t     *item;
    rl_policy_t   *policy;
    rl_process_t  *process;

    item = &known->item;
    policy = &known->policy->core;

    item->policy = policy;
    item->bucket = *bucket;
    item->cost_units = 1;

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


static json_t *
ngx_http_ratelimit_api_top_key(ngx_http_ratelimit_api_call_t *call,
    rl_top_key_t *key)
{
    return json_pack("{s:I, s:I, s:o, s:o}",
               "requests_last_minute", (json_int_t) key->requests_last_minute,
               "requests", (json_int_t) key->requests,
               "first_seen", ngx_http_ratelimit_api_time(&call->now,
                                                         key->first_seen_ms),
               "last_seen", ngx_http_ratelimit_api_time(&call->now,
                                                        key->last_seen_ms));
}


/* "dry_run": the last one was let in all the same */

static json_t *
ngx_http_ratelimit_api_refused(ngx_http_ratelimit_api_call_t *call,
    rl_top_key_t *key)
{
    json_t  *json;

    json = ngx_http_ratelimit_api_top_key(call, key);
    json_object_set_new(json, "dry_run", json_boolean(key->dry_run));

    return json;
}


/* the key's own one; its policy's and zone's are not in it */

static json_t *
ngx_http_ratelimit_api_key_override(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy, uint64_t key_id)
{
    size_t         i, n;
    rl_override_t  overrides[RL_MAX_OVERRIDES];

    n = rl_overrides(policy->core.zone, &call->now, overrides);

    for (i = 0; i < n; i++) {
        if (overrides[i].id == key_id) {
            return ngx_http_ratelimit_api_override(call,
                                                  &policy->shm_zone->shm.name,
                                                  &overrides[i]);
        }
    }

    return json_null();
}


/* the latest that any of the sources has seen */

static json_t *
ngx_http_ratelimit_api_last_seen(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_known_t *known)
{
    uint64_t  last_ms;

    last_ms = 0;

    if (known->exists) {
        last_ms = known->stored.charged_ms;
    }

    if (known->was_refused) {
        last_ms = ngx_max(last_ms, known->refused.last_seen_ms);
    }

    if (known->was_admitted) {
        last_ms = ngx_max(last_ms, known->admitted.last_seen_ms);
    }

    return last_ms ? ngx_http_ratelimit_api_time(&call->now, last_ms)
                   : json_null();
}


/* as written, or as one would write it */

static json_t *
ngx_http_ratelimit_api_window(ngx_http_ratelimit_known_t *known)
{
    u_char       text[NGX_INT64_LEN + 3];
    ngx_str_t    window;
    ngx_uint_t   i;
    rl_quota_t  *quota;

    static struct {
        uint64_t  ms;
        char     *unit;
    } units[] = {
        { 86400000, "d" }, { 3600000, "h" }, { 60000, "m" }, { 1000, "s" },
        { 1, "ms" }
    };

    quota = &known->item.quota;

    if (!known->looked || known->policy->core.algorithm == RL_CONCURRENT) {
        return json_null();
    }

    if (known->limit_source == NGX_HTTP_RATELIMIT_LIMIT_CONF) {
        return json_stringn((char *) quota->window_text.data,
                            quota->window_text.len);
    }

    window.data = text;

    if (quota->window_months) {
        window.len = ngx_sprintf(text, "%uDM", quota->window_months) - text;
        return ngx_http_ratelimit_api_string(&window);
    }

    for (i = 0; quota->window_ms % units[i].ms; i++) { /* void */ }

    window.len = ngx_sprintf(text, "%uL%s", quota->window_ms / units[i].ms,
                             units[i].unit)
                 - text;

    return ngx_http_ratelimit_api_string(&window);
}
