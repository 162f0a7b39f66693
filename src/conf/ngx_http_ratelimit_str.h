
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * A text of nginx's as one of the core's.
 */


#ifndef _NGX_HTTP_RATELIMIT_STR_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_STR_H_INCLUDED_


#include "ngx_http_ratelimit.h"


#define ngx_http_ratelimit_str(s)                                             \
    ngx_http_ratelimit_make_str((s)->data, (s)->len)


static ngx_inline rl_str_t
ngx_http_ratelimit_make_str(u_char *data, size_t len)
{
    rl_str_t  s;

    s.len = len;
    s.data = data;

    return s;
}


#endif /* _NGX_HTTP_RATELIMIT_STR_H_INCLUDED_ */
