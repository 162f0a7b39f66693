
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The shared memory of zones.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "zone/ngx_http_ratelimit_resize.h"
#include "zone/ngx_http_ratelimit_shm.h"
#include "zone/ngx_http_ratelimit_state.h"
#include "zone/ngx_http_ratelimit_zone.h"

#include <sys/random.h>


static ngx_int_t ngx_http_ratelimit_create_zone(ngx_shm_zone_t *shm_zone,
    uint64_t *loaded);


/* the second in which this process last looked for full zones */

time_t  ngx_http_ratelimit_warned;


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


ngx_int_t
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

    if (zone->seed && !rl_zone_has_seed(zone->zone.next ? zone->zone.next
                                                        : &zone->zone,
                                        zone->seed))
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "ratelimit: zone \"%V\" was not shared under this "
                      "prefix and secret before, it needs another name",
                      &zone->name);
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

    if (zone->seed) {
        ngx_memcpy(seed, zone->seed, sizeof(seed));

    } else if (getrandom(seed, sizeof(seed), 0) != sizeof(seed)) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, ngx_errno,
                      "ratelimit: getrandom() failed for zone \"%V\"",
                      &zone->name);
        return NGX_ERROR;
    }

    if (rl_zone_create(&zone->zone, memory, size,
                       ngx_http_ratelimit_used_memory(shm_zone), seed)
        != RL_OK)
    {
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
        (void) rl_zone_create(&zone->zone, memory, size, size, seed);
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
