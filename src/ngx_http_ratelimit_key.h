
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_key": what the files of that name share.
 */


#ifndef _NGX_HTTP_RATELIMIT_KEY_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_KEY_H_INCLUDED_


#include "ngx_http_ratelimit_module.h"


typedef struct {
    rl_source_t                  core;
    ngx_int_t                    index;      /* of a variable, a JWT's claim */
    rl_str_t                     tag;        /* of the chain's first source */
    ngx_str_t                    prefix;     /* "tag:"; empty: untagged */
    ngx_uint_t                   plain_arg;  /* unsigned  plain_arg:1; */
} ngx_http_ratelimit_source_t;


struct ngx_http_ratelimit_key_s {
    ngx_array_t                  sources;    /* ngx_http_ratelimit_source_t */
    ngx_uint_t                   untagged;   /* unsigned  untagged:1; */
};


/* ngx_http_ratelimit_key_source.c */

/*
 * scratch is NULL or NGX_HTTP_RATELIMIT_SCRATCH bytes, in which a value may be
 * decoded rather than in the request's pool.  NGX_DECLINED: the source yields
 * nothing.
 */

ngx_int_t ngx_http_ratelimit_key_value(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, u_char *scratch, rl_str_t *out);


#endif /* _NGX_HTTP_RATELIMIT_KEY_H_INCLUDED_ */
