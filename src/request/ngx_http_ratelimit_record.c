
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The record of a request's decisions, which its redirects do not lose.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "request/ngx_http_ratelimit_ask.h"
#include "request/ngx_http_ratelimit_charge.h"
#include "request/ngx_http_ratelimit_place.h"
#include "request/ngx_http_ratelimit_queue.h"
#include "request/ngx_http_ratelimit_record.h"
#include "request/ngx_http_ratelimit_wait.h"


static void ngx_http_ratelimit_after_redirect(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record);


/* of a request whose contexts a redirect has zeroed, or that has none */

ngx_http_ratelimit_record_t *
ngx_http_ratelimit_find_record(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t           *cln;
    ngx_http_ratelimit_record_t  *record;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_ratelimit_record_cleanup) {
            record = cln->data;
            ngx_http_set_ctx(r, record, ngx_http_ratelimit_module);

            if (r == r->main) {
                ngx_http_ratelimit_after_redirect(r, record);
            }

            return record;
        }
    }

    return NULL;
}


/* what waited in the location before waits no more, as when a client left */

static void
ngx_http_ratelimit_after_redirect(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record)
{
    if (record->queued) {
        ngx_http_ratelimit_leave_queue(record);
    }

    if (record->asking) {
        ngx_http_ratelimit_end_asking(record->asking);
        record->asking = NULL;
    }

    if (record->wait) {
        ngx_http_ratelimit_end_wait(record->wait);
        record->wait = NULL;
    }

    ngx_http_ratelimit_keep_charges(r, record);
}


ngx_int_t
ngx_http_ratelimit_grow_record(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_uint_t n)
{
    rl_item_t  *items;

    if (record->nitems + n <= record->size) {
        return NGX_OK;
    }

    items = ngx_palloc(r->pool, (record->nitems + n) * sizeof(rl_item_t));
    if (items == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(items, record->items, record->nitems * sizeof(rl_item_t));

    record->items = items;
    record->size = record->nitems + n;

    return NGX_OK;
}


ngx_uint_t
ngx_http_ratelimit_has_decided(ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_policy_t *policy)
{
    ngx_uint_t  i;

    for (i = 0; i < record->nitems + record->nasked; i++) {
        if (ngx_http_ratelimit_item_policy(&record->items[i]) == policy) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_ratelimit_is_open(ngx_http_request_t *r)
{
    if (r != r->main) {
        return 0;
    }

    (void) ngx_http_ratelimit_get_record(r);

    return !r->header_sent && !r->post_action;
}


/* what the record says was so at its decision: resets draw nearer since */

void
ngx_http_ratelimit_age_record(ngx_http_ratelimit_record_t *record)
{
    uint64_t     elapsed_ms;
    rl_time_t    now;
    rl_item_t   *item;
    ngx_uint_t   i;

    ngx_http_ratelimit_now(&now);

    if (now.mono_ms <= record->time.mono_ms) {
        return;
    }

    elapsed_ms = now.mono_ms - record->time.mono_ms;

    /* not now.wall_ms: the clocks tick apart, a Unix reset would waver */

    record->time.mono_ms += elapsed_ms;
    record->time.wall_ms += elapsed_ms;

#define ngx_http_ratelimit_age(ms)                                            \
    (ms) -= ngx_min((ms), elapsed_ms)

    ngx_http_ratelimit_age(record->retry_after_ms);

    for (i = 0; i < record->nitems; i++) {
        item = &record->items[i];

        ngx_http_ratelimit_age(item->reset_ms);
        ngx_http_ratelimit_age(item->retry_after_ms);
        ngx_http_ratelimit_age(item->next_ms);
    }
}


/*
 * The record is plain memory of the pool's; the handler is its mark, and how
 * its request ends, whatever way that does.
 */

void
ngx_http_ratelimit_record_cleanup(void *data)
{
    ngx_http_ratelimit_record_t *record = data;

    if (record->wait) {
        ngx_http_ratelimit_end_wait(record->wait);
    }

    if (record->queued) {
        ngx_http_ratelimit_leave_queue(record);
    }

    if (record->holds) {
        ngx_http_ratelimit_release_places(record->items, record->nitems);
    }
}
