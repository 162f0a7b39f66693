
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The directives, what a location's configuration inherits, and how processes
 * begin and end.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "zone/ngx_http_ratelimit_resize.h"
#include "zone/ngx_http_ratelimit_state.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "shared/ngx_http_ratelimit_redis.h"
#include "shared/ngx_http_ratelimit_shared.h"
#include "key/ngx_http_ratelimit_jwt.h"
#include "key/ngx_http_ratelimit_key.h"
#include "policy/ngx_http_ratelimit_idle.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_rule.h"
#include "policy/ngx_http_ratelimit_history.h"
#include "policy/ngx_http_ratelimit_statistics.h"
#include "policy/ngx_http_ratelimit_step.h"
#include "policy/ngx_http_ratelimit_together.h"
#include "response/ngx_http_ratelimit_headers.h"
#include "response/ngx_http_ratelimit_refuse.h"
#include "response/ngx_http_ratelimit_resources.h"
#include "response/ngx_http_ratelimit_usage.h"
#include "response/ngx_http_ratelimit_variables.h"
#include "api/ngx_http_ratelimit_api.h"
#include "ngx_http_ratelimit_conf.h"
#include "ngx_http_ratelimit_handler.h"


static ngx_int_t ngx_http_ratelimit_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_ratelimit_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_ratelimit_init_process(ngx_cycle_t *cycle);
static void ngx_http_ratelimit_exit_process(ngx_cycle_t *cycle);


