
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The ratelimit_zone directive, and the shared memory of zones.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "zone/ngx_http_ratelimit_resize.h"
#include "zone/ngx_http_ratelimit_shm.h"
#include "zone/ngx_http_ratelimit_state.h"
#include "zone/ngx_http_ratelimit_zone.h"

#include <sys/random.h>


#define NGX_HTTP_RATELIMIT_MIN_ZONE  (64 * 1024)


static ngx_int_t ngx_http_ratelimit_parse_zone(ngx_conf_t *cf,
    ngx_str_t *value, ngx_str_t *name, ssize_t *size);
static ngx_int_t ngx_http_ratelimit_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_http_ratelimit_create_zone(ngx_shm_zone_t *shm_zone,
    uint64_t *loaded);


/* the second in which this process last looked for full zones */

time_t  ngx_http_ratelimit_warned;


char *
ngx_http_ratelimit_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ratelimit_main_conf_t  *rmcf = conf;

    ssize_t                      size;
    char                        *rv;
    ngx_str_t                   *value, s, name, state;
    ngx_uint_t                   i;
    ngx_shm_zone_t              *shm_zone, **zp;
    ngx_pool_cleanup_t          *cln;
    ngx_http_ratelimit_zone_t   *zone;

    value = cf->args->elts;
    name.len = 0;
    state.len = 0;
    size = 0;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_ratelimit_parameter(&value[i], "zone=", &s)) {

            if (name.len) {
                return ngx_http_ratelimit_duplicate(cf, &value[i]);
            }

            if (ngx_http_ratelimit_parse_zone(cf, &s, &name, &size)
                != NGX_OK)
            {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (ngx_http_ratelimit_parameter(&value[i], "state=", &s)) {

            if (state.len) {
                return ngx_http_ratelimit_duplicate(cf, &value[i]);
            }

            rv = ngx_http_ratelimit_state(cf, &s, &state);
            if (rv != NGX_CONF_OK) {
                return rv;
            }

            continue;
        }

        return ngx_http_ratelimit_invalid(cf, "parameter", &value[i],
                                          "must be one of zone=, state=");
    }

    if (name.len == 0) {
        return "has no \"zone=\"";
    }

    if (ngx_http_ratelimit_find_zone(rmcf, &name) != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate zone \"%V\" in \"ratelimit_zone\"",
                           &name);
        return NGX_CONF_ERROR;
    }

    zp = rmcf->zones.elts;

    for (i = 0; state.len && i < rmcf->zones.nelts; i++) {
        zone = zp[i]->data;

        if (zone->state.len == state.len
            && ngx_strncmp(zone->state.data, state.data, state.len) == 0)
        {
            return ngx_http_ratelimit_invalid(cf, "state", &state,
                       "must be a file of this zone's own");
        }
    }

    /* first: a zone that moves needs the process table */

    if (ngx_http_ratelimit_add_segments(cf, rmcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_http_ratelimit_zone_t));
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    zone = cln->data;
    ngx_memzero(zone, sizeof(ngx_http_ratelimit_zone_t));

    cln->handler = ngx_http_ratelimit_free_kept;

    zone->name = name;
    zone->state = state;
    zone->registry = rmcf->registry;
    zone->core_conf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                                       ngx_core_module);

    shm_zone = ngx_shared_memory_add(cf, &name, size,
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
ngx_http_ratelimit_parse_zone(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *name, ssize_t *size)
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

    *size = ngx_parse_size(&s);

    if (*size < NGX_HTTP_RATELIMIT_MIN_ZONE) {
        goto invalid;
    }

    if ((uint64_t) *size > RL_MAX_ZONE_LEN) {
        ngx_http_ratelimit_invalid(cf, "zone", value,
                                   "must not be larger than 262144m");
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
                               "must be NAME:SIZE with a SIZE such as 64m, "
                               "at least 64k");
    return NGX_ERROR;
}


