
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The whole state as JSON: zones, policies and what they have decided,
 * overrides.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "zone/ngx_http_ratelimit_zone.h"
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
static int ngx_http_ratelimit_api_in_force(ngx_http_ratelimit_api_call_t *call,
    ngx_str_t *name, rl_override_t *override);


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


ngx_int_t
ngx_http_ratelimit_api_overrides(ngx_http_ratelimit_api_call_t *call)
{
    return ngx_http_ratelimit_api_send_json(call, NGX_HTTP_OK,
               json_pack("{s:o}", "overrides",
                         ngx_http_ratelimit_api_list_overrides(call)));
}


json_t *
ngx_http_ratelimit_api_list_overrides(ngx_http_ratelimit_api_call_t *call)
{
    json_t                     *json;
    size_t                      j, n;
    ngx_uint_t                  i;
    rl_override_t               overrides[RL_MAX_OVERRIDES];
    ngx_shm_zone_t            **zones;
    ngx_http_ratelimit_zone_t  *zone;

    json = json_array();
    zones = call->conf->zones.elts;

    for (i = 0; i < call->conf->zones.nelts; i++) {
        zone = zones[i]->data;
        n = rl_overrides(&zone->zone, &call->now, overrides);

        for (j = 0; j < n; j++) {
            if (overrides[j].kind == RL_OVERRIDE_RESET) {
                continue;
            }

            json_array_append_new(json,
                                ngx_http_ratelimit_api_override(call,
                                                &zone->name, &overrides[j]));
        }
    }

    return json;
}


/* with whose it is, although that policy may be gone */

json_t *
ngx_http_ratelimit_api_override(ngx_http_ratelimit_api_call_t *call,
    ngx_str_t *zone, rl_override_t *override)
{
    json_t                       *json;
    ngx_str_t                     policy;
    ngx_http_ratelimit_policy_t  *known;

    policy = ngx_http_ratelimit_api_override_policy(override);

    json = json_pack("{s:o, s:o, s:o, s:b, s:o}",
               "zone", ngx_http_ratelimit_api_string(zone),
               "policy", policy.len ? ngx_http_ratelimit_api_string(&policy)
                                    : json_null(),
               "key_id", override->key_id
                         ? ngx_http_ratelimit_api_key_id(override->key_id)
                         : json_null(),
               "in_force", ngx_http_ratelimit_api_in_force(call, &policy,
                                                           override),
               "until", override->until_ms
                        ? ngx_http_ratelimit_api_time(&call->now,
                                                      override->until_ms)
                        : json_null());

    known = ngx_http_ratelimit_find_policy(call->conf, &policy);

    if (override->key_id && known && known->label) {
        json_object_set_new(json, "label",
                            ngx_http_ratelimit_api_key_label(known,
                                                             override->id));
    }

    switch (override->kind) {

    case RL_OVERRIDE_SCALE:
        json_object_set_new(json, "scale_percent",
                            json_real((double) override->value / 1000));
        break;

    case RL_OVERRIDE_UNITS:
        json_object_set_new(json, "quota_units",
                            json_integer(override->value));
        break;

    default: /* RL_OVERRIDE_UNLIMITED */
        json_object_set_new(json, "unlimited", json_true());
    }

    return json;
}


/* null: it has none, or is not listed */

json_t *
ngx_http_ratelimit_api_key_label(ngx_http_ratelimit_policy_t *policy,
    uint64_t key_id)
{
    u_char     buf[RL_LABEL_LEN];
    ngx_str_t  label;

    label.data = buf;
    label.len = rl_key_label(&policy->core, key_id, buf);

    return label.len ? ngx_http_ratelimit_api_string(&label) : json_null();
}


ngx_str_t
ngx_http_ratelimit_api_override_policy(rl_override_t *override)
{
    ngx_str_t  name;

    name.data = (u_char *) override->policy;
    name.len = strnlen(override->policy, sizeof(override->policy));

    return name;
}


/* not if its policy is gone, or has another algorithm or key now */

static int
ngx_http_ratelimit_api_in_force(ngx_http_ratelimit_api_call_t *call,
    ngx_str_t *name, rl_override_t *override)
{
    ngx_http_ratelimit_policy_t  *policy;

    if (override->id == RL_OVERRIDE_ZONE) {
        return 1;
    }

    policy = ngx_http_ratelimit_find_policy(call->conf, name);

    return policy
           && override->id == (override->key_id
                            ? rl_key_id(&policy->core, override->key_id)
                            : policy->core.secret.lo);
}


/* configured names may be anything, JSON is UTF-8 */

json_t *
ngx_http_ratelimit_api_string(ngx_str_t *text)
{
    u_char   *ascii;
    size_t    i;
    json_t   *json;

    json = json_stringn((char *) text->data, text->len);

    if (json || text->len == 0) {
        return json;
    }

    ascii = ngx_alloc(text->len, ngx_cycle->log);
    if (ascii == NULL) {
        return NULL;
    }

    for (i = 0; i < text->len; i++) {
        ascii[i] = text->data[i] < 0x80 ? text->data[i] : '?';
    }

    json = json_stringn((char *) ascii, text->len);

    ngx_free(ascii);

    return json;
}


json_t *
ngx_http_ratelimit_api_key_id(uint64_t key_id)
{
    u_char  id[16];

    rl_render_key_id(key_id, id);

    return json_stringn((char *) id, sizeof(id));
}


/* Unix seconds of a monotonic time */

json_t *
ngx_http_ratelimit_api_time(rl_time_t *now, uint64_t mono_ms)
{
    return json_integer((json_int_t) (now->wall_ms + mono_ms - now->mono_ms)
                        / 1000);
}
