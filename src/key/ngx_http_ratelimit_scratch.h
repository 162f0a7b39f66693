
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What the keys of one decision are made with.
 */


#ifndef _NGX_HTTP_RATELIMIT_SCRATCH_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_SCRATCH_H_INCLUDED_


#include "ngx_http_ratelimit.h"


/* what a key of usual length is decoded into, on the stack */

#define NGX_HTTP_RATELIMIT_SCRATCH  128


/*
 * The keys of a decision are made one right after the other: what a request
 * says does not change meanwhile, so a token is searched for and hashed once,
 * however many of its claims are keys.
 */

typedef struct {
    u_char                       bytes[NGX_HTTP_RATELIMIT_SCRATCH];
    void                        *jwt_set;    /* that read a token last; NULL:
                                                none did */
    rl_jwt_token_t               token;      /* which is this one */
} ngx_http_ratelimit_scratch_t;


#endif /* _NGX_HTTP_RATELIMIT_SCRATCH_H_INCLUDED_ */
