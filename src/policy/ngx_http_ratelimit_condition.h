
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Which responses leave a charge as it is.
 */


#ifndef _NGX_HTTP_RATELIMIT_CONDITION_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_CONDITION_H_INCLUDED_


#include "ngx_http_ratelimit.h"


/* a bit for each status that a response may have */

#define NGX_HTTP_RATELIMIT_FIRST_STATUS  200
#define NGX_HTTP_RATELIMIT_STATUSES      400
#define NGX_HTTP_RATELIMIT_STATUS_WORDS                                       \
    ((NGX_HTTP_RATELIMIT_STATUSES + 63) / 64)

typedef struct {
    uint64_t                      bits[NGX_HTTP_RATELIMIT_STATUS_WORDS];
} ngx_http_ratelimit_statuses_t;


typedef struct {
    ngx_http_ratelimit_statuses_t  counts;   /* whatever variables say */
    ngx_http_ratelimit_statuses_t  skip;
    ngx_http_ratelimit_statuses_t  count;
    ngx_http_ratelimit_value_t    *skip_if;
    ngx_http_ratelimit_value_t    *count_if;
    ngx_uint_t                     only;     /* what is to be counted is said,
                                                nothing else is */
} ngx_http_ratelimit_condition_t;


char *ngx_http_ratelimit_condition_parameter(ngx_conf_t *cf,
    ngx_http_ratelimit_condition_t **condition, char *name, ngx_str_t *value);

/* as response_counts(), of a status that need not count */

ngx_int_t ngx_http_ratelimit_response_may_count(ngx_http_request_t *r,
    ngx_http_ratelimit_condition_t *condition);


static ngx_inline ngx_uint_t
ngx_http_ratelimit_has_status(ngx_http_ratelimit_statuses_t *statuses,
    ngx_uint_t status)
{
    status -= NGX_HTTP_RATELIMIT_FIRST_STATUS;

    return status < NGX_HTTP_RATELIMIT_STATUSES
           && (statuses->bits[status / 64] >> status % 64 & 1);
}


/* 1: the units stay charged, 0: they go back */

static ngx_inline ngx_int_t
ngx_http_ratelimit_response_counts(ngx_http_request_t *r,
    ngx_http_ratelimit_condition_t *condition)
{
    return ngx_http_ratelimit_has_status(&condition->counts,
                                         r->headers_out.status)
           ? 1 : ngx_http_ratelimit_response_may_count(r, condition);
}


#endif /* _NGX_HTTP_RATELIMIT_CONDITION_H_INCLUDED_ */
