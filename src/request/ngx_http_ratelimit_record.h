
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The record of a request's decisions.
 */


#ifndef _NGX_HTTP_RATELIMIT_RECORD_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_RECORD_H_INCLUDED_


#include "ngx_http_ratelimit.h"


/* what the values of one dialect need, of one policy of "ietf" as well */

#define NGX_HTTP_RATELIMIT_ROOM  128


typedef struct {
    ngx_http_ratelimit_loc_conf_t *conf;     /* that decided last */
    rl_item_t                   *items;
    ngx_uint_t                   nitems;
    ngx_uint_t                   size;       /* items has room for */
    ngx_uint_t                   kept;       /* the first of items: a redirect
                                                came after them */
    rl_time_t                    time;       /* of the last decision */
    uint64_t                     retry_after_ms;
    ngx_uint_t                   status;     /* to refuse it with */
    unsigned                     refused:1;
    unsigned                     dry_run:1;  /* would have been refused */
    unsigned                     responds:1; /* a charge depends on the
                                                response */
    unsigned                     error:1;    /* a policy was not decided, */
    unsigned                     failed:1;   /* and so the request refused */
    unsigned                     rendered:1; /* values is in use */
    u_char                       values[NGX_HTTP_RATELIMIT_ROOM];
} ngx_http_ratelimit_record_t;


ngx_http_ratelimit_record_t *ngx_http_ratelimit_find_record(
    ngx_http_request_t *r);

/* the request's, or a new one, with room for n more items */

ngx_http_ratelimit_record_t *ngx_http_ratelimit_make_record(
    ngx_http_request_t *r, ngx_uint_t n);

void ngx_http_ratelimit_age_record(ngx_http_ratelimit_record_t *record);


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


#endif /* _NGX_HTTP_RATELIMIT_RECORD_H_INCLUDED_ */
