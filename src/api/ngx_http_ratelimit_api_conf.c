
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_api": the directive.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "api/ngx_http_ratelimit_api.h"


static char *ngx_http_ratelimit_api_parameter(ngx_conf_t *cf,
    ngx_http_ratelimit_api_t *api, ngx_str_t *value);


char *
ngx_http_ratelimit_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ratelimit_loc_conf_t  *rlcf = conf;

    char                             *rv;
    ngx_str_t                        *value;
    ngx_uint_t                        i;
    ngx_http_core_loc_conf_t         *clcf;
    ngx_http_ratelimit_api_t         *api, **pp;
    ngx_http_ratelimit_main_conf_t   *rmcf;

    if (rlcf->api) {
        return "is duplicate";
    }

    api = ngx_pcalloc(cf->pool, sizeof(ngx_http_ratelimit_api_t));
    if (api == NULL) {
        return NGX_CONF_ERROR;
    }

    api->ctx = cf->ctx;
    api->file = cf->conf_file->file.name.data;
    api->line = cf->conf_file->line;

    if (ngx_array_init(&api->hosts, cf->pool, 1, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_http_ratelimit_api_parameter(cf, api, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    pp = ngx_array_push(&rmcf->apis);
    if (pp == NULL) {
        return NGX_CONF_ERROR;
    }

    *pp = api;
    rlcf->api = api;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_ratelimit_api_handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_api_parameter(ngx_conf_t *cf, ngx_http_ratelimit_api_t *api,
    ngx_str_t *value)
{
    if (ngx_strncmp(value->data, "host=", 5) == 0) {
        return ngx_http_ratelimit_api_host(cf, api, value);
    }

    if (ngx_strcmp(value->data, "write=on") != 0
        && ngx_strcmp(value->data, "write=off") != 0)
    {
        return ngx_http_ratelimit_invalid(cf, "parameter", value,
                                          "must be write=on, write=off or "
                                          "host=NAME");
    }

    if (api->write_set) {
        return ngx_http_ratelimit_duplicate(cf, value);
    }

    api->write_set = 1;
    api->write = (ngx_strcmp(value->data, "write=on") == 0);

    return NGX_CONF_OK;
}


/*
 * "if" and "limit_except" blocks are locations of their own to nginx.  An "if"
 * leaves the handler of the location around it in its place, "limit_except"
 * does not.
 */

void
ngx_http_ratelimit_merge_api(ngx_conf_t *cf,
    ngx_http_ratelimit_loc_conf_t *prev, ngx_http_ratelimit_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname && conf->api == NULL) {
        conf->api = prev->api;
    }

    if (clcf->lmt_excpt && clcf->handler == NULL && conf->api) {
        clcf->handler = ngx_http_ratelimit_api_handler;
    }
}
