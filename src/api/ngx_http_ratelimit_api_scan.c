
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Counting the buckets of all zones for an answer, without keeping the worker
 * from its other work: a slice in each turn of its event loop.  There is one
 * scan at a time, whoever waits for it; those that come while it runs are
 * answered with it.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "conf/ngx_http_ratelimit_slice.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "api/ngx_http_ratelimit_api.h"


/* at a step: 64 kilobytes, some ten microseconds at the memory's speed */

#define NGX_HTTP_RATELIMIT_API_SETS  32


typedef struct {
    ngx_queue_t                  queue;
    ngx_uint_t                   queued;     /* unsigned  queued:1; */
    ngx_http_ratelimit_api_call_t *call;
    ngx_http_ratelimit_api_pt    handler;
} ngx_http_ratelimit_api_waiter_t;


typedef struct {
    ngx_event_t                  event;
    ngx_queue_t                  waiters;
    ngx_http_ratelimit_main_conf_t *conf;    /* NULL: none is running */
    rl_zone_stats_t             *zones;      /* conf->zones.nelts */
    rl_banned_t                 *banned;     /* nbanned, behind the zones */
    ngx_uint_t                   nbanned;
    ngx_uint_t                   zone;
    uint32_t                     set;
} ngx_http_ratelimit_api_scanner_t;


static ngx_int_t ngx_http_ratelimit_api_scan_begin(ngx_log_t *log);
static void ngx_http_ratelimit_api_scan_turn(ngx_event_t *ev);
static void ngx_http_ratelimit_api_scan_end(void);
static void ngx_http_ratelimit_api_scan_cleanup(void *data);


/* the worker's one scan */

static ngx_http_ratelimit_api_scanner_t  ngx_http_ratelimit_api_scanner;


/* the handler's answer finalizes the request */

