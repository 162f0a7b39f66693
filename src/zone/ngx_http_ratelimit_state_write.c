
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
#include "zone/ngx_http_ratelimit_zone.h"


/*
 * What a crash of the machine may lose; of a zone that takes long to write, so
 * many times what that takes, so that it is written a twentieth of the time.
 */

#define NGX_HTTP_RATELIMIT_STATE_INTERVAL  5000
#define NGX_HTTP_RATELIMIT_STATE_REST      20

/* while a zone moves */

#define NGX_HTTP_RATELIMIT_STATE_RETRY     100

/* of RL_STATE_SETS sets: some 250 kilobytes, below a millisecond */

#define NGX_HTTP_RATELIMIT_STATE_BLOCKS    16


typedef struct {
    ngx_shm_zone_t              *shm_zone;
    ngx_event_t                  event;
    rl_zone_t                    zone;       /* as it was at the beginning */
    ngx_fd_t                     fd;
    off_t                        size;       /* written so far */
    uint32_t                     set;        /* the next to write */
    uint64_t                     buckets;
    uint64_t                     began_ms;   /* of the monotonic clock */
    ngx_msec_t                   interval;
    ngx_http_ratelimit_replaced_t
                                 replaced;
    ngx_err_t                    err;        /* that was logged last */
    u_char                      *tmp;        /* the path of what is open */
    unsigned                     open:1;
} ngx_http_ratelimit_writer_t;


static ngx_http_ratelimit_writer_t *ngx_http_ratelimit_make_writer(
    ngx_cycle_t *cycle, ngx_shm_zone_t *shm_zone);
static void ngx_http_ratelimit_free_writer(void *data);
static void ngx_http_ratelimit_write_abandon(
    ngx_http_ratelimit_writer_t *writer);
static void ngx_http_ratelimit_write_turn(ngx_event_t *ev);
static ngx_msec_t ngx_http_ratelimit_write_slice(
    ngx_http_ratelimit_writer_t *writer, ngx_log_t *log);
static ngx_int_t ngx_http_ratelimit_write_begin(
    ngx_http_ratelimit_writer_t *writer, ngx_log_t *log);
static ngx_int_t ngx_http_ratelimit_write_blocks(
    ngx_http_ratelimit_writer_t *writer, rl_process_t *process, ngx_uint_t n,
    ngx_log_t *log);
static ngx_int_t ngx_http_ratelimit_write_end(
    ngx_http_ratelimit_writer_t *writer, ngx_log_t *log);
static ngx_int_t ngx_http_ratelimit_write_bytes(
    ngx_http_ratelimit_writer_t *writer, u_char *data, size_t size,
    ngx_log_t *log);
static ngx_int_t ngx_http_ratelimit_write_failed(
    ngx_http_ratelimit_writer_t *writer, ngx_log_t *log, char *what);
static ngx_uint_t ngx_http_ratelimit_written_by_other(
    ngx_http_ratelimit_writer_t *writer);
static uint64_t ngx_http_ratelimit_modified(ngx_file_info_t *fi);


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
    writer->interval = NGX_HTTP_RATELIMIT_STATE_INTERVAL;
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


static void
ngx_http_ratelimit_write_abandon(ngx_http_ratelimit_writer_t *writer)
{
    if (writer->open) {
        ngx_close_file(writer->fd);
        ngx_delete_file(writer->tmp);
        writer->open = 0;
    }
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
    ngx_http_ratelimit_main_conf_t  *rmcf;

    zone = writer->shm_zone->data;

    rmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_ratelimit_module);
    process = ngx_http_ratelimit_process(rmcf);

    if (process == NULL) {
        ngx_http_ratelimit_write_abandon(writer);
        return writer->interval;
    }

    if (ngx_http_ratelimit_cut_replaced(&writer->replaced)) {
        return 1;
    }

    if (!writer->open) {
        ngx_http_ratelimit_now(&now);

        if (rl_zone_move(process, &zone->zone, 0, &now) != 0) {
            return NGX_HTTP_RATELIMIT_STATE_RETRY;
        }

        left = rl_state_due(&zone->zone, writer->interval, &now);
        if (left) {
            return left;
        }

        if (ngx_http_ratelimit_written_by_other(writer)
            || ngx_http_ratelimit_write_begin(writer, log) != NGX_OK)
        {
            return writer->interval;
        }
    }

    if (ngx_http_ratelimit_write_blocks(writer, process,
                                        NGX_HTTP_RATELIMIT_STATE_BLOCKS, log)
        != NGX_OK)
    {
        return writer->interval;
    }

    if (writer->set < writer->zone.sets) {
        return 1;
    }

    if (ngx_http_ratelimit_write_end(writer, log) == NGX_OK) {
        ngx_http_ratelimit_now(&now);

        writer->interval = ngx_max(NGX_HTTP_RATELIMIT_STATE_INTERVAL,
                                   NGX_HTTP_RATELIMIT_STATE_REST
                                   * (now.mono_ms - writer->began_ms));
    }

    /* what was replaced is to be given back */

    return writer->replaced.open ? 1 : writer->interval;
}


static ngx_int_t
ngx_http_ratelimit_write_begin(ngx_http_ratelimit_writer_t *writer,
    ngx_log_t *log)
{
    u_char                      boot_id[16], buf[RL_STATE_HEADER_LEN];
    rl_time_t                   now;
    ngx_http_ratelimit_zone_t  *zone;

    zone = writer->shm_zone->data;

    writer->fd = ngx_http_ratelimit_create_tmp(zone, writer->tmp);

    if (writer->fd == NGX_INVALID_FILE) {
        return ngx_http_ratelimit_write_failed(writer, log, "create");
    }

    writer->open = 1;
    writer->size = 0;
    writer->set = 0;
    writer->buckets = 0;

    writer->zone = zone->zone;

    ngx_http_ratelimit_now(&now);
    ngx_http_ratelimit_boot_id(boot_id);

    writer->began_ms = now.mono_ms;

    rl_state_header(&writer->zone, boot_id, &now, buf);

    return ngx_http_ratelimit_write_bytes(writer, buf, sizeof(buf), log);
}


