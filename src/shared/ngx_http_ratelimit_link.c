
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * A connection to a Redis server, from its beginning to its use.
 *
 * A command whose reply does not come in time breaks the link, for a server
 * that was stopped answers as if nothing had been, though another may be the
 * master meanwhile.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_link.h"


static void ngx_http_ratelimit_connected(ngx_http_ratelimit_link_t *link);
static void ngx_http_ratelimit_connect_event(ngx_event_t *ev);
static void ngx_http_ratelimit_timer(ngx_event_t *ev);
static void ngx_http_ratelimit_event(ngx_event_t *ev,
    ngx_event_handler_pt handler, ngx_http_ratelimit_link_t *link);


ngx_http_ratelimit_link_t *
ngx_http_ratelimit_create_link(ngx_http_ratelimit_redis_t *redis,
    ngx_http_ratelimit_server_t *server)
{
    ngx_http_ratelimit_link_t  *link;

    link = ngx_calloc(sizeof(ngx_http_ratelimit_link_t), redis->log);
    if (link == NULL) {
        return NULL;
    }

    link->redis = redis;
    link->server = server;
    link->log = *redis->log;
    link->log.log_level = NGX_LOG_EMERG;

    ngx_queue_init(&link->commands);
    ngx_queue_init(&link->free);

    ngx_http_ratelimit_event(&link->timer, ngx_http_ratelimit_timer, link);
    ngx_http_ratelimit_event(&link->flush, ngx_http_ratelimit_flush_event,
                             link);

    link->next = redis->links;
    redis->links = link;

    return link;
}


/* none of these keeps a worker from its end */

static void
ngx_http_ratelimit_event(ngx_event_t *ev, ngx_event_handler_pt handler,
    ngx_http_ratelimit_link_t *link)
{
    ev->handler = handler;
    ev->data = link;
    ev->log = link->redis->log;
    ev->cancelable = 1;
}


void
ngx_http_ratelimit_connect(ngx_http_ratelimit_link_t *link)
{
    link->begun = ngx_current_msec;
    link->state = NGX_HTTP_RATELIMIT_LINK_CONNECTING;

    ngx_http_ratelimit_resolve(link);
}


void
ngx_http_ratelimit_open_link(ngx_http_ratelimit_link_t *link)
{
    ngx_int_t               rc;
    ngx_connection_t       *c;
    ngx_peer_connection_t  *peer;

    peer = &link->peer;
    ngx_memzero(peer, sizeof(ngx_peer_connection_t));

    peer->sockaddr = &link->sockaddr.sockaddr;
    peer->socklen = link->socklen;
    peer->name = &link->server->name;
    peer->get = ngx_event_get_peer;
    peer->log = &link->log;

    if (ngx_http_ratelimit_create_reader(link) != NGX_OK) {
        ngx_http_ratelimit_break_link(link, 0, "there is no memory");
        return;
    }

    rc = ngx_event_connect_peer(peer);
    c = peer->connection;

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        ngx_http_ratelimit_break_link(link, ngx_errno, "connect() failed");
        return;
    }

    c->data = link;
    c->log = &link->log;
    c->read->log = c->write->log = &link->log;
    c->read->handler = ngx_http_ratelimit_connect_event;
    c->write->handler = ngx_http_ratelimit_connect_event;
    c->pool = ngx_create_pool(512, &link->log);

    if (c->pool == NULL) {
        ngx_http_ratelimit_break_link(link, 0, "there is no memory");
        return;
    }

    ngx_add_timer(&link->timer,
                  ngx_max(NGX_HTTP_RATELIMIT_CONNECT_TIME
                          / ngx_http_ratelimit_addresses(link),
                          NGX_HTTP_RATELIMIT_MIN_CONNECT_TIME));

    if (rc == NGX_OK) {
        ngx_http_ratelimit_connected(link);
    }
}


static void
ngx_http_ratelimit_connect_event(ngx_event_t *ev)
{
    int                         err;
    socklen_t                   len;
    ngx_connection_t           *c;
    ngx_http_ratelimit_link_t  *link;

    c = ev->data;
    link = c->data;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        ngx_http_ratelimit_break_link(link, err, "connect() failed");
        return;
    }

    if (ev->write) {
        ngx_http_ratelimit_connected(link);
    }
}


static void
ngx_http_ratelimit_connected(ngx_http_ratelimit_link_t *link)
{
    int                one;
    ngx_connection_t  *c;

    c = link->peer.connection;

    ngx_del_timer(&link->timer);
    ngx_add_timer(&link->timer,
                  ngx_max(link->redis->timeout,
                          NGX_HTTP_RATELIMIT_LOGIN_TIME));

    if (link->sockaddr.sockaddr.sa_family != AF_UNIX) {
        one = 1;
        (void) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(int));
    }

#if (NGX_SSL)

    if (link->redis->ssl) {
        ngx_http_ratelimit_handshake(link);
        return;
    }

#endif

    ngx_http_ratelimit_logged_in(link);
}


void
ngx_http_ratelimit_logged_in(ngx_http_ratelimit_link_t *link)
{
    ngx_connection_t  *c;

    c = link->peer.connection;

    c->read->handler = ngx_http_ratelimit_read_event;
    c->write->handler = ngx_http_ratelimit_write_event;

    link->state = NGX_HTTP_RATELIMIT_LINK_LOGIN;

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_http_ratelimit_break_link(link, 0, "there is no event for it");
        return;
    }

    ngx_http_ratelimit_login(link);
}


/*
 * One timer for all that is on the way: it is the oldest's, and when it runs
 * out that is looked at once more.
 */

static void
ngx_http_ratelimit_timer(ngx_event_t *ev)
{
    ngx_msec_int_t                 left;
    ngx_http_ratelimit_link_t     *link;
    ngx_http_ratelimit_command_t  *command;

    link = ev->data;

    switch (link->state) {

    case NGX_HTTP_RATELIMIT_LINK_AWAY:
        ngx_http_ratelimit_connect(link);
        return;

    case NGX_HTTP_RATELIMIT_LINK_CONNECTING:
    case NGX_HTTP_RATELIMIT_LINK_LOGIN:
        ngx_http_ratelimit_break_link(link, NGX_ETIMEDOUT,
                                      "it does not answer");
        return;

    default: /* NGX_HTTP_RATELIMIT_LINK_READY */
        break;
    }

    if (ngx_queue_empty(&link->commands)) {
        return;
    }

    command = ngx_queue_data(ngx_queue_head(&link->commands),
                             ngx_http_ratelimit_command_t, queue);
    left = (ngx_msec_int_t) (command->deadline - ngx_current_msec);

    if (left > 0) {
        ngx_add_timer(ev, (ngx_msec_t) left);
        return;
    }

    ngx_http_ratelimit_break_link(link, NGX_ETIMEDOUT, "it does not answer");
}


ngx_http_ratelimit_link_t *
ngx_http_ratelimit_ready_link(ngx_http_ratelimit_redis_t *redis)
{
    ngx_http_ratelimit_link_t  *link;

    for (link = redis->links; link; link = link->next) {
        if (link->state == NGX_HTTP_RATELIMIT_LINK_READY) {
            break;
        }
    }

    return link;
}


/* runs while the machine sleeps, so that a lease is over when it wakes */

uint64_t
ngx_http_ratelimit_now_us(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_BOOTTIME, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}
