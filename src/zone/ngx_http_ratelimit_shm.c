
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Shared memory: what nginx's slab header leaves of it, and two segments of a
 * size that never changes, so that they outlive every reload: the table of
 * processes, since a lock may be held by an old worker, and the statistics.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_shm.h"


typedef struct {
    ngx_str_t                    name;
    char                        *what;
    size_t                     (*size)(void);
    void                       (*create)(void *memory);
    int                        (*attach)(void *memory);
} ngx_http_ratelimit_segment_t;


static ngx_shm_zone_t *ngx_http_ratelimit_add_segment(ngx_conf_t *cf,
    ngx_http_ratelimit_segment_t *segment);
static ngx_int_t ngx_http_ratelimit_init_segment(ngx_shm_zone_t *shm_zone,
    void *data);


static ngx_http_ratelimit_segment_t  ngx_http_ratelimit_processes = {
    ngx_string("ngx_http_ratelimit_processes"),
    "process table is",
    rl_process_table_size,
    rl_process_table_create,
    rl_process_table_attach
};


static ngx_http_ratelimit_segment_t  ngx_http_ratelimit_counters = {
    ngx_string("ngx_http_ratelimit_counters"),
    "counters are",
    rl_counters_size,
    rl_counters_create,
    rl_counters_attach
};


/*
 * The memory behind nginx's slab pool header.  The header must stay: nginx
 * unlocks its mutex when a worker dies.  The rest of the slab pool is not
 * used: its page list alone would cost one bucket in 170.
 */

void *
ngx_http_ratelimit_memory(ngx_shm_zone_t *shm_zone, size_t *size)
{
    u_char  *p;

    p = ngx_align_ptr(shm_zone->shm.addr + sizeof(ngx_slab_pool_t), 64);

    *size = shm_zone->shm.addr + shm_zone->shm.size - p;

    return p;
}


/*
 * How much of this memory may hold something when nginx has just got it: the
 * list of pages of the slab pool, or everything where nginx fills memory in
 * order to find faults.  The rest is zeros that nobody has touched yet.
 */

size_t
ngx_http_ratelimit_used_memory(ngx_shm_zone_t *shm_zone)
{
    size_t            size;
    u_char           *memory;
#if !(defined NGX_DEBUG_MALLOC || defined NGX_HAVE_DEBUG_MALLOC)
    ngx_slab_pool_t  *pool;
#endif

    memory = ngx_http_ratelimit_memory(shm_zone, &size);

#if defined NGX_DEBUG_MALLOC || defined NGX_HAVE_DEBUG_MALLOC

    return size;

#else
    pool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    return ngx_min((size_t) (pool->start - memory), size);

#endif
}


/* the zone of the same name in the running cycle, while it is reconfigured */

ngx_shm_zone_t *
ngx_http_ratelimit_old_zone(ngx_shm_zone_t *shm_zone)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_shm_zone_t   *zones;

    for (part = (ngx_list_part_t *) &ngx_cycle->shared_memory.part;
         part != NULL;
         part = part->next)
    {
        zones = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (zones[i].tag == shm_zone->tag
                && zones[i].init == shm_zone->init
                && zones[i].shm.name.len == shm_zone->shm.name.len
                && ngx_strncmp(zones[i].shm.name.data,
                               shm_zone->shm.name.data,
                               shm_zone->shm.name.len)
                   == 0)
            {
                return &zones[i];
            }
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_ratelimit_add_segments(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf)
{
    if (rmcf->process_table) {
        return NGX_OK;
    }

    rmcf->process_table = ngx_http_ratelimit_add_segment(cf,
                                              &ngx_http_ratelimit_processes);
    if (rmcf->process_table == NULL) {
        return NGX_ERROR;
    }

    rmcf->counters = ngx_http_ratelimit_add_segment(cf,
                                              &ngx_http_ratelimit_counters);

    return rmcf->counters ? NGX_OK : NGX_ERROR;
}


static ngx_shm_zone_t *
ngx_http_ratelimit_add_segment(ngx_conf_t *cf,
    ngx_http_ratelimit_segment_t *segment)
{
    size_t           size;
    ngx_shm_zone_t  *shm_zone;

    size = ngx_align(segment->size() + ngx_pagesize, ngx_pagesize);

    shm_zone = ngx_shared_memory_add(cf, &segment->name, size,
                                     &ngx_http_ratelimit_module);
    if (shm_zone == NULL) {
        return NULL;
    }

    shm_zone->init = ngx_http_ratelimit_init_segment;
    shm_zone->data = segment;

    return shm_zone;
}


static ngx_int_t
ngx_http_ratelimit_init_segment(ngx_shm_zone_t *shm_zone, void *data)
{
    void                          *memory;
    size_t                         size;
    ngx_http_ratelimit_segment_t  *segment;

    segment = shm_zone->data;
    memory = ngx_http_ratelimit_memory(shm_zone, &size);

    if (data == NULL && !shm_zone->shm.exists) {
        segment->create(memory);
        return NGX_OK;
    }

    if (segment->attach(memory) != RL_OK) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "ratelimit: the %s of another version of the module, "
                      "restart nginx instead of reloading", segment->what);
        return NGX_ERROR;
    }

    return NGX_OK;
}
