
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Zones whose size changes.
 */


#ifndef _NGX_HTTP_RATELIMIT_RESIZE_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_RESIZE_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_zone.h"


/* ngx_http_ratelimit_resize.c */

void ngx_http_ratelimit_free_kept(void *data);
ngx_int_t ngx_http_ratelimit_succeed_zone(ngx_shm_zone_t *shm_zone,
    ngx_shm_zone_t *old);
ngx_int_t ngx_http_ratelimit_attach_zone(ngx_shm_zone_t *shm_zone,
    ngx_http_ratelimit_zone_t *old);
ngx_int_t ngx_http_ratelimit_keep_older(ngx_cycle_t *cycle,
    ngx_shm_zone_t *shm_zone);

/* ngx_http_ratelimit_resize_turns.c */

void ngx_http_ratelimit_await_move(ngx_cycle_t *cycle,
    ngx_shm_zone_t *shm_zone);


#endif /* _NGX_HTTP_RATELIMIT_RESIZE_H_INCLUDED_ */
