
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The ground of the shim between nginx and the core.  Three kinds of struct,
 * by their life: zones live in shared memory and are the core's; what stands
 * below, and what it points at, is configuration, read-only once nginx has
 * started; the record is one request's and survives its internal redirects.
 */


#ifndef _NGX_HTTP_RATELIMIT_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ratelimit/ratelimit.h"


/* CMakeLists.txt reads it here */

#define NGX_HTTP_RATELIMIT_VERSION  "0.1.0"


/* what the configuration points at, each in its room */

typedef struct ngx_http_ratelimit_value_s  ngx_http_ratelimit_value_t;
typedef struct ngx_http_ratelimit_key_s  ngx_http_ratelimit_key_t;
typedef struct ngx_http_ratelimit_policy_s  ngx_http_ratelimit_policy_t;
typedef struct ngx_http_ratelimit_headers_s  ngx_http_ratelimit_headers_t;
typedef struct ngx_http_ratelimit_body_s  ngx_http_ratelimit_body_t;
typedef struct ngx_http_ratelimit_api_s  ngx_http_ratelimit_api_t;
typedef struct ngx_http_ratelimit_redis_s  ngx_http_ratelimit_redis_t;
typedef struct ngx_http_ratelimit_queued_s  ngx_http_ratelimit_queued_t;
typedef struct ngx_http_ratelimit_asking_s  ngx_http_ratelimit_asking_t;
typedef struct ngx_http_ratelimit_usage_s  ngx_http_ratelimit_usage_t;
typedef struct ngx_http_ratelimit_reader_s  ngx_http_ratelimit_reader_t;


/* "ratelimit_inherit" */

#define NGX_HTTP_RATELIMIT_INHERIT_OFF    0
#define NGX_HTTP_RATELIMIT_INHERIT_ON     1
#define NGX_HTTP_RATELIMIT_INHERIT_MERGE  2

/* "ratelimit_on_error" */

#define NGX_HTTP_RATELIMIT_PASS    0
#define NGX_HTTP_RATELIMIT_REFUSE  1


typedef struct {
    ngx_array_t                  zones;      /* ngx_shm_zone_t * */
    ngx_array_t                  redises;    /* ngx_http_ratelimit_redis_t
                                                pointers */
    ngx_array_t                  partitions; /* ngx_http_ratelimit_partition_t
                                                pointers */
    ngx_array_t                  keys;       /* ngx_http_ratelimit_key_t
                                                pointers */
    ngx_array_t                  policies;   /* ngx_http_ratelimit_policy_t
                                                pointers */
    ngx_array_t                  headers;    /* ngx_http_ratelimit_headers_t
                                                pointers */
    ngx_array_t                  usages;     /* ngx_http_ratelimit_usage_t
                                                pointers */
    ngx_array_t                  values;     /* ngx_http_ratelimit_value_t
                                                pointers */
    ngx_array_t                  planned;    /* ngx_http_ratelimit_loc_conf_t
                                                pointers */
    ngx_array_t                  apis;       /* ngx_http_ratelimit_api_t
                                                pointers */
    ngx_shm_zone_t              *process_table;
    ngx_shm_zone_t              *counters;
    rl_zone_t                  **core_zones; /* zones.nelts of them */
    ngx_array_t                 *jwt_claims; /* rl_str_t, of jwt= sources */
    rl_jwt_cache_t              *jwt_cache;  /* each worker's own copy */
    ngx_uint_t                   jwt_sets;
    unsigned                     used:1;     /* a "ratelimit" line exists */
    unsigned                     precontent:1; /* one of that phase */
    unsigned                     settles:1;  /* one with "settle=" */
} ngx_http_ratelimit_main_conf_t;


/* "ratelimit_standing": what its location shows, and does not decide */

typedef struct {
    ngx_array_t                  preaccess;  /* ngx_http_ratelimit_step_t */
    ngx_array_t                  precontent;
    u_char                      *file;
    ngx_uint_t                   line;
} ngx_http_ratelimit_shown_t;


typedef struct {
    ngx_array_t                 *steps;      /* this level's own lines; */
    unsigned                     off:1;      /* "ratelimit off" */

    ngx_array_t                  preaccess;  /* ngx_http_ratelimit_step_t, */
    ngx_array_t                  precontent; /* after inheritance */
    ngx_http_ratelimit_shown_t  *shown;      /* NULL: the plans decide */
    ngx_uint_t                   inherit;

    ngx_http_ratelimit_headers_t *headers;   /* NULL: inherit */
    unsigned                     want_next:1; /* of headers, next_ms */
    unsigned                     spread:1;   /* of headers, turns */
    unsigned                     responds:1; /* a charge of the plans depends
                                                on the response */
    ngx_http_ratelimit_body_t   *body;
    ngx_array_t                 *jwt;        /* ngx_http_ratelimit_jwt_set_t;
                                                NULL: inherit */
    ngx_http_ratelimit_value_t  *dry_run;
    ngx_uint_t                   status;
    ngx_uint_t                   log_level;
    ngx_uint_t                   on_error;
    ngx_http_ratelimit_api_t    *api;        /* of the location, which its
                                                blocks share */
} ngx_http_ratelimit_loc_conf_t;


extern ngx_module_t  ngx_http_ratelimit_module;


#endif /* _NGX_HTTP_RATELIMIT_H_INCLUDED_ */
