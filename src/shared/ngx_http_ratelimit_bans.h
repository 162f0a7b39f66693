
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Bans of zones that machines share.
 */


#ifndef _NGX_HTTP_RATELIMIT_BANS_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_BANS_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_link.h"


/*
 * ngx_http_ratelimit_ban_call.c: what Redis is told of a key, and what it says
 * of that: bans.lua has the numbers
 */

typedef struct ngx_http_ratelimit_ban_call_s  ngx_http_ratelimit_ban_call_t;

typedef void (*ngx_http_ratelimit_ban_pt)(ngx_http_ratelimit_ban_call_t *call);

#define NGX_HTTP_RATELIMIT_BAN_NUMBERS  4

struct ngx_http_ratelimit_ban_call_s {
    ngx_http_ratelimit_redis_t  *redis;
    const rl_policy_t           *policy;
    rl_hash_t                    bucket;
    uint64_t                     numbers[NGX_HTTP_RATELIMIT_BAN_NUMBERS];
    ngx_uint_t                   nnumbers;
    ngx_http_ratelimit_ban_pt    done;       /* afterwards it is no more */
    void                        *data;       /* the caller's own */

    /* of a refusal, for the log */

    uint64_t                     window_ms;
    ngx_uint_t                   log_level;
    int                          dry_run;
    u_char                       addr[NGX_SOCKADDR_STRLEN];
    size_t                       addr_len;

    ngx_uint_t                   redirects;
    ngx_uint_t                   loads;

    /* how it ended: NGX_OK; NGX_DECLINED: nothing was done; NGX_ERROR: nobody
       knows */

    ngx_int_t                    rc;
    char                        *why;        /* NULL: Redis is away */
    int                          begins;
    rl_shared_ban_t              ban;        /* what Redis has */
};


ngx_http_ratelimit_ban_call_t *ngx_http_ratelimit_create_ban_call(
    ngx_http_ratelimit_redis_t *redis, const rl_policy_t *policy,
    rl_hash_t *bucket);

/* may end it at once */

void ngx_http_ratelimit_send_ban_call(ngx_http_ratelimit_ban_call_t *call);

/* the command that calls the script, which is loaded when it is missed */

ngx_http_ratelimit_command_t *ngx_http_ratelimit_bans_eval(
    ngx_http_ratelimit_link_t *link, ngx_http_ratelimit_reply_pt handler,
    ngx_str_t *args, ngx_uint_t nkeys, ngx_uint_t n);
ngx_uint_t ngx_http_ratelimit_bans_no_script(ngx_http_ratelimit_link_t *link,
    redisReply *reply);

/* behind the prefix, in buf, which has room for any name */

ngx_str_t ngx_http_ratelimit_feed_name(ngx_http_ratelimit_redis_t *redis,
    u_char *buf);

/*
 * ngx_http_ratelimit_ban_tell.c: what a decision has done to an item is told,
 * if others need to know; of lift_ban() done says whether all will
 */

void ngx_http_ratelimit_tell_ban(ngx_http_ratelimit_redis_t *redis,
    rl_item_t *item, rl_time_t *now, ngx_uint_t log_level, ngx_str_t *addr);
void ngx_http_ratelimit_tell_again(ngx_http_ratelimit_redis_t *redis,
    const rl_policy_t *policy, rl_hash_t *bucket, rl_time_t *now);
void ngx_http_ratelimit_lift_ban(ngx_http_ratelimit_ban_call_t *call);

/*
 * ngx_http_ratelimit_ban_feed.c: what is new holds here as well; a Redis that
 * has lost bans is told of those in force
 */

void ngx_http_ratelimit_look_for_bans(ngx_http_ratelimit_redis_t *redis);
void ngx_http_ratelimit_feed_event(ngx_event_t *ev);

/* one that has lost the last of what it had, or was not told of a ban */

void ngx_http_ratelimit_lose_bans(ngx_http_ratelimit_redis_t *redis);
void ngx_http_ratelimit_ban_untold(ngx_http_ratelimit_redis_t *redis);


#endif /* _NGX_HTTP_RATELIMIT_BANS_H_INCLUDED_ */
