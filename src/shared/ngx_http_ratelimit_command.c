
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Commands of a link, in Redis's protocol, each with a time for its reply.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_link.h"


#define NGX_HTTP_RATELIMIT_MAX_OUT  (4 * 1024 * 1024)


static ngx_http_ratelimit_command_t *ngx_http_ratelimit_free_command(
    ngx_http_ratelimit_link_t *link);
static ngx_int_t ngx_http_ratelimit_reserve(ngx_http_ratelimit_link_t *link,
    size_t len);


ngx_http_ratelimit_command_t *
ngx_http_ratelimit_command(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_reply_pt handler, ngx_str_t *args, ngx_uint_t n)
{
    size_t                         len;
    u_char                        *p;
    ngx_uint_t                     i;
    ngx_http_ratelimit_command_t  *command;

    len = sizeof("*\r\n") + NGX_INT_T_LEN;

    for (i = 0; i < n; i++) {
        len += sizeof("$\r\n\r\n") + NGX_INT_T_LEN + args[i].len;
    }

    if (link->peer.connection == NULL
        || ngx_http_ratelimit_reserve(link, len) != NGX_OK)
    {
        return NULL;
    }

    command = ngx_http_ratelimit_free_command(link);
    if (command == NULL) {
        return NULL;
    }

    p = link->out + link->out_len;

    *p++ = '*';
    p += rl_render_u64(n, p);
    *p++ = CR; *p++ = LF;

    for (i = 0; i < n; i++) {
        *p++ = '$';
        p += rl_render_u64(args[i].len, p);
        *p++ = CR; *p++ = LF;
        p = ngx_cpymem(p, args[i].data, args[i].len);
        *p++ = CR; *p++ = LF;
    }

    link->out_len = p - link->out;

    command->handler = handler;
    command->deadline = ngx_current_msec + link->redis->timeout;

    ngx_queue_insert_tail(&link->commands, &command->queue);
    ngx_post_event(&link->flush, &ngx_posted_events);

    if (link->state == NGX_HTTP_RATELIMIT_LINK_READY
        && !link->timer.timer_set)
    {
        ngx_add_timer(&link->timer, link->redis->timeout);
    }

    return command;
}


static ngx_http_ratelimit_command_t *
ngx_http_ratelimit_free_command(ngx_http_ratelimit_link_t *link)
{
    ngx_queue_t  *q;

    if (ngx_queue_empty(&link->free)) {
        return ngx_alloc(sizeof(ngx_http_ratelimit_command_t),
                         link->redis->log);
    }

    q = ngx_queue_head(&link->free);
    ngx_queue_remove(q);

    return ngx_queue_data(q, ngx_http_ratelimit_command_t, queue);
}


static ngx_int_t
ngx_http_ratelimit_reserve(ngx_http_ratelimit_link_t *link, size_t len)
{
    size_t   size;
    u_char  *out;

    len += link->out_len;

    if (len <= link->out_size) {
        return NGX_OK;
    }

    if (len > NGX_HTTP_RATELIMIT_MAX_OUT) {
        return NGX_ERROR;
    }

    size = ngx_max(2 * len, 16384);

    out = ngx_alloc(size, link->redis->log);
    if (out == NULL) {
        return NGX_ERROR;
    }

    if (link->out) {
        ngx_memcpy(out, link->out, link->out_len);
        ngx_free(link->out);
    }

    link->out = out;
    link->out_size = size;

    return NGX_OK;
}
