
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Small scripts of one key, beside that of the rows, and the time that they go
 * by.
 */


#ifndef _NGX_HTTP_RATELIMIT_EVAL_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_EVAL_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_link.h"


/* arguments behind the key, at most */

#define NGX_HTTP_RATELIMIT_EVAL_ARGS  2


ngx_http_ratelimit_command_t *ngx_http_ratelimit_eval(
    ngx_http_ratelimit_link_t *link, ngx_http_ratelimit_reply_pt handler,
    ngx_str_t *script, ngx_str_t *key, ngx_str_t *args, ngx_uint_t nargs);

/*
 * True: the server did not know the script, and is told it: it may be asked
 * again at once
 */

ngx_uint_t ngx_http_ratelimit_no_script(ngx_http_ratelimit_link_t *link,
    redisReply *reply, ngx_str_t *script);

/* of the reply to TIME; 0: it is none */

uint64_t ngx_http_ratelimit_reply_ms(redisReply *reply);

/* shard 0's clock is that of overrides and resets, in a cluster too */

#define NGX_HTTP_RATELIMIT_CLOCK_SHARD  0


#endif /* _NGX_HTTP_RATELIMIT_EVAL_H_INCLUDED_ */