static ngx_int_t
ngx_http_ratelimit_write_blocks(ngx_http_ratelimit_writer_t *writer,
    rl_process_t *process, ngx_uint_t n, ngx_log_t *log)
{
    off_t      begin;
    size_t     size;
    u_char     buf[RL_STATE_BLOCK_LEN];
    rl_time_t  now;

    begin = writer->size;

    ngx_http_ratelimit_now(&now);

    while (n--) {
        writer->set = rl_zone_next_used(&writer->zone, writer->set);

        if (writer->set == writer->zone.sets) {
            break;
        }

        size = rl_state_sets(process, &writer->zone, writer->set,
                             RL_STATE_SETS, &now, buf, &writer->buckets);

        if (ngx_http_ratelimit_write_bytes(writer, buf, size, log) != NGX_OK) {
            return NGX_ERROR;
        }

        writer->set = ngx_min(writer->set + RL_STATE_SETS,
                              writer->zone.sets);
    }

#if (NGX_LINUX)

    /* to disk as it is written: a rename would wait for all of it at once */

    (void) sync_file_range(writer->fd, begin, writer->size - begin,
                           SYNC_FILE_RANGE_WRITE);
#endif

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_write_end(ngx_http_ratelimit_writer_t *writer,
    ngx_log_t *log)
{
    u_char                      buf[RL_STATE_END_LEN];
    ngx_file_info_t             fi;
    ngx_http_ratelimit_zone_t  *zone;

    zone = writer->shm_zone->data;

    rl_state_end(&writer->zone, writer->buckets, buf);

    if (ngx_http_ratelimit_write_bytes(writer, buf, sizeof(buf), log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_ratelimit_hold_replaced(&writer->replaced, &zone->state);

    if (ngx_fd_info(writer->fd, &fi) == NGX_FILE_ERROR
        || ngx_rename_file(writer->tmp, zone->state.data) == NGX_FILE_ERROR)
    {
        return ngx_http_ratelimit_write_failed(writer, log, "rename");
    }

    rl_state_written(&writer->zone, ngx_http_ratelimit_modified(&fi));

    ngx_close_file(writer->fd);
    writer->open = 0;
    writer->err = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_write_bytes(ngx_http_ratelimit_writer_t *writer,
    u_char *data, size_t size, ngx_log_t *log)
{
    ssize_t  n;

    while (size) {
        n = ngx_write_fd(writer->fd, data, size);

        if (n <= 0) {
            return ngx_http_ratelimit_write_failed(writer, log, "write");
        }

        data += n;
        size -= n;
        writer->size += n;
    }

    return NGX_OK;
}


/* logged once, not every few seconds */

static ngx_int_t
ngx_http_ratelimit_write_failed(ngx_http_ratelimit_writer_t *writer,
    ngx_log_t *log, char *what)
{
    ngx_err_t  err;

    err = ngx_errno;

    if (err != writer->err) {
        ngx_log_error(NGX_LOG_ERR, log, err,
                      "ratelimit: cannot %s state file \"%s\"",
                      what, writer->tmp);
    }

    writer->err = err;

    ngx_http_ratelimit_write_abandon(writer);

    return NGX_ERROR;
}


/*
 * During a binary upgrade the old workers must not write over what the new
 * ones count: who finds a fresh file that is not its own leaves it.
 */

static ngx_uint_t
ngx_http_ratelimit_written_by_other(ngx_http_ratelimit_writer_t *writer)
{
    uint64_t                    last;
    ngx_file_info_t             fi;
    ngx_http_ratelimit_zone_t  *zone;

    zone = writer->shm_zone->data;

    last = rl_state_last(&zone->zone);

    return last != 0
           && ngx_link_info(zone->state.data, &fi) != NGX_FILE_ERROR
           && ngx_is_file(&fi)
           && ngx_http_ratelimit_modified(&fi) != last
           && ngx_time() - ngx_file_mtime(&fi)
              < (time_t) (4 * writer->interval / 1000);
}


/* names a file better than its number, which the next one may be given */

static uint64_t
ngx_http_ratelimit_modified(ngx_file_info_t *fi)
{
    return (uint64_t) fi->st_mtim.tv_sec * 1000000000 + fi->st_mtim.tv_nsec;
}


/* as a whole and at once */

ngx_int_t
ngx_http_ratelimit_write_state(ngx_cycle_t *cycle, ngx_shm_zone_t *shm_zone,
    rl_process_t *process)
{
    rl_time_t                     now;
    ngx_http_ratelimit_zone_t    *zone;
    ngx_http_ratelimit_writer_t  *writer;

    zone = shm_zone->data;

    writer = ngx_http_ratelimit_make_writer(cycle, shm_zone);
    if (writer == NULL) {
        return NGX_ERROR;
    }

    ngx_http_ratelimit_now(&now);

    (void) rl_zone_move(process, &zone->zone, NGX_MAX_UINT32_VALUE, &now);

    if (ngx_http_ratelimit_write_begin(writer, cycle->log) != NGX_OK
        || ngx_http_ratelimit_write_blocks(writer, process, writer->zone.sets,
                                           cycle->log)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ratelimit_write_end(writer, cycle->log);
}
