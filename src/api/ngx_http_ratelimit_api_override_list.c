
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The overrides that are set, as JSON.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "api/ngx_http_ratelimit_api.h"


static int ngx_http_ratelimit_api_in_force(ngx_http_ratelimit_api_call_t *call,
    ngx_str_t *name, rl_override_t *override);


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