static ngx_conf_enum_t  ngx_http_ratelimit_log_levels[] = {
    { ngx_string("info"), NGX_LOG_INFO },
    { ngx_string("notice"), NGX_LOG_NOTICE },
    { ngx_string("warn"), NGX_LOG_WARN },
    { ngx_string("error"), NGX_LOG_ERR },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_ratelimit_inherits[] = {
    { ngx_string("on"), NGX_HTTP_RATELIMIT_INHERIT_ON },
    { ngx_string("off"), NGX_HTTP_RATELIMIT_INHERIT_OFF },
    { ngx_string("merge"), NGX_HTTP_RATELIMIT_INHERIT_MERGE },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_ratelimit_on_errors[] = {
    { ngx_string("pass"), NGX_HTTP_RATELIMIT_PASS },
    { ngx_string("refuse"), NGX_HTTP_RATELIMIT_REFUSE },
    { ngx_null_string, 0 }
};


#define NGX_HTTP_RATELIMIT_CONF                                               \
    (NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF)


static ngx_command_t  ngx_http_ratelimit_commands[] = {

    { ngx_string("ratelimit_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_ratelimit_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ratelimit_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_http_ratelimit_redis,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ratelimit_key"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_http_ratelimit_key,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ratelimit_jwt"),
      NGX_HTTP_RATELIMIT_CONF|NGX_CONF_2MORE,
      ngx_http_ratelimit_jwt,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ratelimit_usage"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_http_ratelimit_usage,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ratelimit_policy"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_ratelimit_policy,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ratelimit"),
      NGX_HTTP_RATELIMIT_CONF|NGX_CONF_1MORE,
      ngx_http_ratelimit,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ratelimit_inherit"),
      NGX_HTTP_RATELIMIT_CONF|NGX_CONF_TAKE1,
      ngx_http_ratelimit_enum,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ratelimit_loc_conf_t, inherit),
      &ngx_http_ratelimit_inherits },

    { ngx_string("ratelimit_headers"),
      NGX_HTTP_RATELIMIT_CONF|NGX_CONF_1MORE,
      ngx_http_ratelimit_headers,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ratelimit_status"),
      NGX_HTTP_RATELIMIT_CONF|NGX_CONF_TAKE1,
      ngx_http_ratelimit_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ratelimit_body"),
      NGX_HTTP_RATELIMIT_CONF|NGX_CONF_TAKE12,
      ngx_http_ratelimit_body,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ratelimit_dry_run"),
      NGX_HTTP_RATELIMIT_CONF|NGX_CONF_TAKE1,
      ngx_http_ratelimit_dry_run,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ratelimit_log_level"),
      NGX_HTTP_RATELIMIT_CONF|NGX_CONF_TAKE1,
      ngx_http_ratelimit_enum,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ratelimit_loc_conf_t, log_level),
      &ngx_http_ratelimit_log_levels },

    { ngx_string("ratelimit_on_error"),
      NGX_HTTP_RATELIMIT_CONF|NGX_CONF_TAKE1,
      ngx_http_ratelimit_enum,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ratelimit_loc_conf_t, on_error),
      &ngx_http_ratelimit_on_errors },

    { ngx_string("ratelimit_standing"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_ratelimit_standing,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ratelimit_api"),
      NGX_HTTP_LOC_CONF|NGX_CONF_ANY,
      ngx_http_ratelimit_api,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_ratelimit_module_ctx = {
    ngx_http_ratelimit_add_variables,      /* preconfiguration */
    ngx_http_ratelimit_init,               /* postconfiguration */

    ngx_http_ratelimit_create_main_conf,   /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_ratelimit_create_loc_conf,    /* create location configuration */
    ngx_http_ratelimit_merge_loc_conf      /* merge location configuration */
};


ngx_module_t  ngx_http_ratelimit_module = {
    NGX_MODULE_V1,
    &ngx_http_ratelimit_module_ctx,        /* module context */
    ngx_http_ratelimit_commands,           /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_ratelimit_init_module,        /* init module */
    ngx_http_ratelimit_init_process,       /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_ratelimit_exit_process,       /* exit process */
    ngx_http_ratelimit_exit_master,        /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_ratelimit_init(ngx_conf_t *cf)
{
    ngx_http_core_main_conf_t  *cmcf;

    /*
     * Our variables beside those of Tengine, or of many modules, are more than
     * nginx lays out well within its default: a warning at each start.
     */
    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    cmcf->variables_hash_max_size = ngx_max(cmcf->variables_hash_max_size,
                                            2048);

    if (ngx_http_ratelimit_init_redis(cf) != NGX_OK
        || ngx_http_ratelimit_init_policies(cf) != NGX_OK
        || ngx_http_ratelimit_check_variables(cf) != NGX_OK
        || ngx_http_ratelimit_check_cycles(cf) != NGX_OK
        || ngx_http_ratelimit_init_headers(cf) != NGX_OK
        || ngx_http_ratelimit_init_jwt(cf) != NGX_OK
        || ngx_http_ratelimit_init_filter(cf) != NGX_OK
        || ngx_http_ratelimit_init_handlers(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_ratelimit_init_plans(ngx_http_conf_get_module_main_conf(cf,
                                                 ngx_http_ratelimit_module));

    if (ngx_http_ratelimit_check_together(cf) != NGX_OK
        || ngx_http_ratelimit_init_usages(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_ratelimit_warn_idle(cf);

    return ngx_http_ratelimit_check_apis(cf);
}


/* after the zones' memory is there, before the workers fork */

static ngx_int_t
ngx_http_ratelimit_init_module(ngx_cycle_t *cycle)
{
    ngx_uint_t                        i;
    ngx_shm_zone_t                  **zones;
    ngx_http_ratelimit_zone_t        *zone;
    ngx_http_ratelimit_main_conf_t   *rmcf;

    rmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_ratelimit_module);
    if (rmcf == NULL || rmcf->zones.nelts == 0) {
        return NGX_OK;
    }

    rmcf->core_zones = ngx_palloc(cycle->pool,
                                  rmcf->zones.nelts * sizeof(rl_zone_t *));
    if (rmcf->core_zones == NULL) {
        return NGX_ERROR;
    }

    zones = rmcf->zones.elts;

    for (i = 0; i < rmcf->zones.nelts; i++) {
        zone = zones[i]->data;
        rmcf->core_zones[i] = &zone->zone;

        if (ngx_http_ratelimit_keep_older(cycle, zones[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_ratelimit_bind_policies(cycle, rmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_ratelimit_init_statistics(rmcf);
    ngx_http_ratelimit_init_usage_filter(rmcf);
    ngx_http_ratelimit_configure_shared(rmcf);

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                        i;
    ngx_shm_zone_t                  **zones;
    ngx_http_ratelimit_main_conf_t   *rmcf;

    rmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_ratelimit_module);

    if (rmcf == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    ngx_http_ratelimit_init_usage_filter(rmcf);
    ngx_http_ratelimit_init_history(cycle);

    zones = rmcf->zones.elts;

    for (i = 0; i < rmcf->zones.nelts; i++) {

        ngx_http_ratelimit_await_move(cycle, zones[i]);

        if (ngx_http_ratelimit_init_writer(cycle, zones[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_http_ratelimit_init_shared(cycle, rmcf);
}


static void
ngx_http_ratelimit_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_ratelimit_module);
    if (rmcf) {
        ngx_http_ratelimit_exit_shared(rmcf);
    }

    ngx_http_ratelimit_leave();
}
