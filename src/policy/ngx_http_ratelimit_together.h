
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What cannot be decided together, of the lines that hold in one location.
 */


#ifndef _NGX_HTTP_RATELIMIT_TOGETHER_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_TOGETHER_H_INCLUDED_


#include "ngx_http_ratelimit.h"


/* once the whole configuration is read */

ngx_int_t ngx_http_ratelimit_check_together(ngx_conf_t *cf);


#endif /* _NGX_HTTP_RATELIMIT_TOGETHER_H_INCLUDED_ */
