
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * A worker's connection to one Redis server.
 */


#ifndef _NGX_HTTP_RATELIMIT_LINK_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_LINK_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_redis.h"

#include <hiredis/hiredis.h>


typedef struct ngx_http_ratelimit_command_s  ngx_http_ratelimit_command_t;

/* reply NULL: there is none, and nobody knows whether it was executed */

typedef void (*ngx_http_ratelimit_reply_pt)(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_command_t *command, redisReply *reply);


/* leases of one call: a decision's, and what a turn of the worker gathers */

#define NGX_HTTP_RATELIMIT_BATCH  16

struct ngx_http_ratelimit_command_s {
    ngx_queue_t                  queue;
    ngx_http_ratelimit_reply_pt  handler;
    ngx_msec_t                   deadline;
    uint64_t                     sent_us;
    ngx_uint_t                   shard;
    ngx_uint_t                   nleases;
    rl_lease_t                  *leases[NGX_HTTP_RATELIMIT_BATCH];
};


typedef enum {
    NGX_HTTP_RATELIMIT_LINK_AWAY = 0,        /* until the next attempt */
    NGX_HTTP_RATELIMIT_LINK_CONNECTING,
    NGX_HTTP_RATELIMIT_LINK_LOGIN,
    NGX_HTTP_RATELIMIT_LINK_READY
} ngx_http_ratelimit_link_e;


struct ngx_http_ratelimit_link_s {
    ngx_http_ratelimit_link_t   *next;
    ngx_http_ratelimit_redis_t  *redis;
    ngx_http_ratelimit_server_t *server;     /* of a cluster, its own; */
    ngx_uint_t                   nserver;    /* else one of redis->servers */
    ngx_http_ratelimit_link_e    state;

    ngx_peer_connection_t        peer;
    ngx_log_t                    log;        /* quiet: an outage is one line */
    redisReader                 *reader;
    u_char                      *out;
    size_t                       out_len;
    size_t                       out_size;
    ngx_queue_t                  commands;   /* sent, in their order */
    ngx_queue_t                  free;

    ngx_event_t                  timer;
    ngx_event_t                  flush;      /* at the end of the turn */
    ngx_msec_t                   begun;      /* to connect */
    ngx_uint_t                   failures;   /* since it was ready */
    ngx_uint_t                   steps;      /* of the login, to come */

    rl_clock_t                   clock;
    u_char                       run_id[40];
    unsigned                     master:1;
    unsigned                     lost:1;     /* its counts are new to us */
    unsigned                     closing:1;

    rl_lease_t                  *due[4 * NGX_HTTP_RATELIMIT_BATCH];
    ngx_uint_t                   ndue;
};


/* ngx_http_ratelimit_link.c */

ngx_http_ratelimit_link_t *ngx_http_ratelimit_create_link(
    ngx_http_ratelimit_redis_t *redis, ngx_http_ratelimit_server_t *server);
void ngx_http_ratelimit_connect(ngx_http_ratelimit_link_t *link);
void ngx_http_ratelimit_close_link(ngx_http_ratelimit_link_t *link);

/* sends what can be sent at once; NGX_ERROR: the link is broken */

ngx_int_t ngx_http_ratelimit_flush(ngx_http_ratelimit_link_t *link);

/* closes it, until the next attempt; why: for the log */

void ngx_http_ratelimit_break_link(ngx_http_ratelimit_link_t *link,
    ngx_err_t err, char *why);

/* the way is free: who we are, and what the server is */

void ngx_http_ratelimit_logged_in(ngx_http_ratelimit_link_t *link);
uint64_t ngx_http_ratelimit_now_us(void);

/* ngx_http_ratelimit_handshake.c */

#if (NGX_SSL)
void ngx_http_ratelimit_handshake(ngx_http_ratelimit_link_t *link);
#endif

/*
 * ngx_http_ratelimit_command.c.  NULL: no memory, or too much is on the way.
 */

ngx_http_ratelimit_command_t *ngx_http_ratelimit_command(
    ngx_http_ratelimit_link_t *link, ngx_http_ratelimit_reply_pt handler,
    ngx_str_t *args, ngx_uint_t n);

/* ngx_http_ratelimit_login.c */

void ngx_http_ratelimit_login(ngx_http_ratelimit_link_t *link);
void ngx_http_ratelimit_load_script(ngx_http_ratelimit_link_t *link);
void ngx_http_ratelimit_ready(ngx_http_ratelimit_link_t *link);
void ngx_http_ratelimit_outage(ngx_http_ratelimit_link_t *link, ngx_err_t err,
    char *why);


#endif /* _NGX_HTTP_RATELIMIT_LINK_H_INCLUDED_ */
