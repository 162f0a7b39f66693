
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The record of a request's decisions.
 */


#ifndef _NGX_HTTP_RATELIMIT_RECORD_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_RECORD_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "request/ngx_http_ratelimit_wait.h"


/* what the values of one dialect need, of one policy of "ietf" as well */

#define NGX_HTTP_RATELIMIT_ROOM  128


typedef struct {
    ngx_uint_t                   nitems;
    ngx_uint_t                   kept;       /* the first of items: a redirect
                                                came after them */
    uint64_t                     retry_after_ms;
    ngx_http_ratelimit_asking_t *asking;     /* Redis; NULL: it is not */
    ngx_http_ratelimit_wait_t   *wait;       /* for the decision; NULL: it
                                                has not waited for it */
    ngx_http_ratelimit_reader_t *readers;    /* of the body */
    ngx_http_ratelimit_queued_t *queued;     /* NULL: it is in no queue */
    uint64_t                     waited_ms;  /* in one */
    ngx_uint_t                   status;     /* to refuse it with */
    unsigned                     refused:1;
    unsigned                     dry_run:1;  /* would have been refused */
    unsigned                     responds:1; /* a charge may depend on the
                                                response */
    unsigned                     error:1;    /* a policy was not decided, */
    unsigned                     failed:1;   /* and so the request refused */
    unsigned                     rendered:1; /* values is in use */
    unsigned                     holds:1;    /* places, until it ends */
    unsigned                     bans:1;     /* a policy of it bans */
    unsigned                     waits:1;    /* a refusal may wait */

    /* up to here, what is zero in a new record */

    uint32_t                     asks_dry;   /* one not decided yet does, in
                                                dry run */
    ngx_uint_t                   nasked;     /* not decided yet, at the end */
    ngx_http_ratelimit_loc_conf_t *conf;     /* that decided last, or was to;
                                                never NULL */
    rl_item_t                   *items;
    ngx_uint_t                   size;       /* items has room for */
    rl_time_t                    time;       /* of the last decision */
    ngx_uint_t                   foreign;    /* fields that are not ours */
    u_char                       values[NGX_HTTP_RATELIMIT_ROOM];
} ngx_http_ratelimit_record_t;


ngx_http_ratelimit_record_t *ngx_http_ratelimit_find_record(
    ngx_http_request_t *r);


/* to have room for n more items */

ngx_int_t ngx_http_ratelimit_grow_record(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_uint_t n);
void ngx_http_ratelimit_record_cleanup(void *data);

/* in an earlier decision, or in an earlier step of this one */

ngx_uint_t ngx_http_ratelimit_has_decided(ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_policy_t *policy);

void ngx_http_ratelimit_age_record(ngx_http_ratelimit_record_t *record);

/*
 * Of a subrequest, or of a request that was redirected, which is told here in
 * any location, for the last upstream's response is still known now.  False:
 * nothing is to be decided, any more; a post_action of a client that went away
 * comes without a header that was sent.
 */

ngx_uint_t ngx_http_ratelimit_is_open(ngx_http_request_t *r);


/*
 * nginx zeroes a request's module contexts at an internal redirect, so the
 * record hangs on a pool cleanup as well, as ngx_http_realip_module's does.
 */

static ngx_inline ngx_http_ratelimit_record_t *
ngx_http_ratelimit_get_record(ngx_http_request_t *r)
{
    ngx_http_ratelimit_record_t  *record;

    record = ngx_http_get_module_ctx(r, ngx_http_ratelimit_module);

    if (record == NULL && (r->internal || r->filter_finalize)) {
        return ngx_http_ratelimit_find_record(r);
    }

    return record;
}


/* a request's first, with the time of its decision and room for n items */

static ngx_inline ngx_http_ratelimit_record_t *
ngx_http_ratelimit_create_record(ngx_http_request_t *r, ngx_uint_t n)
{
    ngx_pool_cleanup_t           *cln;
    ngx_http_ratelimit_record_t  *record;

    /* as ngx_pool_cleanup_add(), with one allocation for all */

    cln = ngx_palloc(r->pool, sizeof(ngx_pool_cleanup_t)
                              + sizeof(ngx_http_ratelimit_record_t)
                              + n * sizeof(rl_item_t));
    if (cln == NULL) {
        return NULL;
    }

    record = (ngx_http_ratelimit_record_t *) (cln + 1);
    ngx_memzero(record, offsetof(ngx_http_ratelimit_record_t, asks_dry));

    record->items = (rl_item_t *) (record + 1);
    record->size = n;

    cln->handler = ngx_http_ratelimit_record_cleanup;
    cln->data = record;
    cln->next = r->pool->cleanup;
    r->pool->cleanup = cln;

    ngx_http_set_ctx(r, record, ngx_http_ratelimit_module);

    ngx_http_ratelimit_now(&record->time);

    return record;
}


/* of a decision; what was decided before keeps up with it */

static ngx_inline void
ngx_http_ratelimit_set_time(ngx_http_ratelimit_record_t *record)
{
    if (record->nitems) {
        ngx_http_ratelimit_age_record(record);
    }

    ngx_http_ratelimit_now(&record->time);
}


#endif /* _NGX_HTTP_RATELIMIT_RECORD_H_INCLUDED_ */
