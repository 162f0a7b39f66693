
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The files that become state files by being renamed: STATE.PROCESS.RANDOM,
 * 16 digits each.  The first name the process that writes, so that others know
 * when it has gone.  The others cannot be foreseen by anybody who may write to
 * the directory as well.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_state.h"
#include "zone/ngx_http_ratelimit_zone.h"

#include <sys/random.h>


static ngx_uint_t ngx_http_ratelimit_is_stale(ngx_str_t *prefix, u_char *name,
    size_t len);


/*
 * One that was not there, and that nobody else may read, since it has the
 * zone's secret.  Into path, which has room for the zone's, what is added and
 * a null character, goes what it is called.
 */

ngx_fd_t
ngx_http_ratelimit_create_tmp(ngx_http_ratelimit_zone_t *zone, u_char *path)
{
    uint64_t  random;

    if (getrandom(&random, sizeof(random), 0) != sizeof(random)) {
        return NGX_INVALID_FILE;
    }

    ngx_sprintf(path, "%V.%016xL.%016xL%Z", &zone->state,
                rl_process_id_of(ngx_pid), random);

    return ngx_open_file(path, NGX_FILE_WRONLY|O_EXCL|O_NOFOLLOW,
                         NGX_FILE_CREATE_OR_OPEN, 0600);
}


/* what killed processes have left; path has room as above */

void
ngx_http_ratelimit_remove_stale(ngx_http_ratelimit_zone_t *zone, u_char *path,
    ngx_log_t *log)
{
    size_t      len;
    u_char     *p;
    ngx_dir_t   dir;
    ngx_str_t   folder, prefix;

    prefix.len = 0;

    while (zone->state.data[zone->state.len - prefix.len - 1] != '/') {
        prefix.len++;
    }

    folder.len = zone->state.len - prefix.len;
    folder.data = path;

    prefix.data = zone->state.data + folder.len;

    p = ngx_cpymem(path, zone->state.data, folder.len);
    *p = '\0';

    if (ngx_open_dir(&folder, &dir) == NGX_ERROR) {
        ngx_log_error(NGX_LOG_WARN, log, ngx_errno,
                      "ratelimit: cannot look for files that killed processes "
                      "have left in \"%V\"", &folder);
        return;
    }

    while (ngx_read_dir(&dir) == NGX_OK) {
        len = ngx_de_namelen(&dir);

        if (ngx_http_ratelimit_is_stale(&prefix, ngx_de_name(&dir), len)) {
            ngx_cpystrn(p, ngx_de_name(&dir), len + 1);
            (void) ngx_delete_file(path);
        }
    }

    (void) ngx_close_dir(&dir);
}


static ngx_uint_t
ngx_http_ratelimit_is_stale(ngx_str_t *prefix, u_char *name, size_t len)
{
    ngx_int_t  id;

    if (len != prefix->len + NGX_HTTP_RATELIMIT_TMP_SUFFIX
        || ngx_strncmp(name, prefix->data, prefix->len) != 0)
    {
        return 0;
    }

    name += prefix->len;
    id = ngx_hextoi(name + 1, 16);

    return name[0] == '.'
           && name[17] == '.'
           && id != NGX_ERROR
           && rl_process_has_ended(id);
}
