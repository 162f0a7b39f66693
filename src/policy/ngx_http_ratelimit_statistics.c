
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The memory in which the policies' decisions are counted.  As the register of
 * processes it is of a size that never changes, so that it outlives reloads.
 */


#include "ngx_http_ratelimit.h"


static ngx_int_t ngx_http_ratelimit_init_counter_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static void *ngx_http_ratelimit_find_counters(
    ngx_http_ratelimit_policy_t *policy, void *memory, ngx_uint_t make);


ngx_int_t
ngx_http_ratelimit_add_counters(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf)
{
    size_t     size;
    ngx_str_t  name = ngx_string("ngx_http_ratelimit_counters");

    if (rmcf->counters) {
        return NGX_OK;
    }

    size = ngx_align(rl_counters_size() + ngx_pagesize, ngx_pagesize);

    rmcf->counters = ngx_shared_memory_add(cf, &name, size,
                                           &ngx_http_ratelimit_module);
    if (rmcf->counters == NULL) {
        return NGX_ERROR;
    }

    rmcf->counters->init = ngx_http_ratelimit_init_counter_zone;
    rmcf->counters->data = rmcf;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_init_counter_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    void    *memory;
    size_t   size;

    memory = ngx_http_ratelimit_memory(shm_zone, &size);

    if (data == NULL && !shm_zone->shm.exists) {
        rl_counters_create(memory);
        return NGX_OK;
    }

    if (rl_counters_attach(memory) != RL_OK) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "ratelimit: the counters are of another version of the "
                      "module, restart nginx instead of reloading");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* known policies go on counting before new ones are given the rows left */

void
ngx_http_ratelimit_init_counters(ngx_http_ratelimit_main_conf_t *rmcf)
{
    void                          *memory;
    size_t                         size;
    ngx_uint_t                     i, make;
    ngx_http_ratelimit_policy_t  **policies, *policy;

    memory = ngx_http_ratelimit_memory(rmcf->counters, &size);
    policies = rmcf->policies.elts;

    rl_counters_renew(memory);

    for (make = 0; make < 2; make++) {
        for (i = 0; i < rmcf->policies.nelts; i++) {
            policy = policies[i];

            if (policy->core.counters == NULL) {
                policy->core.counters = ngx_http_ratelimit_find_counters(
                                                        policy, memory, make);
            }
        }
    }
}


static void *
ngx_http_ratelimit_find_counters(ngx_http_ratelimit_policy_t *policy,
    void *memory, ngx_uint_t make)
{
    ngx_str_t  *zone;

    zone = &policy->shm_zone->shm.name;

    return rl_counters_find(memory, policy->core.name,
                            ngx_http_ratelimit_str(zone), make);
}
