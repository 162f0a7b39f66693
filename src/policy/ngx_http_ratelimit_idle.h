
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What is configured, and cannot do what was meant by it.
 */


#ifndef _NGX_HTTP_RATELIMIT_IDLE_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_IDLE_H_INCLUDED_


#include "ngx_http_ratelimit.h"


/* once the plans of all locations are made */

void ngx_http_ratelimit_warn_idle(ngx_conf_t *cf);


#endif /* _NGX_HTTP_RATELIMIT_IDLE_H_INCLUDED_ */
