
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "state=" of a zone: its live buckets in a file, read at start.
 */


#include "ngx_http_ratelimit_module.h"

#include <sys/random.h>


static char *ngx_http_ratelimit_load_bytes(ngx_shm_zone_t *shm_zone,
    u_char *data, size_t size, uint64_t *buckets);


char *
ngx_http_ratelimit_state(ngx_conf_t *cf, ngx_str_t *value, ngx_str_t *path)
{
    u_char           *p, ch;
    ngx_int_t         rc;
    ngx_file_info_t   fi;

    *path = *value;

    if (value->len == 0
        || ngx_conf_full_name(cf->cycle, path, 0) != NGX_OK)
    {
        goto invalid;
    }

    for (p = path->data + path->len; p[-1] != '/'; p--) { /* void */ }

    ch = *p;
    *p = '\0';

    rc = ngx_file_info(path->data, &fi);

    *p = ch;

    if (rc == NGX_FILE_ERROR || p == path->data + path->len) {
        goto invalid;
    }

    return NGX_CONF_OK;

invalid:

    return ngx_http_ratelimit_invalid(cf, "state", value,
               "must be a file in a directory that exists and that worker "
               "processes may write to");
}


/* into a zone just created; *buckets tells how many */

ngx_int_t
ngx_http_ratelimit_load_state(ngx_shm_zone_t *shm_zone, uint64_t *buckets)
{
    char                       *wrong;
    size_t                      size;
    u_char                     *data;
    ngx_fd_t                    fd;
    ngx_file_info_t             fi;
    ngx_http_ratelimit_zone_t  *zone;

    zone = shm_zone->data;

    fd = ngx_open_file(zone->state.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {

        if (ngx_errno != NGX_ENOENT) {
            ngx_log_error(NGX_LOG_ERR, shm_zone->shm.log, ngx_errno,
                          "ratelimit: cannot open state file \"%V\", zone "
                          "\"%V\" starts empty", &zone->state, &zone->name);
        }

        return NGX_OK;
    }

    wrong = "cannot be read";
    data = MAP_FAILED;
    size = 0;

    if (ngx_fd_info(fd, &fi) != NGX_FILE_ERROR) {
        size = ngx_file_size(&fi);

        if (size == 0) {
            wrong = "is cut short";

        } else {
            data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        }
    }

    if (data != MAP_FAILED) {
        wrong = ngx_http_ratelimit_load_bytes(shm_zone, data, size, buckets);
        munmap(data, size);
    }

    ngx_close_file(fd);

    if (wrong == NULL) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ERR, shm_zone->shm.log, 0,
                  "ratelimit: state file \"%V\" %s, zone \"%V\" starts empty",
                  &zone->state, wrong, &zone->name);

    return NGX_DECLINED;
}


static char *
ngx_http_ratelimit_load_bytes(ngx_shm_zone_t *shm_zone, u_char *data,
    size_t size, uint64_t *buckets)
{
    u_char                      boot_id[16];
    rl_time_t                   now;
    ngx_http_ratelimit_zone_t  *zone;

    zone = shm_zone->data;

    ngx_http_ratelimit_now(&now);
    ngx_http_ratelimit_boot_id(boot_id);

    return (char *) rl_state_load(&zone->zone, data, size, boot_id, &now,
                                  buckets);
}


/* what differs from boot to boot, or from call to call if it is unknown */

void
ngx_http_ratelimit_boot_id(u_char *id)
{
    ssize_t   n;
    ngx_fd_t  fd;

    n = 0;

    fd = ngx_open_file("/proc/sys/kernel/random/boot_id", NGX_FILE_RDONLY,
                       NGX_FILE_OPEN, 0);

    if (fd != NGX_INVALID_FILE) {
        n = ngx_read_fd(fd, id, 16);
        ngx_close_file(fd);
    }

    if (n != 16 && getrandom(id, 16, 0) != 16) {
        ngx_memzero(id, 16);
    }
}
