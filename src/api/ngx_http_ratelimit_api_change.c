
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Changes of overrides of zones that machines share: answered once Redis has
 * them, so that they hold on all machines or on none.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "shared/ngx_http_ratelimit_overrides.h"
#include "api/ngx_http_ratelimit_api.h"


struct ngx_http_ratelimit_api_changes_s {
    ngx_http_ratelimit_api_call_t  *call;
    ngx_array_t                     exchanges; /* of pointers, each of another
                                                  zone; NULL: it has ended */
    ngx_uint_t                      pending;
    ngx_str_t                       what;      /* for the log */
    ngx_http_ratelimit_api_pt       answer;
    void                           *data;      /* of the call, for answer */
    ngx_int_t                       rc;        /* of the first that failed */
    u_char                          why[200];
    size_t                          why_len;
};


static void ngx_http_ratelimit_api_changed(
    ngx_http_ratelimit_exchange_t *exchange);
static ngx_int_t ngx_http_ratelimit_api_send_changes(
    ngx_http_ratelimit_api_call_t *call);
static void ngx_http_ratelimit_api_changes_cleanup(void *data);


ngx_http_ratelimit_api_changes_t *
ngx_http_ratelimit_api_changes(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_api_pt answer)
{
    ngx_pool_t                        *pool;
    ngx_http_cleanup_t                *cln;
    ngx_http_ratelimit_api_changes_t  *changes;

    pool = call->request->pool;

    changes = ngx_pcalloc(pool, sizeof(ngx_http_ratelimit_api_changes_t));

    if (changes == NULL
        || ngx_array_init(&changes->exchanges, pool, 1,
                          sizeof(ngx_http_ratelimit_exchange_t *))
           != NGX_OK)
    {
        return NULL;
    }

    cln = ngx_http_cleanup_add(call->request, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_ratelimit_api_changes_cleanup;
    cln->data = changes;

    changes->call = call;
    changes->answer = answer;
    changes->data = call->data;
    changes->rc = NGX_OK;

    return changes;
}


ngx_int_t
ngx_http_ratelimit_api_add_change(ngx_http_ratelimit_api_changes_t *changes,
    ngx_http_ratelimit_zone_t *zone, rl_override_t *override)
{
    ngx_http_ratelimit_exchange_t  **last, *exchange;

    last = changes->exchanges.elts;
    exchange = NULL;

    if (changes->exchanges.nelts) {
        exchange = last[changes->exchanges.nelts - 1];
    }

    if (exchange == NULL || exchange->zone != zone) {

        exchange = ngx_http_ratelimit_create_exchange(zone);
        if (exchange == NULL) {
            return NGX_ERROR;
        }

        last = ngx_array_push(&changes->exchanges);
        if (last == NULL) {
            ngx_free(exchange);
            return NGX_ERROR;
        }

        *last = exchange;
    }

    exchange->changes[exchange->nchanges++] = *override;

    return NGX_OK;
}


ngx_int_t
ngx_http_ratelimit_api_make_changes(ngx_http_ratelimit_api_changes_t *changes,
    ngx_str_t *what)
{
    ngx_int_t                        rc;
    ngx_uint_t                       i;
    ngx_http_ratelimit_api_call_t   *call;
    ngx_http_ratelimit_exchange_t  **exchanges;

    call = changes->call;

    call->data = changes;
    changes->what = *what;
    changes->pending = changes->exchanges.nelts;

    if (changes->pending == 0) {
        return ngx_http_ratelimit_api_send_changes(call);
    }

    rc = ngx_http_ratelimit_api_later(call,
                                      ngx_http_ratelimit_api_send_changes);
    if (rc != NGX_DONE) {
        return rc;
    }

    exchanges = changes->exchanges.elts;

    for (i = 0; i < changes->exchanges.nelts; i++) {
        exchanges[i]->done = ngx_http_ratelimit_api_changed;
        exchanges[i]->data = changes;

        ngx_http_ratelimit_begin_exchange(exchanges[i]);
    }

    return NGX_DONE;
}


static void
ngx_http_ratelimit_api_changed(ngx_http_ratelimit_exchange_t *exchange)
{
    ngx_uint_t                         i;
    ngx_http_ratelimit_exchange_t    **exchanges;
    ngx_http_ratelimit_api_changes_t  *changes;

    changes = exchange->data;
    exchanges = changes->exchanges.elts;

    for (i = 0; i < changes->exchanges.nelts; i++) {
        if (exchanges[i] == exchange) {
            exchanges[i] = NULL;
        }
    }

    if (exchange->rc != NGX_OK && changes->rc == NGX_OK) {
        changes->rc = exchange->rc;

        if (exchange->why) {
            changes->why_len = ngx_min(ngx_strlen(exchange->why),
                                       sizeof(changes->why));
            ngx_memcpy(changes->why, exchange->why, changes->why_len);
        }
    }

    if (--changes->pending == 0) {
        ngx_post_event(&changes->call->event, &ngx_posted_events);
    }
}


static ngx_int_t
ngx_http_ratelimit_api_send_changes(ngx_http_ratelimit_api_call_t *call)
{
    ngx_str_t                          why;
    ngx_http_ratelimit_api_changes_t  *changes;

    changes = call->data;
    call->data = changes->data;

    if (changes->rc != NGX_OK) {
        why.data = changes->why;
        why.len = changes->why_len;

        return ngx_http_ratelimit_api_not_changed(call, changes->rc, &why);
    }

    ngx_http_ratelimit_api_log(call, "%V", &changes->what);

    return changes->answer(call);
}


ngx_int_t
ngx_http_ratelimit_api_not_changed(ngx_http_ratelimit_api_call_t *call,
    ngx_int_t rc, ngx_str_t *why)
{
    ngx_str_t  away;

    ngx_str_set(&away, "Redis is away");

    if (rc == NGX_BUSY) {
        return ngx_http_ratelimit_api_no_room(call);
    }

    ngx_http_ratelimit_api_problem(call, NGX_HTTP_SERVICE_UNAVAILABLE,
                                   rc == NGX_ERROR
                                   ? "%V, the change may have been made"
                                   : "%V, nothing was changed",
                                   why->len ? why : &away);
    return call->rc;
}


ngx_str_t
ngx_http_ratelimit_api_what(ngx_http_ratelimit_api_call_t *call,
    const char *format, ...)
{
    u_char     text[1024];
    va_list    args;
    ngx_str_t  what, copy;

    va_start(args, format);
    what.data = text;
    what.len = ngx_vslprintf(text, text + sizeof(text), format, args) - text;
    va_end(args);

    copy.len = what.len;
    copy.data = ngx_pstrdup(call->request->pool, &what);

    return copy;
}


/* what Redis was sent already is done, and comes back from there */

static void
ngx_http_ratelimit_api_changes_cleanup(void *data)
{
    ngx_http_ratelimit_api_changes_t *changes = data;

    ngx_uint_t                       i;
    ngx_http_ratelimit_exchange_t  **exchanges;

    exchanges = changes->exchanges.elts;

    for (i = 0; i < changes->exchanges.nelts; i++) {
        if (exchanges[i] == NULL) {
            continue;
        }

        if (exchanges[i]->done == NULL) {
            ngx_free(exchanges[i]);

        } else {
            exchanges[i]->done = NULL;
        }
    }
}
