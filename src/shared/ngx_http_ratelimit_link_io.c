
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What goes over a link: nginx's events and its SSL carry the bytes, hiredis's
 * reader takes replies out of them.  Commands are pipelined, their replies
 * come in the same order.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_lease.h"
#include "shared/ngx_http_ratelimit_link.h"


#define NGX_HTTP_RATELIMIT_MAX_IN  (1024 * 1024)


static void *ngx_http_ratelimit_create_text(const redisReadTask *task,
    char *str, size_t len);
static ngx_int_t ngx_http_ratelimit_replies(ngx_http_ratelimit_link_t *link);
static void ngx_http_ratelimit_free_reply(ngx_http_ratelimit_link_t *link,
    void *reply);


/*
 * hiredis makes a tree of each reply; those of leases, one short text each,
 * need none.
 */

ngx_int_t
ngx_http_ratelimit_create_reader(ngx_http_ratelimit_link_t *link)
{
    link->reader = redisReaderCreate();

    if (link->reader == NULL) {
        return NGX_ERROR;
    }

    link->trees = link->reader->fn;
    link->objects = *link->trees;
    link->objects.createString = ngx_http_ratelimit_create_text;

    link->reader->fn = &link->objects;
    link->reader->privdata = link;

    return NGX_OK;
}


/* the reader hands it out at once, so that it never frees it */

static void *
ngx_http_ratelimit_create_text(const redisReadTask *task, char *str,
    size_t len)
{
    ngx_http_ratelimit_link_t  *link;

    link = task->privdata;

    if (task->parent || len >= sizeof(link->text)
        || (task->type != REDIS_REPLY_STRING
            && task->type != REDIS_REPLY_STATUS
            && task->type != REDIS_REPLY_ERROR))
    {
        return link->trees->createString(task, str, len);
    }

    link->reply.type = task->type;
    link->reply.str = link->text;
    link->reply.len = len;

    ngx_memcpy(link->text, str, len);
    link->text[len] = '\0';

    return &link->reply;
}


void
ngx_http_ratelimit_read_event(ngx_event_t *rev)
{
    u_char                      buf[16384];
    ssize_t                     n;
    ngx_connection_t           *c;
    ngx_http_ratelimit_link_t  *link;

    c = rev->data;
    link = c->data;

    for ( ;; ) {
        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == 0 || n == NGX_ERROR) {
            ngx_http_ratelimit_break_link(link, 0,
                                          "the server closed the connection");
            return;
        }

        if (redisReaderFeed(link->reader, (char *) buf, n) != REDIS_OK
            || link->reader->len > NGX_HTTP_RATELIMIT_MAX_IN)
        {
            ngx_http_ratelimit_break_link(link, 0, "its reply is too long");
            return;
        }

        if (ngx_http_ratelimit_replies(link) != NGX_OK) {
            return;
        }
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_http_ratelimit_break_link(link, 0, "there is no event for it");
    }
}


/* NGX_ERROR: the link is broken */

static ngx_int_t
ngx_http_ratelimit_replies(ngx_http_ratelimit_link_t *link)
{
    void                          *reply;
    ngx_queue_t                   *q;
    redisReader                   *reader;
    ngx_http_ratelimit_command_t  *command;

    for ( ;; ) {
        reader = link->reader;

        if (redisReaderGetReply(reader, &reply) != REDIS_OK
            || (reply && ngx_queue_empty(&link->commands)))
        {
            ngx_http_ratelimit_free_reply(link, reply);

            ngx_http_ratelimit_break_link(link, 0,
                                          "its reply is not Redis's");
            return NGX_ERROR;
        }

        if (reply == NULL) {
            return NGX_OK;
        }

        q = ngx_queue_head(&link->commands);
        ngx_queue_remove(q);
        command = ngx_queue_data(q, ngx_http_ratelimit_command_t, queue);

        command->handler(link, command, reply);

        ngx_queue_insert_head(&link->free, &command->queue);
        ngx_http_ratelimit_free_reply(link, reply);

        /* a handler may have broken the link */

        if (link->reader != reader) {
            return NGX_ERROR;
        }

        if (reader->pos == reader->len) {
            return NGX_OK;
        }
    }
}


static void
ngx_http_ratelimit_free_reply(ngx_http_ratelimit_link_t *link, void *reply)
{
    if (reply && reply != &link->reply) {
        freeReplyObject(reply);
    }
}


/* epoll tells of this with each reply */

void
ngx_http_ratelimit_write_event(ngx_event_t *wev)
{
    ngx_connection_t           *c;
    ngx_http_ratelimit_link_t  *link;

    c = wev->data;
    link = c->data;

    if (link->out_len) {
        (void) ngx_http_ratelimit_flush(link);
    }
}


void
ngx_http_ratelimit_flush_event(ngx_event_t *ev)
{
    (void) ngx_http_ratelimit_flush(ev->data);
}


ngx_int_t
ngx_http_ratelimit_flush(ngx_http_ratelimit_link_t *link)
{
    size_t             done;
    ssize_t            n;
    ngx_connection_t  *c;

    if (link->ndue) {
        ngx_http_ratelimit_send_due(link);
    }

    /* what that has written goes at once */

    if (link->flush.posted) {
        ngx_delete_posted_event(&link->flush);
    }

    c = link->peer.connection;
    done = 0;

    if (c == NULL || link->state < NGX_HTTP_RATELIMIT_LINK_LOGIN) {
        return NGX_OK;
    }

    while (done < link->out_len) {
        n = c->send(c, link->out + done, link->out_len - done);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR || n == 0) {
            ngx_http_ratelimit_break_link(link, 0, "send() failed");
            return NGX_ERROR;
        }

        done += n;
    }

    link->out_len -= done;
    ngx_memmove(link->out, link->out + done, link->out_len);

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_http_ratelimit_break_link(link, 0, "there is no event for it");
        return NGX_ERROR;
    }

    return NGX_OK;
}
