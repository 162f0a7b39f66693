
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Units of shared buckets: asked of Redis, waited for, given back.
 */


#ifndef _NGX_HTTP_RATELIMIT_LEASE_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_LEASE_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_link.h"
#include "shared/ngx_http_ratelimit_redis.h"


/* of a policy, what a request asks; redis NULL: this machine's memory does */

typedef struct {
    rl_waiter_t                  waiter;
    rl_lease_t                  *lease;      /* NULL: there is no room */
    ngx_http_ratelimit_redis_t  *redis;      /* that decides it */
    ngx_http_ratelimit_redis_t  *sent_to;
    rl_verdict_e                 verdict;    /* RL_TIMEOUT: nobody can tell */
    rl_item_t                   *item;       /* NULL: it is decided without */
    unsigned                     taken:1;    /* its units, of the lease */
} ngx_http_ratelimit_asked_t;


/* a request's questions, from the first attempt to the decision */

struct ngx_http_ratelimit_asking_s {
    ngx_http_request_t          *request;
    void                       (*resume)(ngx_http_request_t *r);
    uint64_t                     asked_us;
    ngx_uint_t                   n;
    ngx_uint_t                   nlocal;     /* of them, decided here */
    unsigned                     waits:1;    /* or has waited */
    unsigned                     refused:1;  /* by a lease */
    unsigned                     away:1;     /* there will be no answer */
    ngx_http_ratelimit_asked_t  *asked;      /* n of them */
};


/* true: nothing can be asked about this lease now */

ngx_uint_t ngx_http_ratelimit_is_away(ngx_http_ratelimit_redis_t *redis,
    rl_lease_t *lease);

/* sends what is due at the end of this turn of the worker */

void ngx_http_ratelimit_send_lease(ngx_http_ratelimit_redis_t *redis,
    rl_lease_t *lease);
void ngx_http_ratelimit_send_due(ngx_http_ratelimit_link_t *link);
void ngx_http_ratelimit_send_waiting(ngx_http_ratelimit_link_t *link);

/* leases that end soon are renewed, or go back: looked at when one may */

void ngx_http_ratelimit_watch(ngx_http_ratelimit_redis_t *redis,
    uint64_t now_us);
void ngx_http_ratelimit_ending_event(ngx_event_t *ev);

/* those who wait for it try again; away: nobody will answer them */

void ngx_http_ratelimit_wake(rl_lease_t *lease, ngx_uint_t away);

/*
 * ngx_http_ratelimit_blocked.c: block() has a lease looked at again, when
 * another worker's request may be answered.  add_wake() and open_wake() are
 * for a configuration, old: the one before, or NULL; watch_wake() and
 * end_wake() for a worker.
 */

void ngx_http_ratelimit_block(ngx_http_ratelimit_redis_t *redis,
    rl_lease_t *lease, uint64_t now_us);
void ngx_http_ratelimit_blocked_event(ngx_event_t *ev);
void ngx_http_ratelimit_wake_others(ngx_http_ratelimit_redis_t *redis);
ngx_int_t ngx_http_ratelimit_add_wake(ngx_conf_t *cf,
    ngx_http_ratelimit_redis_t *redis);
ngx_int_t ngx_http_ratelimit_open_wake(ngx_http_ratelimit_redis_t *redis,
    ngx_http_ratelimit_redis_t *old);
ngx_int_t ngx_http_ratelimit_watch_wake(ngx_cycle_t *cycle,
    ngx_http_ratelimit_redis_t *redis);
void ngx_http_ratelimit_end_wake(ngx_http_ratelimit_redis_t *redis);

/* ngx_http_ratelimit_call.c: one call for up to NGX_HTTP_RATELIMIT_BATCH */

void ngx_http_ratelimit_prepare_calls(ngx_http_ratelimit_redis_t *redis);
void ngx_http_ratelimit_call(ngx_http_ratelimit_link_t *link,
    rl_lease_t **leases, ngx_uint_t n, uint64_t now_us);


#endif /* _NGX_HTTP_RATELIMIT_LEASE_H_INCLUDED_ */
