
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Shared memory: what nginx leaves of it to us, and our own two segments.
 */


#ifndef _NGX_HTTP_RATELIMIT_SHM_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_SHM_H_INCLUDED_


#include "ngx_http_ratelimit.h"


void *ngx_http_ratelimit_memory(ngx_shm_zone_t *shm_zone, size_t *size);
size_t ngx_http_ratelimit_used_memory(ngx_shm_zone_t *shm_zone);
ngx_shm_zone_t *ngx_http_ratelimit_old_zone(ngx_shm_zone_t *shm_zone);
ngx_int_t ngx_http_ratelimit_add_segments(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf);


#endif /* _NGX_HTTP_RATELIMIT_SHM_H_INCLUDED_ */
