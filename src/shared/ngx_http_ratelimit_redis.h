
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_redis": a Redis, or several servers of one, that machines share.
 */


#ifndef _NGX_HTTP_RATELIMIT_REDIS_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_REDIS_H_INCLUDED_


#include "ngx_http_ratelimit.h"


#define NGX_HTTP_RATELIMIT_MAX_REDIS_NAME  64
#define NGX_HTTP_RATELIMIT_MAX_PREFIX      64


typedef struct ngx_http_ratelimit_link_s  ngx_http_ratelimit_link_t;


/* what all workers have seen of it, in shared memory */

#define NGX_HTTP_RATELIMIT_LATENCIES  16
#define NGX_HTTP_RATELIMIT_OUTAGES    64

/* of rows, as far as has been counted */

typedef struct {
    ngx_uint_t                   zone;       /* of redis->leases */
    uint32_t                     at;         /* of the zone's */
    uint64_t                     rows;
    uint64_t                     held_units;
} ngx_http_ratelimit_count_t;


/* of bans, as far as this machine has read it */

typedef struct {
    ngx_atomic_t                 next_look;  /* as ngx_current_msec */
    ngx_atomic_t                 next_walk;
    ngx_atomic_t                 untold;     /* how often one was not told */
    volatile uint64_t            epoch;      /* as bytes; 0: none was seen */
    volatile uint64_t            version;
    volatile uint64_t            told;       /* the epoch that was told of all
                                                in force; 0: none */
} ngx_http_ratelimit_feed_t;


/* a walk through those in force, to tell them */

typedef struct {
    ngx_uint_t                   zone;       /* of all */
    rl_bans_walk_t               at;
    uint64_t                     epoch;      /* as it began */
    ngx_atomic_uint_t            untold;
} ngx_http_ratelimit_bans_walk_t;


typedef struct {
    u_char                       machine[8]; /* its id */
    ngx_atomic_t                 machines;   /* seen lately, with this one */
    ngx_atomic_t                 next_count; /* of machines, Unix seconds */
    ngx_atomic_t                 connected;  /* since, Unix seconds; 0: away */
    ngx_atomic_t                 server;     /* index of the one in use */

    ngx_atomic_t                 round_trips;
    ngx_atomic_t                 round_trips_us; /* sum */
    ngx_atomic_t                 latencies[NGX_HTTP_RATELIMIT_LATENCIES];
                                             /* below 64 us << index; the last
                                                has the rest */
    ngx_atomic_t                 leased;     /* decisions, by units in hand
                                                or a refusal that holds */
    ngx_atomic_t                 decided;    /* by Redis */
    ngx_atomic_t                 local;      /* as on_error= says */
    ngx_atomic_t                 allowed;
    ngx_atomic_t                 refused;
    ngx_atomic_t                 outages;
    ngx_atomic_t                 losses;     /* its counts were new */
    ngx_atomic_t                 clock_sets;

    ngx_atomic_t                 away[NGX_HTTP_RATELIMIT_OUTAGES];
                                             /* since, Unix ms, by the hash of
                                                the server; 0: it is not */
    ngx_atomic_t                 counted;    /* Unix seconds; there were */
    ngx_atomic_t                 rows;       /* so many of this machine, and */
    ngx_atomic_t                 held_units; /* units that they held */
    ngx_http_ratelimit_count_t   count;      /* of who has set counted */

    ngx_atomic_t                 run;        /* of its server, not a cluster's;
                                                0: none was seen yet */
    ngx_atomic_t                 runs[RL_SHARDS];
                                             /* of a cluster's shards, that
                                                lacked counts; 0: none did */
    ngx_atomic_t                 closed_until;
                                             /* the grace after a loss, as
                                                ngx_current_msec */
    volatile uint64_t            generations[RL_SHARDS];
                                             /* of its counts; 0: not known */
    ngx_http_ratelimit_feed_t    feed;
} ngx_http_ratelimit_redis_stats_t;


/* leases of one call: a decision's, and what a turn of the worker gathers */

#define NGX_HTTP_RATELIMIT_BATCH       16

/* what stays the same in calls: up to their keys, by the number of leases */

#define NGX_HTTP_RATELIMIT_SHA_LEN     40
#define NGX_HTTP_RATELIMIT_CALL_LEN                                           \
    (sizeof("*99\r\n$7\r\nEVALSHA\r\n$40\r\n\r\n$2\r\n99\r\n")               \
     + NGX_HTTP_RATELIMIT_SHA_LEN)
#define NGX_HTTP_RATELIMIT_NAME_LEN                                           \
    (sizeof("\r\n$999\r\n") + NGX_HTTP_RATELIMIT_MAX_PREFIX)

typedef struct {
    size_t                       call_len[NGX_HTTP_RATELIMIT_BATCH + 1];
    size_t                       key_len;
    size_t                       shard_len;
    u_char                       call[NGX_HTTP_RATELIMIT_BATCH + 1]
                                     [NGX_HTTP_RATELIMIT_CALL_LEN];
    u_char                       key[NGX_HTTP_RATELIMIT_NAME_LEN];
    u_char                       shard[NGX_HTTP_RATELIMIT_NAME_LEN];
} ngx_http_ratelimit_heads_t;


typedef struct {
    ngx_str_t                    name;       /* as written */
    ngx_str_t                    host;
    in_port_t                    port;
    struct sockaddr             *sockaddr;   /* NULL: host is a name that is
                                                resolved for each attempt */
    socklen_t                    socklen;
    ngx_addr_t                  *local;      /* what the system said of it */
    ngx_uint_t                   nlocal;

    /* of a worker */

    ngx_uint_t                   naddrs;     /* its name's, as far as it is
                                                known, or 1 */
    unsigned                     resolved:1; /* once at least */
} ngx_http_ratelimit_server_t;


