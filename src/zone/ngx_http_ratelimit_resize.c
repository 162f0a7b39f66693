
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Zones whose size changes in a reload.  The workers of the configuration
 * before have no way to the new memory: the old memory goes on being the zone
 * until the last of them has gone, then the new workers move its buckets.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "zone/ngx_http_ratelimit_resize.h"
#include "zone/ngx_http_ratelimit_shm.h"
#include "zone/ngx_http_ratelimit_zone.h"


/* of a millisecond each: more than a running process holds a lock */

#define NGX_HTTP_RATELIMIT_MOVE_TRIES     100


static ngx_int_t ngx_http_ratelimit_complete_move(ngx_shm_zone_t *shm_zone,
    ngx_http_ratelimit_zone_t *old);
static ngx_int_t ngx_http_ratelimit_join_for(rl_process_t *process,
    ngx_http_ratelimit_zone_t *zone, rl_zone_t **zones, ngx_log_t *log);
static void ngx_http_ratelimit_expect(ngx_http_ratelimit_zone_t *zone,
    ngx_http_ratelimit_zone_t *old);
static void ngx_http_ratelimit_claim(ngx_cycle_t *cycle,
    ngx_http_ratelimit_zone_t *zone, ngx_http_ratelimit_zone_t *old);
static uint64_t *ngx_http_ratelimit_copy_worker_ids(ngx_cycle_t *cycle,
    ngx_http_ratelimit_zone_t *old);
static uint64_t *ngx_http_ratelimit_workers(ngx_cycle_t *cycle);


/* a zone of another size than that of the running configuration */

