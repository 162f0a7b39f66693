
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The phases in which requests are decided.
 */


#include "ngx_http_ratelimit_module.h"


static ngx_int_t ngx_http_ratelimit_preaccess_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_ratelimit_preaccess_phase(ngx_http_request_t *r,
    ngx_http_phase_handler_t *ph);
static ngx_http_ratelimit_noinline ngx_int_t ngx_http_ratelimit_preaccess(
    ngx_http_request_t *r, ngx_http_ratelimit_loc_conf_t *rlcf);
static ngx_int_t ngx_http_ratelimit_precontent_handler(ngx_http_request_t *r);


static ngx_int_t
ngx_http_ratelimit_preaccess_handler(ngx_http_request_t *r)
{
    ngx_http_ratelimit_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_ratelimit_module);

    if (rlcf->preaccess.nelts == 0 || r != r->main) {
        return NGX_DECLINED;
    }

    return ngx_http_ratelimit_decide(r, rlcf, &rlcf->preaccess);
}


/*
 * As nginx's checker of this phase, ngx_http_core_generic_phase(), does, for a
 * request that goes on, in 30 instructions less: most of what the module costs
 * a location that limits nothing.
 */

static ngx_int_t
ngx_http_ratelimit_preaccess_phase(ngx_http_request_t *r,
    ngx_http_phase_handler_t *ph)
{
    ngx_http_ratelimit_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_ratelimit_module);

    if (rlcf->preaccess.nelts == 0 || r != r->main) {
        r->phase_handler++;
        return NGX_AGAIN;
    }

    return (rlcf->items && ngx_http_ratelimit_get_record(r) == NULL)
           ? ngx_http_ratelimit_decide_quickly(r, rlcf)
           : ngx_http_ratelimit_preaccess(r, rlcf);
}


static ngx_http_ratelimit_noinline ngx_int_t
ngx_http_ratelimit_preaccess(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf)
{
    return ngx_http_ratelimit_go_on(r, ngx_http_ratelimit_decide(r, rlcf,
                                                      &rlcf->preaccess));
}


static ngx_int_t
ngx_http_ratelimit_precontent_handler(ngx_http_request_t *r)
{
    ngx_http_ratelimit_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_ratelimit_module);

    if (rlcf->precontent.nelts == 0 || r != r->main) {
        return NGX_DECLINED;
    }

    return ngx_http_ratelimit_decide(r, rlcf, &rlcf->precontent);
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

    if (!rmcf->precontent) {
        return NGX_OK;
    }

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_ratelimit_precontent_handler;

    return NGX_OK;
}


/* once nginx has made its phase engine of the handlers */

void
ngx_http_ratelimit_init_phases(ngx_cycle_t *cycle)
{
    ngx_http_phase_handler_t   *ph;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_core_module);

    for (ph = cmcf->phase_engine.handlers; ph->checker; ph++) {
        if (ph->handler == ngx_http_ratelimit_preaccess_handler) {
            ph->checker = ngx_http_ratelimit_preaccess_phase;
        }
    }
}
