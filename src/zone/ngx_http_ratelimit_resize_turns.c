
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The workers of the new configuration move the buckets of a zone whose size
 * changes, a part at a turn of the event loop.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "conf/ngx_http_ratelimit_slice.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "zone/ngx_http_ratelimit_resize.h"
#include "zone/ngx_http_ratelimit_zone.h"


/* how often the workers look whether those before have gone */

#define NGX_HTTP_RATELIMIT_MOVE_INTERVAL  100


static void ngx_http_ratelimit_move_turn(ngx_event_t *ev);
static ngx_uint_t ngx_http_ratelimit_have_gone(uint64_t *ids);


/* every worker moves a part, so that one that dies is not missed */

void
ngx_http_ratelimit_await_move(ngx_cycle_t *cycle, ngx_shm_zone_t *shm_zone)
{
    ngx_http_ratelimit_zone_t  *zone;

    zone = shm_zone->data;

    if (zone->zone.next == NULL && zone->zone.older == NULL) {
        return;
    }

    zone->event.handler = ngx_http_ratelimit_move_turn;
    zone->event.data = shm_zone;
    zone->event.log = cycle->log;
    zone->event.cancelable = 1;

    ngx_add_timer(&zone->event, NGX_HTTP_RATELIMIT_MOVE_INTERVAL);
}


static void
ngx_http_ratelimit_move_turn(ngx_event_t *ev)
{
    int                              left;
    rl_time_t                        now;
    rl_process_t                    *process;
    ngx_shm_zone_t                  *shm_zone;
    ngx_http_ratelimit_zone_t       *zone;
    ngx_http_ratelimit_slice_t       slice;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    shm_zone = ev->data;
    zone = shm_zone->data;

    if (ngx_exiting || ngx_quit || ngx_terminate) {
        return;
    }

    rmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_ratelimit_module);
    process = ngx_http_ratelimit_process(rmcf);

    if (process == NULL
        || (zone->zone.next
            && !ngx_http_ratelimit_have_gone(zone->worker_ids)))
    {
        ngx_add_timer(ev, NGX_HTTP_RATELIMIT_MOVE_INTERVAL);
        return;
    }

    ngx_http_ratelimit_now(&now);

    if (rl_zone_begin_move(process, &zone->zone, &now) == RL_OK) {
        ngx_log_error(NGX_LOG_NOTICE, ev->log, 0,
                      "ratelimit: zone \"%V\" moves to %uz bytes",
                      &zone->name, shm_zone->shm.size);
    }

    ngx_http_ratelimit_slice_begin(&slice);

    do {
        left = rl_zone_move(process, &zone->zone, 1, &now);

    } while (left == 1 && !ngx_http_ratelimit_slice_is_over(&slice));

    /* others are about it as well, or one that holds a part is stopped */

    if (left == 1) {
        ngx_add_timer(ev, 1);

    } else if (left == RL_ERROR || zone->zone.next) {
        ngx_add_timer(ev, NGX_HTTP_RATELIMIT_MOVE_INTERVAL);
    }
}


static ngx_uint_t
ngx_http_ratelimit_have_gone(uint64_t *ids)
{
    for ( /* void */ ; *ids; ids++) {
        if (!rl_process_has_ended(*ids)) {
            return 0;
        }
    }

    return 1;
}