struct ngx_http_ratelimit_redis_s {
    ngx_str_t                    name;
    ngx_str_t                    identity;   /* for segments: which Redis */
    ngx_array_t                  servers;    /* ngx_http_ratelimit_server_t */
    ngx_str_t                    user;
    ngx_str_t                    password;
    ngx_str_t                    prefix;
    ngx_str_t                    certificate_name;
    ngx_int_t                    db;
    ngx_msec_t                   timeout;
    ngx_resolver_t              *resolver;   /* of http, or NULL */
    unsigned                     cluster:1;
    unsigned                     used:1;     /* by a zone */
#if (NGX_SSL)
    ngx_ssl_t                   *ssl;        /* NULL: without TLS */
#endif
    u_char                       seed[16];   /* of zones: the machines' common
                                                secret */
    u_char                      *file;       /* of the directive */
    ngx_uint_t                   line;

    ngx_shm_zone_t              *shm_zone;
    ngx_http_ratelimit_redis_stats_t *stats;
    int                          wake_fd;    /* tells all workers of a reply */

    /* of a worker, from here on */

    ngx_array_t                  leases;     /* rl_leases_t *, of its zones */
    ngx_http_ratelimit_link_t   *links;
    ngx_http_ratelimit_link_t   *shards[RL_SHARDS];   /* as one was told */
    ngx_http_ratelimit_link_t   *counted[RL_SHARDS];  /* who counted last */
    u_char                       lacks[RL_SHARDS]; /* counts, perhaps: its
                                                link is to tell whose */
    ngx_str_t                    sha;        /* of the script */
    ngx_log_t                   *log;
    ngx_event_t                  announce;
    ngx_event_t                  look;       /* for a cluster's slots */
    ngx_event_t                  tell;
    ngx_event_t                  ending;     /* leases */
    ngx_event_t                  blocked;    /* by another worker's requests */
    ngx_event_t                  tell_bans;
    ngx_http_ratelimit_bans_walk_t walk;
    ngx_uint_t                   refusals;   /* that are being told */
    time_t                       bans_complained;
    ngx_connection_t            *wake;       /* NULL: nobody tells it */
    ngx_msec_t                   held;       /* shards, the last time */
    ngx_uint_t                   rtt_us;     /* a slow mean */
    u_char                       sha_buf[NGX_HTTP_RATELIMIT_SHA_LEN];
    ngx_http_ratelimit_heads_t   heads;
    time_t                       complained;
    unsigned                     closed:1;
};


/* ngx_http_ratelimit_redis_conf.c */

char *ngx_http_ratelimit_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* ngx_http_ratelimit_redis_zones.c */

ngx_http_ratelimit_redis_t *ngx_http_ratelimit_find_redis(
    ngx_http_ratelimit_main_conf_t *rmcf, ngx_str_t *name);
ngx_int_t ngx_http_ratelimit_init_redis(ngx_conf_t *cf);

/* ngx_http_ratelimit_redis_server.c: names wait for the resolver's setting */

char *ngx_http_ratelimit_redis_add_server(ngx_conf_t *cf,
    ngx_http_ratelimit_redis_t *redis, ngx_str_t *value);
ngx_int_t ngx_http_ratelimit_redis_identify(ngx_conf_t *cf,
    ngx_http_ratelimit_redis_t *redis);
ngx_int_t ngx_http_ratelimit_redis_resolve(ngx_conf_t *cf,
    ngx_http_ratelimit_redis_t *redis);

/* ngx_http_ratelimit_redis_tls.c: on is "tls=", the others NULL or as given */

char *ngx_http_ratelimit_redis_tls(ngx_conf_t *cf,
    ngx_http_ratelimit_redis_t *redis, ngx_uint_t on, ngx_str_t *tls,
    ngx_str_t *ca, ngx_str_t *name);

/* ngx_http_ratelimit_redis_secret.c: what is the file's, for the log */

char *ngx_http_ratelimit_redis_secret(ngx_conf_t *cf, char *what,
    ngx_str_t *path, ngx_str_t *secret);
char *ngx_http_ratelimit_redis_seed(ngx_conf_t *cf,
    ngx_http_ratelimit_redis_t *redis, ngx_str_t *secret);
void ngx_http_ratelimit_redis_forget(void *data);

/* ngx_http_ratelimit_redis_stats.c */

char *ngx_http_ratelimit_redis_segment(ngx_conf_t *cf,
    ngx_http_ratelimit_redis_t *redis);

/* nothing is asked for while a Redis that has lost counts is told of them */

#define ngx_http_ratelimit_is_closed(redis)                                   \
    ((ngx_msec_int_t) ((redis)->stats->closed_until - ngx_current_msec) > 0)

/* ngx_http_ratelimit_rows.c: memory for the rows of a zone */

ngx_int_t ngx_http_ratelimit_add_rows(ngx_conf_t *cf, ngx_shm_zone_t *zone);

/* ngx_http_ratelimit_held.c: what this machine's rows hold */

void ngx_http_ratelimit_count_held(ngx_http_ratelimit_redis_t *redis);
void ngx_http_ratelimit_sum_held(ngx_http_ratelimit_redis_t *redis,
    uint64_t *rows, uint64_t *held_units);


#endif /* _NGX_HTTP_RATELIMIT_REDIS_H_INCLUDED_ */
