
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_headers": what every response tells.
 */


#ifndef _NGX_HTTP_RATELIMIT_HEADERS_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_HEADERS_H_INCLUDED_


#include "ngx_http_ratelimit.h"


/* fields of one line that are rendered together */

typedef struct {
    rl_fields_t                  core;
    ngx_array_t                 *policies;   /* of ngx_http_ratelimit_policy_t
                                                pointers; NULL: all */
    ngx_table_elt_t             *elts;       /* without values, core.n, for
                                                RL_EACH as many a policy */
    u_char                      *file;
    ngx_uint_t                   line;
} ngx_http_ratelimit_fields_t;


/* the lines of one level */

struct ngx_http_ratelimit_headers_s {
    ngx_array_t                  fields;     /* ngx_http_ratelimit_fields_t
                                                pointers */
    unsigned                     off:1;
};


/* ngx_http_ratelimit_headers.c */

char *ngx_http_ratelimit_headers(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
void ngx_http_ratelimit_merge_headers(ngx_http_ratelimit_loc_conf_t *prev,
    ngx_http_ratelimit_loc_conf_t *conf);

/* ngx_http_ratelimit_headers_init.c */

ngx_int_t ngx_http_ratelimit_init_headers(ngx_conf_t *cf);

/* ngx_http_ratelimit_header_filter.c */

ngx_int_t ngx_http_ratelimit_init_filter(ngx_conf_t *cf);


#endif /* _NGX_HTTP_RATELIMIT_HEADERS_H_INCLUDED_ */
