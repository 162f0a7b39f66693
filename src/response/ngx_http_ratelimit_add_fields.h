
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What a response is told by.
 */


#ifndef _NGX_HTTP_RATELIMIT_ADD_FIELDS_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_ADD_FIELDS_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "request/ngx_http_ratelimit_record.h"


/* adds the fields; of a record that has any, or that is of a refusal */

ngx_int_t ngx_http_ratelimit_tell(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record);


#endif /* _NGX_HTTP_RATELIMIT_ADD_FIELDS_H_INCLUDED_ */
