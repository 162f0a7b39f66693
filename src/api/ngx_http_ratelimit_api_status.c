
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The whole state as JSON: zones, policies and what they have decided.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "key/ngx_http_ratelimit_part.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "shared/ngx_http_ratelimit_redis.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "api/ngx_http_ratelimit_api.h"


/* a policy takes some 24 microseconds */

#define NGX_HTTP_RATELIMIT_API_POLICIES  16


static ngx_int_t ngx_http_ratelimit_api_status_turn(
    ngx_http_ratelimit_api_call_t *call);
static json_t *ngx_http_ratelimit_api_zones(
    ngx_http_ratelimit_api_call_t *call);
static json_t *ngx_http_ratelimit_api_policy(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy);
static json_t *ngx_http_ratelimit_api_quota(
    ngx_http_ratelimit_policy_t *policy);
static json_t *ngx_http_ratelimit_api_texts(ngx_array_t *values, size_t size);


ngx_int_t
ngx_http_ratelimit_api_status(ngx_http_ratelimit_api_call_t *call)
{
    json_t  *json;

    json = json_pack("{s:s, s:s, s:i, s:I, s:b, s:o}",
               "version", NGX_HTTP_RATELIMIT_VERSION,
               "nginx", NGINX_VERSION,
               "worker", (int) ngx_pid,
               "now_ms", (json_int_t) call->now.wall_ms,
               "write", (int) call->api->write,
               "zones", ngx_http_ratelimit_api_zones(call));

    if (call->conf->redises.nelts) {
        json_object_set_new(json, "redis",
                            ngx_http_ratelimit_api_redises(call));
    }

    if (ngx_http_ratelimit_api_add_json(call, json, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* more members follow instead of the end */

    call->last->buf->last -= sizeof("\n}") - 1;

    if (ngx_http_ratelimit_api_add_text(call, ",\n  \"policies\": [")
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_ratelimit_api_turns(call,
                                        ngx_http_ratelimit_api_status_turn);
}


static ngx_int_t
ngx_http_ratelimit_api_status_turn(ngx_http_ratelimit_api_call_t *call)
{
    ngx_uint_t                     i, n, end;
    ngx_http_ratelimit_policy_t  **policies;

    policies = call->conf->policies.elts;
    n = call->conf->policies.nelts;
    i = call->next;
    end = ngx_http_ratelimit_api_slice(&call->next, n,
                                       NGX_HTTP_RATELIMIT_API_POLICIES);

    for ( /* void */ ; i < end; i++) {
        if (ngx_http_ratelimit_api_add_text(call, i ? ",\n    " : "\n    ")
            != NGX_OK
            || ngx_http_ratelimit_api_add_json(call,
                           ngx_http_ratelimit_api_policy(call, policies[i]),
                                  4)
               != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (end < n) {
        return NGX_AGAIN;
    }

    if (ngx_http_ratelimit_api_add_text(call, n ? "\n  ],\n  \"overrides\": "
                                                : "],\n  \"overrides\": ")
        != NGX_OK
        || ngx_http_ratelimit_api_add_json(call,
                                  ngx_http_ratelimit_api_list_overrides(call),
                                      2)
           != NGX_OK
        || ngx_http_ratelimit_api_add_text(call, "\n}\n") != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_ratelimit_api_send(call, NGX_HTTP_OK, "application/json",
                                       call->out);
}


static json_t *
ngx_http_ratelimit_api_zones(ngx_http_ratelimit_api_call_t *call)
{
    json_t                     *json, *entry;
    ngx_uint_t                  i;
    ngx_shm_zone_t            **zones;
    rl_zone_stats_t            *stats;
    ngx_http_ratelimit_zone_t  *zone;

    json = json_array();
    zones = call->conf->zones.elts;

    for (i = 0; i < call->conf->zones.nelts; i++) {
        stats = &call->zones[i];

        zone = zones[i]->data;

        entry = json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
                    "name", ngx_http_ratelimit_api_string(&zones[i]->shm.name),
                    "size_bytes", (json_int_t) zones[i]->shm.size,
                    "capacity", (json_int_t) stats->capacity,
                    "entries", (json_int_t) stats->entries,
                    "active", (json_int_t) stats->active,
                    "evicted_idle", (json_int_t) stats->evicted_idle,
                    "evicted_active", (json_int_t) stats->evicted_active,
                    "lock_recoveries", (json_int_t) stats->lock_recoveries);

        ngx_http_ratelimit_api_state_age(call, zones[i], entry);

        if (zone->redis) {
            json_object_set_new(entry, "redis",
                          ngx_http_ratelimit_api_string(&zone->redis->name));
        }

        json_array_append_new(json, entry);
    }

    return json;
}


static json_t *
ngx_http_ratelimit_api_policy(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy)
{
    uint64_t   counts[RL_COUNTERS];
    json_t    *requests, *units;

    rl_counts(&policy->core, counts);

    requests = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}",
                   "admitted", (json_int_t) counts[RL_COUNT_ADMITTED],
                   "refused", (json_int_t) counts[RL_COUNT_REFUSED],
                   "refused_dry_run", (json_int_t) counts[RL_COUNT_DRY_RUN],
                   "bypassed", (json_int_t) counts[RL_COUNT_BYPASSED],
                   "refunded", (json_int_t) counts[RL_COUNT_REFUNDED],
                   "errors", (json_int_t) counts[RL_COUNT_ERRORS]);

    units = json_pack("{s:I, s:I, s:I}",
                      "reserved", (json_int_t) counts[RL_COUNT_RESERVED],
                      "settled", (json_int_t) counts[RL_COUNT_SETTLED],
                      "returned", (json_int_t) counts[RL_COUNT_RETURNED]);

    return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:b, s:I, s:I, s:I, s:o, "
                     "s:o, s:o}",
               "name", ngx_http_ratelimit_api_string(&policy->name),
               "zone", ngx_http_ratelimit_api_string(
                                             &policy->shm_zone->shm.name),
               "algorithm", rl_algorithm_name(policy->core.algorithm),
               "key", ngx_http_ratelimit_api_texts(&policy->partition->parts,
                                         sizeof(ngx_http_ratelimit_part_t)),
               "quota", ngx_http_ratelimit_api_quota(policy),
               "scale", ngx_http_ratelimit_api_texts(&policy->scales,
                                         sizeof(ngx_http_ratelimit_value_t *)),
               "hidden", policy->core.hidden,
               "bans", (json_int_t) rl_bans(&policy->core),
               "banned", (json_int_t) ngx_http_ratelimit_api_banned(call,
                                                                    policy),
               "waiting", (json_int_t) rl_waiting(
                                 ngx_http_ratelimit_process(call->conf),
                                 &policy->core),
               "refused_keys", ngx_http_ratelimit_api_refused_keys(call,
                                                                   policy),
               "requests", requests,
               "units", units);
}


/* as configured */

static json_t *
ngx_http_ratelimit_api_quota(ngx_http_ratelimit_policy_t *policy)
{
    u_char       text[2 * NGX_INT64_LEN + 3];
    ngx_str_t    quota;
    rl_quota_t  *constant;

    if (policy->quota) {
        return ngx_http_ratelimit_api_string(
                                 ngx_http_ratelimit_value_text(policy->quota));
    }

    constant = &policy->constant_quota;

    if (constant->unlimited) {
        return json_string("unlimited");
    }

    quota.data = text;

    if (policy->core.algorithm == RL_CONCURRENT) {
        quota.len = rl_render_u64(constant->units, text);
        return ngx_http_ratelimit_api_string(&quota);
    }

    quota.len = ngx_snprintf(text, sizeof(text), "%uL/%*s", constant->units,
                             constant->window_text.len,
                             constant->window_text.data)
                - text;

    return ngx_http_ratelimit_api_string(&quota);
}


/* of structs that begin with a value's pointer: what was written */

static json_t *
ngx_http_ratelimit_api_texts(ngx_array_t *values, size_t size)
{
    u_char                      *p;
    json_t                      *json;
    ngx_uint_t                   i;
    ngx_http_ratelimit_value_t  *value;

    json = json_array();
    p = values->elts;

    for (i = 0; i < values->nelts; i++) {
        value = *(ngx_http_ratelimit_value_t **) (p + i * size);
        json_array_append_new(json, ngx_http_ratelimit_api_string(
                                       ngx_http_ratelimit_value_text(value)));
    }

    return json;
}
