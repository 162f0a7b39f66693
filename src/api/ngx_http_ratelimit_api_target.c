
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What an override is for, and what it says: the parameters of a request.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "request/ngx_http_ratelimit_log.h"
#include "api/ngx_http_ratelimit_api_target.h"


static ngx_int_t ngx_http_ratelimit_api_zone_target(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_target_t *target);
static ngx_int_t ngx_http_ratelimit_api_parse_value(
    ngx_http_ratelimit_api_call_t *call, rl_override_t *override);
static ngx_int_t ngx_http_ratelimit_api_parse_for(
    ngx_http_ratelimit_api_call_t *call, rl_override_t *override);


/* a zone, a policy, or a policy's key */

ngx_int_t
ngx_http_ratelimit_api_find_target(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_target_t *target)
{
    u_char                       *last, id[16];
    rl_hash_t                     bucket;
    ngx_http_ratelimit_policy_t  *policy;

    last = target->text + sizeof(target->text);

    if (call->args.zone.data) {
        return ngx_http_ratelimit_api_zone_target(call, target);
    }

    if (ngx_http_ratelimit_api_find_policy(call, &policy) != NGX_OK) {
        return NGX_DECLINED;
    }

    target->policy = policy;
    target->key_id = 0;
    target->zone = policy->shm_zone->data;

    if (call->args.id.data == NULL && call->args.keys.nelts == 0) {
        target->id = policy->core.secret.lo;
        target->len = ngx_slprintf(target->text, last, "policy \"%V\"",
                                   &policy->name)
                      - target->text;

        return NGX_OK;
    }

    if (ngx_http_ratelimit_api_find_bucket(call, policy, &bucket) != NGX_OK) {
        return NGX_DECLINED;
    }

    target->id = bucket.lo;
    target->key_id = rl_key_id(&policy->core, bucket.lo);

    rl_render_key_id(target->key_id, id);

    target->len = ngx_slprintf(target->text, last, "key %*s of policy \"%V\"",
                               sizeof(id), id, &policy->name)
                  - target->text;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_api_zone_target(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_target_t *target)
{
    u_char                     *last;
    ngx_str_t                   name;
    ngx_shm_zone_t             *shm_zone;
    ngx_http_ratelimit_zone_t  *zone;

    last = target->text + sizeof(target->text);
    name = call->args.zone;

    if (call->args.policy.data || call->args.id.data
        || call->args.keys.nelts)
    {
        return ngx_http_ratelimit_api_problem(call, NGX_HTTP_BAD_REQUEST,
                                              "\"zone=\" excludes "
                                              "\"policy=\" and keys");
    }

    shm_zone = ngx_http_ratelimit_find_zone(call->conf, &name);

    if (shm_zone == NULL) {
        name.len = ngx_min(name.len, NGX_HTTP_RATELIMIT_MAX_SHOWN);

        return ngx_http_ratelimit_api_problem(call, NGX_HTTP_NOT_FOUND,
                                              "unknown zone \"%V\"",
                                              &name);
    }

    zone = shm_zone->data;
    target->policy = NULL;
    target->key_id = 0;
    target->zone = zone;
    target->id = RL_OVERRIDE_ZONE;
    target->len = ngx_slprintf(target->text, last, "zone \"%V\"", &name)
                  - target->text;

    return NGX_OK;
}


ngx_int_t
ngx_http_ratelimit_api_find_stored(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_target_t *target)
{
    u_char     *p, *last;
    ngx_str_t   policy, id;

    policy = call->args.policy;
    id = call->args.id;

    if (call->args.zone.data || call->args.keys.nelts || policy.data == NULL) {
        return ngx_http_ratelimit_api_find_target(call, target);
    }

    ngx_memzero(target, sizeof(ngx_http_ratelimit_target_t));

    if (id.data
        && ngx_http_ratelimit_api_parse_id(call, &target->key_id) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    policy.len = ngx_min(policy.len, NGX_HTTP_RATELIMIT_MAX_SHOWN);
    last = target->text + sizeof(target->text);
    p = target->text;

    if (id.data) {
        p = ngx_slprintf(p, last, "key %V of ", &id);
    }

    p = ngx_slprintf(p, last, "policy \"%V\"", &policy);

    target->len = p - target->text;

    return NGX_OK;
}


ngx_int_t
ngx_http_ratelimit_api_parse_override(ngx_http_ratelimit_api_call_t *call,
    rl_override_t *override)
{
    ngx_memzero(override, sizeof(rl_override_t));

    return ngx_http_ratelimit_api_parse_value(call, override) == NGX_OK
           ? ngx_http_ratelimit_api_parse_for(call, override) : NGX_DECLINED;
}


static ngx_int_t
ngx_http_ratelimit_api_parse_value(ngx_http_ratelimit_api_call_t *call,
    rl_override_t *override)
{
    rl_str_t     text;
    const char  *allowed, *name;
    uint32_t     scale;

    scale = 0;

    if ((call->args.scale.data == NULL) == (call->args.quota.data == NULL)) {
        return ngx_http_ratelimit_api_problem(call, NGX_HTTP_BAD_REQUEST,
                                              "either \"scale=\" or "
                                              "\"quota=\" is needed");
    }

    if (call->args.scale.data) {
        name = "scale";
        text = ngx_http_ratelimit_str(&call->args.scale);
        override->kind = RL_OVERRIDE_SCALE;

        /* empty is 100 % in a policy, where a variable may be */

        if (text.len == 0) {
            ngx_str_set(&call->args.scale, "-");
            text = ngx_http_ratelimit_str(&call->args.scale);
        }

        allowed = rl_parse_scale(text, &scale);
        override->value = scale;

    } else {
        name = "quota";
        text = ngx_http_ratelimit_str(&call->args.quota);
        override->kind = RL_OVERRIDE_UNITS;
        allowed = rl_parse_units(text, &override->value);

        if (allowed && text.len == 9
            && ngx_strncmp(text.data, "unlimited", 9) == 0)
        {
            override->kind = RL_OVERRIDE_UNLIMITED;
            allowed = NULL;
        }
    }

    if (allowed) {
        return ngx_http_ratelimit_api_problem(call, NGX_HTTP_BAD_REQUEST,
                                              "invalid \"%s=\", it %s%s", name,
                                              allowed,
                                              call->args.quota.data
                                              ? ", or \"unlimited\"" : "");
    }

    return NGX_OK;
}


/* without "for=" it holds until it is cleared */

static ngx_int_t
ngx_http_ratelimit_api_parse_for(ngx_http_ratelimit_api_call_t *call,
    rl_override_t *override)
{
    rl_quota_t   quota;
    const char  *allowed;

    override->until_ms = 0;

    if (call->args.duration.data == NULL) {
        return NGX_OK;
    }

    allowed = rl_parse_window(ngx_http_ratelimit_str(&call->args.duration), 0,
                              &quota);
    if (allowed) {
        return ngx_http_ratelimit_api_problem(call, NGX_HTTP_BAD_REQUEST,
                                              "invalid \"for=\", it %s",
                                              allowed);
    }

    override->until_ms = quota.window_ms;

    return NGX_OK;
}
