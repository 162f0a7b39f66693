
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * One key's bucket as JSON.
 */


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "api/ngx_http_ratelimit_api.h"
#include "api/ngx_http_ratelimit_api_known.h"


static void ngx_http_ratelimit_api_add_figures(
    ngx_http_ratelimit_api_call_t *call, json_t *json,
    ngx_http_ratelimit_known_t *known);
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

    ngx_http_ratelimit_api_learn(call, policy, bucket, &known);

    item = &known.item;

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
