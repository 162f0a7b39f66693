
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * State files, which zones outlive a restart by.
 */


#ifndef _NGX_HTTP_RATELIMIT_STATE_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_STATE_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_slice.h"
#include "zone/ngx_http_ratelimit_zone.h"


/* ngx_http_ratelimit_state.c */

char *ngx_http_ratelimit_state(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *path);
ngx_int_t ngx_http_ratelimit_load_state(ngx_shm_zone_t *shm_zone,
    uint64_t *buckets);
void ngx_http_ratelimit_boot_id(u_char *id);

/* ngx_http_ratelimit_state_tmp.c */

#define NGX_HTTP_RATELIMIT_TMP_SUFFIX  (2 * (1 + 16))

ngx_fd_t ngx_http_ratelimit_create_tmp(ngx_http_ratelimit_zone_t *zone,
    u_char *path);
void ngx_http_ratelimit_remove_stale(ngx_http_ratelimit_zone_t *zone,
    u_char *path, ngx_log_t *log);

/* ngx_http_ratelimit_state_replaced.c */

typedef struct {
    ngx_fd_t                     fd;
    unsigned                     open:1;
} ngx_http_ratelimit_replaced_t;

void ngx_http_ratelimit_hold_replaced(ngx_http_ratelimit_replaced_t *replaced,
    ngx_str_t *path);
ngx_uint_t ngx_http_ratelimit_cut_replaced(
    ngx_http_ratelimit_replaced_t *replaced,
    ngx_http_ratelimit_slice_t *slice);
void ngx_http_ratelimit_free_replaced(ngx_http_ratelimit_replaced_t *replaced);

/* ngx_http_ratelimit_state_write.c */

ngx_int_t ngx_http_ratelimit_init_writer(ngx_cycle_t *cycle,
    ngx_shm_zone_t *shm_zone);
ngx_int_t ngx_http_ratelimit_write_state(ngx_cycle_t *cycle,
    ngx_shm_zone_t *shm_zone, rl_process_t *process);

/* ngx_http_ratelimit_state_exit.c */

void ngx_http_ratelimit_exit_master(ngx_cycle_t *cycle);


#endif /* _NGX_HTTP_RATELIMIT_STATE_H_INCLUDED_ */
