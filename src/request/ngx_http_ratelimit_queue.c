
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Queues of requests that wait, one for each key of a policy that has any, in
 * each worker.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "policy/ngx_http_ratelimit_rule.h"
#include "request/ngx_http_ratelimit_queue.h"
#include "request/ngx_http_ratelimit_wait.h"


struct ngx_http_ratelimit_queue_s {
    ngx_rbtree_node_t            node;       /* its key: of the bucket */
    ngx_queue_t                  requests;
    ngx_uint_t                   n;
};


static void ngx_http_ratelimit_return_reserved(
    ngx_http_ratelimit_record_t *record);
static ngx_http_ratelimit_queue_t *ngx_http_ratelimit_create_queue(
    rl_item_t *item);


static ngx_rbtree_t       ngx_http_ratelimit_queues;
static ngx_rbtree_node_t  ngx_http_ratelimit_no_queue;


ngx_int_t
ngx_http_ratelimit_enter_queue(ngx_http_request_t *r,
    ngx_http_ratelimit_queued_t *queued, ngx_http_ratelimit_queue_t *queue,
    rl_item_t *item, ngx_http_ratelimit_rule_t *rule)
{
    if (queue == NULL) {
        queue = ngx_http_ratelimit_create_queue(item);
    }

    if (queue == NULL || queue->n >= rule->queue) {
        return NGX_DECLINED;
    }

    ngx_queue_insert_tail(&queue->requests, &queued->link);
    queue->n++;

    rl_count_waiting(&ngx_http_ratelimit_this_process, item->policy, 1);

    queued->queue = queue;
    queued->request = r;
    queued->policy = item->policy;
    queued->since = ngx_current_msec;
    queued->deadline = ngx_current_msec + (ngx_msec_t) rule->wait_ms;

    return NGX_OK;
}


/* it is decided, or its request ends: the next one is the first */

void
ngx_http_ratelimit_leave_queue(ngx_http_ratelimit_record_t *record)
{
    ngx_http_ratelimit_queue_t   *queue;
    ngx_http_ratelimit_queued_t  *queued, *next;

    queued = record->queued;
    queue = queued->queue;

    if (queue == NULL) {
        return;
    }

    if (queued->reserved) {
        ngx_http_ratelimit_return_reserved(record);
    }

    queued->waited_ms += ngx_current_msec - queued->since;
    record->waited_ms += ngx_current_msec - queued->since;

    rl_count_waiting(&ngx_http_ratelimit_this_process, queued->policy, -1);

    ngx_queue_remove(&queued->link);
    queued->queue = NULL;
    queue->n--;

    if (queue->n) {
        next = ngx_queue_data(ngx_queue_head(&queue->requests),
                              ngx_http_ratelimit_queued_t, link);

        if (!next->reserved) {
            ngx_http_ratelimit_resume(next->request);
        }

        return;
    }

    ngx_rbtree_delete(&ngx_http_ratelimit_queues, &queue->node);
    ngx_free(queue);
}


/* the client left, or there are too many that wait */

static void
ngx_http_ratelimit_return_reserved(ngx_http_ratelimit_record_t *record)
{
    rl_time_t  now;

    record->queued->reserved = 0;

    ngx_http_ratelimit_now(&now);

    (void) rl_return_reserved(&ngx_http_ratelimit_this_process,
                              &record->items[record->nitems], &now);
}


void
ngx_http_ratelimit_wake_queue(rl_item_t *item)
{
    ngx_http_ratelimit_queue_t   *queue;
    ngx_http_ratelimit_queued_t  *first;

    queue = ngx_http_ratelimit_find_queue(item);

    if (queue) {
        first = ngx_queue_data(ngx_queue_head(&queue->requests),
                               ngx_http_ratelimit_queued_t, link);
        ngx_http_ratelimit_resume(first->request);
    }
}


ngx_uint_t
ngx_http_ratelimit_is_first(ngx_http_ratelimit_queued_t *queued)
{
    return ngx_queue_head(&queued->queue->requests) == &queued->link;
}


ngx_uint_t
ngx_http_ratelimit_queue_is_full(ngx_http_ratelimit_queue_t *queue,
    ngx_http_ratelimit_rule_t *rule)
{
    return queue && queue->n >= rule->queue;
}


/* where half of a hash is all that a node's key holds, two may share one */

ngx_http_ratelimit_queue_t *
ngx_http_ratelimit_find_queue(rl_item_t *item)
{
    ngx_rbtree_key_t    key;
    ngx_rbtree_node_t  *node;

    key = (ngx_rbtree_key_t) item->bucket.lo;
    node = ngx_http_ratelimit_queues.root;

    /* no root: nobody has waited yet */

    while (node && node != &ngx_http_ratelimit_no_queue) {

        if (key == node->key) {
            return (ngx_http_ratelimit_queue_t *) node;
        }

        node = (key < node->key) ? node->left : node->right;
    }

    return NULL;
}


static ngx_http_ratelimit_queue_t *
ngx_http_ratelimit_create_queue(rl_item_t *item)
{
    ngx_http_ratelimit_queue_t  *queue;

    queue = ngx_calloc(sizeof(ngx_http_ratelimit_queue_t), ngx_cycle->log);
    if (queue == NULL) {
        return NULL;
    }

    ngx_queue_init(&queue->requests);
    queue->node.key = (ngx_rbtree_key_t) item->bucket.lo;

    if (ngx_http_ratelimit_queues.root == NULL) {
        ngx_rbtree_init(&ngx_http_ratelimit_queues,
                        &ngx_http_ratelimit_no_queue,
                        ngx_rbtree_insert_value);
    }

    ngx_rbtree_insert(&ngx_http_ratelimit_queues, &queue->node);

    return queue;
}
