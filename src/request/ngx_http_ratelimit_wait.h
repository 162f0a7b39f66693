
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Requests that wait for their decision.
 */


#ifndef _NGX_HTTP_RATELIMIT_WAIT_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_WAIT_H_INCLUDED_


#include "ngx_http_ratelimit.h"


typedef struct {
    ngx_event_t                  event;      /* its timer, or posted */
    ngx_http_request_t          *request;
    ngx_msec_t                   deadline;
    unsigned                     waiting:1;
    unsigned                     taken_up:1; /* its phase runs once more */
} ngx_http_ratelimit_wait_t;


/*
 * Puts a request aside: its phase handler is called again after ms, or soon
 * after ngx_http_ratelimit_resume().  *wait is what it waits with, the same
 * for all of a decision: zeros at first, or NULL, and it is allocated.
 * NGX_AGAIN: it waits, and that is what the phase handler returns.
 * NGX_DECLINED: it must not, since too many do, or it has waited for too long.
 */

ngx_int_t ngx_http_ratelimit_wait(ngx_http_request_t *r,
    ngx_http_ratelimit_wait_t **wait, uint64_t ms);

/* as many as may */

ngx_uint_t ngx_http_ratelimit_too_many_wait(void);

/*
 * For whoever knows that a decision is to be had now; may be called in any
 * event, for a request that still lives.  Does nothing where it waits no more.
 */

void ngx_http_ratelimit_resume(ngx_http_request_t *r);


/* neither timer nor resume() takes it up; to be called before its end */

void ngx_http_ratelimit_end_wait(ngx_http_ratelimit_wait_t *w);


#endif /* _NGX_HTTP_RATELIMIT_WAIT_H_INCLUDED_ */
