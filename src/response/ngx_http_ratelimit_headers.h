
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
    uint64_t                     retry_after_max_ms;
    unsigned                     retry_after_ms:1; /* the field */
    unsigned                     spread:1;
    unsigned                     off:1;
};


/*
 * Clients in JavaScript wait by timers of 31 bits of milliseconds: told to
 * wait for longer than 24.8 days they do not wait at all.  20 days leave room
 * for what some of them add.
 */

#define NGX_HTTP_RATELIMIT_RETRY_AFTER_MAX  ((uint64_t) 20 * 86400 * 1000)


/* what a refused client is told of the time that it has to wait */

static ngx_inline uint64_t
ngx_http_ratelimit_told_ms(ngx_http_ratelimit_headers_t *headers,
    uint64_t retry_after_ms)
{
    uint64_t  max_ms;

    max_ms = headers ? headers->retry_after_max_ms
                     : NGX_HTTP_RATELIMIT_RETRY_AFTER_MAX;

    return ngx_max(1, ngx_min(retry_after_ms, max_ms));
}


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
