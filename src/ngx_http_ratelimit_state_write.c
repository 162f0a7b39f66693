
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Writing a zone's state file: by the first worker every few seconds, a slice
 * at a turn of the event loop, and by the master process when all workers have
 * gone.
 */


#include "ngx_http_ratelimit_module.h"


/* what a crash of the machine may lose */

#define NGX_HTTP_RATELIMIT_STATE_INTERVAL  5000

/* of RL_STATE_SETS sets: some 250 kilobytes, below a millisecond */

#define NGX_HTTP_RATELIMIT_STATE_BLOCKS    16


typedef struct {
    ngx_shm_zone_t              *shm_zone;
    ngx_event_t                  event;
    rl_zone_t                    zone;       /* as it was at the beginning */
    ngx_fd_t                     fd;
    uint32_t                     set;        /* the next to write */
    uint64_t                     buckets;
    ngx_file_uniq_t              written;    /* the file renamed last */
    ngx_err_t                    err;        /* that was logged last */
    u_char                      *tmp;
    unsigned                     open:1;
} ngx_http_ratelimit_writer_t;


static ngx_http_ratelimit_writer_t *ngx_http_ratelimit_make_writer(
    ngx_cycle_t *cycle, ngx_shm_zone_t *shm_zone);
static void ngx_http_ratelimit_write_abandon(void *data);
static void ngx_http_ratelimit_write_turn(ngx_event_t *ev);
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

    ngx_add_timer(&writer->event, NGX_HTTP_RATELIMIT_STATE_INTERVAL);

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

    /* of the process's own: an old worker may be writing as well */

    writer->tmp = ngx_pnalloc(cycle->pool,
                              zone->state.len + NGX_INT64_LEN + 2);
    if (writer->tmp == NULL) {
        return NULL;
    }

    ngx_sprintf(writer->tmp, "%V.%P%Z", &zone->state, ngx_pid);

    writer->shm_zone = shm_zone;
    writer->event.handler = ngx_http_ratelimit_write_turn;
    writer->event.data = writer;
    writer->event.log = cycle->log;
    writer->event.cancelable = 1;

    cln->handler = ngx_http_ratelimit_write_abandon;

    return writer;
}


/* the process exits, and the event, being cancelable, may not come again */

static void
ngx_http_ratelimit_write_abandon(void *data)
{
    ngx_http_ratelimit_writer_t  *writer = data;

    if (writer->open) {
        ngx_close_file(writer->fd);
        ngx_delete_file(writer->tmp);
        writer->open = 0;
    }
}


static void
ngx_http_ratelimit_write_turn(ngx_event_t *ev)
{
    ngx_int_t                        rc;
    rl_time_t                        now;
    rl_process_t                    *process;
    ngx_http_ratelimit_zone_t       *zone;
    ngx_http_ratelimit_writer_t     *writer;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    writer = ev->data;
    zone = writer->shm_zone->data;

    if (ngx_exiting || ngx_quit || ngx_terminate) {
        ngx_http_ratelimit_write_abandon(writer);
        return;
    }

    rmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_ratelimit_module);
    process = ngx_http_ratelimit_process(rmcf);

    rc = NGX_OK;

    ngx_http_ratelimit_now(&now);

    if (process && rl_zone_move(process, &zone->zone, 0, &now) != 0) {
        ngx_add_timer(ev, 100);
        return;
    }

    if (process && !writer->open) {
        rc = ngx_http_ratelimit_written_by_other(writer)
             ? NGX_DECLINED : ngx_http_ratelimit_write_begin(writer, ev->log);
    }

    if (process && rc == NGX_OK) {
        rc = ngx_http_ratelimit_write_blocks(writer, process,
                                             NGX_HTTP_RATELIMIT_STATE_BLOCKS,
                                             ev->log);
    }

    if (process && rc == NGX_OK && writer->set < writer->zone.sets) {
        ngx_add_timer(ev, 1);
        return;
    }

    if (process && rc == NGX_OK) {
        (void) ngx_http_ratelimit_write_end(writer, ev->log);
    }

    ngx_add_timer(ev, NGX_HTTP_RATELIMIT_STATE_INTERVAL);
}


