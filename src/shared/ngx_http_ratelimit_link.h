
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


/* a reply of a call, of so many leases, is kept without memory of its own */

#define NGX_HTTP_RATELIMIT_TEXT_LEN                                           \
    (NGX_HTTP_RATELIMIT_BATCH * RL_LEASE_REPLY_LEN + 1)

struct ngx_http_ratelimit_command_s {
    ngx_queue_t                  queue;
    ngx_http_ratelimit_reply_pt  handler;
    ngx_msec_t                   deadline;
    void                        *data;       /* the handler's own */
    uint64_t                     sent_us;
    ngx_uint_t                   shard;
    ngx_uint_t                   nleases;
    rl_lease_t                  *leases[NGX_HTTP_RATELIMIT_BATCH];
};


/*
 * How long connecting may take, to all addresses together, and logging in, if
 * "timeout=" is not more
 */

#define NGX_HTTP_RATELIMIT_CONNECT_TIME      500
#define NGX_HTTP_RATELIMIT_MIN_CONNECT_TIME  100
#define NGX_HTTP_RATELIMIT_LOGIN_TIME        1000


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

    ngx_resolver_ctx_t          *resolving;  /* its server's name; or NULL */
    ngx_sockaddr_t               sockaddr;   /* of the server */
    socklen_t                    socklen;    /* 0: it is not known */
    ngx_uint_t                   naddr;      /* of the name's, in order */
    ngx_peer_connection_t        peer;
    ngx_log_t                    log;        /* quiet: an outage is one line */
    redisReader                 *reader;
    redisReplyObjectFunctions    objects;    /* of the reader */
    redisReplyObjectFunctions   *trees;      /* hiredis's own */
    redisReply                   reply;      /* the last, where it is short */
    char                         text[NGX_HTTP_RATELIMIT_TEXT_LEN];
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

/* one that can be used, or NULL */

ngx_http_ratelimit_link_t *ngx_http_ratelimit_ready_link(
    ngx_http_ratelimit_redis_t *redis);

/* the server's address is known */

void ngx_http_ratelimit_open_link(ngx_http_ratelimit_link_t *link);

/* the way is free: who we are, and what the server is */

void ngx_http_ratelimit_logged_in(ngx_http_ratelimit_link_t *link);
uint64_t ngx_http_ratelimit_now_us(void);

/*
 * ngx_http_ratelimit_break.c: break_link() closes it until the next attempt;
 * why: for the log.  addresses(): how many are tried without a pause
 */

void ngx_http_ratelimit_break_link(ngx_http_ratelimit_link_t *link,
    ngx_err_t err, char *why);
void ngx_http_ratelimit_close_link(ngx_http_ratelimit_link_t *link);
ngx_uint_t ngx_http_ratelimit_addresses(ngx_http_ratelimit_link_t *link);

/* ngx_http_ratelimit_link_io.c */

ngx_int_t ngx_http_ratelimit_create_reader(ngx_http_ratelimit_link_t *link);
void ngx_http_ratelimit_read_event(ngx_event_t *rev);
void ngx_http_ratelimit_write_event(ngx_event_t *wev);
void ngx_http_ratelimit_flush_event(ngx_event_t *ev);

/* sends what can be sent at once; NGX_ERROR: the link is broken */

ngx_int_t ngx_http_ratelimit_flush(ngx_http_ratelimit_link_t *link);

/* ngx_http_ratelimit_resolve.c: finds the address, and opens the link */

void ngx_http_ratelimit_resolve(ngx_http_ratelimit_link_t *link);
void ngx_http_ratelimit_end_resolve(ngx_http_ratelimit_link_t *link);

/* ngx_http_ratelimit_handshake.c */

#if (NGX_SSL)
void ngx_http_ratelimit_handshake(ngx_http_ratelimit_link_t *link);
#endif

/*
 * ngx_http_ratelimit_command.c.  NULL: no memory, or too much is on the way.
 *
 * Who knows a command's bytes writes them where begin_command() says, of which
 * there may be len, and ends it.
 */

#define NGX_HTTP_RATELIMIT_ARG_LEN                                            \
    (sizeof("$\r\n\r\n") - 1 + NGX_INT_T_LEN)

ngx_http_ratelimit_command_t *ngx_http_ratelimit_command(
    ngx_http_ratelimit_link_t *link, ngx_http_ratelimit_reply_pt handler,
    ngx_str_t *args, ngx_uint_t n);
u_char *ngx_http_ratelimit_begin_command(ngx_http_ratelimit_link_t *link,
    size_t len);
u_char *ngx_http_ratelimit_put_arg(u_char *p, u_char *data, size_t len);
ngx_http_ratelimit_command_t *ngx_http_ratelimit_end_command(
    ngx_http_ratelimit_link_t *link, ngx_http_ratelimit_reply_pt handler,
    u_char *last);

/* ngx_http_ratelimit_login.c */

void ngx_http_ratelimit_login(ngx_http_ratelimit_link_t *link);
void ngx_http_ratelimit_load_script(ngx_http_ratelimit_link_t *link);
void ngx_http_ratelimit_ready(ngx_http_ratelimit_link_t *link);


#endif /* _NGX_HTTP_RATELIMIT_LINK_H_INCLUDED_ */
