
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "state=" of a zone: its active buckets in a file, read at start.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "zone/ngx_http_ratelimit_state.h"
#include "zone/ngx_http_ratelimit_zone.h"

#include <sys/file.h>
#include <sys/random.h>


/* to open a file that is being replaced */

#define NGX_HTTP_RATELIMIT_STATE_TRIES  10


typedef struct {
    ngx_fd_t                     fd;
    ngx_uint_t                   failed;
} ngx_http_ratelimit_state_in_t;


static ngx_fd_t ngx_http_ratelimit_open_state(
    ngx_http_ratelimit_zone_t *zone);
static const char *ngx_http_ratelimit_check_state(
    ngx_http_ratelimit_zone_t *zone, ngx_fd_t fd);
static const char *ngx_http_ratelimit_read_state(ngx_shm_zone_t *shm_zone,
    ngx_fd_t fd, uint64_t *buckets);
static size_t ngx_http_ratelimit_state_read(void *data, unsigned char *buf,
    size_t len);


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


/*
 * Into a zone just created; *buckets tells how many.  NGX_DECLINED: the zone
 * must be created anew.
 *
 * The directory may be one that the workers' user, or others, may write to,
 * and this is done as root: whatever stands in the file's place must neither
 * be waited for nor followed nor believed.
 */

ngx_int_t
ngx_http_ratelimit_load_state(ngx_shm_zone_t *shm_zone, uint64_t *buckets)
{
    ngx_fd_t                    fd;
    ngx_err_t                   err;
    const char                 *wrong;
    ngx_http_ratelimit_zone_t  *zone;

    zone = shm_zone->data;
    err = 0;

    fd = ngx_http_ratelimit_open_state(zone);

    if (fd == NGX_INVALID_FILE) {
        err = ngx_errno;

        if (err == NGX_ENOENT) {
            return NGX_OK;
        }

        wrong = "cannot be opened";

        if (err == NGX_ELOOP) {
            wrong = "is a symbolic link";
            err = 0;
        }

    } else {
        wrong = ngx_http_ratelimit_check_state(zone, fd);

        if (wrong == NULL && !ngx_test_config) {
            wrong = ngx_http_ratelimit_read_state(shm_zone, fd, buckets);
        }

        ngx_close_file(fd);
    }

    if (wrong == NULL) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ERR, shm_zone->shm.log, err,
                  "ratelimit: state file \"%V\" %s, zone \"%V\" starts empty",
                  &zone->state, wrong, &zone->name);

    return NGX_DECLINED;
}


/*
 * The lock keeps a worker of before from cutting the file short when it has
 * been replaced; a file that has been replaced already is opened anew.
 */

static ngx_fd_t
ngx_http_ratelimit_open_state(ngx_http_ratelimit_zone_t *zone)
{
    ngx_fd_t         fd;
    ngx_uint_t       tries;
    ngx_file_info_t  fi;

    for (tries = 0; /* void */ ; tries++) {
        fd = ngx_open_file(zone->state.data,
                           NGX_FILE_RDONLY|NGX_FILE_NONBLOCK|O_NOFOLLOW
                           |O_NOCTTY,
                           NGX_FILE_OPEN, 0);

        if (fd == NGX_INVALID_FILE
            || tries == NGX_HTTP_RATELIMIT_STATE_TRIES
            || (flock(fd, LOCK_SH|LOCK_NB) == 0
                && ngx_fd_info(fd, &fi) != NGX_FILE_ERROR
                && fi.st_nlink != 0))
        {
            return fd;
        }

        ngx_close_file(fd);
    }
}


/* only root and the workers' user can have made it, and can change it */

static const char *
ngx_http_ratelimit_check_state(ngx_http_ratelimit_zone_t *zone, ngx_fd_t fd)
{
    ngx_file_info_t  fi;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        return "cannot be read";
    }

    if (!ngx_is_file(&fi)) {
        return "is not a regular file";
    }

    if (fi.st_nlink != 1) {
        return "has other names (hard links)";
    }

    if (fi.st_uid != 0 && fi.st_uid != geteuid()
        && fi.st_uid != zone->core_conf->user)
    {
        return "belongs to neither root nor the user of the workers";
    }

    if (fi.st_mode & (S_IWGRP|S_IWOTH)) {
        return "may be written to by others";
    }

    return NULL;
}


/* not mapped, since a file may be cut short meanwhile */

static const char *
ngx_http_ratelimit_read_state(ngx_shm_zone_t *shm_zone, ngx_fd_t fd,
    uint64_t *buckets)
{
    u_char                          boot_id[16];
    rl_time_t                       now;
    const char                     *wrong;
    ngx_http_ratelimit_zone_t      *zone;
    ngx_http_ratelimit_state_in_t   in;

    zone = shm_zone->data;

    in.fd = fd;
    in.failed = 0;

    ngx_http_ratelimit_now(&now);
    ngx_http_ratelimit_boot_id(boot_id);

    wrong = rl_state_load(&zone->zone, ngx_http_ratelimit_state_read, &in,
                          boot_id, &now, buckets);

    return (wrong && in.failed) ? "cannot be read" : wrong;
}


static size_t
ngx_http_ratelimit_state_read(void *data, unsigned char *buf, size_t len)
{
    ngx_http_ratelimit_state_in_t *in = data;

    size_t   size;
    ssize_t  n;

    for (size = 0; size < len; size += n) {
        n = ngx_read_fd(in->fd, buf + size, len - size);

        if (n <= 0) {
            in->failed = (n == -1);
            break;
        }
    }

    return size;
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
