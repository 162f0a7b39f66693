
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What a location's configuration holds, how its values are set and inherited.
 */


#ifndef _NGX_HTTP_RATELIMIT_CONF_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_CONF_H_INCLUDED_


#include "ngx_http_ratelimit.h"


void *ngx_http_ratelimit_create_main_conf(ngx_conf_t *cf);
void *ngx_http_ratelimit_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_ratelimit_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);

/* setters of values that belong to no room */

char *ngx_http_ratelimit_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ratelimit_enum(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_ratelimit_dry_run(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* _NGX_HTTP_RATELIMIT_CONF_H_INCLUDED_ */
