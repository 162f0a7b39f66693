
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * How old zones' state files are, or rather what is in them: what a crash of
 * the machine would lose now.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "api/ngx_http_ratelimit_api.h"


/* of a zone with "state="; null: no copy was written yet */

void
ngx_http_ratelimit_api_state_age(ngx_http_ratelimit_api_call_t *call,
    ngx_shm_zone_t *shm_zone, json_t *entry)
{
    uint64_t                    age_ms;
    ngx_http_ratelimit_zone_t  *zone;

    zone = shm_zone->data;

    if (zone->state.len == 0) {
        return;
    }

    age_ms = rl_state_age_ms(&zone->zone, &call->now);

    json_object_set_new(entry, "state_age_ms",
                        age_ms == UINT64_MAX
                        ? json_null() : json_integer((json_int_t) age_ms));
}


size_t
ngx_http_ratelimit_api_state_metrics_len(ngx_http_ratelimit_api_call_t *call)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_shm_zone_t  **zones;

    len = 300;
    zones = call->conf->zones.elts;

    for (i = 0; i < call->conf->zones.nelts; i++) {
        len += sizeof("nginx_ratelimit_zone_state_age_seconds{zone=\"\"} .000"
                      "\n")
               + 2 * zones[i]->shm.name.len + NGX_INT64_LEN;
    }

    return len;
}


u_char *
ngx_http_ratelimit_api_state_metrics(u_char *p,
    ngx_http_ratelimit_api_call_t *call)
{
    uint64_t                    age_ms;
    ngx_uint_t                  i, n;
    ngx_shm_zone_t            **zones;
    ngx_http_ratelimit_zone_t  *zone;

    n = 0;
    zones = call->conf->zones.elts;

    for (i = 0; i < call->conf->zones.nelts; i++) {
        zone = zones[i]->data;

        if (zone->state.len == 0) {
            continue;
        }

        if (n++ == 0) {
            p = ngx_http_ratelimit_api_head(p, call,
                    "nginx_ratelimit_zone_state_age_seconds", "gauge",
                    "How old the last whole copy in a zone's state file is.");
        }

        p = ngx_sprintf(p, "nginx_ratelimit_zone_state_age_seconds{zone=\"");
        p = ngx_http_ratelimit_api_label(p, &zones[i]->shm.name);

        age_ms = rl_state_age_ms(&zone->zone, &call->now);

        p = (age_ms == UINT64_MAX)
            ? ngx_sprintf(p, "\"} +Inf\n")
            : ngx_sprintf(p, "\"} %uL.%03uL\n", age_ms / 1000, age_ms % 1000);
    }

    return p;
}
