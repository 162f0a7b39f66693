
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * A client's standing as the text of variables.
 */


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "response/ngx_http_ratelimit_render.h"


u_char *
ngx_http_ratelimit_render_policy(u_char *p,
    ngx_http_ratelimit_standing_t *standing)
{
    return ngx_cpymem(p, standing->item->policy->name.data,
                      standing->item->policy->name.len);
}


u_char *
ngx_http_ratelimit_render_limit(u_char *p,
    ngx_http_ratelimit_standing_t *standing)
{
    return p + rl_render_u64(standing->item->limit_units, p);
}


u_char *
ngx_http_ratelimit_render_remaining(u_char *p,
    ngx_http_ratelimit_standing_t *standing)
{
    return p + rl_render_u64(standing->item->remaining_units, p);
}


u_char *
ngx_http_ratelimit_render_used(u_char *p,
    ngx_http_ratelimit_standing_t *standing)
{
    return p + rl_render_u64(rl_used_units(standing->item), p);
}


/* empty where nobody knows: places come back when their requests end */

u_char *
ngx_http_ratelimit_render_reset(u_char *p,
    ngx_http_ratelimit_standing_t *standing)
{
    if (standing->item->policy->algorithm == RL_CONCURRENT) {
        return p;
    }

    return p + rl_render_u64(rl_seconds_up(standing->item->reset_ms), p);
}


u_char *
ngx_http_ratelimit_render_reset_ms(u_char *p,
    ngx_http_ratelimit_standing_t *standing)
{
    if (standing->item->policy->algorithm == RL_CONCURRENT) {
        return p;
    }

    return p + rl_render_u64(standing->item->reset_ms, p);
}


u_char *
ngx_http_ratelimit_render_reset_at(u_char *p,
    ngx_http_ratelimit_standing_t *standing)
{
    if (standing->item->policy->algorithm == RL_CONCURRENT) {
        return p;
    }

    return p + rl_render_u64(rl_unix_seconds(&standing->time,
                                             standing->item->reset_ms),
                             p);
}


/* empty unless refused, so that "add_header Retry-After" leaves it out */

u_char *
ngx_http_ratelimit_render_retry_after(u_char *p,
    ngx_http_ratelimit_standing_t *standing)
{
    if (standing->retry_after_ms == 0) {
        return p;
    }

    return p + rl_render_u64(rl_seconds_up(standing->retry_after_ms), p);
}


u_char *
ngx_http_ratelimit_render_retry_after_ms(u_char *p,
    ngx_http_ratelimit_standing_t *standing)
{
    if (standing->retry_after_ms == 0) {
        return p;
    }

    return p + rl_render_u64(standing->retry_after_ms, p);
}


u_char *
ngx_http_ratelimit_render_window(u_char *p,
    ngx_http_ratelimit_standing_t *standing)
{
    rl_str_t  window;

    window = standing->item->quota.window_text;

    return window.len ? ngx_cpymem(p, window.data, window.len) : p;
}


u_char *
ngx_http_ratelimit_render_key_id(u_char *p,
    ngx_http_ratelimit_standing_t *standing)
{
    rl_render_key_id(rl_key_id(standing->item->policy,
                               standing->item->bucket.lo),
                     p);

    return p + 16;
}