ngx_shm_zone_t *
ngx_http_ratelimit_find_zone(ngx_http_ratelimit_main_conf_t *rmcf,
    ngx_str_t *name)
{
    ngx_uint_t        i;
    ngx_shm_zone_t  **zones;

    zones = rmcf->zones.elts;

    for (i = 0; i < rmcf->zones.nelts; i++) {
        if (zones[i]->shm.name.len == name->len
            && ngx_strncmp(zones[i]->shm.name.data, name->data, name->len)
               == 0)
        {
            return zones[i];
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_ratelimit_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    u_char                     *last, text[NGX_INT64_LEN + 64];
    uint64_t                    loaded;
    ngx_int_t                   rc;
    rl_time_t                   now;
    rl_zone_stats_t             stats;
    ngx_http_ratelimit_zone_t  *zone;

    zone = shm_zone->data;
    loaded = 0;
    last = text;

    if (data != NULL || shm_zone->shm.exists) {
        rc = ngx_http_ratelimit_attach_zone(shm_zone, data);

    } else {
        rc = ngx_http_ratelimit_create_zone(shm_zone, &loaded);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (loaded) {
        last = ngx_sprintf(text, ", %uL carried over", loaded);
    }

    if (zone->zone.next) {
        last = ngx_sprintf(text, " as soon as the workers before have gone");
    }

    ngx_http_ratelimit_now(&now);
    rl_zone_stats(zone->zone.next ? zone->zone.next : &zone->zone, 0, &now,
                  &stats);

    ngx_log_error(NGX_LOG_NOTICE, shm_zone->shm.log, 0,
                  "ratelimit: zone \"%V\" of %uz bytes holds %uL buckets%*s",
                  &zone->name, shm_zone->shm.size, stats.capacity,
                  (size_t) (last - text), text);

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_create_zone(ngx_shm_zone_t *shm_zone, uint64_t *loaded)
{
    void                       *memory;
    size_t                      size;
    u_char                      seed[16];
    ngx_shm_zone_t             *old;
    ngx_http_ratelimit_zone_t  *zone;

    zone = shm_zone->data;
    memory = ngx_http_ratelimit_memory(shm_zone, &size);

    if (getrandom(seed, sizeof(seed), 0) != sizeof(seed)) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, ngx_errno,
                      "ratelimit: getrandom() failed for zone \"%V\"",
                      &zone->name);
        return NGX_ERROR;
    }

    if (rl_zone_create(&zone->zone, memory, size, seed) != RL_OK) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "ratelimit: zone \"%V\" cannot be of %uz bytes",
                      &zone->name, shm_zone->shm.size);
        return NGX_ERROR;
    }

    old = ngx_http_ratelimit_old_zone(shm_zone);

    if (old) {
        return ngx_http_ratelimit_succeed_zone(shm_zone, old);
    }

    if (zone->state.len
        && ngx_http_ratelimit_load_state(shm_zone, loaded) == NGX_DECLINED)
    {
        (void) rl_zone_create(&zone->zone, memory, size, seed);
    }

    return NGX_OK;
}


void
ngx_http_ratelimit_zone_warn(ngx_http_request_t *r,
    ngx_http_ratelimit_main_conf_t *rmcf, rl_time_t *now)
{
    uint64_t                    evicted;
    ngx_uint_t                  i;
    ngx_shm_zone_t            **zones;
    ngx_http_ratelimit_zone_t  *zone;

    ngx_http_ratelimit_warned = ngx_time();

    zones = rmcf->zones.elts;

    for (i = 0; i < rmcf->zones.nelts; i++) {
        zone = zones[i]->data;

        if (rl_zone_full_warning(&zone->zone, now, &evicted)) {
            ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                          "ratelimit: zone \"%V\" is full, %uL buckets with "
                          "units in use evicted since the last such line",
                          &zone->name, evicted);
        }
    }
}
