
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_api": which answer a request gets.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "api/ngx_http_ratelimit_api.h"


typedef struct {
    ngx_str_t                    path;       /* below the location */
    ngx_uint_t                   methods;
    ngx_uint_t                   write;      /* unsigned  write:1; */
    ngx_http_ratelimit_api_pt    handler;
} ngx_http_ratelimit_api_route_t;


static ngx_int_t ngx_http_ratelimit_api_path(
    ngx_http_ratelimit_api_call_t *call, ngx_str_t *path);
static ngx_uint_t ngx_http_ratelimit_api_is_path(ngx_str_t *path);
static ngx_int_t ngx_http_ratelimit_api_dispatch(
    ngx_http_ratelimit_api_call_t *call);
static ngx_int_t ngx_http_ratelimit_api_not_allowed(
    ngx_http_ratelimit_api_call_t *call, ngx_uint_t methods);
static ngx_int_t ngx_http_ratelimit_api_root(
    ngx_http_ratelimit_api_call_t *call);
static ngx_int_t ngx_http_ratelimit_api_root_metrics(
    ngx_http_ratelimit_api_call_t *call);


#define NGX_HTTP_RATELIMIT_API_READ  (NGX_HTTP_GET|NGX_HTTP_HEAD)


static ngx_http_ratelimit_api_route_t  ngx_http_ratelimit_api_routes[] = {

    { ngx_string(""), NGX_HTTP_RATELIMIT_API_READ, 0,
      ngx_http_ratelimit_api_root },

    { ngx_string("metrics"), NGX_HTTP_RATELIMIT_API_READ, 0,
      ngx_http_ratelimit_api_root_metrics },

    { ngx_string("history"), NGX_HTTP_RATELIMIT_API_READ, 0,
      ngx_http_ratelimit_api_history },

    { ngx_string("keys"), NGX_HTTP_RATELIMIT_API_READ, 0,
      ngx_http_ratelimit_api_get_keys },

    { ngx_string("keys"), NGX_HTTP_DELETE, 1,
      ngx_http_ratelimit_api_delete_keys },

    { ngx_string("bans"), NGX_HTTP_RATELIMIT_API_READ, 0,
      ngx_http_ratelimit_api_get_bans },

    { ngx_string("bans"), NGX_HTTP_DELETE, 1,
      ngx_http_ratelimit_api_delete_ban },

    { ngx_string("overrides"), NGX_HTTP_RATELIMIT_API_READ, 0,
      ngx_http_ratelimit_api_overrides },

    { ngx_string("overrides"), NGX_HTTP_PUT|NGX_HTTP_PATCH, 1,
      ngx_http_ratelimit_api_put_override },

    { ngx_string("overrides"), NGX_HTTP_DELETE, 1,
      ngx_http_ratelimit_api_delete_override },

    { ngx_null_string, 0, 0, NULL }
};


static struct {
    ngx_uint_t                   method;
    char                        *name;
} ngx_http_ratelimit_api_methods[] = {
    { NGX_HTTP_GET,    "GET" },
    { NGX_HTTP_HEAD,   "HEAD" },
    { NGX_HTTP_PUT,    "PUT" },
    { NGX_HTTP_PATCH,  "PATCH" },
    { NGX_HTTP_DELETE, "DELETE" },
    { 0, NULL }
};


ngx_int_t
ngx_http_ratelimit_api_handler(ngx_http_request_t *r)
{
    ngx_int_t                       rc;
    ngx_http_ratelimit_loc_conf_t  *rlcf;
    ngx_http_ratelimit_api_call_t  *call;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    call = ngx_pcalloc(r->pool, sizeof(ngx_http_ratelimit_api_call_t));
    if (call == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_ratelimit_module);

    call->request = r;
    call->rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    call->conf = ngx_http_get_module_main_conf(r, ngx_http_ratelimit_module);
    call->api = rlcf->api;

    ngx_http_ratelimit_now(&call->now);

    if (ngx_http_ratelimit_api_path(call, &call->path) != NGX_OK) {
        ngx_http_ratelimit_api_problem(call, NGX_HTTP_NOT_FOUND,
                                       "there is nothing here");
        return call->rc;
    }

    return ngx_http_ratelimit_api_dispatch(call);
}


/*
 * What follows the location's name; in a regex location the last segment.  The
 * location is the one of the directive: a block in it does not know of what
 * kind that is.
 */

