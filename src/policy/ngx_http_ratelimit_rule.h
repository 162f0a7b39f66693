
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit" and "ratelimit_inherit": which policies decide a request.
 */


#ifndef _NGX_HTTP_RATELIMIT_RULE_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_RULE_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_settle.h"
#include "policy/ngx_http_ratelimit_step.h"


/* one "ratelimit" line */

struct ngx_http_ratelimit_rule_s {
    ngx_uint_t                   methods;    /* NGX_HTTP_GET|..., 0: any */
    ngx_array_t                 *unknown;    /* ngx_str_t: other methods */
    ngx_http_ratelimit_value_t  *condition;
    ngx_http_ratelimit_value_t  *cost;       /* NULL: 1 */
    ngx_http_ratelimit_settle_t  settle;
    ngx_http_ratelimit_value_t  *dry_run;    /* NULL: the location's */
    uint64_t                     wait_ms;    /* 0: what is refused is so */
    ngx_uint_t                   queue;      /* how many of a key may wait */
    u_char                      *file;
    ngx_uint_t                   line;
    unsigned                     warned:1;
    unsigned                     except:1;   /* methods=!... */
    unsigned                     precontent:1;
};


/* ngx_http_ratelimit_rule.c */

char *ngx_http_ratelimit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_ratelimit_compile_dry_run(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_ratelimit_value_t **value);

/* ngx_http_ratelimit_rule_methods.c */

char *ngx_http_ratelimit_rule_methods(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);

/* ngx_http_ratelimit_inherit.c */

char *ngx_http_ratelimit_merge_rules(ngx_conf_t *cf,
    ngx_http_ratelimit_loc_conf_t *prev, ngx_http_ratelimit_loc_conf_t *conf);


#endif /* _NGX_HTTP_RATELIMIT_RULE_H_INCLUDED_ */
