
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "wait=": queues of requests, one for each key of a policy that has any, in
 * each worker.  Only the first of a queue asks, when its units are due, or
 * when a place becomes free: of this worker that is told, of the others it
 * looks every 10 ms.  The others stand behind it until they are the first, or
 * their time is over; then they are decided once more, for good.
 *
 * A timer is late by some milliseconds.  So that these do not add up along a
 * queue, the first is charged as of when its units were due.
 */


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "request/ngx_http_ratelimit_queue.h"
#include "request/ngx_http_ratelimit_wait.h"


/* how long another worker's place may be free before it is seen, in ms */

#define NGX_HTTP_RATELIMIT_LOOK_AGAIN  10

/* how late a timer may be, for what it was set for to be as if it were not */

#define NGX_HTTP_RATELIMIT_LATE  100


typedef struct {
    ngx_rbtree_node_t            node;       /* its key: of the bucket */
    ngx_queue_t                  requests;
    ngx_uint_t                   n;
} ngx_http_ratelimit_queue_t;


/* a request in one; before it is in any, what it needs for that */

struct ngx_http_ratelimit_queued_s {
    ngx_queue_t                  link;
    ngx_http_ratelimit_queue_t  *queue;      /* NULL: it is in none */
    ngx_http_request_t          *request;
    const rl_policy_t           *policy;     /* whose units it waits for */
    uint64_t                     due_ms;     /* its units; 0: is not known */
    uint64_t                     waited_ms;  /* for this decision */
    ngx_msec_t                   since;
    ngx_msec_t                   deadline;
    ngx_http_ratelimit_rule_t  **rules;      /* of the items that are asked */
    unsigned                     last:1;     /* no more waiting */
};


static rl_verdict_e ngx_http_ratelimit_try_in_time(
    ngx_http_ratelimit_record_t *record, rl_process_t *process);
static ngx_int_t ngx_http_ratelimit_join_others(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record);
static rl_item_t *ngx_http_ratelimit_waits_for(
    ngx_http_ratelimit_record_t *record);
static ngx_int_t ngx_http_ratelimit_enter_queue(ngx_http_request_t *r,
    ngx_http_ratelimit_queued_t *queued, rl_item_t *item,
    ngx_http_ratelimit_rule_t *rule);
static ngx_uint_t ngx_http_ratelimit_is_first(
    ngx_http_ratelimit_queued_t *queued);
static ngx_http_ratelimit_queue_t *ngx_http_ratelimit_find_queue(
    rl_item_t *item, ngx_uint_t make);


static ngx_rbtree_t       ngx_http_ratelimit_queues;
static ngx_rbtree_node_t  ngx_http_ratelimit_no_queue;


ngx_int_t
ngx_http_ratelimit_may_queue(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_item_t *item,
    ngx_http_ratelimit_rule_t *rule)
{
    ngx_http_ratelimit_queued_t  *queued;

    queued = record->queued;

    if (queued && !record->waits) {
        ngx_http_ratelimit_leave_queue(record);
    }

    if (queued == NULL || !record->waits) {
        queued = ngx_pcalloc(r->pool, sizeof(ngx_http_ratelimit_queued_t)
                                      + record->size * sizeof(void *));
        if (queued == NULL) {
            return NGX_ERROR;
        }

        queued->rules = (ngx_http_ratelimit_rule_t **) (queued + 1);
        record->queued = queued;
        record->waits = 1;
    }

    queued->rules[item - &record->items[record->nitems]] = rule;

    return NGX_OK;
}


rl_verdict_e
ngx_http_ratelimit_try(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process)
{
    uint64_t                      due_ms;
    rl_item_t                    *items, *item;
    rl_verdict_e                  verdict;
    ngx_msec_int_t                left;
    ngx_http_ratelimit_rule_t    *rule;
    ngx_http_ratelimit_queued_t  *queued;

    items = &record->items[record->nitems];
    queued = record->queued;

    if (queued->queue == NULL && !queued->last
        && ngx_http_ratelimit_join_others(r, record) == NGX_OK)
    {
        return RL_PENDING;
    }

    left = queued->queue
           ? (ngx_msec_int_t) (queued->deadline - ngx_current_msec) : 0;

    if (left > 0 && !ngx_http_ratelimit_is_first(queued)) {
        items->retry_after_ms = left;
        return RL_PENDING;
    }

    verdict = ngx_http_ratelimit_try_in_time(record, process);

    if (verdict != RL_REFUSED) {
        ngx_http_ratelimit_leave_queue(record);

        if (verdict == RL_ADMITTED && queued->waited_ms) {
            rl_count_delay(queued->policy, queued->waited_ms);
        }

        return verdict;
    }

    item = queued->last ? NULL : ngx_http_ratelimit_waits_for(record);

    if (item) {
        rule = queued->rules[item - items];

        if (queued->queue == NULL) {
            left = rule->wait_ms;
        }

        due_ms = (item->policy->algorithm == RL_CONCURRENT)
                 ? NGX_HTTP_RATELIMIT_LOOK_AGAIN : item->retry_after_ms;

        if (left > 0 && due_ms <= (uint64_t) left
            && (queued->queue
                || ngx_http_ratelimit_enter_queue(r, queued, item, rule)
                   == NGX_OK))
        {
            queued->due_ms = (item->policy->algorithm == RL_CONCURRENT)
                             ? 0 : record->time.mono_ms + due_ms;
            items->retry_after_ms = due_ms;
            return RL_PENDING;
        }
    }

    ngx_http_ratelimit_leave_queue(record);
    rl_count_decision(process, items, record->nasked, verdict, &record->time);

    return verdict;
}


