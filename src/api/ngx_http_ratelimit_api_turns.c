
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Long answers, made a slice in each turn of the worker's event loop, so that
 * a thousand policies do not keep it from its other work.
 */


#include "ngx_http_ratelimit.h"
#include "api/ngx_http_ratelimit_api.h"


#define NGX_HTTP_RATELIMIT_API_BUF   16384
#define NGX_HTTP_RATELIMIT_API_HOLD  1000


static void ngx_http_ratelimit_api_turn(ngx_event_t *ev);
static void ngx_http_ratelimit_api_hold(ngx_event_t *ev);
static void ngx_http_ratelimit_api_turns_cleanup(void *data);
static u_char *ngx_http_ratelimit_api_room(ngx_http_ratelimit_api_call_t *call,
    size_t len);


/* handler is called in turn after turn as long as it returns NGX_AGAIN */

ngx_int_t
ngx_http_ratelimit_api_turns(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_api_pt handler)
{
    ngx_int_t  rc;

    rc = ngx_http_ratelimit_api_later(call, handler);

    if (rc == NGX_DONE) {
        ngx_post_event(&call->event, &ngx_posted_next_events);
    }

    return rc;
}


/* handler is called once somebody posts call->event */

ngx_int_t
ngx_http_ratelimit_api_later(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_api_pt handler)
{
    ngx_http_cleanup_t  *cln;

    cln = ngx_http_cleanup_add(call->request, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_ratelimit_api_turns_cleanup;
    cln->data = call;

    call->turn = handler;
    call->event.handler = ngx_http_ratelimit_api_turn;
    call->event.data = call;
    call->event.log = call->request->connection->log;

    /* a worker that is to exit stays while there is a timer */

    call->hold.handler = ngx_http_ratelimit_api_hold;
    call->hold.data = call->request->connection;
    call->hold.log = call->request->connection->log;

    ngx_add_timer(&call->hold, NGX_HTTP_RATELIMIT_API_HOLD);

    call->request->main->count++;

    return NGX_DONE;
}


static void
ngx_http_ratelimit_api_turn(ngx_event_t *ev)
{
    ngx_int_t                       rc;
    ngx_connection_t               *c;
    ngx_http_request_t             *r;
    ngx_http_ratelimit_api_call_t  *call;

    call = ev->data;
    r = call->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    rc = call->turn(call);

    if (rc == NGX_AGAIN) {
        ngx_post_event(ev, &ngx_posted_next_events);
        return;
    }

    /* else there is another turn to come */

    if (rc != NGX_DONE) {
        ngx_del_timer(&call->hold);
    }

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_ratelimit_api_hold(ngx_event_t *ev)
{
    ngx_add_timer(ev, NGX_HTTP_RATELIMIT_API_HOLD);
}


static void
ngx_http_ratelimit_api_turns_cleanup(void *data)
{
    ngx_http_ratelimit_api_call_t  *call = data;

    if (call->event.posted) {
        ngx_delete_posted_event(&call->event);
    }

    if (call->hold.timer_set) {
        ngx_del_timer(&call->hold);
    }
}


/* from *next on: those of the next turn, at most max of n; moves *next on */

ngx_uint_t
ngx_http_ratelimit_api_slice(ngx_uint_t *next, ngx_uint_t n, ngx_uint_t max)
{
    *next = (n - *next > max) ? *next + max : n;

    return *next;
}


ngx_int_t
ngx_http_ratelimit_api_add_text(ngx_http_ratelimit_api_call_t *call,
    const char *text)
{
    size_t   len;
    u_char  *p;

    len = ngx_strlen(text);

    p = ngx_http_ratelimit_api_room(call, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, text, len);

    return NGX_OK;
}


/*
 * Takes the reference to json; NULL: there was no memory for it.  It stands
 * `indent` blanks deep in the whole.
 */

ngx_int_t
ngx_http_ratelimit_api_add_json(ngx_http_ratelimit_api_call_t *call,
    json_t *json, ngx_uint_t indent)
{
    char    *text, *s;
    size_t   len;
    u_char  *p;

    text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;

    json_decref(json);

    if (text == NULL) {
        return NGX_ERROR;
    }

    for (s = text, len = 0; *s; s++) {
        len += (*s == LF) ? 1 + indent : 1;
    }

    p = ngx_http_ratelimit_api_room(call, len);

    for (s = text; p && *s; s++) {
        *p++ = *s;

        if (*s == LF) {
            ngx_memset(p, ' ', indent);
            p += indent;
        }
    }

    free(text);

    return p ? NGX_OK : NGX_ERROR;
}


static u_char *
ngx_http_ratelimit_api_room(ngx_http_ratelimit_api_call_t *call, size_t len)
{
    u_char       *p;
    ngx_chain_t  *cl;

    cl = call->last;

    if (cl == NULL || (size_t) (cl->buf->end - cl->buf->last) < len) {

        cl = ngx_alloc_chain_link(call->request->pool);
        if (cl == NULL) {
            return NULL;
        }

        cl->buf = ngx_create_temp_buf(call->request->pool,
                                      ngx_max(len,
                                              NGX_HTTP_RATELIMIT_API_BUF));
        if (cl->buf == NULL) {
            return NULL;
        }

        cl->next = NULL;

        if (call->last) {
            call->last->next = cl;

        } else {
            call->out = cl;
        }

        call->last = cl;
    }

    p = cl->buf->last;
    cl->buf->last += len;

    return p;
}
