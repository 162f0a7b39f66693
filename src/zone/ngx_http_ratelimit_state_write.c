
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Writing a zone's state file: by the first worker every few seconds, a slice
 * at a turn of the event loop, and at once when all workers have gone.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "zone/ngx_http_ratelimit_state.h"
#include "zone/ngx_http_ratelimit_state_pass.h"
#include "zone/ngx_http_ratelimit_zone.h"


/* while a zone moves */

#define NGX_HTTP_RATELIMIT_STATE_RETRY     100


static ngx_http_ratelimit_writer_t *ngx_http_ratelimit_make_writer(
    ngx_cycle_t *cycle, ngx_shm_zone_t *shm_zone);
static void ngx_http_ratelimit_free_writer(void *data);
static void ngx_http_ratelimit_write_turn(ngx_event_t *ev);
static ngx_msec_t ngx_http_ratelimit_write_slice(
    ngx_http_ratelimit_writer_t *writer, ngx_log_t *log);


/* the first worker writes; the others would only repeat it */

ngx_int_t
ngx_http_ratelimit_init_writer(ngx_cycle_t *cycle, ngx_shm_zone_t *shm_zone)
{
    ngx_http_ratelimit_zone_t    *zone;
    ngx_http_ratelimit_writer_t  *writer;

    zone = shm_zone->data;

    if (ngx_worker != 0 || zone->state.len == 0) {
        return NGX_OK;
    }

    writer = ngx_http_ratelimit_make_writer(cycle, shm_zone);
    if (writer == NULL) {
        return NGX_ERROR;
    }

    ngx_http_ratelimit_remove_stale(zone, writer->tmp, cycle->log);

    /* when the next copy is due is known to the zone */

    ngx_add_timer(&writer->event, 1);

    return NGX_OK;
}


static ngx_http_ratelimit_writer_t *
ngx_http_ratelimit_make_writer(ngx_cycle_t *cycle, ngx_shm_zone_t *shm_zone)
{
    ngx_pool_cleanup_t           *cln;
    ngx_http_ratelimit_zone_t    *zone;
    ngx_http_ratelimit_writer_t  *writer;

    zone = shm_zone->data;

    cln = ngx_pool_cleanup_add(cycle->pool,
                               sizeof(ngx_http_ratelimit_writer_t));
    if (cln == NULL) {
        return NULL;
    }

    writer = cln->data;
    ngx_memzero(writer, sizeof(ngx_http_ratelimit_writer_t));

    writer->tmp = ngx_pnalloc(cycle->pool, zone->state.len
                                           + NGX_HTTP_RATELIMIT_TMP_SUFFIX
                                           + 1);
    if (writer->tmp == NULL) {
        return NULL;
    }

    writer->shm_zone = shm_zone;
    writer->event.handler = ngx_http_ratelimit_write_turn;
    writer->event.data = writer;
    writer->event.log = cycle->log;
    writer->event.cancelable = 1;

    cln->handler = ngx_http_ratelimit_free_writer;

    return writer;
}


static void
ngx_http_ratelimit_free_writer(void *data)
{
    ngx_http_ratelimit_writer_t  *writer = data;

    if (writer->event.timer_set) {
        ngx_del_timer(&writer->event);
    }

    ngx_http_ratelimit_write_abandon(writer);
    ngx_http_ratelimit_free_replaced(&writer->replaced);
}


/*
 * A worker that is to leave writes to the end what it has begun, and nothing
 * more: else reloads that follow each other closely would leave no time.
 */

static void
ngx_http_ratelimit_write_turn(ngx_event_t *ev)
{
    ngx_msec_t                    next;
    ngx_http_ratelimit_writer_t  *writer;

    writer = ev->data;

    if ((ngx_exiting || ngx_quit) && !writer->open) {
        return;
    }

    next = ngx_http_ratelimit_write_slice(writer, ev->log);

    ev->cancelable = !writer->open;
    ngx_add_timer(ev, next);
}


/* returns when the next one is to be written */

static ngx_msec_t
ngx_http_ratelimit_write_slice(ngx_http_ratelimit_writer_t *writer,
    ngx_log_t *log)
{
    uint64_t                         left;
    rl_time_t                        now;
    rl_process_t                    *process;
    ngx_http_ratelimit_zone_t       *zone;
    ngx_http_ratelimit_slice_t       slice;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    zone = writer->shm_zone->data;

    rmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_ratelimit_module);
    process = ngx_http_ratelimit_process(rmcf);

    if (process == NULL) {
        ngx_http_ratelimit_write_abandon(writer);
        return RL_STATE_INTERVAL_MS;
    }

    ngx_http_ratelimit_slice_begin(&slice);

    if (ngx_http_ratelimit_cut_replaced(&writer->replaced, &slice)) {
        return 1;
    }

    if (!writer->open) {
        ngx_http_ratelimit_now(&now);

        if (rl_zone_move(process, &zone->zone, 0, &now) != 0) {
            return NGX_HTTP_RATELIMIT_STATE_RETRY;
        }

        left = rl_state_due(&zone->zone, &now);
        if (left) {
            return left;
        }

        if (ngx_http_ratelimit_written_by_other(writer)
            || ngx_http_ratelimit_write_begin(writer, log) != NGX_OK)
        {
            return rl_state_interval_ms(&zone->zone);
        }
    }

    if (ngx_http_ratelimit_write_blocks(writer, process, &slice, log)
        != NGX_OK)
    {
        return rl_state_interval_ms(&zone->zone);
    }

    if (writer->set < writer->zone.sets) {
        return 1;
    }

    (void) ngx_http_ratelimit_write_end(writer, log);

    /* what was replaced is to be given back */

    return writer->replaced.open ? 1 : rl_state_interval_ms(&zone->zone);
}


/* as a whole and at once */

ngx_int_t
ngx_http_ratelimit_write_state(ngx_cycle_t *cycle, ngx_shm_zone_t *shm_zone,
    rl_process_t *process)
{
    rl_time_t                     now;
    ngx_http_ratelimit_zone_t    *zone;
    ngx_http_ratelimit_slice_t    slice;
    ngx_http_ratelimit_writer_t  *writer;

    zone = shm_zone->data;

    writer = ngx_http_ratelimit_make_writer(cycle, shm_zone);
    if (writer == NULL) {
        return NGX_ERROR;
    }

    ngx_http_ratelimit_now(&now);

    (void) rl_zone_move(process, &zone->zone, NGX_MAX_UINT32_VALUE, &now);

    ngx_http_ratelimit_slice_endless(&slice);

    if (ngx_http_ratelimit_write_begin(writer, cycle->log) != NGX_OK
        || ngx_http_ratelimit_write_blocks(writer, process, &slice, cycle->log)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ratelimit_write_end(writer, cycle->log);
}
