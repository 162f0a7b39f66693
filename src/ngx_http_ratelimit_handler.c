
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The phases in which requests are decided, and the one in which they end.
 */


#include "ngx_http_ratelimit.h"
#include "request/ngx_http_ratelimit_charge.h"
#include "request/ngx_http_ratelimit_decide.h"
#include "request/ngx_http_ratelimit_record.h"
#include "response/ngx_http_ratelimit_refuse.h"
#include "ngx_http_ratelimit_handler.h"


static ngx_int_t ngx_http_ratelimit_preaccess_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_ratelimit_answer(ngx_http_request_t *r,
    ngx_int_t rc);
static ngx_int_t ngx_http_ratelimit_precontent_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_ratelimit_log_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_ratelimit_add_handler(
    ngx_http_core_main_conf_t *cmcf, ngx_http_phases phase,
    ngx_http_handler_pt handler);


static ngx_int_t
ngx_http_ratelimit_preaccess_handler(ngx_http_request_t *r)
{
    ngx_http_ratelimit_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_ratelimit_module);

    if (rlcf->preaccess.nelts == 0 && !r->internal) {
        return NGX_DECLINED;
    }

    return ngx_http_ratelimit_answer(r, ngx_http_ratelimit_decide(r, rlcf,
                                                          &rlcf->preaccess));
}


/* of what was decided; a phase handler's return value */

static ngx_int_t
ngx_http_ratelimit_answer(ngx_http_request_t *r, ngx_int_t rc)
{
    return (rc == NGX_OK) ? ngx_http_ratelimit_refuse(r) : rc;
}


static ngx_int_t
ngx_http_ratelimit_precontent_handler(ngx_http_request_t *r)
{
    ngx_http_ratelimit_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_ratelimit_module);

    if (rlcf->precontent.nelts == 0 && !r->internal) {
        return NGX_DECLINED;
    }

    return ngx_http_ratelimit_answer(r, ngx_http_ratelimit_decide(r, rlcf,
                                                         &rlcf->precontent));
}


static ngx_int_t
ngx_http_ratelimit_log_handler(ngx_http_request_t *r)
{
    ngx_http_ratelimit_record_t  *record;

    record = (r == r->main) ? ngx_http_ratelimit_get_record(r) : NULL;

    if (record) {
        ngx_http_ratelimit_end_charges(r, record);
    }

    return NGX_OK;
}


/*
 * Phase handlers run from the last to the first.  The first place of preaccess
 * thus comes after realip, whose address keys are made of, and after limit_req
 * and limit_conn, whatever the order in which dynamic modules were loaded; the
 * last place of precontent comes before mirror and try_files.
 */

ngx_int_t
ngx_http_ratelimit_init_handlers(ngx_conf_t *cf)
{
    ngx_array_t                     *handlers;
    ngx_http_handler_pt             *h;
    ngx_http_core_main_conf_t       *cmcf;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    if (!rmcf->used) {
        return NGX_OK;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    handlers = &cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers;

    if (ngx_array_push(handlers) == NULL) {
        return NGX_ERROR;
    }

    h = handlers->elts;

    ngx_memmove(&h[1], &h[0],
                (handlers->nelts - 1) * sizeof(ngx_http_handler_pt));

    h[0] = ngx_http_ratelimit_preaccess_handler;

    if (rmcf->precontent
        && ngx_http_ratelimit_add_handler(cmcf, NGX_HTTP_PRECONTENT_PHASE,
                                        ngx_http_ratelimit_precontent_handler)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return rmcf->settles
           ? ngx_http_ratelimit_add_handler(cmcf, NGX_HTTP_LOG_PHASE,
                                            ngx_http_ratelimit_log_handler)
           : NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_add_handler(ngx_http_core_main_conf_t *cmcf,
    ngx_http_phases phase, ngx_http_handler_pt handler)
{
    ngx_http_handler_pt  *h;

    h = ngx_array_push(&cmcf->phases[phase].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = handler;

    return NGX_OK;
}
