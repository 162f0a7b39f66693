
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_usage": what a response says that it has used.
 */


#ifndef _NGX_HTTP_RATELIMIT_USAGE_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_USAGE_H_INCLUDED_


#include "ngx_http_ratelimit.h"


struct ngx_http_ratelimit_usage_s {
    ngx_str_t                    name;       /* of the variable */
    ngx_uint_t                   index;
    ngx_array_t                  pointers;   /* rl_usage_pointer_t */
    rl_usage_search_t            search;     /* for their names */
    ngx_array_t                  types;      /* ngx_str_t */
    size_t                       max;        /* of one text */
    u_char                      *file;
    ngx_uint_t                   line;
    unsigned                     settles:1;  /* a line has it in "settle=" */
};


/* of one request and variable; the record has a list of them */

struct ngx_http_ratelimit_reader_s {
    rl_usage_t                   core;
    ngx_http_ratelimit_usage_t  *usage;
    rl_item_t                   *item;       /* that it settles, in the log */
    ngx_http_ratelimit_reader_t *next;
};


/* ngx_http_ratelimit_usage.c */

char *ngx_http_ratelimit_usage(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* ngx_http_ratelimit_usage_filter.c */

void ngx_http_ratelimit_init_usage_filter(
    ngx_http_ratelimit_main_conf_t *rmcf);

/* ngx_http_ratelimit_usage_init.c */

ngx_int_t ngx_http_ratelimit_init_usages(ngx_conf_t *cf);


#endif /* _NGX_HTTP_RATELIMIT_USAGE_H_INCLUDED_ */