static ngx_int_t
ngx_http_ratelimit_write_begin(ngx_http_ratelimit_writer_t *writer,
    ngx_log_t *log)
{
    u_char                      boot_id[16], buf[RL_STATE_HEADER_LEN];
    rl_time_t                   now;
    ngx_http_ratelimit_zone_t  *zone;

    zone = writer->shm_zone->data;

    /* nobody else is to read a zone's secret */

    writer->fd = ngx_open_file(writer->tmp, NGX_FILE_WRONLY, NGX_FILE_TRUNCATE,
                               0600);

    if (writer->fd == NGX_INVALID_FILE) {
        return ngx_http_ratelimit_write_failed(writer, log, "create");
    }

    writer->open = 1;
    writer->set = 0;
    writer->buckets = 0;

    writer->zone = zone->zone;

    ngx_http_ratelimit_now(&now);
    ngx_http_ratelimit_boot_id(boot_id);

    rl_state_header(&writer->zone, boot_id, &now, buf);

    return ngx_http_ratelimit_write_bytes(writer, buf, sizeof(buf), log);
}


static ngx_int_t
ngx_http_ratelimit_write_blocks(ngx_http_ratelimit_writer_t *writer,
    rl_process_t *process, ngx_uint_t n, ngx_log_t *log)
{
    size_t     size;
    u_char     buf[RL_STATE_BLOCK_LEN];
    rl_time_t  now;

    ngx_http_ratelimit_now(&now);

    while (n-- && writer->set < writer->zone.sets) {

        size = rl_state_sets(process, &writer->zone, writer->set,
                             RL_STATE_SETS, &now, buf, &writer->buckets);

        if (ngx_http_ratelimit_write_bytes(writer, buf, size, log) != NGX_OK) {
            return NGX_ERROR;
        }

        writer->set += RL_STATE_SETS;
    }

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

    if (ngx_fd_info(writer->fd, &fi) != NGX_FILE_ERROR) {
        writer->written = ngx_file_uniq(&fi);
    }

    ngx_close_file(writer->fd);
    writer->open = 0;

    if (ngx_rename_file(writer->tmp, zone->state.data) == NGX_FILE_ERROR) {
        return ngx_http_ratelimit_write_failed(writer, log, "rename");
    }

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

    if (writer->open) {
        ngx_close_file(writer->fd);
        writer->open = 0;
    }

    ngx_delete_file(writer->tmp);

    return NGX_ERROR;
}


/*
 * During a binary upgrade the old workers must not write over what the new
 * ones count: who finds a fresh file that is not its own leaves it.
 */

static ngx_uint_t
ngx_http_ratelimit_written_by_other(ngx_http_ratelimit_writer_t *writer)
{
    ngx_file_info_t             fi;
    ngx_http_ratelimit_zone_t  *zone;

    zone = writer->shm_zone->data;

    return writer->written != 0
           && ngx_file_info(zone->state.data, &fi) != NGX_FILE_ERROR
           && ngx_file_uniq(&fi) != writer->written
           && ngx_time() - ngx_file_mtime(&fi)
              < 4 * NGX_HTTP_RATELIMIT_STATE_INTERVAL / 1000;
}


/* when all workers have gone, unless a new binary goes on */

void
ngx_http_ratelimit_exit_master(ngx_cycle_t *cycle)
{
    rl_time_t                         now;
    ngx_uint_t                        i;
    rl_process_t                     *process;
    ngx_shm_zone_t                  **zones;
    ngx_http_ratelimit_zone_t        *zone;
    ngx_http_ratelimit_writer_t      *writer;
    ngx_http_ratelimit_main_conf_t   *rmcf;

    rmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_ratelimit_module);

    if (rmcf == NULL || ngx_new_binary) {
        return;
    }

    zones = rmcf->zones.elts;

    for (i = 0; i < rmcf->zones.nelts; i++) {
        zone = zones[i]->data;

        if (zone->state.len == 0) {
            continue;
        }

        process = ngx_http_ratelimit_process(rmcf);
        writer = ngx_http_ratelimit_make_writer(cycle, zones[i]);

        if (process == NULL || writer == NULL) {
            return;
        }

        ngx_http_ratelimit_now(&now);

        (void) rl_zone_move(process, &zone->zone, NGX_MAX_UINT32_VALUE, &now);

        if (ngx_http_ratelimit_write_begin(writer, cycle->log) == NGX_OK
            && ngx_http_ratelimit_write_blocks(writer, process,
                                               writer->zone.sets, cycle->log)
               == NGX_OK)
        {
            (void) ngx_http_ratelimit_write_end(writer, cycle->log);
        }
    }
}
