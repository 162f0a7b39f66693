
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * One copy of a zone into its state file, a slice after the other.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "zone/ngx_http_ratelimit_state.h"
#include "zone/ngx_http_ratelimit_state_pass.h"
#include "zone/ngx_http_ratelimit_zone.h"


static ngx_int_t ngx_http_ratelimit_write_bytes(
    ngx_http_ratelimit_writer_t *writer, u_char *data, size_t size,
    ngx_log_t *log);
static ngx_int_t ngx_http_ratelimit_write_failed(
    ngx_http_ratelimit_writer_t *writer, ngx_log_t *log, char *what);
static uint64_t ngx_http_ratelimit_modified(ngx_file_info_t *fi);


ngx_int_t
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


ngx_int_t
ngx_http_ratelimit_write_blocks(ngx_http_ratelimit_writer_t *writer,
    rl_process_t *process, ngx_http_ratelimit_slice_t *slice, ngx_log_t *log)
{
    off_t      begin;
    size_t     size;
    u_char     buf[RL_STATE_BLOCK_LEN];
    rl_time_t  now;

    begin = writer->size;

    ngx_http_ratelimit_now(&now);

    do {
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

    } while (!ngx_http_ratelimit_slice_is_over(slice));

#if (NGX_LINUX)

    /* to disk as it is written: a rename would wait for all of it at once */

    (void) sync_file_range(writer->fd, begin, writer->size - begin,
                           SYNC_FILE_RANGE_WRITE);
#endif

    return NGX_OK;
}


ngx_int_t
ngx_http_ratelimit_write_end(ngx_http_ratelimit_writer_t *writer,
    ngx_log_t *log)
{
    u_char                      buf[RL_STATE_END_LEN];
    rl_time_t                   now;
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

    ngx_http_ratelimit_now(&now);

    rl_state_written(&writer->zone, ngx_http_ratelimit_modified(&fi),
                     writer->began_ms, &now);

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

ngx_uint_t
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
              < (time_t) (4 * rl_state_interval_ms(&zone->zone) / 1000);
}


/* names a file better than its number, which the next one may be given */

static uint64_t
ngx_http_ratelimit_modified(ngx_file_info_t *fi)
{
    return (uint64_t) fi->st_mtim.tv_sec * 1000000000 + fi->st_mtim.tv_nsec;
}


void
ngx_http_ratelimit_write_abandon(ngx_http_ratelimit_writer_t *writer)
{
    if (writer->open) {
        ngx_close_file(writer->fd);
        ngx_delete_file(writer->tmp);
        writer->open = 0;
    }
}
