
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The time of a decision.
 */


#ifndef _NGX_HTTP_RATELIMIT_CLOCK_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_CLOCK_H_INCLUDED_


#include "ngx_http_ratelimit.h"


/*
 * ahead by the longest window, so that what began before this boot, as a
 * state file tells, did not begin before zero
 */

static ngx_inline uint64_t
ngx_http_ratelimit_mono_ms(void)
{
    return RL_MAX_WINDOW_MS + ngx_current_msec;
}


static ngx_inline void
ngx_http_ratelimit_now(rl_time_t *now)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    now->mono_ms = ngx_http_ratelimit_mono_ms();
    now->wall_ms = (uint64_t) tp->sec * 1000 + tp->msec;
}


#endif /* _NGX_HTTP_RATELIMIT_CLOCK_H_INCLUDED_ */
