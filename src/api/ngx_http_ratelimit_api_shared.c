
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Keys of a policy that machines share: what Redis has of them, beside what is
 * known here.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "shared/ngx_http_ratelimit_look.h"
#include "api/ngx_http_ratelimit_api.h"
#include "api/ngx_http_ratelimit_api_known.h"


typedef struct {
    ngx_http_ratelimit_policy_t *policy;
    ngx_array_t                  meant;
    ngx_http_ratelimit_look_t   *looks;      /* one for each that is meant */
    ngx_uint_t                   pending;
} ngx_http_ratelimit_api_looks_t;


static void ngx_http_ratelimit_api_look(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_api_looks_t *looks, ngx_uint_t i);
static void ngx_http_ratelimit_api_looked(ngx_http_ratelimit_look_t *look);
static ngx_int_t ngx_http_ratelimit_api_send_looks(
    ngx_http_ratelimit_api_call_t *call);
static json_t *ngx_http_ratelimit_api_look_json(
    ngx_http_ratelimit_look_t *look);
static void ngx_http_ratelimit_api_looks_cleanup(void *data);


ngx_int_t
ngx_http_ratelimit_api_send_shared(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy, ngx_array_t *meant)
{
    size_t                           len;
    ngx_int_t                        rc;
    ngx_uint_t                       i;
    ngx_http_cleanup_t              *cln;
    ngx_http_ratelimit_api_looks_t  *looks;

    len = meant->nelts * sizeof(ngx_http_ratelimit_look_t);

    looks = ngx_pcalloc(call->request->pool,
                        sizeof(ngx_http_ratelimit_api_looks_t) + len);
    cln = ngx_http_cleanup_add(call->request, 0);

    if (looks == NULL || cln == NULL) {
        ngx_http_ratelimit_api_free_tags(meant);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    looks->policy = policy;
    looks->meant = *meant;
    looks->looks = (ngx_http_ratelimit_look_t *) (looks + 1);

    cln->handler = ngx_http_ratelimit_api_looks_cleanup;
    cln->data = looks;

    call->data = looks;

    rc = ngx_http_ratelimit_api_later(call, ngx_http_ratelimit_api_send_looks);

    if (rc != NGX_DONE) {
        return rc;
    }

    for (i = 0; i < meant->nelts; i++) {
        ngx_http_ratelimit_api_look(call, looks, i);
    }

    if (looks->pending == 0) {
        ngx_post_event(&call->event, &ngx_posted_events);
    }

    return rc;
}


static void
ngx_http_ratelimit_api_look(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_api_looks_t *looks, ngx_uint_t i)
{
    ngx_http_ratelimit_look_t       *look;
    ngx_http_ratelimit_zone_t       *zone;
    ngx_http_ratelimit_api_meant_t  *meant;

    meant = looks->meant.elts;
    look = &looks->looks[i];

    look->done = ngx_http_ratelimit_api_looked;
    look->data = call;

    if (ngx_http_ratelimit_api_item(call, looks->policy, &meant[i].bucket,
                                    &look->item)
        != NGX_OK)
    {
        look->why = "no request has told the key's quota";
        return;
    }

    zone = looks->policy->shm_zone->data;

    /* of an id, the rest of its name is in this machine's row */

    if (meant[i].tags == NULL
        && !rl_leases_bucket(zone->leases, &look->item))
    {
        look->why = "Redis has keys by their name, not by their id";
        return;
    }

    if (ngx_http_ratelimit_look_in_redis(zone->redis, look) == NGX_AGAIN) {
        looks->pending++;
    }
}


static void
ngx_http_ratelimit_api_looked(ngx_http_ratelimit_look_t *look)
{
    ngx_http_ratelimit_api_call_t   *call;
    ngx_http_ratelimit_api_looks_t  *looks;

    call = look->data;
    looks = call->data;

    if (--looks->pending == 0) {
        ngx_post_event(&call->event, &ngx_posted_events);
    }
}


static ngx_int_t
ngx_http_ratelimit_api_send_looks(ngx_http_ratelimit_api_call_t *call)
{
    json_t                          *keys, *json;
    ngx_uint_t                       i, n;
    ngx_http_ratelimit_api_looks_t  *looks;
    ngx_http_ratelimit_api_meant_t  *meant;

    looks = call->data;
    meant = looks->meant.elts;
    n = looks->meant.nelts;
    keys = json_array();

    for (i = 0; i < n; i++) {
        json = ngx_http_ratelimit_api_bucket(call, looks->policy,
                                             &meant[i].bucket);
        json_object_set_new(json, "shared",
                            ngx_http_ratelimit_api_look_json(
                                                          &looks->looks[i]));

        if (n == 1) {
            json_decref(keys);
            return ngx_http_ratelimit_api_send_json(call, NGX_HTTP_OK, json);
        }

        json_object_set(json, "tags", meant[i].tags);
        json_array_append_new(keys, json);
    }

    return ngx_http_ratelimit_api_send_json(call, NGX_HTTP_OK,
                                            json_pack("{s:o}", "keys", keys));
}


static json_t *
ngx_http_ratelimit_api_look_json(ngx_http_ratelimit_look_t *look)
{
    uint64_t             limit, counted;
    rl_item_t           *item;
    rl_shared_bucket_t  *bucket;

    if (look->why) {
        return json_pack("{s:s}", "unknown", look->why);
    }

    item = &look->item;
    bucket = &look->bucket;

    limit = item->policy->algorithm == RL_GCRA ? item->capacity_units
                                               : item->quota.units;
    counted = bucket->used_units + bucket->held_units;

    return json_pack("{s:I, s:I, s:I, s:I}",
               "used", (json_int_t) bucket->used_units,
               "held", (json_int_t) bucket->held_units,
               "remaining", (json_int_t) (limit - ngx_min(counted, limit)),
               "rows", (json_int_t) bucket->rows);
}


static void
ngx_http_ratelimit_api_looks_cleanup(void *data)
{
    ngx_http_ratelimit_api_looks_t  *looks = data;

    ngx_uint_t  i;

    for (i = 0; i < looks->meant.nelts; i++) {
        ngx_http_ratelimit_end_look(&looks->looks[i]);
    }

    ngx_http_ratelimit_api_free_tags(&looks->meant);
}
