
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * A dialect of a "ratelimit_headers" line, while the line is read.
 */


#ifndef _NGX_HTTP_RATELIMIT_DIALECT_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_DIALECT_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "response/ngx_http_ratelimit_headers.h"


typedef struct {
    ngx_http_ratelimit_headers_t *headers;
    ngx_uint_t                   begun;      /* unsigned  begun:1; */
    rl_dialect_e                 kind;
    rl_reset_e                   reset;
    rl_str_t                     prefix;
    ngx_array_t                 *policies;
    ngx_array_t                  templates;  /* rl_template_t, of "fields" */
    ngx_uint_t                   seen;       /* parameters */
} ngx_http_ratelimit_dialect_t;


char *ngx_http_ratelimit_begin_dialect(ngx_conf_t *cf,
    ngx_http_ratelimit_dialect_t *dialect, ngx_str_t *name);
ngx_uint_t ngx_http_ratelimit_is_template(ngx_str_t *arg);
char *ngx_http_ratelimit_add_template(ngx_conf_t *cf,
    ngx_http_ratelimit_dialect_t *dialect, ngx_str_t *text);
char *ngx_http_ratelimit_dialect_parameter(ngx_conf_t *cf,
    ngx_http_ratelimit_dialect_t *dialect, ngx_str_t *arg);
char *ngx_http_ratelimit_end_dialect(ngx_conf_t *cf,
    ngx_http_ratelimit_dialect_t *dialect);


#endif /* _NGX_HTTP_RATELIMIT_DIALECT_H_INCLUDED_ */
