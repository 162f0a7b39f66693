
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What the policies have decided, counted in a row of shared memory each.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "zone/ngx_http_ratelimit_shm.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_statistics.h"


static void *ngx_http_ratelimit_find_counters(
    ngx_http_ratelimit_policy_t *policy, void *memory, ngx_uint_t make);


/* known policies go on counting before new ones are given the rows left */

void
ngx_http_ratelimit_init_statistics(ngx_http_ratelimit_main_conf_t *rmcf)
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


/* what a decision does not count by itself; joined or not */

void
ngx_http_ratelimit_count(ngx_http_ratelimit_policy_t *policy,
    rl_counter_e what)
{
    rl_count(&ngx_http_ratelimit_this_process, &policy->core, what);
}


void
ngx_http_ratelimit_count_items(rl_item_t *items, ngx_uint_t n,
    rl_counter_e what)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        rl_count(&ngx_http_ratelimit_this_process, items[i].policy, what);
    }
}
