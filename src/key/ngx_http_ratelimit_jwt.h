
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_jwt": tokens that are verified, and their claims.
 */


#ifndef _NGX_HTTP_RATELIMIT_JWT_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_JWT_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_value.h"
#include "key/ngx_http_ratelimit_scratch.h"


/* "ratelimit_jwt" lines of one level whose token is the same */

typedef struct {
    ngx_uint_t                   id;         /* in the cache */
    ngx_str_t                    text;       /* of token=, empty: the bearer */
    ngx_http_ratelimit_value_t  *token;
    ngx_array_t                  lines;      /* rl_jwt_line_t */
} ngx_http_ratelimit_jwt_set_t;


/* ngx_http_ratelimit_jwt_conf.c */

char *ngx_http_ratelimit_jwt(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* ngx_http_ratelimit_jwt.c */

char *ngx_http_ratelimit_jwt_add_claim(ngx_conf_t *cf, rl_str_t *name,
    ngx_int_t *index);
ngx_int_t ngx_http_ratelimit_init_jwt(ngx_conf_t *cf);
ngx_int_t ngx_http_ratelimit_jwt_value(ngx_http_request_t *r, ngx_int_t claim,
    ngx_http_ratelimit_scratch_t *scratch, rl_str_t *out);


#endif /* _NGX_HTTP_RATELIMIT_JWT_H_INCLUDED_ */
