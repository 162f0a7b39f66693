
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * How a request is put aside and taken up again, as limit_req does with those
 * that it delays: nothing of it runs meanwhile, a client that leaves is
 * noticed, and its phases then go on with the handler that put it aside.
 *
 * A timer is always set, so that none waits for ever, and so that a worker
 * that is to exit does not before its requests are done.
 */


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_step.h"
#include "request/ngx_http_ratelimit_record.h"
#include "request/ngx_http_ratelimit_wait.h"


static void ngx_http_ratelimit_begin_wait(ngx_http_request_t *r,
    ngx_http_ratelimit_wait_t *w);
static void ngx_http_ratelimit_writable(ngx_http_request_t *r);
static void ngx_http_ratelimit_take_up(ngx_event_t *ev);


/* of this worker's requests */

static ngx_uint_t  ngx_http_ratelimit_nwaiting;


ngx_int_t
ngx_http_ratelimit_wait(ngx_http_request_t *r,
    ngx_http_ratelimit_wait_t **wait, uint64_t ms)
{
    ngx_event_t                *rev;
    ngx_msec_int_t              left;
    ngx_http_ratelimit_wait_t  *w;

    w = *wait;

    if (w == NULL) {
        w = ngx_pcalloc(r->pool, sizeof(ngx_http_ratelimit_wait_t));
        if (w == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        *wait = w;
    }

    if (!w->taken_up) {
        ngx_http_ratelimit_begin_wait(r, w);
    }

    w->taken_up = 0;

    left = (ngx_msec_int_t) (w->deadline - ngx_current_msec);

    if (left <= 0 || ngx_http_ratelimit_too_many_wait()) {
        return NGX_DECLINED;
    }

    rev = r->connection->read;

    if (rev->ready) {
        ngx_post_event(rev, &ngx_posted_events);

    } else if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_ratelimit_writable;

    ms = ngx_min(ms, (uint64_t) left);

    ngx_add_timer(&w->event, (ngx_msec_t) ngx_max(ms, 1));

    w->waiting = 1;
    ngx_http_ratelimit_nwaiting++;

    return NGX_AGAIN;
}


/* connections are left for those who need not wait */

ngx_uint_t
ngx_http_ratelimit_too_many_wait(void)
{
    return ngx_http_ratelimit_nwaiting >= ngx_cycle->connection_n / 2;
}


static void
ngx_http_ratelimit_begin_wait(ngx_http_request_t *r,
    ngx_http_ratelimit_wait_t *w)
{
    w->request = r;
    w->deadline = ngx_current_msec + NGX_HTTP_RATELIMIT_MAX_WAIT;

    w->event.handler = ngx_http_ratelimit_take_up;
    w->event.data = r->connection;
    w->event.log = r->connection->log;
}


void
ngx_http_ratelimit_resume(ngx_http_request_t *r)
{
    ngx_http_ratelimit_record_t  *record;

    record = ngx_http_get_module_ctx(r, ngx_http_ratelimit_module);

    if (record && record->wait && record->wait->waiting) {
        ngx_post_event(&record->wait->event, &ngx_posted_events);
    }
}


/* the client's connection takes data again, of which there is none yet */

static void
ngx_http_ratelimit_writable(ngx_http_request_t *r)
{
    if (ngx_handle_write_event(r->connection->write, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }
}


static void
ngx_http_ratelimit_take_up(ngx_event_t *ev)
{
    ngx_connection_t           *c;
    ngx_http_request_t         *r;
    ngx_http_ratelimit_wait_t  *w;

    w = (ngx_http_ratelimit_wait_t *)
            ((u_char *) ev - offsetof(ngx_http_ratelimit_wait_t, event));

    ngx_http_ratelimit_end_wait(w);

    r = w->request;
    c = r->connection;

    if (r->write_event_handler != ngx_http_ratelimit_writable) {

        /* the client left, and this is about "post_action" */

        return;
    }

    ngx_http_set_log_request(c->log, r);

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);

    } else {
        w->taken_up = 1;

        r->read_event_handler = ngx_http_block_reading;
        r->write_event_handler = ngx_http_core_run_phases;

        ngx_http_core_run_phases(r);
    }

    ngx_http_run_posted_requests(c);
}


/* it is taken up, or its request ends */

void
ngx_http_ratelimit_end_wait(ngx_http_ratelimit_wait_t *w)
{
    if (!w->waiting) {
        return;
    }

    w->waiting = 0;
    ngx_http_ratelimit_nwaiting--;

    if (w->event.timer_set) {
        ngx_del_timer(&w->event);
    }

    if (w->event.posted) {
        ngx_delete_posted_event(&w->event);
    }
}
