
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * How much of long work is done in one turn of the event loop.  It is cut by
 * time and not by amount: what a bucket takes depends on whether its memory is
 * at hand, was ever touched, or has to be found by the system first, and so
 * differs by a factor of a hundred.
 */


#ifndef _NGX_HTTP_RATELIMIT_SLICE_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_SLICE_H_INCLUDED_


#include "ngx_http_ratelimit.h"


#define NGX_HTTP_RATELIMIT_SLICE_NS  250000


typedef struct {
    uint64_t                     end_ns;
} ngx_http_ratelimit_slice_t;


/* not nginx's time, which stands still during a turn */

static ngx_inline uint64_t
ngx_http_ratelimit_clock_ns(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


static ngx_inline void
ngx_http_ratelimit_slice_begin(ngx_http_ratelimit_slice_t *slice)
{
    slice->end_ns = ngx_http_ratelimit_clock_ns()
                    + NGX_HTTP_RATELIMIT_SLICE_NS;
}


/* at once */

static ngx_inline void
ngx_http_ratelimit_slice_endless(ngx_http_ratelimit_slice_t *slice)
{
    slice->end_ns = UINT64_MAX;
}


/* asked after each step, so that there is one in every turn */

static ngx_inline ngx_uint_t
ngx_http_ratelimit_slice_is_over(ngx_http_ratelimit_slice_t *slice)
{
    return ngx_http_ratelimit_clock_ns() >= slice->end_ns;
}


#endif /* _NGX_HTTP_RATELIMIT_SLICE_H_INCLUDED_ */
