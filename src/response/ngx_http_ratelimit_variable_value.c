
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What $ratelimit_* say: a client's standing and a request's status as text.
 */


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "request/ngx_http_ratelimit_record.h"
#include "request/ngx_http_ratelimit_standing.h"
#include "response/ngx_http_ratelimit_headers.h"
#include "response/ngx_http_ratelimit_render.h"
#include "response/ngx_http_ratelimit_variables.h"


/* window texts are as long as they were written; the rest are numbers */

#define NGX_HTTP_RATELIMIT_VALUE_LEN  20


static ngx_int_t ngx_http_ratelimit_render_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, ngx_http_ratelimit_variable_t *variable,
    ngx_http_ratelimit_policy_t *policy);
static ngx_http_ratelimit_headers_t *ngx_http_ratelimit_headers_of(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_ratelimit_status_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, ngx_http_ratelimit_policy_t *policy);


ngx_int_t
ngx_http_ratelimit_get_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    return ngx_http_ratelimit_render_variable(r->main, v,
                             (ngx_http_ratelimit_variable_t *) data, NULL);
}


ngx_int_t
ngx_http_ratelimit_get_version(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->len = sizeof(NGX_HTTP_RATELIMIT_VERSION) - 1;
    v->data = (u_char *) NGX_HTTP_RATELIMIT_VERSION;

    return NGX_OK;
}


ngx_int_t
ngx_http_ratelimit_get_named_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                        name;
    ngx_http_ratelimit_policy_t     *policy;
    ngx_http_ratelimit_variable_t   *variable;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    variable = ngx_http_ratelimit_split_name((ngx_str_t *) data, &name);

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_ratelimit_module);
    policy = ngx_http_ratelimit_find_policy(rmcf, &name);

    if (variable == NULL || policy == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_ratelimit_render_variable(r->main, v, variable, policy);
}


static ngx_int_t
ngx_http_ratelimit_render_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, ngx_http_ratelimit_variable_t *variable,
    ngx_http_ratelimit_policy_t *policy)
{
    size_t                          len;
    u_char                         *p, *last;
    ngx_http_ratelimit_standing_t   standing;

    if (variable->render
        && ngx_http_ratelimit_stand(r, policy, &standing) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* not before: a key that asks for its own standing comes here meanwhile */

    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    if (variable->render == NULL) {
        return ngx_http_ratelimit_status_variable(r, v, policy);
    }

    len = NGX_HTTP_RATELIMIT_VALUE_LEN;

    if (standing.item) {
        len += standing.item->policy->name.len
               + standing.item->quota.window_text.len;

    } else if (variable->render != ngx_http_ratelimit_render_retry_after
               && variable->render != ngx_http_ratelimit_render_retry_after_ms)
    {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (standing.retry_after_ms) {
        standing.retry_after_ms = ngx_http_ratelimit_told_ms(
                                         ngx_http_ratelimit_headers_of(r),
                                         standing.retry_after_ms);
    }

    last = variable->render(p, &standing);

    v->len = last - p;
    v->data = p;

    return NGX_OK;
}


/* those of the location that decided, or of this one */

static ngx_http_ratelimit_headers_t *
ngx_http_ratelimit_headers_of(ngx_http_request_t *r)
{
    ngx_http_ratelimit_record_t    *record;
    ngx_http_ratelimit_loc_conf_t  *rlcf;

    record = ngx_http_ratelimit_get_record(r);

    if (record) {
        return record->conf->headers;
    }

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_ratelimit_module);

    return rlcf->headers;
}


static ngx_int_t
ngx_http_ratelimit_status_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, ngx_http_ratelimit_policy_t *policy)
{
    ngx_str_t                     status;
    rl_item_t                    *item;
    ngx_http_ratelimit_record_t  *record;

    record = ngx_http_ratelimit_get_record(r);

    if (record == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    item = policy ? ngx_http_ratelimit_find_item(record, policy) : NULL;

    if (policy ? item == NULL && record->error
               : record->failed || (record->error && !record->refused))
    {
        ngx_str_set(&status, "ERROR");

    } else if (policy ? item == NULL : record->nitems == 0) {
        ngx_str_set(&status, "BYPASSED");

    } else if (policy ? !item->admitted && !item->dry_run : record->refused) {
        ngx_str_set(&status, "REJECTED");

    } else if (policy ? !item->admitted : record->dry_run) {
        ngx_str_set(&status, "REJECTED_DRY_RUN");

    } else if (record->waited_ms) {
        ngx_str_set(&status, "DELAYED");

    } else {
        ngx_str_set(&status, "PASSED");
    }

    v->len = status.len;
    v->data = status.data;

    return NGX_OK;
}


/* of a request that was decided, whatever came of it */

ngx_int_t
ngx_http_ratelimit_waited_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_ratelimit_record_t  *record;

    record = ngx_http_ratelimit_get_record(r->main);

    if (record == NULL || record->nitems == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    v->len = rl_render_u64(record->waited_ms, v->data);
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
