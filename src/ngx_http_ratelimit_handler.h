
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The phases in which requests are decided.
 */


#ifndef _NGX_HTTP_RATELIMIT_HANDLER_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_HANDLER_H_INCLUDED_


#include "ngx_http_ratelimit.h"


ngx_int_t ngx_http_ratelimit_init_handlers(ngx_conf_t *cf);


#endif /* _NGX_HTTP_RATELIMIT_HANDLER_H_INCLUDED_ */
