
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * This process among those that may hold a lock.
 */


#ifndef _NGX_HTTP_RATELIMIT_PROCESS_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_PROCESS_H_INCLUDED_


#include "ngx_http_ratelimit.h"


rl_process_t *ngx_http_ratelimit_join(ngx_http_ratelimit_main_conf_t *rmcf);
void ngx_http_ratelimit_leave(void);

extern rl_process_t  ngx_http_ratelimit_this_process;

/* this process in the process table; NULL: it is full for it */

static ngx_inline rl_process_t *
ngx_http_ratelimit_process(ngx_http_ratelimit_main_conf_t *rmcf)
{
    return (ngx_http_ratelimit_this_process.zones == rmcf->core_zones
            && ngx_http_ratelimit_this_process.process_table != NULL)
           ? &ngx_http_ratelimit_this_process : ngx_http_ratelimit_join(rmcf);
}


#endif /* _NGX_HTTP_RATELIMIT_PROCESS_H_INCLUDED_ */
