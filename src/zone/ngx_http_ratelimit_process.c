
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Processes: the register of those that may hold a zone's locks, and what a
 * worker begins and ends with.
 */


#include "ngx_http_ratelimit.h"


#if (NGX_MAX_PROCESSES > RL_MAX_PROCESSES)
#error a master of this nginx has more processes than the register has places
#endif


static ngx_int_t ngx_http_ratelimit_init_registry(ngx_shm_zone_t *shm_zone,
    void *data);


/* this process's place in the register; the zones are the cycle's */

rl_process_t  ngx_http_ratelimit_this_process;


/*
 * The register stands in memory of its own, of a size that never changes, so
 * that it outlives every reload: a lock may be held by an old worker.
 */

ngx_int_t
ngx_http_ratelimit_add_registry(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf)
{
    size_t     size;
    ngx_str_t  name = ngx_string("ngx_http_ratelimit_processes");

    if (rmcf->registry) {
        return NGX_OK;
    }

    size = ngx_align(rl_registry_size() + ngx_pagesize, ngx_pagesize);

    rmcf->registry = ngx_shared_memory_add(cf, &name, size,
                                           &ngx_http_ratelimit_module);
    if (rmcf->registry == NULL) {
        return NGX_ERROR;
    }

    rmcf->registry->init = ngx_http_ratelimit_init_registry;
    rmcf->registry->data = rmcf;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_init_registry(ngx_shm_zone_t *shm_zone, void *data)
{
    void    *memory;
    size_t   size;

    memory = ngx_http_ratelimit_memory(shm_zone, &size);

    if (data == NULL && !shm_zone->shm.exists) {
        rl_registry_create(memory);
        return NGX_OK;
    }

    if (rl_registry_attach(memory) != RL_OK) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "ratelimit: the process register is of another version "
                      "of the module, restart nginx instead of reloading");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Joined at the first decision, since a process must join after it forked;
 * in single process mode a reload changes the zones under a joined process.
 * One that finds no place has looked at all of them: not again this second.
 */

rl_process_t *
ngx_http_ratelimit_join(ngx_http_ratelimit_main_conf_t *rmcf)
{
    size_t         size;
    rl_process_t  *process;

    static time_t  failed;

    process = &ngx_http_ratelimit_this_process;

    if (process->registry != NULL) {
        rl_process_leave(process);
    }

    if (failed == ngx_time()) {
        return NULL;
    }

    if (rl_process_join(process,
                        ngx_http_ratelimit_memory(rmcf->registry, &size),
                        rmcf->core_zones, rmcf->zones.nelts)
        != RL_OK)
    {
        failed = ngx_time();
        return NULL;
    }

    return process;
}


ngx_int_t
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

    zones = rmcf->zones.elts;

    for (i = 0; i < rmcf->zones.nelts; i++) {

        ngx_http_ratelimit_await_move(cycle, zones[i]);

        if (ngx_http_ratelimit_init_writer(cycle, zones[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
ngx_http_ratelimit_exit_process(ngx_cycle_t *cycle)
{
    if (ngx_http_ratelimit_this_process.registry != NULL) {
        rl_process_leave(&ngx_http_ratelimit_this_process);
    }
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
