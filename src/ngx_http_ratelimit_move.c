
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Zones whose size changes in a reload.  The workers of the configuration
 * before have no way to the new memory: the old memory goes on being the zone
 * until the last of them has gone, then the new workers move its buckets.
 */


#include "ngx_http_ratelimit_module.h"


/* how often the workers look whether those before have gone */

#define NGX_HTTP_RATELIMIT_MOVE_INTERVAL  100

/* at a turn of the event loop: some 2,000 buckets, below a millisecond */

#define NGX_HTTP_RATELIMIT_MOVE_SETS      64


static ngx_int_t ngx_http_ratelimit_complete_move(ngx_shm_zone_t *shm_zone,
    ngx_http_ratelimit_zone_t *old);
static uint64_t *ngx_http_ratelimit_children(ngx_cycle_t *cycle);
static void ngx_http_ratelimit_move_turn(ngx_event_t *ev);
static ngx_uint_t ngx_http_ratelimit_have_gone(uint64_t *lives);


/* a zone of another size than that of the running configuration */

ngx_int_t
ngx_http_ratelimit_succeed_zone(ngx_shm_zone_t *shm_zone, ngx_shm_zone_t *old)
{
    ngx_http_ratelimit_zone_t  *zone, *old_zone;

    zone = shm_zone->data;
    old_zone = old->data;

    if (ngx_http_ratelimit_complete_move(shm_zone, old_zone) != NGX_OK) {
        return NGX_ERROR;
    }

    zone->next = zone->zone;
    zone->zone = old_zone->zone;

    rl_zone_succeed(&zone->zone, &zone->next, &zone->older);

    return NGX_OK;
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
        zone->zone = old->zone;

        rl_zone_expect(&zone->zone, &zone->next, &zone->older);
    }

    return NGX_OK;
}


/* what has begun to move must have moved before another configuration comes */

static ngx_int_t
ngx_http_ratelimit_complete_move(ngx_shm_zone_t *shm_zone,
    ngx_http_ratelimit_zone_t *old)
{
    size_t         size;
    rl_zone_t     *zones[1];
    rl_time_t      now;
    ngx_uint_t     left;
    rl_process_t   process;

    if (old->zone.next == NULL) {
        return NGX_OK;
    }

    ngx_memzero(&process, sizeof(rl_process_t));
    zones[0] = &old->zone;

    if (rl_process_join(&process,
                        ngx_http_ratelimit_memory(old->registry, &size),
                        zones, 1)
        != RL_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "ratelimit: zone \"%V\" cannot be moved, too many "
                      "worker processes", &old->name);
        return NGX_ERROR;
    }

    ngx_http_ratelimit_now(&now);

    left = rl_zone_move(&process, &old->zone, NGX_MAX_UINT32_VALUE, &now);

    rl_process_leave(&process);

    if (left) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "ratelimit: zone \"%V\" cannot be moved, a stopped "
                      "process holds a part of it", &old->name);
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
    ngx_uint_t                  n;
    ngx_shm_zone_t             *old;
    ngx_http_ratelimit_zone_t  *zone, *old_zone;

    zone = shm_zone->data;

    if (zone->zone.next == NULL) {
        return NGX_OK;
    }

    old = ngx_http_ratelimit_old_zone(shm_zone);
    old_zone = old->data;

    if (old_zone->zone.next == NULL) {
        zone->kept = old->shm;

        old->shm.size = ngx_pagesize;

        if (ngx_shm_alloc(&old->shm) != NGX_OK) {
            return NGX_ERROR;
        }

    } else {
        zone->kept = old_zone->kept;
        old_zone->kept.addr = NULL;
    }

    if (old->shm.size != shm_zone->shm.size) {
        zone->lives = ngx_http_ratelimit_children(cycle);
        return zone->lives ? NGX_OK : NGX_ERROR;
    }

    /* the workers of the configuration before know of the new memory */

    for (n = 0; old_zone->lives[n]; n++) { /* void */ }

    zone->lives = ngx_palloc(cycle->pool, (n + 1) * sizeof(uint64_t));
    if (zone->lives == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(zone->lives, old_zone->lives, (n + 1) * sizeof(uint64_t));

    return NGX_OK;
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
ngx_http_ratelimit_children(ngx_cycle_t *cycle)
{
    uint64_t   *lives;
    ngx_int_t   i;
    ngx_uint_t  n;

    lives = ngx_palloc(cycle->pool,
                       (ngx_last_process + 1) * sizeof(uint64_t));
    if (lives == NULL) {
        return NULL;
    }

    n = 0;

    for (i = 0; i < ngx_last_process; i++) {

        /* a new binary has memory of its own */

        if (ngx_processes[i].pid == -1 || ngx_processes[i].detached) {
            continue;
        }

        lives[n] = rl_life_of(ngx_processes[i].pid);

        if (lives[n]) {
            n++;
        }
    }

    lives[n] = 0;

    return lives;
}


/* every worker moves a part, so that one that dies is not missed */

void
ngx_http_ratelimit_await_move(ngx_cycle_t *cycle, ngx_shm_zone_t *shm_zone)
{
    ngx_http_ratelimit_zone_t  *zone;

    zone = shm_zone->data;

    if (zone->zone.next == NULL) {
        return;
    }

    zone->event.handler = ngx_http_ratelimit_move_turn;
    zone->event.data = shm_zone;
    zone->event.log = cycle->log;
    zone->event.cancelable = 1;

    ngx_add_timer(&zone->event, NGX_HTTP_RATELIMIT_MOVE_INTERVAL);
}


static void
ngx_http_ratelimit_move_turn(ngx_event_t *ev)
{
    rl_time_t                        now;
    rl_process_t                    *process;
    ngx_shm_zone_t                  *shm_zone;
    ngx_http_ratelimit_zone_t       *zone;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    shm_zone = ev->data;
    zone = shm_zone->data;

    if (ngx_exiting || ngx_quit || ngx_terminate) {
        return;
    }

    if (zone->zone.next && !ngx_http_ratelimit_have_gone(zone->lives)) {
        ngx_add_timer(ev, NGX_HTTP_RATELIMIT_MOVE_INTERVAL);
        return;
    }

    rmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_ratelimit_module);
    process = ngx_http_ratelimit_process(rmcf);

    ngx_http_ratelimit_now(&now);

    if (rl_zone_begin_move(&zone->zone, &now) == RL_OK) {
        ngx_log_error(NGX_LOG_NOTICE, ev->log, 0,
                      "ratelimit: zone \"%V\" moves to %uz bytes",
                      &zone->name, shm_zone->shm.size);
    }

    if (process == NULL
        || rl_zone_move(process, &zone->zone, NGX_HTTP_RATELIMIT_MOVE_SETS,
                        &now))
    {
        ngx_add_timer(ev, 1);
    }
}


static ngx_uint_t
ngx_http_ratelimit_have_gone(uint64_t *lives)
{
    for ( /* void */ ; *lives; lives++) {
        if (!rl_life_is_over(*lives)) {
            return 0;
        }
    }

    return 1;
}