ngx_int_t
ngx_http_ratelimit_succeed_zone(ngx_shm_zone_t *shm_zone, ngx_shm_zone_t *old)
{
    rl_zone_t                  *zones[1];
    rl_process_t                process;
    ngx_http_ratelimit_zone_t  *zone;

    zone = shm_zone->data;

    /* what has begun to move must have moved before it moves on */

    if (ngx_http_ratelimit_complete_move(shm_zone, old->data) != NGX_OK) {
        return NGX_ERROR;
    }

    /* what claim() will need: a size that can never change fails here */

    if (ngx_http_ratelimit_join_for(&process, old->data, zones,
                                    shm_zone->shm.log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rl_process_leave(&process);

    zone->next = zone->zone;

    ngx_http_ratelimit_expect(zone, old->data);

    return NGX_OK;
}


static void
ngx_http_ratelimit_expect(ngx_http_ratelimit_zone_t *zone,
    ngx_http_ratelimit_zone_t *old)
{
    zone->zone = old->zone;

    rl_zone_expect(&zone->zone, &zone->next, &zone->older);
}


/* one of the same size, which may still be waiting for an earlier change */

ngx_int_t
ngx_http_ratelimit_attach_zone(ngx_shm_zone_t *shm_zone,
    ngx_http_ratelimit_zone_t *old)
{
    void                       *memory;
    size_t                      size;
    ngx_http_ratelimit_zone_t  *zone;

    zone = shm_zone->data;
    memory = ngx_http_ratelimit_memory(shm_zone, &size);

    if (rl_zone_attach(&zone->zone, memory, size) != RL_OK) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "ratelimit: zone \"%V\" is of another version of the "
                      "module, restart nginx instead of reloading",
                      &zone->name);
        return NGX_ERROR;
    }

    if (old == NULL) {
        return NGX_OK;
    }

    if (ngx_http_ratelimit_complete_move(shm_zone, old) != NGX_OK) {
        return NGX_ERROR;
    }

    if (old->zone.next) {
        zone->next = zone->zone;

        ngx_http_ratelimit_expect(zone, old);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_complete_move(ngx_shm_zone_t *shm_zone,
    ngx_http_ratelimit_zone_t *old)
{
    int            left;
    rl_zone_t     *zones[1];
    rl_time_t      now;
    ngx_uint_t     tries;
    rl_process_t   process;

    if (old->zone.next == NULL && old->zone.older == NULL) {
        return NGX_OK;
    }

    if (ngx_http_ratelimit_join_for(&process, old, zones, shm_zone->shm.log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_ratelimit_now(&now);

    tries = 0;

    do {
        left = rl_zone_move(&process, &old->zone, NGX_MAX_UINT32_VALUE, &now);

        if (left == RL_ERROR) {
            ngx_msleep(1);
        }

    } while (left && tries++ < NGX_HTTP_RATELIMIT_MOVE_TRIES);

    rl_process_leave(&process);

    if (left) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "ratelimit: zone \"%V\" cannot be moved, a stopped "
                      "process holds a part of it", &old->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the master process is one for a moment only */

static ngx_int_t
ngx_http_ratelimit_join_for(rl_process_t *process,
    ngx_http_ratelimit_zone_t *zone, rl_zone_t **zones, ngx_log_t *log)
{
    size_t  size;

    ngx_memzero(process, sizeof(rl_process_t));

    zones[0] = &zone->zone;

    if (rl_process_join(process,
                        ngx_http_ratelimit_memory(zone->process_table, &size),
                        zones, 1)
        != RL_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "ratelimit: zone \"%V\" cannot be moved, too many "
                      "worker processes", &zone->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * The configuration is in force from now on, and nginx is about to unmap the
 * old memory, in this process and so in all workers to come: it gets a page to
 * unmap instead.
 */

ngx_int_t
ngx_http_ratelimit_keep_older(ngx_cycle_t *cycle, ngx_shm_zone_t *shm_zone)
{
    ngx_uint_t                  same_size;
    ngx_shm_zone_t             *old;
    ngx_http_ratelimit_zone_t  *zone, *old_zone;

    zone = shm_zone->data;

    if (zone->zone.next == NULL) {
        return NGX_OK;
    }

    old = ngx_http_ratelimit_old_zone(shm_zone);
    old_zone = old->data;

    same_size = (old->shm.size == shm_zone->shm.size);

    if (!same_size) {
        ngx_http_ratelimit_claim(cycle, zone, old_zone);
    }

    if (old_zone->zone.next) {
        zone->kept = old_zone->kept;
        old_zone->kept.addr = NULL;

    } else {
        zone->kept = old->shm;

        /* anywhere, of a size that nginx does not take for the new memory's */

        old->shm.addr = NULL;
        old->shm.size = ngx_pagesize;

        if (old->shm.size == shm_zone->shm.size) {
            old->shm.size *= 2;
        }

        if (ngx_shm_alloc(&old->shm) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    zone->kept.log = cycle->log;

    /* the workers of a configuration of the same size know the new memory */

    zone->worker_ids = same_size
                       ? ngx_http_ratelimit_copy_worker_ids(cycle, old_zone)
                       : ngx_http_ratelimit_workers(cycle);

    return zone->worker_ids ? NGX_OK : NGX_ERROR;
}


/*
 * Not before, since a configuration that fails must leave the one before as it
 * was.  Its workers may have begun to move since this one was read.
 */

static void
ngx_http_ratelimit_claim(ngx_cycle_t *cycle, ngx_http_ratelimit_zone_t *zone,
    ngx_http_ratelimit_zone_t *old)
{
    int              rc;
    rl_zone_t       *zones[1];
    ngx_shm_zone_t   shm_zone;
    rl_process_t     process;

    /* complete_move() only logs to it */

    shm_zone.shm.log = cycle->log;

    for ( ;; ) {

        if (ngx_http_ratelimit_join_for(&process, zone, zones, cycle->log)
            != NGX_OK)
        {
            return;
        }

        rc = rl_zone_claim(&process, &zone->zone);

        rl_process_leave(&process);

        if (rc == RL_OK) {
            return;
        }

        if (ngx_http_ratelimit_complete_move(&shm_zone, old) != NGX_OK) {
            return;
        }

        ngx_http_ratelimit_expect(zone, old);
    }
}


void
ngx_http_ratelimit_free_kept(void *data)
{
    ngx_http_ratelimit_zone_t  *zone = data;

    if (zone->kept.addr) {
        ngx_shm_free(&zone->kept);
        zone->kept.addr = NULL;
    }
}


static uint64_t *
ngx_http_ratelimit_copy_worker_ids(ngx_cycle_t *cycle,
    ngx_http_ratelimit_zone_t *old)
{
    uint64_t    *ids;
    ngx_uint_t   n;

    for (n = 0; old->worker_ids[n]; n++) { /* void */ }

    ids = ngx_palloc(cycle->pool, (n + 1) * sizeof(uint64_t));

    if (ids) {
        ngx_memcpy(ids, old->worker_ids, (n + 1) * sizeof(uint64_t));
    }

    return ids;
}


static uint64_t *
ngx_http_ratelimit_workers(ngx_cycle_t *cycle)
{
    uint64_t   *ids;
    ngx_int_t   i;
    ngx_uint_t  n;

    ids = ngx_palloc(cycle->pool,
                       (ngx_last_process + 1) * sizeof(uint64_t));
    if (ids == NULL) {
        return NULL;
    }

    n = 0;

    for (i = 0; i < ngx_last_process; i++) {

        /* others do not decide, and a new binary has memory of its own */

        if (ngx_processes[i].pid == -1
            || ngx_processes[i].name == NULL
            || ngx_strcmp(ngx_processes[i].name, "worker process") != 0)
        {
            continue;
        }

        ids[n] = rl_process_id_of(ngx_processes[i].pid);

        if (ids[n]) {
            n++;
        }
    }

    ids[n] = 0;

    return ids;
}
