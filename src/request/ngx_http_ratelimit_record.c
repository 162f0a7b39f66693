
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The record of a request's decisions, which its redirects do not lose.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "request/ngx_http_ratelimit_charge.h"
#include "request/ngx_http_ratelimit_record.h"


static void ngx_http_ratelimit_record_cleanup(void *data);


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
            ngx_http_ratelimit_keep_charges(r, record);
            return record;
        }
    }

    return NULL;
}


ngx_http_ratelimit_record_t *
ngx_http_ratelimit_make_record(ngx_http_request_t *r, ngx_uint_t n)
{
    rl_item_t                    *items;
    ngx_pool_cleanup_t           *cln;
    ngx_http_ratelimit_record_t  *record;

    record = ngx_http_ratelimit_get_record(r);

    if (record == NULL) {

        /* as ngx_pool_cleanup_add(), with one allocation for all */

        cln = ngx_palloc(r->pool, sizeof(ngx_pool_cleanup_t)
                                  + sizeof(ngx_http_ratelimit_record_t)
                                  + n * sizeof(rl_item_t));
        if (cln == NULL) {
            return NULL;
        }

        record = (ngx_http_ratelimit_record_t *) (cln + 1);
        ngx_memzero(record, offsetof(ngx_http_ratelimit_record_t, values));

        record->items = (rl_item_t *) (record + 1);
        record->size = n;

        cln->handler = ngx_http_ratelimit_record_cleanup;
        cln->data = record;
        cln->next = r->pool->cleanup;
        r->pool->cleanup = cln;

        ngx_http_set_ctx(r, record, ngx_http_ratelimit_module);

        return record;
    }

    if (record->nitems + n <= record->size) {
        return record;
    }

    items = ngx_palloc(r->pool, (record->nitems + n) * sizeof(rl_item_t));
    if (items == NULL) {
        return NULL;
    }

    ngx_memcpy(items, record->items, record->nitems * sizeof(rl_item_t));

    record->items = items;
    record->size = record->nitems + n;

    return record;
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


/* the record is plain memory of the pool's; the handler is its mark */

static void
ngx_http_ratelimit_record_cleanup(void *data)
{
}
