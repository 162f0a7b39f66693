
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * A worker's part in the zones that machines share.
 */


#ifndef _NGX_HTTP_RATELIMIT_SHARED_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_SHARED_H_INCLUDED_


#include "ngx_http_ratelimit.h"


/* a configuration is in force, whose workers are about to begin */

void ngx_http_ratelimit_configure_shared(
    ngx_http_ratelimit_main_conf_t *rmcf);

ngx_int_t ngx_http_ratelimit_init_shared(ngx_cycle_t *cycle,
    ngx_http_ratelimit_main_conf_t *rmcf);
void ngx_http_ratelimit_exit_shared(ngx_http_ratelimit_main_conf_t *rmcf);


#endif /* _NGX_HTTP_RATELIMIT_SHARED_H_INCLUDED_ */