ngx_int_t
ngx_http_ratelimit_api_scan(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_api_pt handler)
{
    ngx_http_request_t               *r;
    ngx_http_cleanup_t               *cln;
    ngx_http_ratelimit_api_waiter_t  *waiter;
    ngx_http_ratelimit_api_scanner_t *scanner;

    scanner = &ngx_http_ratelimit_api_scanner;
    r = call->request;

    call->zones = ngx_palloc(r->pool, ngx_max(call->conf->zones.nelts, 1)
                                      * sizeof(rl_zone_stats_t));
    call->banned = ngx_palloc(r->pool,
                              ngx_max(call->conf->policies.nelts, 1)
                              * sizeof(rl_banned_t));
    cln = ngx_http_cleanup_add(r, sizeof(ngx_http_ratelimit_api_waiter_t));

    if (call->zones == NULL || call->banned == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    waiter = cln->data;
    waiter->call = call;
    waiter->handler = handler;
    waiter->queued = 1;

    cln->handler = ngx_http_ratelimit_api_scan_cleanup;

    if (scanner->waiters.next == NULL) {
        ngx_queue_init(&scanner->waiters);
    }

    ngx_queue_insert_tail(&scanner->waiters, &waiter->queue);

    if (ngx_http_ratelimit_api_scan_begin(r->connection->log) != NGX_OK) {
        ngx_http_ratelimit_api_scan_cleanup(waiter);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->main->count++;

    return NGX_DONE;
}


static ngx_int_t
ngx_http_ratelimit_api_scan_begin(ngx_log_t *log)
{
    size_t                            size;
    ngx_uint_t                        i;
    rl_time_t                         now;
    ngx_queue_t                      *q;
    ngx_shm_zone_t                  **zones;
    ngx_http_ratelimit_zone_t        *zone;
    ngx_http_ratelimit_main_conf_t   *rmcf;
    ngx_http_ratelimit_api_waiter_t  *waiter;
    ngx_http_ratelimit_api_scanner_t *scanner;

    scanner = &ngx_http_ratelimit_api_scanner;

    if (scanner->conf || ngx_queue_empty(&scanner->waiters)) {
        return NGX_OK;
    }

    q = ngx_queue_head(&scanner->waiters);
    waiter = ngx_queue_data(q, ngx_http_ratelimit_api_waiter_t, queue);
    rmcf = waiter->call->conf;

    /* not a request's memory: others may wait on when it is gone */

    size = ngx_max(rmcf->zones.nelts, 1) * sizeof(rl_zone_stats_t);

    scanner->zones = ngx_alloc(size + rmcf->policies.nelts
                                      * sizeof(rl_banned_t), log);
    if (scanner->zones == NULL) {
        return NGX_ERROR;
    }

    ngx_http_ratelimit_now(&now);

    scanner->banned = (rl_banned_t *) ((u_char *) scanner->zones + size);
    scanner->nbanned = ngx_http_ratelimit_api_banning(rmcf, NULL, &now,
                                                      scanner->banned);

    zones = rmcf->zones.elts;

    for (i = 0; i < rmcf->zones.nelts; i++) {
        zone = zones[i]->data;
        rl_zone_stats(&zone->zone, 0, &now, &scanner->zones[i]);
    }

    scanner->conf = rmcf;
    scanner->zone = 0;
    scanner->set = 0;
    scanner->event.handler = ngx_http_ratelimit_api_scan_turn;
    scanner->event.log = ngx_cycle->log;

    ngx_post_event(&scanner->event, &ngx_posted_next_events);

    return NGX_OK;
}


static void
ngx_http_ratelimit_api_scan_turn(ngx_event_t *ev)
{
    rl_time_t                         now;
    ngx_uint_t                        n;
    ngx_shm_zone_t                  **zones;
    ngx_http_ratelimit_zone_t        *zone;
    ngx_http_ratelimit_slice_t        slice;
    ngx_http_ratelimit_main_conf_t   *rmcf;
    ngx_http_ratelimit_api_scanner_t *scanner;

    scanner = &ngx_http_ratelimit_api_scanner;
    rmcf = scanner->conf;
    n = scanner->zone;
    zones = rmcf->zones.elts;

    if (ngx_queue_empty(&scanner->waiters)) {
        ngx_http_ratelimit_api_scan_end();
        return;
    }

    ngx_http_ratelimit_now(&now);
    ngx_http_ratelimit_slice_begin(&slice);

    while (n < rmcf->zones.nelts) {
        zone = zones[n]->data;

        scanner->set = rl_zone_scan(&zone->zone, scanner->set,
                                    NGX_HTTP_RATELIMIT_API_SETS, &now,
                                    &scanner->zones[n], scanner->banned,
                                    scanner->nbanned);

        if (scanner->set == 0) {
            scanner->zone = ++n;
        }

        if (n < rmcf->zones.nelts
            && ngx_http_ratelimit_slice_is_over(&slice))
        {
            ngx_post_event(ev, &ngx_posted_next_events);
            return;
        }
    }

    ngx_http_ratelimit_api_scan_end();
}


/* those of an older configuration wait for a scan of their own */

static void
ngx_http_ratelimit_api_scan_end(void)
{
    ngx_int_t                         rc;
    ngx_queue_t                      *q, *next, done;
    ngx_connection_t                 *c;
    ngx_http_request_t               *r;
    ngx_http_ratelimit_main_conf_t   *rmcf;
    ngx_http_ratelimit_api_waiter_t  *waiter;
    ngx_http_ratelimit_api_scanner_t *scanner;

    scanner = &ngx_http_ratelimit_api_scanner;
    rmcf = scanner->conf;

    ngx_queue_init(&done);

    for (q = ngx_queue_head(&scanner->waiters);
         q != ngx_queue_sentinel(&scanner->waiters);
         q = next)
    {
        next = ngx_queue_next(q);
        waiter = ngx_queue_data(q, ngx_http_ratelimit_api_waiter_t, queue);

        if (waiter->call->conf == rmcf) {
            ngx_memcpy(waiter->call->zones, scanner->zones,
                       rmcf->zones.nelts * sizeof(rl_zone_stats_t));
            ngx_memcpy(waiter->call->banned, scanner->banned,
                       scanner->nbanned * sizeof(rl_banned_t));
            waiter->call->nbanned = scanner->nbanned;

            ngx_queue_remove(q);
            ngx_queue_insert_tail(&done, q);
        }
    }

    ngx_free(scanner->zones);
    scanner->conf = NULL;

    /* what is answered now may close others' connections */

    while (!ngx_queue_empty(&done)) {
        q = ngx_queue_head(&done);
        ngx_queue_remove(q);

        waiter = ngx_queue_data(q, ngx_http_ratelimit_api_waiter_t, queue);
        waiter->queued = 0;

        r = waiter->call->request;
        c = r->connection;

        ngx_http_set_log_request(c->log, r);
        ngx_http_ratelimit_now(&waiter->call->now);

        rc = waiter->handler(waiter->call);

        ngx_http_finalize_request(r, rc);
        ngx_http_run_posted_requests(c);
    }

    if (ngx_http_ratelimit_api_scan_begin(ngx_cycle->log) != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "ratelimit: no memory to look at the zones");
    }
}


static void
ngx_http_ratelimit_api_scan_cleanup(void *data)
{
    ngx_http_ratelimit_api_waiter_t  *waiter = data;

    if (waiter->queued) {
        ngx_queue_remove(&waiter->queue);
        waiter->queued = 0;
    }
}

