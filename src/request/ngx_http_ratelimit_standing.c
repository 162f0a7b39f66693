
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * A client's standing: of the record where the request was decided, else found
 * by looking, which charges nothing.
 *
 * nginx evaluates a text twice, first for its length, and other workers decide
 * meanwhile.  So what a look finds is remembered, for the same question at the
 * same time: key and quota are evaluated anew, and if bucket, quota and clock
 * are what they were, so is the answer.  A policy that has decided the request
 * is not looked at.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_step.h"
#include "request/ngx_http_ratelimit_ask.h"
#include "request/ngx_http_ratelimit_plan.h"
#include "request/ngx_http_ratelimit_record.h"
#include "request/ngx_http_ratelimit_standing.h"


typedef struct ngx_http_ratelimit_look_s  ngx_http_ratelimit_look_t;


/* a request's last look at a policy, or at those of its location */

struct ngx_http_ratelimit_look_s {
    ngx_http_ratelimit_look_t   *next;
    ngx_http_ratelimit_policy_t *policy;     /* NULL: those of the location */
    rl_time_t                    time;
    rl_item_t                    item;       /* what was asked and answered */
    unsigned                     found:1;    /* there was an answer */
    unsigned                     looking:1;  /* it is being evaluated */
};


static ngx_int_t ngx_http_ratelimit_look(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy,
    ngx_http_ratelimit_standing_t *standing);
static ngx_uint_t ngx_http_ratelimit_same_question(rl_item_t *one,
    rl_item_t *two);
static ngx_int_t ngx_http_ratelimit_look_here(ngx_http_request_t *r,
    ngx_http_ratelimit_standing_t *standing);
static ngx_int_t ngx_http_ratelimit_look_at_all(ngx_http_request_t *r,
    ngx_http_ratelimit_standing_t *standing);
static ngx_http_ratelimit_look_t *ngx_http_ratelimit_find_look(
    ngx_http_request_t *r, ngx_http_ratelimit_policy_t *policy);
static void ngx_http_ratelimit_look_cleanup(void *data);


ngx_int_t
ngx_http_ratelimit_stand(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy,
    ngx_http_ratelimit_standing_t *standing)
{
    rl_item_t                    *item;
    ngx_http_ratelimit_record_t  *record;

    standing->item = NULL;
    standing->retry_after_ms = 0;

    record = ngx_http_ratelimit_get_record(r);

    if (record == NULL) {
        return policy ? ngx_http_ratelimit_look(r, policy, standing)
                      : ngx_http_ratelimit_look_here(r, standing);
    }

    standing->time = record->time;

    if (policy == NULL) {
        standing->item = (rl_item_t *) rl_most_restrictive(record->items,
                                                           record->nitems,
                                                           NULL);

        /* what the client is told, though a hidden policy may have refused */

        if (record->refused) {
            standing->retry_after_ms = ngx_max(record->retry_after_ms, 1);
        }

        return NGX_OK;
    }

    item = ngx_http_ratelimit_find_item(record, policy);

    if (item == NULL) {
        return ngx_http_ratelimit_look(r, policy, standing);
    }

    standing->item = item;

    if (!item->admitted && !item->dry_run) {
        standing->retry_after_ms = ngx_max(item->retry_after_ms, 1);
    }

    return NGX_OK;
}


/*
 * A key or a quota that asks for its own standing, as it can by way of a map,
 * finds none: a look within a look at the same policy yields nothing.
 */

static ngx_int_t
ngx_http_ratelimit_look(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy,
    ngx_http_ratelimit_standing_t *standing)
{
    ngx_int_t                        rc;
    rl_item_t                        item;
    rl_process_t                    *process;
    ngx_http_ratelimit_look_t       *look;
    ngx_http_ratelimit_scratch_t     scratch;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    look = ngx_http_ratelimit_find_look(r, policy);
    if (look == NULL) {
        return NGX_ERROR;
    }

    if (look->looking) {
        return NGX_OK;
    }

    ngx_http_ratelimit_now(&standing->time);

    scratch.jwt_set = NULL;

    look->looking = 1;
    rc = ngx_http_ratelimit_item(r, &policy->step, &item, NULL, &scratch,
                                 &standing->time);

    if (rc == NGX_OK
        && (policy->step.varies & NGX_HTTP_RATELIMIT_VARIES_CAPACITY))
    {
        rc = ngx_http_ratelimit_item_capacity(r, policy, &item);
    }

    look->looking = 0;

    if (rc != NGX_OK) {
        return (rc == NGX_ERROR) ? NGX_ERROR : NGX_OK;
    }

    if (look->time.mono_ms == standing->time.mono_ms
        && ngx_http_ratelimit_same_question(&look->item, &item))
    {
        look->item.quota = item.quota;

    } else {
        rmcf = ngx_http_get_module_main_conf(r, ngx_http_ratelimit_module);
        process = ngx_http_ratelimit_process(rmcf);

        look->item = item;
        look->time = standing->time;
        look->found = process
                      && ngx_http_ratelimit_look_at(process, &look->item,
                                                    &standing->time);
    }

    if (look->found) {
        standing->item = &look->item;
        standing->retry_after_ms = look->item.admitted
                                 ? 0 : ngx_max(look->item.retry_after_ms, 1);
    }

    return NGX_OK;
}


