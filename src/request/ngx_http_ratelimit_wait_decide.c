
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "wait=": decisions of requests that may wait, in queues.
 *
 * Where "gcra" alone decides, units are reserved as a request enters its
 * queue, and with them the time when it is let in: as that is the same for all
 * workers, requests follow each other as evenly as with limit_req.
 *
 * Of the others only the first of a queue asks, when its units are due, or
 * when a place becomes free: of this worker that is told, of the others it
 * looks every 10 ms.  The others stand behind it until they are the first, or
 * their time is over; then they are decided once more, for good.
 *
 * A timer is late by some milliseconds.  So that these do not add up along a
 * queue, the first is charged as of when its units were due.
 */


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_rule.h"
#include "request/ngx_http_ratelimit_queue.h"
#include "request/ngx_http_ratelimit_wait_decide.h"
#include "request/ngx_http_ratelimit_wait.h"


/* how long another worker's place may be free before it is seen, in ms */

#define NGX_HTTP_RATELIMIT_LOOK_AGAIN  10

/* how late a timer may be, for what it was set for to be as if it were not */

#define NGX_HTTP_RATELIMIT_LATE  100


static ngx_uint_t ngx_http_ratelimit_may_reserve(
    ngx_http_ratelimit_record_t *record);
static rl_verdict_e ngx_http_ratelimit_try_or_reserve(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process);
static rl_verdict_e ngx_http_ratelimit_use_reserved(
    ngx_http_ratelimit_record_t *record, rl_process_t *process);
static rl_verdict_e ngx_http_ratelimit_try_when_first(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process);
static rl_verdict_e ngx_http_ratelimit_join_others(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process);
static rl_verdict_e ngx_http_ratelimit_refuse_behind(
    ngx_http_ratelimit_record_t *record, rl_item_t *item,
    rl_process_t *process);
static rl_verdict_e ngx_http_ratelimit_try_in_time(
    ngx_http_ratelimit_record_t *record, rl_process_t *process);
static rl_verdict_e ngx_http_ratelimit_wait_for(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_msec_int_t left);
static rl_item_t *ngx_http_ratelimit_waits_for(
    ngx_http_ratelimit_record_t *record);


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
        record->wait = &queued->wait;
        record->waits = 1;
    }

    queued->rules[item - &record->items[record->nitems]] = rule;

    return NGX_OK;
}


rl_verdict_e
ngx_http_ratelimit_try(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process)
{
    rl_verdict_e                  verdict;
    ngx_http_ratelimit_queued_t  *queued;

    queued = record->queued;

    if (queued->reserved) {
        verdict = ngx_http_ratelimit_use_reserved(record, process);

    } else if (ngx_http_ratelimit_may_reserve(record)) {
        verdict = ngx_http_ratelimit_try_or_reserve(r, record, process);

    } else {
        verdict = ngx_http_ratelimit_try_when_first(r, record, process);
    }

    if (verdict == RL_PENDING) {
        return RL_PENDING;
    }

    ngx_http_ratelimit_leave_queue(record);

    if (verdict == RL_ADMITTED && queued->waited_ms) {
        rl_count_delay(queued->policy, queued->waited_ms);
    }

    if (verdict == RL_REFUSED) {
        rl_count_decision(process, &record->items[record->nitems],
                          record->nasked, verdict, &record->time);
    }

    return verdict;
}


/* where others decide as well, nobody knows when all of them will admit */

static ngx_uint_t
ngx_http_ratelimit_may_reserve(ngx_http_ratelimit_record_t *record)
{
    return record->nasked == 1
           && record->items[record->nitems].policy->algorithm == RL_GCRA;
}


/* behind who has reserved, one that reserves as well comes later of itself */

static rl_verdict_e
ngx_http_ratelimit_try_or_reserve(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process)
{
    uint64_t                      wait_ms;
    rl_item_t                    *item;
    rl_verdict_e                  verdict;
    ngx_http_ratelimit_rule_t    *rule;
    ngx_http_ratelimit_queue_t   *queue;
    ngx_http_ratelimit_queued_t  *queued;

    item = &record->items[record->nitems];
    queued = record->queued;
    rule = queued->rules[0];
    queue = ngx_http_ratelimit_find_queue(item);

    wait_ms = (queued->last || ngx_http_ratelimit_too_many_wait()
               || ngx_http_ratelimit_queue_is_full(queue, rule))
              ? 0 : rule->wait_ms;

    verdict = rl_try_or_reserve(process, item, wait_ms, &record->time);

    if (verdict != RL_PENDING) {
        return verdict;
    }

    if (ngx_http_ratelimit_enter_queue(r, queued, queue, item, rule)
        != NGX_OK)
    {
        (void) rl_return_reserved(process, item, &record->time);
        return RL_REFUSED;
    }

    queued->reserved = 1;
    queued->due_ms = record->time.mono_ms + item->retry_after_ms;

    return RL_PENDING;
}


