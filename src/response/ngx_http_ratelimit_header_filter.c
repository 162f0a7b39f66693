
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Every response to a request that a policy decided, whatever its status and
 * whoever made it: corrects what was charged, and tells of it in fields.
 */


#include "ngx_http_ratelimit.h"
#include "request/ngx_http_ratelimit_charge.h"
#include "request/ngx_http_ratelimit_record.h"
#include "response/ngx_http_ratelimit_headers.h"
#include "response/ngx_http_ratelimit_add_fields.h"


static ngx_int_t ngx_http_ratelimit_header_filter(ngx_http_request_t *r);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


/* runs for every response; what it does for few of them is in another file */

static ngx_int_t
ngx_http_ratelimit_header_filter(ngx_http_request_t *r)
{
    ngx_http_ratelimit_record_t  *record;

    if (r == r->main) {
        record = ngx_http_ratelimit_get_record(r);

        if (record == NULL) {
            return ngx_http_next_header_filter(r);
        }

        /* before anything is told of them */

        if (record->responds
            && ngx_http_ratelimit_correct_charges(r, record) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if ((record->refused || (record->nitems && record->conf->headers))
            && ngx_http_ratelimit_tell(r, record) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_next_header_filter(r);
}


ngx_int_t
ngx_http_ratelimit_init_filter(ngx_conf_t *cf)
{
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    if (rmcf->used) {
        ngx_http_next_header_filter = ngx_http_top_header_filter;
        ngx_http_top_header_filter = ngx_http_ratelimit_header_filter;
    }

    return NGX_OK;
}
