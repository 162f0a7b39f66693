
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Upgraded connections, which are charged while they last.
 */


#ifndef _NGX_HTTP_RATELIMIT_METER_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_METER_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "request/ngx_http_ratelimit_record.h"


/* if a charge of the record's has "settle_every=" */

ngx_int_t ngx_http_ratelimit_start_meter(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record);


#endif /* _NGX_HTTP_RATELIMIT_METER_H_INCLUDED_ */