static rl_verdict_e
ngx_http_ratelimit_use_reserved(ngx_http_ratelimit_record_t *record,
    rl_process_t *process)
{
    rl_item_t                    *item;
    ngx_http_ratelimit_queued_t  *queued;

    item = &record->items[record->nitems];
    queued = record->queued;

    if (queued->due_ms > record->time.mono_ms) {
        item->retry_after_ms = queued->due_ms - record->time.mono_ms;
        return RL_PENDING;
    }

    rl_use_reserved(process, item, &record->time);

    queued->reserved = 0;

    return RL_ADMITTED;
}


static rl_verdict_e
ngx_http_ratelimit_try_when_first(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process)
{
    rl_verdict_e                  verdict;
    ngx_msec_int_t                left;
    ngx_http_ratelimit_queued_t  *queued;

    queued = record->queued;
    left = 0;

    if (queued->queue) {
        left = (ngx_msec_int_t) (queued->deadline - ngx_current_msec);

        if (left > 0 && !ngx_http_ratelimit_is_first(queued)) {
            record->items[record->nitems].retry_after_ms = left;
            return RL_PENDING;
        }

    } else if (!queued->last) {
        verdict = ngx_http_ratelimit_join_others(r, record, process);

        if (verdict != RL_ADMITTED) {
            return verdict;
        }
    }

    verdict = ngx_http_ratelimit_try_in_time(record, process);

    return (verdict == RL_REFUSED && !queued->last)
           ? ngx_http_ratelimit_wait_for(r, record, left) : verdict;
}


/* RL_ADMITTED: there is nobody who came before, and would be overtaken */

static rl_verdict_e
ngx_http_ratelimit_join_others(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process)
{
    rl_item_t                    *items;
    ngx_uint_t                    i;
    ngx_http_ratelimit_rule_t    *rule;
    ngx_http_ratelimit_queue_t   *queue;
    ngx_http_ratelimit_queued_t  *queued;

    items = &record->items[record->nitems];
    queued = record->queued;

    for (i = 0; i < record->nasked; i++) {
        rule = queued->rules[i];

        if (rule == NULL || items[i].dry_run || items[i].cost_units == 0) {
            continue;
        }

        queue = ngx_http_ratelimit_find_queue(&items[i]);

        if (queue == NULL) {
            continue;
        }

        if (ngx_http_ratelimit_enter_queue(r, queued, queue, &items[i], rule)
            == NGX_OK)
        {
            items->retry_after_ms = rule->wait_ms;
            return RL_PENDING;
        }

        return ngx_http_ratelimit_refuse_behind(record, &items[i], process);
    }

    return RL_ADMITTED;
}


/* the item's queue is full; its units may be there, but are of those in it */

static rl_verdict_e
ngx_http_ratelimit_refuse_behind(ngx_http_ratelimit_record_t *record,
    rl_item_t *item, rl_process_t *process)
{
    if (rl_look(process, &record->items[record->nitems], record->nasked,
                &record->time)
        == RL_TIMEOUT)
    {
        return RL_TIMEOUT;
    }

    if (item->admitted) {
        item->admitted = 0;
        item->remaining_units = 0;
        item->retry_after_ms = 1;
        item->reset_ms = ngx_max(item->reset_ms, 1);
    }

    return RL_REFUSED;
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


/* who is refused goes into a queue, or stays in it, where that is of use */

static rl_verdict_e
ngx_http_ratelimit_wait_for(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_msec_int_t left)
{
    uint64_t                      due_ms;
    rl_item_t                    *items, *item;
    ngx_http_ratelimit_rule_t    *rule;
    ngx_http_ratelimit_queued_t  *queued;

    items = &record->items[record->nitems];
    queued = record->queued;

    item = ngx_http_ratelimit_waits_for(record);

    if (item == NULL) {
        return RL_REFUSED;
    }

    rule = queued->rules[item - items];

    if (queued->queue == NULL) {
        left = rule->wait_ms;
    }

    due_ms = (item->policy->algorithm == RL_CONCURRENT)
             ? NGX_HTTP_RATELIMIT_LOOK_AGAIN : item->retry_after_ms;

    if (left <= 0 || due_ms > (uint64_t) left
        || (queued->queue == NULL
            && ngx_http_ratelimit_enter_queue(r, queued,
                                        ngx_http_ratelimit_find_queue(item),
                                        item, rule)
               != NGX_OK))
    {
        return RL_REFUSED;
    }

    queued->due_ms = (item->policy->algorithm == RL_CONCURRENT)
                     ? 0 : record->time.mono_ms + due_ms;
    items->retry_after_ms = due_ms;

    return RL_PENDING;
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
