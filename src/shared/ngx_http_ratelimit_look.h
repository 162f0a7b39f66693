
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Looking at a bucket in Redis, which changes nothing there.
 */


#ifndef _NGX_HTTP_RATELIMIT_LOOK_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_LOOK_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_link.h"


typedef struct ngx_http_ratelimit_look_s  ngx_http_ratelimit_look_t;

struct ngx_http_ratelimit_look_s {
    rl_item_t                    item;       /* its bucket */
    void                       (*done)(ngx_http_ratelimit_look_t *look);
    void                        *data;       /* the caller's own */

    ngx_http_ratelimit_command_t *command;   /* NULL: none is on the way */
    ngx_uint_t                   redirects;
    char                        *why;        /* there is no answer, or NULL */
    rl_shared_bucket_t           bucket;
};


/* NGX_AGAIN: done() will be called; NGX_DECLINED: look->why says why not */

ngx_int_t ngx_http_ratelimit_look_in_redis(ngx_http_ratelimit_redis_t *redis,
    ngx_http_ratelimit_look_t *look);

/* nobody wants to know any more */

void ngx_http_ratelimit_end_look(ngx_http_ratelimit_look_t *look);


#endif /* _NGX_HTTP_RATELIMIT_LOOK_H_INCLUDED_ */
