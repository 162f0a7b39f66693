
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Queues of requests that wait.
 */


#ifndef _NGX_HTTP_RATELIMIT_QUEUE_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_QUEUE_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "request/ngx_http_ratelimit_record.h"


typedef struct ngx_http_ratelimit_queue_s  ngx_http_ratelimit_queue_t;


/* a request in one; before it is in any, what it needs for that */

struct ngx_http_ratelimit_queued_s {
    ngx_queue_t                  link;
    ngx_http_ratelimit_wait_t    wait;
    ngx_http_ratelimit_queue_t  *queue;      /* NULL: it is in none */
    ngx_http_request_t          *request;
    const rl_policy_t           *policy;     /* whose units it waits for */
    uint64_t                     due_ms;     /* its units; 0: is not known */
    uint64_t                     waited_ms;  /* for this decision */
    ngx_msec_t                   since;
    ngx_msec_t                   deadline;
    ngx_http_ratelimit_rule_t  **rules;      /* of the items that are asked */
    unsigned                     last:1;     /* no more waiting */
    unsigned                     reserved:1; /* it is let in when it is due */
};


/* of those who wait for the item's key; NULL: nobody does */

ngx_http_ratelimit_queue_t *ngx_http_ratelimit_find_queue(rl_item_t *item);
ngx_uint_t ngx_http_ratelimit_queue_is_full(ngx_http_ratelimit_queue_t *queue,
    ngx_http_ratelimit_rule_t *rule);

/*
 * Behind all others of the item's key, whose queue was just found.
 * NGX_DECLINED: it is full.
 */

ngx_int_t ngx_http_ratelimit_enter_queue(ngx_http_request_t *r,
    ngx_http_ratelimit_queued_t *queued, ngx_http_ratelimit_queue_t *queue,
    rl_item_t *item, ngx_http_ratelimit_rule_t *rule);
void ngx_http_ratelimit_leave_queue(ngx_http_ratelimit_record_t *record);

ngx_uint_t ngx_http_ratelimit_is_first(ngx_http_ratelimit_queued_t *queued);

/* a place of the item's key has become free */

void ngx_http_ratelimit_wake_queue(rl_item_t *item);


#endif /* _NGX_HTTP_RATELIMIT_QUEUE_H_INCLUDED_ */
