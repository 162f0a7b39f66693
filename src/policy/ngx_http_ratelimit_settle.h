
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "settle=" of a "ratelimit" line: what a request turns out to have used.
 */


#ifndef _NGX_HTTP_RATELIMIT_SETTLE_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_SETTLE_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"


typedef struct {
    ngx_http_ratelimit_value_t  *value;      /* NULL: the cost is final */
    ngx_array_t                 *usages;     /* ngx_http_ratelimit_usage_t
                                                pointers, of the value's
                                                variables; NULL: none */
    ngx_msec_t                   every;      /* 0: read but once */
    unsigned                     at_end:1;   /* of the request; else when its
                                                response begins */
    unsigned                     in_ms:1;    /* the value is a time in s */
} ngx_http_ratelimit_settle_t;


char *ngx_http_ratelimit_settle_value(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
char *ngx_http_ratelimit_settle_at(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
char *ngx_http_ratelimit_settle_every(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
char *ngx_http_ratelimit_settle_unit(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);

/* once a line is read: whether its parameters make sense together */

char *ngx_http_ratelimit_check_settle(ngx_conf_t *cf,
    ngx_http_ratelimit_settle_t *settle, ngx_http_ratelimit_value_t *cost);

/* what is allowed, or NULL; empty: *units is not known (yet) */

const char *ngx_http_ratelimit_read_settle(
    ngx_http_ratelimit_settle_t *settle, ngx_str_t *value, uint64_t *units);


#endif /* _NGX_HTTP_RATELIMIT_SETTLE_H_INCLUDED_ */
