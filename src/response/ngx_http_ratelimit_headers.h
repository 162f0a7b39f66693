
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_headers": what every response tells.
 */


#ifndef _NGX_HTTP_RATELIMIT_HEADERS_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_HEADERS_H_INCLUDED_


#include "ngx_http_ratelimit.h"


/* one "ratelimit_headers" dialect */

typedef struct {
    rl_dialect_t                 core;
    ngx_array_t                 *policies;   /* of ngx_http_ratelimit_policy_t
                                                pointers; NULL: all */
    ngx_table_elt_t             *fields;     /* without values,
                                                RL_DIALECT_FIELDS, for
                                                per-policy as many a policy */
    u_char                      *file;
    ngx_uint_t                   line;
} ngx_http_ratelimit_dialect_t;


/* ngx_http_ratelimit_headers.c */

char *ngx_http_ratelimit_headers(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_http_ratelimit_init_headers(ngx_conf_t *cf);
void ngx_http_ratelimit_merge_headers(ngx_http_ratelimit_loc_conf_t *prev,
    ngx_http_ratelimit_loc_conf_t *conf);

/* ngx_http_ratelimit_header_filter.c */

ngx_int_t ngx_http_ratelimit_init_filter(ngx_conf_t *cf);


#endif /* _NGX_HTTP_RATELIMIT_HEADERS_H_INCLUDED_ */
