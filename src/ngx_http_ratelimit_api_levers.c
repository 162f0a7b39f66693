
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What an operator changes at run time: "scale=" of a zone, a policy or a key,
 * "quota=" (units, or "unlimited") of a policy or a key, "for=" a time.
 */


#include "ngx_http_ratelimit_api.h"


/* what a lever is to be set on */

typedef struct {
    const rl_zone_t             *zone;
    uint64_t                     id;
    u_char                       text[512];  /* for the log */
    size_t                       len;
} ngx_http_ratelimit_target_t;


static ngx_int_t ngx_http_ratelimit_api_find_target(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_target_t *target);
static ngx_int_t ngx_http_ratelimit_api_lever_busy(
    ngx_http_ratelimit_api_call_t *call);
static ngx_int_t ngx_http_ratelimit_api_parse_lever(
    ngx_http_ratelimit_api_call_t *call, rl_lever_t *lever);
static ngx_int_t ngx_http_ratelimit_api_parse_for(
    ngx_http_ratelimit_api_call_t *call, rl_lever_t *lever);


ngx_int_t
ngx_http_ratelimit_api_put_lever(ngx_http_ratelimit_api_call_t *call)
{
    int                           rc;
    rl_lever_t                    lever;
    rl_process_t                 *process;
    ngx_http_ratelimit_target_t   target;

    if (ngx_http_ratelimit_api_find_target(call, &target) != NGX_OK
        || ngx_http_ratelimit_api_parse_lever(call, &lever) != NGX_OK
        || ngx_http_ratelimit_api_parse_for(call, &lever) != NGX_OK)
    {
        return call->rc;
    }

    lever.id = target.id;

    if (lever.kind != RL_LEVER_SCALE && lever.id == RL_LEVER_ZONE) {
        ngx_http_ratelimit_api_problem(call, NGX_HTTP_BAD_REQUEST,
                                       "a zone has no quota, only \"scale=\"");
        return call->rc;
    }

    process = ngx_http_ratelimit_process(call->conf);

    rc = process ? rl_lever_set(process, target.zone, &lever, &call->now)
                 : RL_BUSY;

    if (rc == RL_ERROR) {
        ngx_http_ratelimit_api_problem(call, NGX_HTTP_SERVICE_UNAVAILABLE,
                                       "a zone has no more than %d levers",
                                       (int) RL_MAX_LEVERS);
        return call->rc;
    }

    if (rc == RL_BUSY) {
        return ngx_http_ratelimit_api_lever_busy(call);
    }

    ngx_http_ratelimit_api_log(call, "lever of %*s set to %V%s%V",
                               target.len, target.text,
                               call->args.scale.data ? &call->args.scale
                                                     : &call->args.quota,
                               lever.until_ms ? " for " : "",
                               &call->args.duration);

    return ngx_http_ratelimit_api_levers(call);
}


ngx_int_t
ngx_http_ratelimit_api_delete_lever(ngx_http_ratelimit_api_call_t *call)
{
    int                           rc;
    rl_process_t                 *process;
    ngx_http_ratelimit_target_t   target;

    if (ngx_http_ratelimit_api_find_target(call, &target) != NGX_OK) {
        return call->rc;
    }

    process = ngx_http_ratelimit_process(call->conf);

    rc = process ? rl_lever_clear(process, target.zone, target.id) : RL_BUSY;

    if (rc == RL_ERROR) {
        ngx_http_ratelimit_api_problem(call, NGX_HTTP_NOT_FOUND,
                                       "there is no lever");
        return call->rc;
    }

    if (rc == RL_BUSY) {
        return ngx_http_ratelimit_api_lever_busy(call);
    }

    ngx_http_ratelimit_api_log(call, "lever of %*s cleared", target.len,
                               target.text);

    return ngx_http_ratelimit_api_levers(call);
}


static ngx_int_t
ngx_http_ratelimit_api_lever_busy(ngx_http_ratelimit_api_call_t *call)
{
    ngx_http_ratelimit_api_problem(call, NGX_HTTP_SERVICE_UNAVAILABLE,
                                   "the zone is held by a stopped process");
    return call->rc;
}


/* a zone, a policy, or a policy's key */

static ngx_int_t
ngx_http_ratelimit_api_find_target(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_target_t *target)
{
    u_char                       *last, id[16];
    ngx_str_t                     name;
    rl_hash_t                     bucket;
    ngx_shm_zone_t               *shm_zone;
    ngx_http_ratelimit_zone_t    *zone;
    ngx_http_ratelimit_policy_t  *policy;

    last = target->text + sizeof(target->text);
    name = call->args.zone;

    if (name.data) {
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
        target->zone = &zone->zone;
        target->id = RL_LEVER_ZONE;
        target->len = ngx_slprintf(target->text, last, "zone \"%V\"", &name)
                      - target->text;

        return NGX_OK;
    }

    if (ngx_http_ratelimit_api_find_policy(call, &policy) != NGX_OK) {
        return NGX_DECLINED;
    }

    target->zone = policy->core.zone;

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

    rl_render_key_id(bucket.lo, id);

    target->id = bucket.lo;
    target->len = ngx_slprintf(target->text, last, "key %*s of policy \"%V\"",
                               sizeof(id), id, &policy->name)
                  - target->text;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_api_parse_lever(ngx_http_ratelimit_api_call_t *call,
    rl_lever_t *lever)
{
    rl_str_t     text;
    const char  *allowed, *name;

    ngx_memzero(lever, sizeof(rl_lever_t));

    if ((call->args.scale.data == NULL) == (call->args.quota.data == NULL)) {
        return ngx_http_ratelimit_api_problem(call, NGX_HTTP_BAD_REQUEST,
                                              "either \"scale=\" or "
                                              "\"quota=\" is needed");
    }

    if (call->args.scale.data) {
        name = "scale";
        text = ngx_http_ratelimit_str(&call->args.scale);
        lever->kind = RL_LEVER_SCALE;

        /* empty is 100 % in a policy, where a variable may be */

        if (text.len == 0) {
            ngx_str_set(&call->args.scale, "-");
            text = ngx_http_ratelimit_str(&call->args.scale);
        }

        allowed = rl_parse_scale(text, &lever->value);

    } else {
        name = "quota";
        text = ngx_http_ratelimit_str(&call->args.quota);
        lever->kind = RL_LEVER_UNITS;
        allowed = rl_parse_units(text, &lever->value);

        if (allowed && text.len == 9
            && ngx_strncmp(text.data, "unlimited", 9) == 0)
        {
            lever->kind = RL_LEVER_UNLIMITED;
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
    rl_lever_t *lever)
{
    rl_quota_t   quota;
    const char  *allowed;

    lever->until_ms = 0;

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

    lever->until_ms = call->now.mono_ms + quota.window_ms;

    return NGX_OK;
}
