
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * One copy of a zone into its state file.
 */


#ifndef _NGX_HTTP_RATELIMIT_STATE_PASS_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_STATE_PASS_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_slice.h"
#include "zone/ngx_http_ratelimit_state.h"


typedef struct {
    ngx_shm_zone_t              *shm_zone;
    ngx_event_t                  event;
    rl_zone_t                    zone;       /* as it was at the beginning */
    ngx_fd_t                     fd;
    off_t                        size;       /* written so far */
    uint32_t                     set;        /* the next to write */
    uint64_t                     buckets;
    uint64_t                     began_ms;   /* of the monotonic clock */
    ngx_http_ratelimit_replaced_t
                                 replaced;
    ngx_err_t                    err;        /* that was logged last */
    u_char                      *tmp;        /* the path of what is open */
    unsigned                     open:1;
} ngx_http_ratelimit_writer_t;


ngx_uint_t ngx_http_ratelimit_written_by_other(
    ngx_http_ratelimit_writer_t *writer);
ngx_int_t ngx_http_ratelimit_write_begin(ngx_http_ratelimit_writer_t *writer,
    ngx_log_t *log);
ngx_int_t ngx_http_ratelimit_write_blocks(ngx_http_ratelimit_writer_t *writer,
    rl_process_t *process, ngx_http_ratelimit_slice_t *slice, ngx_log_t *log);
ngx_int_t ngx_http_ratelimit_write_end(ngx_http_ratelimit_writer_t *writer,
    ngx_log_t *log);
void ngx_http_ratelimit_write_abandon(ngx_http_ratelimit_writer_t *writer);


#endif /* _NGX_HTTP_RATELIMIT_STATE_PASS_H_INCLUDED_ */
