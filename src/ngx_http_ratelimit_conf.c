
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What a location's configuration holds, how its values are set and inherited.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "policy/ngx_http_ratelimit_rule.h"
#include "response/ngx_http_ratelimit_headers.h"
#include "response/ngx_http_ratelimit_resources.h"
#include "api/ngx_http_ratelimit_api.h"
#include "ngx_http_ratelimit_conf.h"


char *
ngx_http_ratelimit_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ratelimit_loc_conf_t  *rlcf = conf;

    ngx_str_t  *value;

    if (rlcf->status != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    return ngx_http_ratelimit_parse_status(cf, &value[1], &rlcf->status);
}


char *
ngx_http_ratelimit_enum(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    u_char           *last;
    ngx_str_t        *value;
    ngx_uint_t       *np, i;
    ngx_conf_enum_t  *e;
    u_char            allowed[NGX_MAX_CONF_ERRSTR];

    np = (ngx_uint_t *) (p + cmd->offset);

    if (*np != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;
    e = cmd->post;

    last = ngx_cpymem(allowed, "must be one of", 14);

    for (i = 0; e[i].name.len; i++) {
        if (e[i].name.len == value[1].len
            && ngx_strncmp(e[i].name.data, value[1].data, value[1].len) == 0)
        {
            *np = e[i].value;
            return NGX_CONF_OK;
        }

        last = ngx_sprintf(last, "%s %V", i ? "," : "", &e[i].name);
    }

    *last = '\0';

    return ngx_http_ratelimit_invalid(cf, "value", &value[1],
                                      (char *) allowed);
}


char *
ngx_http_ratelimit_dry_run(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ratelimit_loc_conf_t  *rlcf = conf;

    ngx_str_t  *value;

    if (rlcf->dry_run != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    return ngx_http_ratelimit_compile_dry_run(cf, &value[1], &rlcf->dry_run);
}


void *
ngx_http_ratelimit_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_ratelimit_main_conf_t));
    if (rmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&rmcf->zones, cf->pool, 2, sizeof(ngx_shm_zone_t *))
        != NGX_OK
        || ngx_array_init(&rmcf->redises, cf->pool, 1, sizeof(void *))
           != NGX_OK
        || ngx_array_init(&rmcf->partitions, cf->pool, 4, sizeof(void *))
           != NGX_OK
        || ngx_array_init(&rmcf->keys, cf->pool, 4, sizeof(void *)) != NGX_OK
        || ngx_array_init(&rmcf->policies, cf->pool, 4, sizeof(void *))
           != NGX_OK
        || ngx_array_init(&rmcf->headers, cf->pool, 2, sizeof(void *))
           != NGX_OK
        || ngx_array_init(&rmcf->usages, cf->pool, 1, sizeof(void *))
           != NGX_OK
        || ngx_array_init(&rmcf->values, cf->pool, 8, sizeof(void *))
           != NGX_OK
        || ngx_array_init(&rmcf->planned, cf->pool, 4, sizeof(void *))
           != NGX_OK
        || ngx_array_init(&rmcf->apis, cf->pool, 1, sizeof(void *)) != NGX_OK)
    {
        return NULL;
    }

    return rmcf;
}


void *
ngx_http_ratelimit_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_ratelimit_loc_conf_t  *rlcf;

    rlcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_ratelimit_loc_conf_t));
    if (rlcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     rlcf->steps = NULL;
     *     rlcf->off = 0;
     *     rlcf->preaccess = { NULL };
     *     rlcf->precontent = { NULL };
     *     rlcf->shown = NULL;
     *     rlcf->headers = NULL;
     *     rlcf->body = NULL;
     *     rlcf->jwt = NULL;
     */

    rlcf->inherit = NGX_CONF_UNSET_UINT;
    rlcf->dry_run = NGX_CONF_UNSET_PTR;
    rlcf->status = NGX_CONF_UNSET_UINT;
    rlcf->log_level = NGX_CONF_UNSET_UINT;
    rlcf->on_error = NGX_CONF_UNSET_UINT;

    return rlcf;
}


char *
ngx_http_ratelimit_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_ratelimit_loc_conf_t *prev = parent;
    ngx_http_ratelimit_loc_conf_t *conf = child;

    char  *rv;

    ngx_conf_merge_uint_value(conf->inherit, prev->inherit,
                              NGX_HTTP_RATELIMIT_INHERIT_ON);
    ngx_conf_merge_ptr_value(conf->dry_run, prev->dry_run, NULL);
    ngx_conf_merge_uint_value(conf->status, prev->status,
                              NGX_HTTP_TOO_MANY_REQUESTS);
    ngx_conf_merge_uint_value(conf->log_level, prev->log_level, NGX_LOG_ERR);
    ngx_conf_merge_uint_value(conf->on_error, prev->on_error,
                              NGX_HTTP_RATELIMIT_PASS);

    ngx_http_ratelimit_merge_headers(prev, conf);
    ngx_http_ratelimit_merge_api(cf, prev, conf);

    if (conf->body == NULL) {
        conf->body = prev->body;
    }

    if (conf->jwt == NULL) {
        conf->jwt = prev->jwt;
    }

    rv = ngx_http_ratelimit_merge_rules(cf, prev, conf);

    return (rv == NGX_CONF_OK)
           ? ngx_http_ratelimit_merge_standing(cf, prev, conf) : rv;
}
