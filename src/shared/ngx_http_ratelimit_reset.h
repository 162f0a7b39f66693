
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Emptying a bucket in Redis.
 */


#ifndef _NGX_HTTP_RATELIMIT_RESET_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_RESET_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_link.h"


typedef struct ngx_http_ratelimit_bucket_reset_s
    ngx_http_ratelimit_bucket_reset_t;

typedef void (*ngx_http_ratelimit_reset_pt)(
    ngx_http_ratelimit_bucket_reset_t *reset);

struct ngx_http_ratelimit_bucket_reset_s {
    rl_item_t                    item;       /* its bucket */
    ngx_http_ratelimit_reset_pt  done;
    void                        *data;       /* the caller's own */

    ngx_http_ratelimit_command_t *command;   /* NULL: none is on the way */
    ngx_uint_t                   redirects;
    ngx_uint_t                   loads;
    ngx_int_t                    rc;         /* NGX_OK; NGX_DECLINED: nothing
                                                was done; NGX_ERROR: nobody
                                                knows */
    uint64_t                     at_ms;      /* as shard 0's clock showed,
                                                just before */
    u_char                       why[200];   /* it was not done */
    size_t                       why_len;    /* 0: Redis is away */
};


/* NGX_AGAIN: done() will be called; else it is done, reset->rc says how */

ngx_int_t ngx_http_ratelimit_reset_in_redis(ngx_http_ratelimit_redis_t *redis,
    ngx_http_ratelimit_bucket_reset_t *reset);

/* nobody wants to know any more */

void ngx_http_ratelimit_end_reset(ngx_http_ratelimit_bucket_reset_t *reset);


#endif /* _NGX_HTTP_RATELIMIT_RESET_H_INCLUDED_ */
