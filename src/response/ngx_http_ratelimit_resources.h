
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_standing": a caller's standing as JSON.
 */


#ifndef _NGX_HTTP_RATELIMIT_RESOURCES_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_RESOURCES_H_INCLUDED_


#include "ngx_http_ratelimit.h"


char *ngx_http_ratelimit_standing(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ratelimit_merge_standing(ngx_conf_t *cf,
    ngx_http_ratelimit_loc_conf_t *prev, ngx_http_ratelimit_loc_conf_t *conf);


#endif /* _NGX_HTTP_RATELIMIT_RESOURCES_H_INCLUDED_ */
