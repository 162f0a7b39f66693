
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What few steps of a plan need to become an item.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "key/ngx_http_ratelimit_part.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_step.h"
#include "request/ngx_http_ratelimit_plan.h"
#include "request/ngx_http_ratelimit_vary.h"


static void ngx_http_ratelimit_renew_item(rl_process_t *process,
    rl_item_t *item, rl_time_t *now);


ngx_int_t
ngx_http_ratelimit_step_applies(ngx_http_request_t *r,
    ngx_http_ratelimit_step_t *step)
{
    if ((r->method & step->methods) == 0) {
        return NGX_DECLINED;
    }

    return (step->varies & NGX_HTTP_RATELIMIT_VARIES_LINE)
           ? ngx_http_ratelimit_rule_applies(r, step->rule) : NGX_OK;
}


rl_item_t *
ngx_http_ratelimit_same_key(ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_policy_t *policy)
{
    rl_item_t   *items;
    ngx_uint_t   i;

    items = &record->items[record->nitems];

    for (i = 0; i < record->nasked; i++) {
        if (ngx_http_ratelimit_item_policy(&items[i])->partition
            == policy->partition)
        {
            return &items[i];
        }
    }

    return NULL;
}


/*
 * A policy was reset: what its bucket has from before goes first.  Without a
 * place in the process table nothing is decided.
 */

ngx_int_t
ngx_http_ratelimit_item_renewed(ngx_http_request_t *r, rl_item_t *item,
    rl_time_t *now)
{
    rl_process_t                    *process;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    if (item->quota.unlimited) {
        return NGX_DECLINED;
    }

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_ratelimit_module);
    process = ngx_http_ratelimit_process(rmcf);

    if (process) {
        ngx_http_ratelimit_renew_item(process, item, now);
    }

    return NGX_OK;
}


/* a zone that machines share has buckets of its own for when Redis is away */

static void
ngx_http_ratelimit_renew_item(rl_process_t *process, rl_item_t *item,
    rl_time_t *now)
{
    item->reset = rl_policy_shared_reset(item->policy, now);

    rl_empty_older(process, item, now);
}


void
ngx_http_ratelimit_renew_items(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record)
{
    rl_item_t                       *items;
    ngx_uint_t                       i;
    rl_process_t                    *process;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_ratelimit_module);
    process = ngx_http_ratelimit_process(rmcf);
    items = &record->items[record->nitems];

    for (i = 0; process && i < record->nasked; i++) {
        ngx_http_ratelimit_renew_item(process, &items[i], &record->time);
    }
}


ngx_int_t
ngx_http_ratelimit_item_bucket(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item)
{
    ngx_int_t  rc;
    rl_hash_t  hash;

    rc = ngx_http_ratelimit_parts_hash(r, &policy->partition->parts,
                                       policy->core.zone, &hash);
    if (rc != NGX_OK) {
        return rc;
    }

    item->bucket.lo = hash.lo ^ policy->core.secret.lo;
    item->bucket.hi = hash.hi ^ policy->core.secret.hi;

    return NGX_OK;
}