static rl_verdict_e
ngx_http_ratelimit_try_in_time(ngx_http_ratelimit_record_t *record,
    rl_process_t *process)
{
    uint64_t      late_ms;
    rl_item_t    *items;
    rl_time_t     time;
    rl_verdict_e  verdict;

    items = &record->items[record->nitems];
    time = record->time;

    if (record->queued->due_ms && record->queued->due_ms < time.mono_ms) {
        late_ms = time.mono_ms - record->queued->due_ms;

        if (late_ms <= NGX_HTTP_RATELIMIT_LATE) {
            time.mono_ms -= late_ms;
            time.wall_ms -= late_ms;

            verdict = rl_try(process, items, record->nasked, &time);

            if (verdict != RL_REFUSED) {
                return verdict;
            }
        }
    }

    return rl_try(process, items, record->nasked, &record->time);
}


/* those who came before are not overtaken */

static ngx_int_t
ngx_http_ratelimit_join_others(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record)
{
    rl_item_t                    *items;
    ngx_uint_t                    i;
    ngx_http_ratelimit_rule_t    *rule;
    ngx_http_ratelimit_queued_t  *queued;

    items = &record->items[record->nitems];
    queued = record->queued;

    for (i = 0; i < record->nasked; i++) {
        rule = queued->rules[i];

        if (rule == NULL || items[i].dry_run || items[i].cost_units == 0
            || ngx_http_ratelimit_find_queue(&items[i], 0) == NULL)
        {
            continue;
        }

        if (ngx_http_ratelimit_enter_queue(r, queued, &items[i], rule)
            == NGX_OK)
        {
            items->retry_after_ms = rule->wait_ms;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/*
 * Of the items that have refused the one to wait longest for.  NULL: it is of
 * no use, as one of them has a line that does not wait, or would never admit.
 */

static rl_item_t *
ngx_http_ratelimit_waits_for(ngx_http_ratelimit_record_t *record)
{
    rl_item_t   *item, *slowest;
    ngx_uint_t   i;

    slowest = NULL;

    for (i = 0; i < record->nasked; i++) {
        item = &record->items[record->nitems + i];

        if (item->admitted || item->dry_run) {
            continue;
        }

        if (record->queued->rules[i] == NULL
            || item->cost_units > item->capacity_units)
        {
            return NULL;
        }

        if (slowest == NULL
            || item->retry_after_ms > slowest->retry_after_ms)
        {
            slowest = item;
        }
    }

    return slowest;
}


static ngx_int_t
ngx_http_ratelimit_enter_queue(ngx_http_request_t *r,
    ngx_http_ratelimit_queued_t *queued, rl_item_t *item,
    ngx_http_ratelimit_rule_t *rule)
{
    ngx_http_ratelimit_queue_t  *queue;

    queue = ngx_http_ratelimit_find_queue(item, 1);

    if (queue == NULL || queue->n >= rule->queue) {
        return NGX_DECLINED;
    }

    ngx_queue_insert_tail(&queue->requests, &queued->link);
    queue->n++;

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

    queued->waited_ms += ngx_current_msec - queued->since;
    record->waited_ms += ngx_current_msec - queued->since;

    ngx_queue_remove(&queued->link);
    queued->queue = NULL;
    queue->n--;

    if (queue->n) {
        next = ngx_queue_data(ngx_queue_head(&queue->requests),
                              ngx_http_ratelimit_queued_t, link);
        ngx_http_ratelimit_resume(next->request);
        return;
    }

    ngx_rbtree_delete(&ngx_http_ratelimit_queues, &queue->node);
    ngx_free(queue);
}


ngx_uint_t
ngx_http_ratelimit_give_up_queue(ngx_http_ratelimit_record_t *record)
{
    if (!record->waits || record->queued->last) {
        return 0;
    }

    ngx_http_ratelimit_leave_queue(record);
    record->queued->last = 1;

    return 1;
}


void
ngx_http_ratelimit_wake_queue(rl_item_t *item)
{
    ngx_http_ratelimit_queue_t   *queue;
    ngx_http_ratelimit_queued_t  *first;

    queue = ngx_http_ratelimit_find_queue(item, 0);

    if (queue) {
        first = ngx_queue_data(ngx_queue_head(&queue->requests),
                               ngx_http_ratelimit_queued_t, link);
        ngx_http_ratelimit_resume(first->request);
    }
}


static ngx_uint_t
ngx_http_ratelimit_is_first(ngx_http_ratelimit_queued_t *queued)
{
    return ngx_queue_head(&queued->queue->requests) == &queued->link;
}


/* where half of a hash is all that a node's key holds, two may share one */

static ngx_http_ratelimit_queue_t *
ngx_http_ratelimit_find_queue(rl_item_t *item, ngx_uint_t make)
{
    ngx_rbtree_t                *tree;
    ngx_rbtree_key_t             key;
    ngx_rbtree_node_t           *node;
    ngx_http_ratelimit_queue_t  *queue;

    tree = &ngx_http_ratelimit_queues;
    key = (ngx_rbtree_key_t) item->bucket.lo;

    if (tree->root == NULL) {

        if (!make) {
            return NULL;
        }

        ngx_rbtree_init(tree, &ngx_http_ratelimit_no_queue,
                        ngx_rbtree_insert_value);
    }

    node = tree->root;

    while (node != tree->sentinel) {

        if (key == node->key) {
            return (ngx_http_ratelimit_queue_t *) node;
        }

        node = (key < node->key) ? node->left : node->right;
    }

    if (!make) {
        return NULL;
    }

    queue = ngx_calloc(sizeof(ngx_http_ratelimit_queue_t), ngx_cycle->log);
    if (queue == NULL) {
        return NULL;
    }

    ngx_queue_init(&queue->requests);
    queue->node.key = key;

    ngx_rbtree_insert(tree, &queue->node);

    return queue;
}
