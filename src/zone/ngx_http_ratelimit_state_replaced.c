
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The state file that a new one takes the place of.  The system gives back
 * what a file took at once, when its last name and descriptor have gone; of
 * gigabytes that would hold a worker up.  So the file is held open while its
 * name goes, and then cut shorter, a slice at a turn of the event loop.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_state.h"

#include <sys/file.h>


/* at a step */

#define NGX_HTTP_RATELIMIT_STATE_CUT  (512 * 1024)


/* before the name goes to the new one */

void
ngx_http_ratelimit_hold_replaced(ngx_http_ratelimit_replaced_t *replaced,
    ngx_str_t *path)
{
    replaced->fd = ngx_open_file(path->data,
                                 NGX_FILE_WRONLY|NGX_FILE_NONBLOCK|O_NOFOLLOW
                                 |O_NOCTTY,
                                 NGX_FILE_OPEN, 0);

    replaced->open = (replaced->fd != NGX_INVALID_FILE);
}


/*
 * Returns whether there is more to give back.  A file that has another name,
 * or that somebody reads (a new binary that starts, see load_state()), is left
 * as it is.
 */

ngx_uint_t
ngx_http_ratelimit_cut_replaced(ngx_http_ratelimit_replaced_t *replaced,
    ngx_http_ratelimit_slice_t *slice)
{
    off_t            size;
    ngx_file_info_t  fi;

    if (!replaced->open) {
        return 0;
    }

    if (ngx_fd_info(replaced->fd, &fi) == NGX_FILE_ERROR
        || !ngx_is_file(&fi)
        || fi.st_nlink != 0
        || flock(replaced->fd, LOCK_EX|LOCK_NB) == -1)
    {
        ngx_http_ratelimit_free_replaced(replaced);
        return 0;
    }

    size = ngx_file_size(&fi);

    do {
        if (size <= NGX_HTTP_RATELIMIT_STATE_CUT
            || ftruncate(replaced->fd, size - NGX_HTTP_RATELIMIT_STATE_CUT)
               == -1)
        {
            ngx_http_ratelimit_free_replaced(replaced);
            return 0;
        }

        size -= NGX_HTTP_RATELIMIT_STATE_CUT;

    } while (!ngx_http_ratelimit_slice_is_over(slice));

    return 1;
}


void
ngx_http_ratelimit_free_replaced(ngx_http_ratelimit_replaced_t *replaced)
{
    if (replaced->open) {
        ngx_close_file(replaced->fd);
        replaced->open = 0;
    }
}
