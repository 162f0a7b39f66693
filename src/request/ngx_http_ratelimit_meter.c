
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "settle_every=": an upgraded connection may last for days, so its charges
 * are raised by a timer.
 */


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_settle.h"
#include "request/ngx_http_ratelimit_charge.h"
#include "request/ngx_http_ratelimit_meter.h"
#include "request/ngx_http_ratelimit_record.h"


typedef struct {
    ngx_event_t                  event;
    ngx_http_request_t          *request;
    ngx_http_ratelimit_record_t *record;
    ngx_msec_t                   every;
} ngx_http_ratelimit_meter_t;


static void ngx_http_ratelimit_read_meter(ngx_event_t *ev);
static void ngx_http_ratelimit_stop_meter(void *data);


ngx_int_t
ngx_http_ratelimit_start_meter(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record)
{
    ngx_uint_t                    i;
    ngx_msec_t                    every;
    ngx_http_cleanup_t           *cln;
    ngx_http_ratelimit_meter_t   *meter;
    ngx_http_ratelimit_settle_t  *settle;

    every = 0;

    for (i = 0; i < record->nitems; i++) {
        settle = record->items[i].data;

        if (settle && settle->every
            && (every == 0 || settle->every < every))
        {
            every = settle->every;
        }
    }

    if (every == 0) {
        return NGX_OK;
    }

    meter = ngx_pcalloc(r->pool, sizeof(ngx_http_ratelimit_meter_t));
    if (meter == NULL) {
        return NGX_ERROR;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_ratelimit_stop_meter;
    cln->data = meter;

    meter->request = r;
    meter->record = record;
    meter->every = every;

    meter->event.handler = ngx_http_ratelimit_read_meter;
    meter->event.data = r->connection;
    meter->event.log = r->connection->log;

    /* a worker that exits waits for the connection, not for this */

    meter->event.cancelable = 1;

    ngx_add_timer(&meter->event, every);

    return NGX_OK;
}


static void
ngx_http_ratelimit_read_meter(ngx_event_t *ev)
{
    ngx_http_request_t          *r;
    ngx_http_ratelimit_meter_t  *meter;

    meter = (ngx_http_ratelimit_meter_t *)
                ((u_char *) ev - offsetof(ngx_http_ratelimit_meter_t, event));

    r = meter->request;

    ngx_http_set_log_request(r->connection->log, r);

    ngx_http_ratelimit_raise_charges(r, meter->record);

    ngx_add_timer(ev, meter->every);
}


static void
ngx_http_ratelimit_stop_meter(void *data)
{
    ngx_http_ratelimit_meter_t *meter = data;

    if (meter->event.timer_set) {
        ngx_del_timer(&meter->event);
    }
}
