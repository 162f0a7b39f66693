
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

/* true: "name" is at the start of the argument; *value is what follows it */

ngx_uint_t ngx_http_ratelimit_parameter(ngx_str_t *arg, char *name,
    ngx_str_t *value);

char *ngx_http_ratelimit_parse_status(ngx_conf_t *cf, ngx_str_t *text,
    ngx_uint_t *status);


#endif /* _NGX_HTTP_RATELIMIT_PARAM_H_INCLUDED_ */
