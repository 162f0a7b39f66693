
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_zone": memory that buckets are kept in.
 */


#ifndef _NGX_HTTP_RATELIMIT_ZONE_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_ZONE_H_INCLUDED_


#include "ngx_http_ratelimit.h"


/* "mode=" and "on_error=" of a zone that machines share */

#define NGX_HTTP_RATELIMIT_LEASE         0
#define NGX_HTTP_RATELIMIT_STRICT        1

#define NGX_HTTP_RATELIMIT_ERROR_LOCAL   0
#define NGX_HTTP_RATELIMIT_ERROR_ALLOW   1
#define NGX_HTTP_RATELIMIT_ERROR_REFUSE  2


typedef struct {
    rl_zone_t                    zone;       /* valid after zone init */
    ngx_str_t                    name;
    u_char                      *file;       /* of the directive */
    ngx_uint_t                   line;

    ngx_array_t                  banning;    /* rl_policy_t *, of its own that
                                                ban; zeros: there is none */

    /* of one that machines share */

    ngx_str_t                    redis_name; /* or empty */
    ngx_http_ratelimit_redis_t  *redis;
    u_char                      *seed;       /* the machines' common secret */
    ngx_uint_t                   mode;
    ngx_uint_t                   on_error;
    ngx_shm_zone_t              *rows;       /* of its buckets in Redis */
    rl_leases_t                 *leases;     /* of these, this worker's */
    ngx_shm_zone_t              *overrides;  /* that all machines have */

    ngx_str_t                    state;      /* the file's path, or empty */
    ngx_shm_zone_t              *process_table;
    ngx_core_conf_t             *core_conf;  /* tells the workers' user */

    /* of a zone whose size changes */

    rl_zone_t                    next;
    rl_zone_t                    older;
    ngx_shm_t                    kept;       /* the memory of older */
    uint64_t                    *worker_ids; /* who knows of nothing but that;
                                                0 terminated */
    ngx_event_t                  event;
} ngx_http_ratelimit_zone_t;


/* ngx_http_ratelimit_zone_conf.c */

char *ngx_http_ratelimit_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* ngx_http_ratelimit_zone.c */

ngx_int_t ngx_http_ratelimit_init_zone(ngx_shm_zone_t *shm_zone, void *data);
ngx_shm_zone_t *ngx_http_ratelimit_find_zone(
    ngx_http_ratelimit_main_conf_t *rmcf, ngx_str_t *name);
void ngx_http_ratelimit_zone_warn(ngx_http_request_t *r,
    ngx_http_ratelimit_main_conf_t *rmcf, rl_time_t *now);

extern time_t  ngx_http_ratelimit_warned;

/* active buckets that were evicted: said once a minute */

static ngx_inline void
ngx_http_ratelimit_zone_check(ngx_http_request_t *r,
    ngx_http_ratelimit_main_conf_t *rmcf, rl_time_t *now)
{
    if (ngx_time() != ngx_http_ratelimit_warned) {
        ngx_http_ratelimit_zone_warn(r, rmcf, now);
    }
}


#endif /* _NGX_HTTP_RATELIMIT_ZONE_H_INCLUDED_ */
