
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * A location's plan: what its requests are asked, as far as it does not vary.
 */


#ifndef _NGX_HTTP_RATELIMIT_STEP_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_STEP_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "key/ngx_http_ratelimit_part.h"


/* what of a step is to be found out at each request */

#define NGX_HTTP_RATELIMIT_VARIES_LINE      0x01  /* whether it applies */
#define NGX_HTTP_RATELIMIT_VARIES_QUOTA     0x02
#define NGX_HTTP_RATELIMIT_VARIES_CAPACITY  0x04
#define NGX_HTTP_RATELIMIT_VARIES_COST      0x08
#define NGX_HTTP_RATELIMIT_VARIES_DRY_RUN   0x10
#define NGX_HTTP_RATELIMIT_VARIES_POLICY    0x20  /* an earlier step of it may
                                                     have decided */
#define NGX_HTTP_RATELIMIT_VARIES_PLACE     0x40  /* is held until the end */

#define NGX_HTTP_RATELIMIT_VARIES_BAN       0x80
#define NGX_HTTP_RATELIMIT_VARIES_LABEL     0x100 /* that operators see */
#define NGX_HTTP_RATELIMIT_VARIES_WAIT      0x200
#define NGX_HTTP_RATELIMIT_VARIES_SAME_KEY  0x400 /* an earlier step may have
                                                     hashed it */

/* the longest that a request waits for its decision, in ms */

#define NGX_HTTP_RATELIMIT_MAX_WAIT  60000

/* whether it is asked at all, and what is asked beside its quota */

#define NGX_HTTP_RATELIMIT_VARIES_ASKED                                       \
    (NGX_HTTP_RATELIMIT_VARIES_LINE|NGX_HTTP_RATELIMIT_VARIES_POLICY)
#define NGX_HTTP_RATELIMIT_VARIES_ITEM                                        \
    (NGX_HTTP_RATELIMIT_VARIES_CAPACITY|NGX_HTTP_RATELIMIT_VARIES_COST        \
     |NGX_HTTP_RATELIMIT_VARIES_DRY_RUN|NGX_HTTP_RATELIMIT_VARIES_BAN         \
     |NGX_HTTP_RATELIMIT_VARIES_LABEL)


typedef struct ngx_http_ratelimit_rule_s  ngx_http_ratelimit_rule_t;


/* a policy of a line; lines are flattened into these */

typedef struct {
    ngx_http_ratelimit_policy_t *policy;
    ngx_http_ratelimit_rule_t   *rule;       /* NULL: of the policy itself */
    ngx_uint_t                   methods;    /* those it applies to */
    ngx_uint_t                   varies;
    ngx_http_ratelimit_part_t   *part;       /* the key; NULL: it has several
                                                parts */
    rl_item_t                    item;       /* what does not vary */
} ngx_http_ratelimit_step_t;


/* of a policy, once it is known; and of all locations, once all are */

void ngx_http_ratelimit_init_step(ngx_http_ratelimit_policy_t *policy);
void ngx_http_ratelimit_init_plans(ngx_http_ratelimit_main_conf_t *rmcf);


#endif /* _NGX_HTTP_RATELIMIT_STEP_H_INCLUDED_ */