static ngx_int_t
ngx_http_ratelimit_api_path(ngx_http_ratelimit_api_call_t *call,
    ngx_str_t *path)
{
    u_char                    *p, *last;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = call->request;
    clcf = call->api->ctx->loc_conf[ngx_http_core_module.ctx_index];

    p = r->uri.data;
    last = p + r->uri.len;

    path->len = 0;
    path->data = last;

#if (NGX_PCRE)
    if (clcf->regex) {
        while (path->data > p && path->data[-1] != '/') {
            path->data--;
            path->len++;
        }

        if (!ngx_http_ratelimit_api_is_path(path)) {
            path->len = 0;
        }

        return NGX_OK;
    }
#endif

    if (clcf->exact_match || clcf->named || r->uri.len < clcf->name.len) {
        return NGX_OK;
    }

    p += clcf->name.len;

    if (p == last) {
        return NGX_OK;
    }

    /* "/ratelimits" is in "location /ratelimit" too */

    if (p[-1] != '/' && *p++ != '/') {
        return NGX_DECLINED;
    }

    path->data = p;
    path->len = last - p;

    return NGX_OK;
}


#if (NGX_PCRE)

static ngx_uint_t
ngx_http_ratelimit_api_is_path(ngx_str_t *path)
{
    ngx_http_ratelimit_api_route_t  *route;

    for (route = ngx_http_ratelimit_api_routes; route->handler; route++) {
        if (route->path.len == path->len
            && ngx_strncmp(route->path.data, path->data, path->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}

#endif


static ngx_int_t
ngx_http_ratelimit_api_dispatch(ngx_http_ratelimit_api_call_t *call)
{
    ngx_str_t                       *path;
    ngx_uint_t                       methods;
    ngx_http_request_t              *r;
    ngx_http_ratelimit_api_route_t  *route;

    r = call->request;
    path = &call->path;
    methods = 0;

    for (route = ngx_http_ratelimit_api_routes; route->handler; route++) {

        if (route->path.len != path->len
            || ngx_strncmp(route->path.data, path->data, path->len) != 0)
        {
            continue;
        }

        if (r->method & route->methods) {
            call->write = route->write;
        }

        if (route->write && !call->api->write) {
            continue;
        }

        methods |= route->methods;

        if (!(r->method & route->methods)) {
            continue;
        }

        if (ngx_http_ratelimit_api_check_host(call) != NGX_OK
            || (route->write
                && ngx_http_ratelimit_api_check_origin(call) != NGX_OK)
            || ngx_http_ratelimit_api_parse_args(call) != NGX_OK)
        {
            return call->rc;
        }

        return route->handler(call);
    }

    if (methods) {
        return ngx_http_ratelimit_api_not_allowed(call, methods);
    }

    ngx_http_ratelimit_api_problem(call, NGX_HTTP_NOT_FOUND,
                                   "there is nothing here");
    return call->rc;
}


static ngx_int_t
ngx_http_ratelimit_api_not_allowed(ngx_http_ratelimit_api_call_t *call,
    ngx_uint_t methods)
{
    u_char      *p;
    ngx_str_t    allow;
    ngx_uint_t   i;

    allow.data = ngx_pnalloc(call->request->pool,
                             sizeof("GET, HEAD, PUT, PATCH, DELETE"));
    if (allow.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = allow.data;

    for (i = 0; ngx_http_ratelimit_api_methods[i].method; i++) {
        if (methods & ngx_http_ratelimit_api_methods[i].method) {
            p = ngx_sprintf(p, "%s%s", p == allow.data ? "" : ", ",
                            ngx_http_ratelimit_api_methods[i].name);
        }
    }

    allow.len = p - allow.data;

    if (ngx_http_ratelimit_api_add_header(call->request, "Allow", &allow)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_ratelimit_api_problem(call, NGX_HTTP_NOT_ALLOWED,
                                   call->api->write
                                   ? "this cannot be done here"
                                   : "this cannot be done here, or needs "
                                     "\"ratelimit_api write=on\"");
    return call->rc;
}


/* caches, if there are any, must keep the forms of an answer apart */

static ngx_int_t
ngx_http_ratelimit_api_vary(ngx_http_request_t *r)
{
    static ngx_str_t  vary = ngx_string("Accept");

    return ngx_http_ratelimit_api_add_header(r, "Vary", &vary);
}


static ngx_int_t
ngx_http_ratelimit_api_root(ngx_http_ratelimit_api_call_t *call)
{
    if (ngx_http_ratelimit_api_vary(call->request) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_ratelimit_api_wants_page(call->request)) {
        return ngx_http_ratelimit_api_page(call);
    }

    return ngx_http_ratelimit_api_scan(call, ngx_http_ratelimit_api_status);
}


static ngx_int_t
ngx_http_ratelimit_api_root_metrics(ngx_http_ratelimit_api_call_t *call)
{
    if (ngx_http_ratelimit_api_vary(call->request) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    call->openmetrics = ngx_http_ratelimit_api_wants_openmetrics(
                                                              call->request);

    return ngx_http_ratelimit_api_scan(call, ngx_http_ratelimit_api_metrics);
}
