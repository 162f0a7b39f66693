
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The ratelimit_zone directive.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "zone/ngx_http_ratelimit_resize.h"
#include "zone/ngx_http_ratelimit_shm.h"
#include "zone/ngx_http_ratelimit_state.h"
#include "zone/ngx_http_ratelimit_zone.h"


#define NGX_HTTP_RATELIMIT_MIN_ZONE  (64 * 1024)


typedef enum {
    NGX_HTTP_RATELIMIT_ZONE_NAME = 0,
    NGX_HTTP_RATELIMIT_ZONE_STATE,
    NGX_HTTP_RATELIMIT_ZONE_REDIS,
    NGX_HTTP_RATELIMIT_ZONE_MODE,
    NGX_HTTP_RATELIMIT_ZONE_ON_ERROR,
    NGX_HTTP_RATELIMIT_ZONE_PARAMETERS
} ngx_http_ratelimit_zone_parameter_e;


static ngx_int_t ngx_http_ratelimit_zone_parameters(ngx_conf_t *cf,
    ngx_http_ratelimit_zone_t *zone, off_t *size);
static char *ngx_http_ratelimit_zone_parameter(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static ngx_int_t ngx_http_ratelimit_shared_zone(ngx_conf_t *cf,
    ngx_http_ratelimit_zone_t *zone, ngx_str_t *given);
static ngx_int_t ngx_http_ratelimit_zone_enum(ngx_str_t *value,
    ngx_conf_enum_t *names, ngx_uint_t *result);
static ngx_int_t ngx_http_ratelimit_check_zone(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf, ngx_http_ratelimit_zone_t *zone);
static ngx_int_t ngx_http_ratelimit_parse_zone(ngx_conf_t *cf,
    ngx_str_t *value, ngx_str_t *name, off_t *size);


/* in the order of the enumeration */

static ngx_http_ratelimit_param_t  ngx_http_ratelimit_zone_params[] = {
    { "zone=", ngx_http_ratelimit_zone_parameter, 0 },
    { "state=", ngx_http_ratelimit_zone_parameter, 0 },
    { "redis=", ngx_http_ratelimit_zone_parameter, 0 },
    { "mode=", ngx_http_ratelimit_zone_parameter, 0 },
    { "on_error=", ngx_http_ratelimit_zone_parameter, 0 },
    { NULL, NULL, 0 }
};


static ngx_conf_enum_t  ngx_http_ratelimit_zone_modes[] = {
    { ngx_string("lease"), NGX_HTTP_RATELIMIT_LEASE },
    { ngx_string("strict"), NGX_HTTP_RATELIMIT_STRICT },
    { ngx_null_string, 0 }
};

static ngx_conf_enum_t  ngx_http_ratelimit_zone_on_errors[] = {
    { ngx_string("local"), NGX_HTTP_RATELIMIT_ERROR_LOCAL },
    { ngx_string("allow"), NGX_HTTP_RATELIMIT_ERROR_ALLOW },
    { ngx_string("refuse"), NGX_HTTP_RATELIMIT_ERROR_REFUSE },
    { ngx_null_string, 0 }
};


char *
ngx_http_ratelimit_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ratelimit_main_conf_t  *rmcf = conf;

    off_t                        size;
    ngx_shm_zone_t              *shm_zone, **zp;
    ngx_pool_cleanup_t          *cln;
    ngx_http_ratelimit_zone_t   *zone;

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_http_ratelimit_zone_t));
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    zone = cln->data;
    ngx_memzero(zone, sizeof(ngx_http_ratelimit_zone_t));

    cln->handler = ngx_http_ratelimit_free_kept;

    if (ngx_http_ratelimit_zone_parameters(cf, zone, &size) != NGX_OK
        || ngx_http_ratelimit_check_zone(cf, rmcf, zone) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    /* first: a zone that moves needs the process table */

    if (ngx_http_ratelimit_add_segments(cf, rmcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    zone->process_table = rmcf->process_table;
    zone->file = cf->conf_file->file.name.data;
    zone->line = cf->conf_file->line;
    zone->core_conf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                                       ngx_core_module);

    shm_zone = ngx_shared_memory_add(cf, &zone->name, (size_t) size,
                                     &ngx_http_ratelimit_module);
    if (shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    shm_zone->init = ngx_http_ratelimit_init_zone;
    shm_zone->data = zone;

    zp = ngx_array_push(&rmcf->zones);
    if (zp == NULL) {
        return NGX_CONF_ERROR;
    }

    *zp = shm_zone;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_ratelimit_zone_parameters(ngx_conf_t *cf,
    ngx_http_ratelimit_zone_t *zone, off_t *size)
{
    ngx_str_t   *value;
    ngx_uint_t   i, seen;
    ngx_str_t    given[NGX_HTTP_RATELIMIT_ZONE_PARAMETERS];

    value = cf->args->elts;
    seen = 0;

    ngx_memzero(given, sizeof(given));

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_http_ratelimit_set_param(cf, ngx_http_ratelimit_zone_params,
                                         &seen, given, &value[i])
            != NGX_CONF_OK)
        {
            return NGX_ERROR;
        }
    }

    if (given[NGX_HTTP_RATELIMIT_ZONE_NAME].data == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"ratelimit_zone\" directive has no \"zone=\"");
        return NGX_ERROR;
    }

    if (ngx_http_ratelimit_parse_zone(cf, &given[NGX_HTTP_RATELIMIT_ZONE_NAME],
                                      &zone->name, size)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (given[NGX_HTTP_RATELIMIT_ZONE_STATE].data
        && ngx_http_ratelimit_state(cf, &given[NGX_HTTP_RATELIMIT_ZONE_STATE],
                                    &zone->state)
           != NGX_CONF_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ratelimit_shared_zone(cf, zone, given);
}


/* what they mean depends on each other */

static char *
ngx_http_ratelimit_zone_parameter(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_str_t *given = conf;

    given[param - ngx_http_ratelimit_zone_params] = *value;

    return NGX_CONF_OK;
}


/* of a zone that machines share, or of one that has no part in that */

static ngx_int_t
ngx_http_ratelimit_shared_zone(ngx_conf_t *cf,
    ngx_http_ratelimit_zone_t *zone, ngx_str_t *given)
{
    ngx_str_t  *redis, *mode, *on_error, *state;

    redis = &given[NGX_HTTP_RATELIMIT_ZONE_REDIS];
    mode = &given[NGX_HTTP_RATELIMIT_ZONE_MODE];
    on_error = &given[NGX_HTTP_RATELIMIT_ZONE_ON_ERROR];
    state = &given[NGX_HTTP_RATELIMIT_ZONE_STATE];

    if (redis->data == NULL) {

        if (mode->data || on_error->data) {
            ngx_http_ratelimit_invalid(cf, mode->data ? "mode" : "on_error",
                                       mode->data ? mode : on_error,
                                       "needs \"redis=\"");
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    if (redis->len == 0) {
        ngx_http_ratelimit_invalid(cf, "redis", redis,
                                   "must be the name of a "
                                   "\"ratelimit_redis\"");
        return NGX_ERROR;
    }

    zone->redis_name = *redis;

    if (state->data) {
        ngx_http_ratelimit_invalid(cf, "state", state,
                                   "must not stand beside \"redis=\", whose "
                                   "server keeps the counts");
        return NGX_ERROR;
    }

    if (mode->data
        && ngx_http_ratelimit_zone_enum(mode, ngx_http_ratelimit_zone_modes,
                                        &zone->mode)
           != NGX_OK)
    {
        ngx_http_ratelimit_invalid(cf, "mode", mode,
                                   "must be lease or strict");
        return NGX_ERROR;
    }

    if (on_error->data
        && ngx_http_ratelimit_zone_enum(on_error,
                                        ngx_http_ratelimit_zone_on_errors,
                                        &zone->on_error)
           != NGX_OK)
    {
        ngx_http_ratelimit_invalid(cf, "on_error", on_error,
                                   "must be one of local, allow, refuse");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_zone_enum(ngx_str_t *value, ngx_conf_enum_t *names,
    ngx_uint_t *result)
{
    for ( /* void */ ; names->name.len; names++) {
        if (names->name.len == value->len
            && ngx_strncmp(names->name.data, value->data, value->len) == 0)
        {
            *result = names->value;
            return NGX_OK;
        }
    }

    return NGX_ERROR;
}


/* beside the zones before it */

static ngx_int_t
ngx_http_ratelimit_check_zone(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf, ngx_http_ratelimit_zone_t *zone)
{
    ngx_uint_t                   i;
    ngx_shm_zone_t             **zp;
    ngx_http_ratelimit_zone_t   *other;

    if (ngx_http_ratelimit_find_zone(rmcf, &zone->name) != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate zone \"%V\" in \"ratelimit_zone\"",
                           &zone->name);
        return NGX_ERROR;
    }

    zp = rmcf->zones.elts;

    for (i = 0; zone->state.len && i < rmcf->zones.nelts; i++) {
        other = zp[i]->data;

        if (other->state.len == zone->state.len
            && ngx_strncmp(other->state.data, zone->state.data,
                           zone->state.len)
               == 0)
        {
            ngx_http_ratelimit_invalid(cf, "state", &zone->state,
                                       "must be a file of this zone's own");
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_parse_zone(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *name, off_t *size)
{
    u_char     *p, *last;
    ngx_str_t   s;

    last = value->data + value->len;
    p = ngx_strlchr(value->data, last, ':');

    if (p == NULL || p == value->data) {
        goto invalid;
    }

    name->data = value->data;
    name->len = p - value->data;

    s.data = p + 1;
    s.len = last - s.data;

    *size = ngx_parse_offset(&s);

    if (*size < NGX_HTTP_RATELIMIT_MIN_ZONE) {
        goto invalid;
    }

    if ((uint64_t) *size > ngx_min(RL_MAX_ZONE_LEN, NGX_MAX_SIZE_T_VALUE)) {
        ngx_http_ratelimit_invalid(cf, "zone", value,
                                   "must not be larger than 256g");
        return NGX_ERROR;
    }

    /* memory of our own that is no zone has such names */

    if (ngx_strncmp(name->data, "ngx_http_ratelimit_", 19) == 0) {
        ngx_http_ratelimit_invalid(cf, "zone", value,
                                   "must not begin with ngx_http_ratelimit_");
        return NGX_ERROR;
    }

    return NGX_OK;

invalid:

    ngx_http_ratelimit_invalid(cf, "zone", value,
                               "must be NAME:SIZE with a SIZE such as 64m "
                               "or 1g, at least 64k");
    return NGX_ERROR;
}
