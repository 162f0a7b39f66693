
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The last hour of each policy.
 */


#ifndef _NGX_HTTP_RATELIMIT_HISTORY_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_HISTORY_H_INCLUDED_


#include "ngx_http_ratelimit.h"


/* of a worker that begins */

void ngx_http_ratelimit_init_history(ngx_cycle_t *cycle);


#endif /* _NGX_HTTP_RATELIMIT_HISTORY_H_INCLUDED_ */
