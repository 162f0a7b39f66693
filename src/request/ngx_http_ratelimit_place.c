
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Places of "concurrent=".  They are charged as units are, and come back once,
 * when the request's memory goes: after its last redirect, its upgrade or its
 * post_action, with its client gone or not.  What a process held that exits,
 * or is killed, is no longer counted: see ratelimit/algorithm/concurrent.h.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "request/ngx_http_ratelimit_place.h"
#include "request/ngx_http_ratelimit_queue.h"


/* when a lock is asked for again whose living owner did not move, in ms */

#define NGX_HTTP_RATELIMIT_RELEASE_AGAIN  100


/* a place that could not be given back yet */

typedef struct {
    ngx_event_t                  event;
    rl_item_t                    item;
} ngx_http_ratelimit_late_place_t;


static void ngx_http_ratelimit_release_later(rl_item_t *item);
static void ngx_http_ratelimit_release_again(ngx_event_t *ev);


void
ngx_http_ratelimit_release_places(rl_item_t *items, ngx_uint_t n)
{
    rl_item_t  *item;
    rl_time_t   now;

    /* one that leaves the process table, as on exit, holds nothing */

    if (ngx_http_ratelimit_this_process.process_table == NULL) {
        return;
    }

    ngx_http_ratelimit_now(&now);

    for (item = items; n; n--, item++) {

        if (!item->charged || item->policy->algorithm != RL_CONCURRENT) {
            continue;
        }

        if (rl_release(&ngx_http_ratelimit_this_process, item, 1, &now)
            == RL_TIMEOUT)
        {
            ngx_http_ratelimit_release_later(item);

        } else {
            ngx_http_ratelimit_wake_queue(item);
        }
    }
}


/* a lock's owner is stopped: the place must not be lost for all that */

static void
ngx_http_ratelimit_release_later(rl_item_t *item)
{
    ngx_http_ratelimit_late_place_t  *late;

    late = ngx_calloc(sizeof(ngx_http_ratelimit_late_place_t), ngx_cycle->log);
    if (late == NULL) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "ratelimit: no memory to give back a place of policy "
                      "\"%*s\" later: it stays taken until this process ends",
                      item->policy->name.len, item->policy->name.data);
        return;
    }

    late->item = *item;
    late->event.handler = ngx_http_ratelimit_release_again;
    late->event.data = late;
    late->event.log = ngx_cycle->log;
    late->event.cancelable = 1;

    ngx_add_timer(&late->event, NGX_HTTP_RATELIMIT_RELEASE_AGAIN);
}


static void
ngx_http_ratelimit_release_again(ngx_event_t *ev)
{
    rl_time_t                         now;
    ngx_http_ratelimit_late_place_t  *late = ev->data;

    ngx_http_ratelimit_now(&now);

    if (rl_release(&ngx_http_ratelimit_this_process, &late->item, 1, &now)
        == RL_TIMEOUT)
    {
        ngx_add_timer(ev, NGX_HTTP_RATELIMIT_RELEASE_AGAIN);
        return;
    }

    ngx_free(late);
}
