
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_policy": what is limited.
 */


#ifndef _NGX_HTTP_RATELIMIT_POLICY_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_POLICY_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_condition.h"
#include "policy/ngx_http_ratelimit_step.h"


/* what a policy's buckets are partitioned by; shared by equal policies */

typedef struct {
    ngx_shm_zone_t              *shm_zone;
    ngx_str_t                    text;       /* as written, length-prefixed */
    ngx_array_t                  parts;      /* ngx_http_ratelimit_part_t */
} ngx_http_ratelimit_partition_t;


/* more would be a mistake, and the product is exact for so many */

#define NGX_HTTP_RATELIMIT_MAX_SCALES  8


struct ngx_http_ratelimit_policy_s {
    rl_policy_t                  core;       /* first: rl_item_t points here */
    ngx_str_t                    name;
    ngx_uint_t                   index;      /* among the policies */

    ngx_shm_zone_t              *shm_zone;
    ngx_str_t                    zone_name;
    ngx_http_ratelimit_partition_t *partition;

    ngx_http_ratelimit_value_t  *quota;      /* NULL: constant_quota holds */
    rl_quota_t                   constant_quota;
    ngx_array_t                  scales;     /* ngx_http_ratelimit_value_t
                                                pointers */
    ngx_http_ratelimit_value_t  *capacity;   /* constant ones are the core's */
    ngx_http_ratelimit_value_t  *label;      /* NULL: none */
    ngx_uint_t                   status;     /* 0: the location's */
    ngx_http_ratelimit_condition_t *condition; /* NULL: none matters */
    rl_ban_t                     ban;        /* where core.ban is not NULL */

    u_char                      *file;       /* of the definition, or while */
    ngx_uint_t                   line;       /* undefined of the first use */
    ngx_str_t                    user;       /* the directive that used it */

    ngx_http_ratelimit_step_t    step;       /* of no line */
    unsigned                     defined:1;
    unsigned                     limits:1;   /* a "ratelimit" line names it */
    unsigned                     visit:2;    /* of the search for cycles */
    unsigned                     keep:1;     /* its charges, when a later
                                                phase refuses */
};


/*
 * An item's data is the ngx_http_ratelimit_settle_t of its line, which is
 * still to be read; NULL once it is done, or there is none.
 */

#define ngx_http_ratelimit_item_policy(item)                                  \
    ((ngx_http_ratelimit_policy_t *) (item)->policy)


/* ngx_http_ratelimit_policy_conf.c */

char *ngx_http_ratelimit_policy(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
#define NGX_HTTP_RATELIMIT_CAPACITY                                           \
    "must be an integer of 1 to 999999999999999"

/* ngx_http_ratelimit_policy.c */

ngx_int_t ngx_http_ratelimit_policy_name(ngx_str_t *name);
ngx_http_ratelimit_policy_t *ngx_http_ratelimit_add_policy(ngx_conf_t *cf,
    ngx_str_t *name);
ngx_http_ratelimit_policy_t *ngx_http_ratelimit_find_policy(
    ngx_http_ratelimit_main_conf_t *rmcf, ngx_str_t *name);
ngx_http_ratelimit_policy_t *ngx_http_ratelimit_use_policy(ngx_conf_t *cf,
    ngx_str_t *name);
ngx_array_t *ngx_http_ratelimit_policies(ngx_conf_t *cf, ngx_str_t *names);
ngx_int_t ngx_http_ratelimit_init_policies(ngx_conf_t *cf);
ngx_int_t ngx_http_ratelimit_bind_policies(ngx_cycle_t *cycle,
    ngx_http_ratelimit_main_conf_t *rmcf);


#endif /* _NGX_HTTP_RATELIMIT_POLICY_H_INCLUDED_ */
