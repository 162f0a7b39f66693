
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Decisions of which policies' buckets are shared with other machines.
 */


#ifndef _NGX_HTTP_RATELIMIT_ASK_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_ASK_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "request/ngx_http_ratelimit_record.h"


#define ngx_http_ratelimit_item_zone(item)                                    \
    ((ngx_http_ratelimit_zone_t *)                                            \
     ngx_http_ratelimit_item_policy(item)->shm_zone->data)


/* of a policy that bans: known before anything is asked, and refused */

#define ngx_http_ratelimit_is_banned(item)                                    \
    ((item)->policy->ban && (item)->banned)


/* true: a bucket of an item that is asked is shared */

ngx_uint_t ngx_http_ratelimit_is_shared(ngx_http_ratelimit_record_t *record);

/*
 * Decides the record's items that are asked.  RL_PENDING: Redis was asked, the
 * request will be resumed; as always it can be attempted again.  Items that
 * "on_error=allow" lets pass are gone from those that are asked; where
 * "on_error=refuse" holds the record has failed.
 */

rl_verdict_e ngx_http_ratelimit_ask(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process);

/*
 * ngx_http_ratelimit_ask_leased.c: true: all that is asked was in hand, and is
 * used; else nothing was done, and the decision is ngx_http_ratelimit_ask()'s
 */

ngx_uint_t ngx_http_ratelimit_use_leases(ngx_http_ratelimit_record_t *record,
    rl_process_t *process);

/* ngx_http_ratelimit_ask_bans.c: the same, where a policy of it bans */

rl_verdict_e ngx_http_ratelimit_ask_with_bans(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process);

/* ngx_http_ratelimit_ask_decide.c: once no answer is to be waited for */

rl_verdict_e ngx_http_ratelimit_decide_asked(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_asking_t *asking,
    rl_process_t *process, rl_item_t *items, uint64_t now_us);

/* what was taken from leases, and not used */

void ngx_http_ratelimit_give_back(ngx_http_ratelimit_asking_t *asking,
    uint64_t now_us);

/* of ngx_http_ratelimit_asking_t: it waits for no lease any more */

void ngx_http_ratelimit_end_asking(void *data);

/*
 * The request may not wait, or not any more: "on_error=" holds.  0: nothing is
 * asked, or it was given up before.
 */

ngx_uint_t ngx_http_ratelimit_give_up_asking(
    ngx_http_ratelimit_record_t *record);

/*
 * ngx_http_ratelimit_ask_charge.c: as rl_refund() of one item and rl_settle(),
 * whoever has its bucket
 */

rl_verdict_e ngx_http_ratelimit_refund_item(rl_process_t *process,
    rl_item_t *item, rl_time_t *now);
rl_verdict_e ngx_http_ratelimit_settle_item(rl_process_t *process,
    rl_item_t *item, uint64_t units, rl_time_t *now);

/*
 * Looks at an item's bucket; one that is shared is what this machine was told
 * last.  False: nothing is known.
 */

ngx_uint_t ngx_http_ratelimit_look_at(rl_process_t *process, rl_item_t *item,
    rl_time_t *now);


#endif /* _NGX_HTTP_RATELIMIT_ASK_H_INCLUDED_ */
