
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What a machine knows of the overrides of a zone that it shares with others.
 * Those in force stand in the zone's own memory as well, where requests read
 * them as any other zone's.
 *
 * A worker that is killed while it changes them has its mutex unlocked by
 * nginx.  What is known is written aside and only then in use, after the zone
 * has it: so whoever comes next does again what that one may not have done.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "shared/ngx_http_ratelimit_link.h"
#include "shared/ngx_http_ratelimit_overrides.h"


/* between two looks for what is new, in ms */

#define NGX_HTTP_RATELIMIT_LOOK_EVERY  1000

#define NGX_HTTP_RATELIMIT_KNOWN_LEN      (16 * 1024)
#define NGX_HTTP_RATELIMIT_LOCK_ATTEMPTS  100


typedef struct {
    size_t                       size;       /* of this; tells versions */
    ngx_atomic_t                 next_look;  /* as ngx_current_msec */
    ngx_uint_t                   current;    /* of known */
    rl_shared_overrides_t        known[2];
} ngx_http_ratelimit_known_t;


static ngx_int_t ngx_http_ratelimit_init_overrides(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_http_ratelimit_known_t *ngx_http_ratelimit_lock_known(
    ngx_http_ratelimit_zone_t *zone);
static void ngx_http_ratelimit_unlock_known(ngx_http_ratelimit_zone_t *zone);
static ngx_int_t ngx_http_ratelimit_change_override(
    ngx_http_ratelimit_exchange_t *exchange, rl_override_t *override,
    ngx_uint_t tell);
static ngx_int_t ngx_http_ratelimit_take_override(
    ngx_http_ratelimit_exchange_t *exchange, rl_override_t *override);
static ngx_int_t ngx_http_ratelimit_take_reset(
    ngx_http_ratelimit_exchange_t *exchange, rl_override_t *override);
static void ngx_http_ratelimit_tell_override(ngx_http_ratelimit_zone_t *zone,
    rl_override_t *override, uint64_t server_ms, ngx_int_t rc);
static u_char *ngx_http_ratelimit_override_target(u_char *p, u_char *last,
    ngx_http_ratelimit_zone_t *zone, rl_override_t *override);
static u_char *ngx_http_ratelimit_override_value(u_char *p, u_char *last,
    rl_override_t *override, uint64_t server_ms);


ngx_int_t
ngx_http_ratelimit_add_overrides(ngx_conf_t *cf, ngx_shm_zone_t *shm_zone)
{
    u_char                     *p;
    size_t                      prefix;
    ngx_str_t                   name;
    ngx_http_ratelimit_zone_t  *zone;

    zone = shm_zone->data;
    prefix = sizeof("ngx_http_ratelimit_overrides_") - 1;

    name.len = prefix + zone->name.len + 1 + zone->redis_name.len;
    name.data = ngx_pnalloc(cf->pool, name.len);
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(name.data, "ngx_http_ratelimit_overrides_", prefix);
    ngx_sprintf(p, "%V@%V", &zone->name, &zone->redis_name);

    zone->overrides = ngx_shared_memory_add(cf, &name,
                                            ngx_align(8 * ngx_pagesize
                                                + NGX_HTTP_RATELIMIT_KNOWN_LEN,
                                                ngx_pagesize),
                                            &ngx_http_ratelimit_module);
    if (zone->overrides == NULL) {
        return NGX_ERROR;
    }

    zone->overrides->init = ngx_http_ratelimit_init_overrides;
    zone->overrides->data = zone;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_init_overrides(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_slab_pool_t             *shpool;
    ngx_http_ratelimit_known_t  *known;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (data == NULL && !shm_zone->shm.exists) {
        shpool->data = ngx_slab_calloc(shpool,
                                       sizeof(ngx_http_ratelimit_known_t));
        if (shpool->data == NULL) {
            return NGX_ERROR;
        }

        known = shpool->data;
        known->size = sizeof(ngx_http_ratelimit_known_t);

        return NGX_OK;
    }

    known = shpool->data;

    if (known->size != sizeof(ngx_http_ratelimit_known_t)) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "ratelimit: the overrides of zone \"%V\" are of another "
                      "version of the module, restart nginx instead of "
                      "reloading",
                      &((ngx_http_ratelimit_zone_t *) shm_zone->data)->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* NULL: a worker that has it stands still */

static ngx_http_ratelimit_known_t *
ngx_http_ratelimit_lock_known(ngx_http_ratelimit_zone_t *zone)
{
    ngx_uint_t        i;
    ngx_slab_pool_t  *shpool;

    shpool = (ngx_slab_pool_t *) zone->overrides->shm.addr;

    for (i = 0; i < NGX_HTTP_RATELIMIT_LOCK_ATTEMPTS; i++) {
        if (ngx_shmtx_trylock(&shpool->mutex)) {
            return shpool->data;
        }

        ngx_sched_yield();
    }

    return NULL;
}


static void
ngx_http_ratelimit_unlock_known(ngx_http_ratelimit_zone_t *zone)
{
    ngx_slab_pool_t  *shpool;

    shpool = (ngx_slab_pool_t *) zone->overrides->shm.addr;

    ngx_shmtx_unlock(&shpool->mutex);
}


ngx_uint_t
ngx_http_ratelimit_overrides_due(ngx_http_ratelimit_zone_t *zone)
{
    ngx_atomic_uint_t            due;
    ngx_http_ratelimit_known_t  *known;

    known = ((ngx_slab_pool_t *) zone->overrides->shm.addr)->data;
    due = known->next_look;

    return (ngx_msec_int_t) (ngx_current_msec - due) >= 0
           && ngx_atomic_cmp_set(&known->next_look, due,
                                 ngx_current_msec
                                 + NGX_HTTP_RATELIMIT_LOOK_EVERY);
}


ngx_int_t
ngx_http_ratelimit_merge_overrides(ngx_http_ratelimit_exchange_t *exchange)
{
    int                          more;
    ngx_http_ratelimit_known_t  *known;

    known = ngx_http_ratelimit_lock_known(exchange->zone);

    if (known == NULL) {
        return NGX_AGAIN;
    }

    more = rl_shared_overrides_merge(&known->known[known->current],
                                     &exchange->overrides,
                                     exchange->server_ms,
                                     &exchange->overrides);

    ngx_http_ratelimit_unlock_known(exchange->zone);

    return more ? NGX_DECLINED : NGX_OK;
}


ngx_int_t
ngx_http_ratelimit_take_overrides(ngx_http_ratelimit_exchange_t *exchange,
    ngx_uint_t tell)
{
    size_t                          i, n;
    ngx_int_t                       rc;
    rl_override_t                   changes[RL_SHARED_CHANGES];
    rl_shared_overrides_t          *from, *to;
    ngx_http_ratelimit_known_t     *known;
    ngx_http_ratelimit_main_conf_t *rmcf;

    rmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_ratelimit_module);

    if (ngx_http_ratelimit_process(rmcf) == NULL) {
        return NGX_AGAIN;
    }

    known = ngx_http_ratelimit_lock_known(exchange->zone);

    if (known == NULL) {
        return NGX_AGAIN;
    }

    rc = NGX_OK;

    from = &known->known[known->current];
    to = &known->known[1 - known->current];

    /* another worker may have taken later ones meanwhile */

    (void) rl_shared_overrides_merge(from, &exchange->overrides,
                                     exchange->server_ms, to);

    n = rl_shared_overrides_changes(from, to, changes);

    for (i = 0; i < n && rc == NGX_OK; i++) {
        rc = ngx_http_ratelimit_change_override(exchange, &changes[i], tell);
    }

    if (rc == NGX_OK) {
        ngx_memory_barrier();
        known->current = 1 - known->current;
    }

    ngx_http_ratelimit_unlock_known(exchange->zone);

    return rc;
}


static ngx_int_t
ngx_http_ratelimit_change_override(ngx_http_ratelimit_exchange_t *exchange,
    rl_override_t *override, ngx_uint_t tell)
{
    ngx_int_t  rc;

    rc = override->kind == RL_OVERRIDE_KEY_RESET
         ? ngx_http_ratelimit_take_reset(exchange, override)
         : ngx_http_ratelimit_take_override(exchange, override);

    if (rc == NGX_ERROR || (rc == NGX_OK && tell)) {
        ngx_http_ratelimit_tell_override(exchange->zone, override,
                                         exchange->server_ms, rc);
    }

    return rc == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
}


/* NGX_DECLINED: it was like that already; NGX_ERROR: there is no room */

static ngx_int_t
ngx_http_ratelimit_take_override(ngx_http_ratelimit_exchange_t *exchange,
    rl_override_t *override)
{
    int             rc;
    uint64_t        server_ms;
    rl_time_t       now;
    rl_zone_t      *zone;
    rl_process_t   *process;
    rl_override_t   local;

    process = &ngx_http_ratelimit_this_process;
    zone = &exchange->zone->zone;
    server_ms = exchange->server_ms;
    local = *override;

    ngx_http_ratelimit_now(&now);

    if (local.kind == RL_OVERRIDE_CLEARED
        || (local.until_ms && local.until_ms <= server_ms))
    {
        rc = rl_override_clear(process, zone, local.id);

        return rc == RL_TIMEOUT ? NGX_AGAIN
                                : rc == RL_OK ? NGX_OK : NGX_DECLINED;
    }

    if (local.until_ms) {
        local.until_ms = now.mono_ms + (local.until_ms - server_ms);
    }

    /* what is charged here while Redis is away was charged before, so far */

    if (local.kind == RL_OVERRIDE_RESET) {
        local.key_id = now.mono_ms + 1;
        ngx_memzero(local.policy, sizeof(local.policy));
    }

    rc = rl_override_set(process, zone, &local, &now);

    return rc == RL_TIMEOUT ? NGX_AGAIN : rc == RL_OK ? NGX_OK : NGX_ERROR;
}


/* what Redis counted is off, so is what counts where it is away */

static ngx_int_t
ngx_http_ratelimit_take_reset(ngx_http_ratelimit_exchange_t *exchange,
    rl_override_t *override)
{
    rl_time_t                   now;
    ngx_http_ratelimit_zone_t  *zone;

    zone = exchange->zone;

    ngx_http_ratelimit_now(&now);

    if (rl_leases_reset(zone->leases, override, exchange->server_ms,
                        exchange->asked_us, ngx_http_ratelimit_now_us())
        != RL_OK
        || rl_reset(&ngx_http_ratelimit_this_process, &zone->zone,
                    rl_shared_reset_bucket(override), &now)
           == RL_ERROR)
    {
        return NGX_AGAIN;
    }

    return NGX_OK;
}


/* what Redis has may be anything, but a line of the log */

static void
ngx_http_ratelimit_tell_override(ngx_http_ratelimit_zone_t *zone,
    rl_override_t *override, uint64_t server_ms, ngx_int_t rc)
{
    u_char      *p, *last, *s, text[512];
    ngx_uint_t   resets;

    last = text + sizeof(text);
    resets = override->kind == RL_OVERRIDE_KEY_RESET
             || override->kind == RL_OVERRIDE_RESET;

    p = ngx_http_ratelimit_override_target(text, last, zone, override);
    p = ngx_http_ratelimit_override_value(p, last, override, server_ms);

    for (s = text; s < p; s++) {
        if (*s < 0x20 || *s >= 0x7f) {
            *s = '?';
        }
    }

    if (rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "ratelimit: no room for %s%*s, as redis \"%V\" says",
                      resets ? "" : "the override of ", (size_t) (p - text),
                      text, &zone->redis->name);
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "ratelimit: %s%*s, as redis \"%V\" says",
                  resets ? "" : "override of ", (size_t) (p - text), text,
                  &zone->redis->name);
}


static u_char *
ngx_http_ratelimit_override_target(u_char *p, u_char *last,
    ngx_http_ratelimit_zone_t *zone, rl_override_t *override)
{
    u_char     id[16];
    ngx_str_t  policy;

    if (override->id == RL_OVERRIDE_ZONE) {
        return ngx_slprintf(p, last, "zone \"%V\"", &zone->name);
    }

    if (override->key_id) {
        rl_render_key_id(override->key_id, id);
        p = ngx_slprintf(p, last, "key %*s of ", sizeof(id), id);
    }

    if (override->kind == RL_OVERRIDE_KEY_RESET) {
        return ngx_slprintf(p, last, "zone \"%V\"", &zone->name);
    }

    policy.data = (u_char *) override->policy;
    policy.len = strnlen(override->policy, sizeof(override->policy));

    if (override->kind == RL_OVERRIDE_RESET) {
        p = ngx_slprintf(p, last, "all keys of ");
    }

    return ngx_slprintf(p, last, "policy \"%V\"", &policy);
}


static u_char *
ngx_http_ratelimit_override_value(u_char *p, u_char *last,
    rl_override_t *override, uint64_t server_ms)
{
    switch (override->kind) {

    case RL_OVERRIDE_SCALE:
        p = ngx_slprintf(p, last, " set to %.3f%%",
                         (double) override->value / 1000);
        break;

    case RL_OVERRIDE_UNITS:
        p = ngx_slprintf(p, last, " set to %uL", override->value);
        break;

    case RL_OVERRIDE_UNLIMITED:
        p = ngx_slprintf(p, last, " set to unlimited");
        break;

    case RL_OVERRIDE_RESET:
    case RL_OVERRIDE_KEY_RESET:
        return ngx_slprintf(p, last, " reset");

    default: /* RL_OVERRIDE_CLEARED */
        return ngx_slprintf(p, last, " cleared");
    }

    if (override->until_ms > server_ms) {
        p = ngx_slprintf(p, last, " for %uLs",
                         (override->until_ms - server_ms + 500) / 1000);
    }

    return p;
}
