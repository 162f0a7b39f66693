
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Commands of a link, in Redis's protocol, each with a time for its reply.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_link.h"


#define NGX_HTTP_RATELIMIT_MAX_OUT  (4 * 1024 * 1024)


static ngx_int_t ngx_http_ratelimit_reserve(ngx_http_ratelimit_link_t *link,
    size_t len);


ngx_http_ratelimit_command_t *
ngx_http_ratelimit_command(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_reply_pt handler, ngx_str_t *args, ngx_uint_t n)
{
    size_t       len;
    u_char      *p;
    ngx_uint_t   i;

    len = sizeof("*\r\n") + NGX_INT_T_LEN;

    for (i = 0; i < n; i++) {
        len += NGX_HTTP_RATELIMIT_ARG_LEN + args[i].len;
    }

    p = ngx_http_ratelimit_begin_command(link, len);
    if (p == NULL) {
        return NULL;
    }

    *p++ = '*';
    p += rl_render_u64(n, p);
    *p++ = CR; *p++ = LF;

    for (i = 0; i < n; i++) {
        p = ngx_http_ratelimit_put_arg(p, args[i].data, args[i].len);
    }

    return ngx_http_ratelimit_end_command(link, handler, p);
}


u_char *
ngx_http_ratelimit_begin_command(ngx_http_ratelimit_link_t *link, size_t len)
{
    ngx_http_ratelimit_command_t  *command;

    if (link->peer.connection == NULL
        || ngx_http_ratelimit_reserve(link, len) != NGX_OK)
    {
        return NULL;
    }

    if (ngx_queue_empty(&link->free)) {
        command = ngx_alloc(sizeof(ngx_http_ratelimit_command_t),
                            link->redis->log);
        if (command == NULL) {
            return NULL;
        }

        ngx_queue_insert_head(&link->free, &command->queue);
    }

    return link->out + link->out_len;
}


u_char *
ngx_http_ratelimit_put_arg(u_char *p, u_char *data, size_t len)
{
    *p++ = '$';
    p += rl_render_u64(len, p);
    *p++ = CR; *p++ = LF;
    p = ngx_cpymem(p, data, len);
    *p++ = CR; *p++ = LF;

    return p;
}


ngx_http_ratelimit_command_t *
ngx_http_ratelimit_end_command(ngx_http_ratelimit_link_t *link,
    ngx_http_ratelimit_reply_pt handler, u_char *last)
{
    ngx_queue_t                   *q;
    ngx_http_ratelimit_command_t  *command;

    link->out_len = last - link->out;

    q = ngx_queue_head(&link->free);
    ngx_queue_remove(q);
    command = ngx_queue_data(q, ngx_http_ratelimit_command_t, queue);

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