/* but for the text of the window */

static ngx_uint_t
ngx_http_ratelimit_same_question(rl_item_t *one, rl_item_t *two)
{
    return one->bucket.lo == two->bucket.lo
           && one->bucket.hi == two->bucket.hi
           && one->quota.units == two->quota.units
           && one->quota.window_ms == two->quota.window_ms
           && one->quota.window_months == two->quota.window_months
           && one->capacity_units == two->capacity_units;
}


/* the policies that will decide, should the request get that far */

static ngx_int_t
ngx_http_ratelimit_look_here(ngx_http_request_t *r,
    ngx_http_ratelimit_standing_t *standing)
{
    ngx_int_t                   rc;
    ngx_http_ratelimit_look_t  *look;

    look = ngx_http_ratelimit_find_look(r, NULL);
    if (look == NULL) {
        return NGX_ERROR;
    }

    if (look->looking) {
        return NGX_OK;
    }

    look->looking = 1;
    rc = ngx_http_ratelimit_look_at_all(r, standing);
    look->looking = 0;

    return rc;
}


static ngx_int_t
ngx_http_ratelimit_look_at_all(ngx_http_request_t *r,
    ngx_http_ratelimit_standing_t *standing)
{
    ngx_uint_t                      i, n;
    rl_item_t                      *items;
    ngx_array_t                    *plan;
    ngx_http_ratelimit_step_t      *step;
    ngx_http_ratelimit_standing_t   one;
    ngx_http_ratelimit_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_ratelimit_module);

    items = ngx_palloc(r->pool, (rlcf->preaccess.nelts
                                 + rlcf->precontent.nelts)
                                * sizeof(rl_item_t));
    if (items == NULL) {
        return NGX_ERROR;
    }

    n = 0;

    for (plan = &rlcf->preaccess;
         plan != NULL;
         plan = (plan == &rlcf->preaccess) ? &rlcf->precontent : NULL)
    {
        step = plan->elts;

        for (i = 0; i < plan->nelts; i++) {

            if (ngx_http_ratelimit_step_applies(r, &step[i]) != NGX_OK) {
                continue;
            }

            one.item = NULL;

            if (ngx_http_ratelimit_look(r, step[i].policy, &one) != NGX_OK) {
                return NGX_ERROR;
            }

            if (one.item) {
                items[n++] = *one.item;
                standing->time = one.time;
            }
        }
    }

    standing->item = (rl_item_t *) rl_most_restrictive(items, n, NULL);

    if (standing->item && !standing->item->admitted) {
        standing->retry_after_ms = ngx_max(standing->item->retry_after_ms, 1);
    }

    return NGX_OK;
}


/* the request's look at a policy, made if need be */

static ngx_http_ratelimit_look_t *
ngx_http_ratelimit_find_look(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_ratelimit_look_t  *look;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_ratelimit_look_cleanup) {
            break;
        }
    }

    if (cln == NULL) {
        cln = ngx_pool_cleanup_add(r->pool, 0);
        if (cln == NULL) {
            return NULL;
        }

        cln->handler = ngx_http_ratelimit_look_cleanup;
    }

    for (look = cln->data; look; look = look->next) {
        if (look->policy == policy) {
            return look;
        }
    }

    look = ngx_pcalloc(r->pool, sizeof(ngx_http_ratelimit_look_t));
    if (look == NULL) {
        return NULL;
    }

    look->policy = policy;
    look->next = cln->data;
    cln->data = look;

    return look;
}


rl_item_t *
ngx_http_ratelimit_find_item(ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_policy_t *policy)
{
    ngx_uint_t  i;

    for (i = 0; i < record->nitems; i++) {
        if (record->items[i].policy == &policy->core) {
            return &record->items[i];
        }
    }

    return NULL;
}


/* looks are plain memory of the pool's; the handler is their mark */

static void
ngx_http_ratelimit_look_cleanup(void *data)
{
}
