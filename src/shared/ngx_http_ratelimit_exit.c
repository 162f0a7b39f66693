
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * A worker's end.  If it is the last one of this machine Redis is told what
 * the rows have used, so that what they hold is free at once and they go.
 * Else others go on with them.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "shared/ngx_http_ratelimit_lease.h"
#include "shared/ngx_http_ratelimit_shared.h"

#include <poll.h>


/* how long the last requests may take, in ms */

#define NGX_HTTP_RATELIMIT_EXIT_TIME    500

/* of more rows, those that hold units */

#define NGX_HTTP_RATELIMIT_EXIT_ROWS    16384


static void ngx_http_ratelimit_leave_rows(ngx_http_ratelimit_zone_t *zone);
static void ngx_http_ratelimit_end_rows(ngx_http_ratelimit_zone_t *zone,
    ngx_uint_t holding, ngx_uint_t *n);
static void ngx_http_ratelimit_drain(ngx_http_ratelimit_link_t *link,
    uint64_t until_us);
static ngx_uint_t ngx_http_ratelimit_poll(ngx_connection_t *c, short events,
    uint64_t until_us);


void
ngx_http_ratelimit_exit_shared(ngx_http_ratelimit_main_conf_t *rmcf)
{
    uint64_t                       until_us;
    ngx_uint_t                     i;
    ngx_shm_zone_t               **zones;
    ngx_http_ratelimit_zone_t     *zone;
    ngx_http_ratelimit_link_t     *link;
    ngx_http_ratelimit_redis_t   **redises;

    zones = rmcf->zones.elts;
    redises = rmcf->redises.elts;
    until_us = ngx_http_ratelimit_now_us()
               + NGX_HTTP_RATELIMIT_EXIT_TIME * 1000;

    for (i = 0; i < rmcf->redises.nelts; i++) {
        redises[i]->closed = 1;
    }

    for (i = 0; i < rmcf->zones.nelts; i++) {
        zone = zones[i]->data;

        if (zone->leases) {
            ngx_http_ratelimit_leave_rows(zone);
        }
    }

    for (i = 0; i < rmcf->redises.nelts; i++) {
        ngx_http_ratelimit_end_wake(redises[i]);

        for (link = redises[i]->links; link; link = link->next) {
            ngx_http_ratelimit_drain(link, until_us);
            ngx_http_ratelimit_close_link(link);
        }
    }
}


static void
ngx_http_ratelimit_leave_rows(ngx_http_ratelimit_zone_t *zone)
{
    uint64_t     now_us;
    ngx_uint_t   n;
    rl_lease_t  *lease;

    if (rl_leases_leave(zone->leases)) {
        n = NGX_HTTP_RATELIMIT_EXIT_ROWS;

        ngx_http_ratelimit_end_rows(zone, 1, &n);
        ngx_http_ratelimit_end_rows(zone, 0, &n);

        return;
    }

    now_us = ngx_http_ratelimit_now_us();

    for (lease = rl_lease_next(zone->leases, NULL);
         lease;
         lease = rl_lease_next(zone->leases, lease))
    {
        if (rl_lease_hand_over(lease, now_us)) {
            ngx_http_ratelimit_send_lease(zone->redis, lease);
        }
    }
}


static void
ngx_http_ratelimit_end_rows(ngx_http_ratelimit_zone_t *zone,
    ngx_uint_t holding, ngx_uint_t *n)
{
    uint32_t     at, all;
    uint64_t     now_us, held_units;
    rl_lease_t  *lease;

    now_us = ngx_http_ratelimit_now_us();
    all = UINT32_MAX;

    for (at = 0;
         *n && rl_leases_held(zone->leases, &at, &all, now_us, &held_units);
         at++)
    {
        if (holding && held_units == 0) {
            continue;
        }

        lease = rl_leases_at(zone->leases, at);

        if (lease && rl_lease_end(lease, now_us)) {
            ngx_http_ratelimit_send_lease(zone->redis, lease);
            (*n)--;
        }
    }
}


/*
 * Replies are read until the server has closed: what it has not read of a
 * connection that is closed here, with replies in it, is lost.
 */

static void
ngx_http_ratelimit_drain(ngx_http_ratelimit_link_t *link, uint64_t until_us)
{
    u_char             buf[4096];
    ssize_t            n;
    ngx_connection_t  *c;

    if (link->state != NGX_HTTP_RATELIMIT_LINK_READY) {
        return;
    }

    do {
        if (ngx_http_ratelimit_flush(link) != NGX_OK) {
            return;
        }

        c = link->peer.connection;

    } while (link->out_len
             && ngx_http_ratelimit_poll(c, POLLOUT, until_us));

    if (shutdown(c->fd, SHUT_WR) == -1) {
        return;
    }

    do {
        n = recv(c->fd, buf, sizeof(buf), 0);

    } while (n > 0
             || (n == -1 && ngx_errno == NGX_EAGAIN
                 && ngx_http_ratelimit_poll(c, POLLIN, until_us)));
}


static ngx_uint_t
ngx_http_ratelimit_poll(ngx_connection_t *c, short events, uint64_t until_us)
{
    uint64_t       now_us;
    struct pollfd  fd;

    now_us = ngx_http_ratelimit_now_us();

    if (now_us >= until_us) {
        return 0;
    }

    fd.fd = c->fd;
    fd.events = events;

    /* the event is told once: what is sent is tried again below */

    if (events == POLLOUT) {
        c->write->ready = 1;
    }

    return poll(&fd, 1, (int) ((until_us - now_us) / 1000) + 1) > 0;
}
