
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Parameters of directives, and what is said of wrong ones.
 */


#ifndef _NGX_HTTP_RATELIMIT_PARAM_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_PARAM_H_INCLUDED_


#include "ngx_http_ratelimit.h"


char *ngx_http_ratelimit_invalid(ngx_conf_t *cf, char *what, ngx_str_t *value,
    const char *allowed);
char *ngx_http_ratelimit_duplicate(ngx_conf_t *cf, ngx_str_t *parameter);

/*
 * A parameter that a directive has: "name=" and a value, or the whole of a
 * name.  set() gets what the directive collects its parameters in.
 */

typedef struct ngx_http_ratelimit_param_s  ngx_http_ratelimit_param_t;

struct ngx_http_ratelimit_param_s {
    char                        *name;       /* NULL ends a table of them */
    char                      *(*set)(ngx_conf_t *cf, void *conf,
                                      ngx_http_ratelimit_param_t *param,
                                      ngx_str_t *value);
    ngx_uint_t                   repeats;    /* unsigned  repeats:1; */
};


/* the one of params that arg is; *seen has a bit for each, 0 at first */

char *ngx_http_ratelimit_set_param(ngx_conf_t *cf,
    ngx_http_ratelimit_param_t *params, ngx_uint_t *seen, void *conf,
    ngx_str_t *arg);

/* true: "name" is at the start of the argument; *value is what follows it */

ngx_uint_t ngx_http_ratelimit_parameter(ngx_str_t *arg, char *name,
    ngx_str_t *value);

char *ngx_http_ratelimit_parse_status(ngx_conf_t *cf, ngx_str_t *text,
    ngx_uint_t *status);


#endif /* _NGX_HTTP_RATELIMIT_PARAM_H_INCLUDED_ */
