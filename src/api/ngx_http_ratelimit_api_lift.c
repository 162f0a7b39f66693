
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Lifting a ban that machines share: in Redis, from where all machines learn
 * of it, and then the key is reset, as far as its name there is known.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "shared/ngx_http_ratelimit_bans.h"
#include "api/ngx_http_ratelimit_api.h"
#include "api/ngx_http_ratelimit_api_known.h"


typedef struct {
    ngx_http_ratelimit_api_call_t  *call;
    ngx_http_ratelimit_policy_t    *policy;
    rl_hash_t                       bucket;
    ngx_http_ratelimit_ban_call_t  *ban_call; /* NULL: it has ended */
    ngx_int_t                       rc;
    u_char                          why[200];
    size_t                          why_len;
    unsigned                        banned:1;
} ngx_http_ratelimit_api_lift_t;


static void ngx_http_ratelimit_api_lift_done(
    ngx_http_ratelimit_ban_call_t *ban_call);
static ngx_int_t ngx_http_ratelimit_api_lifted(
    ngx_http_ratelimit_api_call_t *call);
static ngx_uint_t ngx_http_ratelimit_api_lifted_item(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_api_lift_t *lift,
    rl_item_t *item);
static void ngx_http_ratelimit_api_lift_cleanup(void *data);


ngx_int_t
ngx_http_ratelimit_api_lift(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy, rl_hash_t *bucket, ngx_uint_t banned)
{
    ngx_int_t                       rc;
    ngx_http_cleanup_t             *cln;
    ngx_http_ratelimit_zone_t      *zone;
    ngx_http_ratelimit_api_lift_t  *lift;

    zone = policy->shm_zone->data;

    lift = ngx_pcalloc(call->request->pool,
                       sizeof(ngx_http_ratelimit_api_lift_t));
    cln = ngx_http_cleanup_add(call->request, 0);

    if (lift == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_ratelimit_api_later(call, ngx_http_ratelimit_api_lifted);

    if (rc != NGX_DONE) {
        return rc;
    }

    cln->handler = ngx_http_ratelimit_api_lift_cleanup;
    cln->data = lift;

    lift->call = call;
    lift->policy = policy;
    lift->bucket = *bucket;
    lift->banned = banned;
    lift->rc = NGX_DECLINED;

    call->data = lift;

    lift->ban_call = ngx_http_ratelimit_create_ban_call(zone->redis,
                                                        &policy->core, bucket);
    if (lift->ban_call == NULL) {
        ngx_post_event(&call->event, &ngx_posted_events);
        return rc;
    }

    lift->ban_call->done = ngx_http_ratelimit_api_lift_done;
    lift->ban_call->data = lift;

    ngx_http_ratelimit_lift_ban(lift->ban_call);

    return rc;
}


static void
ngx_http_ratelimit_api_lift_done(ngx_http_ratelimit_ban_call_t *ban_call)
{
    rl_time_t                       now;
    ngx_http_ratelimit_api_lift_t  *lift;

    if (ban_call->rc == NGX_OK && ban_call->ban.policy_id) {
        ngx_http_ratelimit_now(&now);

        /* where the lock is not to be had the feed tells it once more */

        (void) rl_take_ban(&ngx_http_ratelimit_this_process, ban_call->policy,
                           &ban_call->ban, &now);
    }

    lift = ban_call->data;

    if (lift == NULL) {
        return;
    }

    lift->ban_call = NULL;
    lift->rc = ban_call->rc;

    if (ban_call->why) {
        lift->why_len = ngx_min(ngx_strlen(ban_call->why), sizeof(lift->why));
        ngx_memcpy(lift->why, ban_call->why, lift->why_len);
    }

    if (lift->call->args.id.data) {
        lift->bucket.hi = ban_call->ban.bucket.hi;
    }

    ngx_post_event(&lift->call->event, &ngx_posted_events);
}


static ngx_int_t
ngx_http_ratelimit_api_lifted(ngx_http_ratelimit_api_call_t *call)
{
    u_char                          id[16];
    ngx_str_t                       why;
    rl_item_t                       item;
    ngx_http_ratelimit_api_lift_t  *lift;

    lift = call->data;

    if (lift->rc != NGX_OK) {
        why.data = lift->why;
        why.len = lift->why_len;

        return ngx_http_ratelimit_api_not_changed(call, lift->rc, &why);
    }

    if (lift->banned) {
        rl_render_key_id(rl_key_id(&lift->policy->core, lift->bucket.lo), id);

        ngx_http_ratelimit_api_log(call,
                                   "ban of key %*s of policy \"%V\" lifted",
                                   sizeof(id), id, &lift->policy->name);
    }

    if (!ngx_http_ratelimit_api_lifted_item(call, lift, &item)) {
        return ngx_http_ratelimit_api_send_key(call, lift->policy,
                                               &lift->bucket);
    }

    return ngx_http_ratelimit_api_reset_shared_item(call, lift->policy, &item);
}


/* a machine that has told of the ban anew may not have known its whole name */

static ngx_uint_t
ngx_http_ratelimit_api_lifted_item(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_api_lift_t *lift, rl_item_t *item)
{
    ngx_http_ratelimit_zone_t  *zone;

    if (ngx_http_ratelimit_api_item(call, lift->policy, &lift->bucket, item)
        != NGX_OK)
    {
        return 0;
    }

    zone = lift->policy->shm_zone->data;

    return call->args.id.data == NULL || lift->bucket.hi > 0xff
           || rl_leases_bucket(zone->leases, item);
}


static void
ngx_http_ratelimit_api_lift_cleanup(void *data)
{
    ngx_http_ratelimit_api_lift_t *lift = data;

    if (lift->ban_call) {
        lift->ban_call->data = NULL;
    }
}
