
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What an operator changes at run time: "scale=" of a zone, a policy or a key,
 * "quota=" (units, or "unlimited") of a policy or a key, "for=" a time.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "api/ngx_http_ratelimit_api_target.h"


static ngx_uint_t ngx_http_ratelimit_api_is_target(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_target_t *target,
    ngx_http_ratelimit_zone_t *zone, rl_override_t *override);
static ngx_int_t ngx_http_ratelimit_api_set_override(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_zone_t *zone,
    rl_override_t *override, ngx_str_t *what);
static ngx_int_t ngx_http_ratelimit_api_clear_overrides(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_target_t *target,
    ngx_http_ratelimit_api_changes_t *changes, ngx_uint_t *cleared);
static ngx_int_t ngx_http_ratelimit_api_clear_override(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_zone_t *zone,
    rl_override_t *override, ngx_http_ratelimit_api_changes_t *changes);
static ngx_int_t ngx_http_ratelimit_api_override_busy(
    ngx_http_ratelimit_api_call_t *call);


ngx_int_t
ngx_http_ratelimit_api_put_override(ngx_http_ratelimit_api_call_t *call)
{
    ngx_str_t                    what;
    rl_override_t                override;
    ngx_http_ratelimit_target_t  target;

    if (ngx_http_ratelimit_api_find_target(call, &target) != NGX_OK
        || ngx_http_ratelimit_api_parse_override(call, &override) != NGX_OK)
    {
        return call->rc;
    }

    override.id = target.id;
    override.key_id = target.key_id;

    if (target.policy) {
        if (target.policy->name.len > sizeof(override.policy)) {
            ngx_http_ratelimit_api_problem(call, NGX_HTTP_INSUFFICIENT_STORAGE,
                                           "a policy whose name is longer "
                                           "than %d can have no override",
                                           (int) sizeof(override.policy));
            return call->rc;
        }

        ngx_memcpy(override.policy, target.policy->name.data,
                   target.policy->name.len);
    }

    if (override.kind != RL_OVERRIDE_SCALE
        && override.id == RL_OVERRIDE_ZONE)
    {
        ngx_http_ratelimit_api_problem(call, NGX_HTTP_BAD_REQUEST,
                                       "a zone has no quota, only \"scale=\"");
        return call->rc;
    }

    what = ngx_http_ratelimit_api_what(call, "override of %*s set to %V%s%V",
                                       target.len, target.text,
                                       call->args.scale.data
                                       ? &call->args.scale : &call->args.quota,
                                       override.until_ms ? " for " : "",
                                       &call->args.duration);

    return what.data ? ngx_http_ratelimit_api_set_override(call, target.zone,
                                                           &override, &what)
                     : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* until_ms is from now on, or 0 */

static ngx_int_t
ngx_http_ratelimit_api_set_override(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_zone_t *zone, rl_override_t *override, ngx_str_t *what)
{
    int                                rc;
    rl_process_t                      *process;
    ngx_http_ratelimit_api_changes_t  *changes;

    if (zone->redis) {
        changes = ngx_http_ratelimit_api_changes(call,
                                            ngx_http_ratelimit_api_overrides);

        return (changes
                && ngx_http_ratelimit_api_add_change(changes, zone, override)
                   == NGX_OK)
               ? ngx_http_ratelimit_api_make_changes(changes, what)
               : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    process = ngx_http_ratelimit_process(call->conf);

    if (process == NULL) {
        return ngx_http_ratelimit_api_no_place(call);
    }

    if (override->until_ms) {
        override->until_ms += call->now.mono_ms;
    }

    rc = rl_override_set(process, &zone->zone, override, &call->now);

    if (rc == RL_ERROR) {
        return ngx_http_ratelimit_api_no_room(call);
    }

    if (rc == RL_TIMEOUT) {
        return ngx_http_ratelimit_api_override_busy(call);
    }

    ngx_http_ratelimit_api_log(call, "%V", what);

    return ngx_http_ratelimit_api_overrides(call);
}


ngx_int_t
ngx_http_ratelimit_api_no_room(ngx_http_ratelimit_api_call_t *call)
{
    ngx_http_ratelimit_api_problem(call, NGX_HTTP_INSUFFICIENT_STORAGE,
                                   "a zone has no more than %d overrides, "
                                   "delete one", (int) RL_MAX_OVERRIDES);
    return call->rc;
}


/*
 * By what was stored: a policy that has gone, or has another key now, has
 * overrides still.  A key by its value is one of a policy that is there.
 */

ngx_int_t
ngx_http_ratelimit_api_delete_override(ngx_http_ratelimit_api_call_t *call)
{
    ngx_str_t                          what;
    ngx_uint_t                         cleared;
    ngx_http_ratelimit_target_t        target;
    ngx_http_ratelimit_api_changes_t  *changes;

    if (ngx_http_ratelimit_api_find_stored(call, &target) != NGX_OK) {
        return call->rc;
    }

    what = ngx_http_ratelimit_api_what(call, "override of %*s cleared",
                                       target.len, target.text);

    changes = ngx_http_ratelimit_api_changes(call,
                                            ngx_http_ratelimit_api_overrides);

    if (what.data == NULL || changes == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cleared = 0;

    if (ngx_http_ratelimit_api_clear_overrides(call, &target, changes,
                                               &cleared)
        != NGX_OK)
    {
        return call->rc;
    }

    if (cleared == 0) {
        ngx_http_ratelimit_api_problem(call, NGX_HTTP_NOT_FOUND,
                                       "there is no override");
        return call->rc;
    }

    return ngx_http_ratelimit_api_make_changes(changes, &what);
}


static ngx_int_t
ngx_http_ratelimit_api_clear_overrides(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_target_t *target,
    ngx_http_ratelimit_api_changes_t *changes, ngx_uint_t *cleared)
{
    size_t                       j, n;
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    rl_override_t                overrides[RL_MAX_OVERRIDES];
    ngx_shm_zone_t             **zones;
    ngx_http_ratelimit_zone_t   *zone;

    zones = call->conf->zones.elts;

    for (i = 0; i < call->conf->zones.nelts; i++) {
        zone = zones[i]->data;
        n = rl_overrides(&zone->zone, &call->now, overrides);

        for (j = 0; j < n; j++) {
            if (!ngx_http_ratelimit_api_is_target(call, target, zone,
                                                  &overrides[j]))
            {
                continue;
            }

            rc = ngx_http_ratelimit_api_clear_override(call, zone,
                                                       &overrides[j],
                                                       changes);
            if (rc == NGX_ERROR) {
                return rc;
            }

            *cleared += (rc == NGX_OK);
        }
    }

    return NGX_OK;
}


/* NGX_DECLINED: somebody else has just done it */

static ngx_int_t
ngx_http_ratelimit_api_clear_override(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_zone_t *zone, rl_override_t *override,
    ngx_http_ratelimit_api_changes_t *changes)
{
    int            rc;
    rl_process_t  *process;

    if (zone->redis) {
        override->kind = RL_OVERRIDE_CLEARED;
        override->value = 0;
        override->until_ms = 0;

        return ngx_http_ratelimit_api_add_change(changes, zone, override);
    }

    process = ngx_http_ratelimit_process(call->conf);

    if (process == NULL) {
        (void) ngx_http_ratelimit_api_no_place(call);
        return NGX_ERROR;
    }

    rc = rl_override_clear(process, &zone->zone, override->id);

    if (rc == RL_TIMEOUT) {
        (void) ngx_http_ratelimit_api_override_busy(call);
        return NGX_ERROR;
    }

    return rc == RL_OK ? NGX_OK : NGX_DECLINED;
}


static ngx_uint_t
ngx_http_ratelimit_api_is_target(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_target_t *target, ngx_http_ratelimit_zone_t *zone,
    rl_override_t *override)
{
    ngx_str_t  name;

    if (target->zone) {
        return target->zone == zone && target->id == override->id;
    }

    name = ngx_http_ratelimit_api_override_policy(override);

    return name.len && name.len == call->args.policy.len
           && ngx_memcmp(name.data, call->args.policy.data, name.len) == 0
           && target->key_id == override->key_id;
}


static ngx_int_t
ngx_http_ratelimit_api_override_busy(ngx_http_ratelimit_api_call_t *call)
{
    ngx_http_ratelimit_api_problem(call, NGX_HTTP_SERVICE_UNAVAILABLE,
                                   "the zone is held by a stopped process");
    return call->rc;
}
