
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What a request asks of the core: an item for each step of its location's
 * plan that applies, with its bucket and its quota at this moment.
 */


#ifndef _NGX_HTTP_RATELIMIT_PLAN_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_PLAN_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "key/ngx_http_ratelimit_key.h"
#include "key/ngx_http_ratelimit_part.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_step.h"
#include "request/ngx_http_ratelimit_record.h"
#include "request/ngx_http_ratelimit_vary.h"


/* NGX_DECLINED: the step's line does not apply */

ngx_int_t ngx_http_ratelimit_step_applies(ngx_http_request_t *r,
    ngx_http_ratelimit_step_t *step);

/*
 * An item of this very decision that has the policy's key, or NULL: what a key
 * was in an earlier one, before authentication or a redirect, says nothing of
 * what it is now.
 */

rl_item_t *ngx_http_ratelimit_same_key(ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_policy_t *policy);

/* an item that rl_check_name has not let pass; NGX_DECLINED: nor does this */

ngx_int_t ngx_http_ratelimit_item_renewed(ngx_http_request_t *r,
    rl_item_t *item, rl_time_t *now);

/* items that were prepared a while ago: their policies may have been reset */

void ngx_http_ratelimit_renew_items(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record);

/* of a key of several parts; NGX_DECLINED: one of them is empty */

ngx_int_t ngx_http_ratelimit_item_bucket(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item);


/*
 * Fills what an item asks of the core, but for NGX_HTTP_RATELIMIT_VARIES_ITEM.
 * same is an item with the same key, or NULL; scratch is the decision's.
 * NGX_DECLINED: the policy does not apply to this request.  NGX_ABORT: nobody
 * can tell what it allows.
 */

static ngx_inline ngx_int_t
ngx_http_ratelimit_item(ngx_http_request_t *r, ngx_http_ratelimit_step_t *step,
    rl_item_t *item, rl_item_t *same, ngx_http_ratelimit_scratch_t *scratch,
    rl_time_t *now)
{
    ngx_int_t  rc;
    rl_part_t  part, *key;

    ngx_memcpy(item, &step->item, offsetof(rl_item_t, admitted));

    if (step->varies & NGX_HTTP_RATELIMIT_VARIES_QUOTA) {
        rc = ngx_http_ratelimit_item_quota(r, step->policy, item);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    key = NULL;

    if (same == NULL) {

        if (step->part) {

            /* hashed without being put together */

            rc = ngx_http_ratelimit_get_part(r, step->part, scratch, &part);
            key = &part;

        } else {
            rc = ngx_http_ratelimit_item_bucket(r, step->policy, item);
            same = item;
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return rl_check_name(item, key, same, now)
           ? NGX_OK : ngx_http_ratelimit_item_renewed(r, item, now);
}


#endif /* _NGX_HTTP_RATELIMIT_PLAN_H_INCLUDED_ */
