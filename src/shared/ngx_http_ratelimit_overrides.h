
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Overrides of zones that machines share: an operator sets them on one of
 * these, and all have them.
 */


#ifndef _NGX_HTTP_RATELIMIT_OVERRIDES_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_OVERRIDES_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_zone.h"


/*
 * ngx_http_ratelimit_overrides.c: what this machine knows of, in memory beside
 * the zone's own
 */

ngx_int_t ngx_http_ratelimit_add_overrides(ngx_conf_t *cf,
    ngx_shm_zone_t *shm_zone);

/* true: this worker is to ask for what is new; the others are not */

ngx_uint_t ngx_http_ratelimit_overrides_due(ngx_http_ratelimit_zone_t *zone);

/*
 * ngx_http_ratelimit_exchange.c: what is known here and what Redis has become
 * the same, with some changes made on the way
 */

typedef struct ngx_http_ratelimit_exchange_s  ngx_http_ratelimit_exchange_t;

typedef void (*ngx_http_ratelimit_done_pt)(
    ngx_http_ratelimit_exchange_t *exchange);

struct ngx_http_ratelimit_exchange_s {
    ngx_http_ratelimit_zone_t   *zone;
    rl_override_t                changes[RL_MAX_OVERRIDES];
                                             /* until_ms: from now on, or 0 */
    ngx_uint_t                   nchanges;
    ngx_http_ratelimit_done_pt   done;       /* or NULL; afterwards it is no
                                                more */
    void                        *data;       /* the caller's own */

    /* how it ended: with NGX_OK; NGX_BUSY: there is no room for them;
       NGX_DECLINED: nothing was changed; NGX_ERROR: nobody knows */

    ngx_int_t                    rc;
    char                        *why;        /* NULL: Redis is away, or that */

    uint64_t                     asked_us;   /* before this, server_ms came */
    uint64_t                     server_ms;
    ngx_str_t                    found;      /* the version of what Redis has,
                                                or nothing */
    u_char                       found_buf[8];
    ngx_uint_t                   attempts;
    ngx_uint_t                   redirects;
    rl_shared_overrides_t        overrides;
};


/*
 * What is known here is added to what the exchange has.  NGX_DECLINED: that is
 * more than Redis has; NGX_AGAIN: another worker stands still, nothing was
 * added.
 */

ngx_int_t ngx_http_ratelimit_merge_overrides(
    ngx_http_ratelimit_exchange_t *exchange);

/*
 * What the exchange has holds here from now on.  tell: the log has a line of
 * each change.  NGX_AGAIN: not yet, another process stands still.
 */

ngx_int_t ngx_http_ratelimit_take_overrides(
    ngx_http_ratelimit_exchange_t *exchange, ngx_uint_t tell);

/* begin_exchange() may end it at once; zones of this Redis: see what is new */

ngx_http_ratelimit_exchange_t *ngx_http_ratelimit_create_exchange(
    ngx_http_ratelimit_zone_t *zone);
void ngx_http_ratelimit_begin_exchange(
    ngx_http_ratelimit_exchange_t *exchange);
void ngx_http_ratelimit_look_for_overrides(ngx_http_ratelimit_redis_t *redis);


#endif /* _NGX_HTTP_RATELIMIT_OVERRIDES_H_INCLUDED_ */
