
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Which Redis a zone is shared by, once the whole configuration is read.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "shared/ngx_http_ratelimit_overrides.h"
#include "shared/ngx_http_ratelimit_redis.h"


ngx_http_ratelimit_redis_t *
ngx_http_ratelimit_find_redis(ngx_http_ratelimit_main_conf_t *rmcf,
    ngx_str_t *name)
{
    ngx_uint_t                     i;
    ngx_http_ratelimit_redis_t   **redises;

    redises = rmcf->redises.elts;

    for (i = 0; i < rmcf->redises.nelts; i++) {
        if (redises[i]->name.len == name->len
            && ngx_strncmp(redises[i]->name.data, name->data, name->len) == 0)
        {
            return redises[i];
        }
    }

    return NULL;
}


/* zones find theirs, wherever it stands in the configuration */

ngx_int_t
ngx_http_ratelimit_init_redis(ngx_conf_t *cf)
{
    ngx_uint_t                        i;
    ngx_shm_zone_t                  **zones;
    ngx_http_ratelimit_zone_t        *zone;
    ngx_http_ratelimit_redis_t      **redises;
    ngx_http_ratelimit_main_conf_t   *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);
    zones = rmcf->zones.elts;

    for (i = 0; i < rmcf->zones.nelts; i++) {
        zone = zones[i]->data;

        if (zone->redis_name.len == 0) {
            continue;
        }

        zone->redis = ngx_http_ratelimit_find_redis(rmcf, &zone->redis_name);

        if (zone->redis == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "unknown redis \"%V\" in \"ratelimit_zone\" "
                          "\"%V\" in %s:%ui",
                          &zone->redis_name, &zone->name, zone->file,
                          zone->line);
            return NGX_ERROR;
        }

        zone->redis->used = 1;
        zone->seed = zone->redis->seed;

        if (ngx_http_ratelimit_add_rows(cf, zones[i]) != NGX_OK
            || ngx_http_ratelimit_add_overrides(cf, zones[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    redises = rmcf->redises.elts;

    for (i = 0; i < rmcf->redises.nelts; i++) {
        if (ngx_http_ratelimit_redis_resolve(cf, redises[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        if (!redises[i]->used) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "no zone uses \"ratelimit_redis\" \"%V\" in %s:%ui",
                          &redises[i]->name, redises[i]->file,
                          redises[i]->line);
        }
    }

    return NGX_OK;
}
