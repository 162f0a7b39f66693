
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * A client's standing as the text of variables.
 */


#ifndef _NGX_HTTP_RATELIMIT_RENDER_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_RENDER_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "request/ngx_http_ratelimit_standing.h"


/* each returns the end of what it has written to p, p if there is nothing */

u_char *ngx_http_ratelimit_render_policy(u_char *p,
    ngx_http_ratelimit_standing_t *standing);
u_char *ngx_http_ratelimit_render_limit(u_char *p,
    ngx_http_ratelimit_standing_t *standing);
u_char *ngx_http_ratelimit_render_remaining(u_char *p,
    ngx_http_ratelimit_standing_t *standing);
u_char *ngx_http_ratelimit_render_used(u_char *p,
    ngx_http_ratelimit_standing_t *standing);
u_char *ngx_http_ratelimit_render_reset(u_char *p,
    ngx_http_ratelimit_standing_t *standing);
u_char *ngx_http_ratelimit_render_reset_ms(u_char *p,
    ngx_http_ratelimit_standing_t *standing);
u_char *ngx_http_ratelimit_render_reset_at(u_char *p,
    ngx_http_ratelimit_standing_t *standing);
u_char *ngx_http_ratelimit_render_retry_after(u_char *p,
    ngx_http_ratelimit_standing_t *standing);
u_char *ngx_http_ratelimit_render_retry_after_ms(u_char *p,
    ngx_http_ratelimit_standing_t *standing);
u_char *ngx_http_ratelimit_render_window(u_char *p,
    ngx_http_ratelimit_standing_t *standing);
u_char *ngx_http_ratelimit_render_key_id(u_char *p,
    ngx_http_ratelimit_standing_t *standing);


#endif /* _NGX_HTTP_RATELIMIT_RENDER_H_INCLUDED_ */
