
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What all workers have seen of a Redis: memory that outlives reloads.
 */


#include "ngx_http_ratelimit.h"
#include "shared/ngx_http_ratelimit_lease.h"
#include "shared/ngx_http_ratelimit_redis.h"

#include <sys/random.h>


static ngx_int_t ngx_http_ratelimit_redis_init_segment(
    ngx_shm_zone_t *shm_zone, void *data);


char *
ngx_http_ratelimit_redis_segment(ngx_conf_t *cf,
    ngx_http_ratelimit_redis_t *redis)
{
    u_char     *p;
    ngx_str_t   name;

    name.len = sizeof("ngx_http_ratelimit_redis_") - 1 + redis->identity.len;
    name.data = ngx_pnalloc(cf->pool, name.len);
    if (name.data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_cpymem(name.data, "ngx_http_ratelimit_redis_",
                   sizeof("ngx_http_ratelimit_redis_") - 1);
    ngx_memcpy(p, redis->identity.data, redis->identity.len);

    redis->shm_zone = ngx_shared_memory_add(cf, &name, 16 * ngx_pagesize,
                                            &ngx_http_ratelimit_module);
    if (redis->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    redis->shm_zone->init = ngx_http_ratelimit_redis_init_segment;
    redis->shm_zone->data = redis;

    return ngx_http_ratelimit_add_wake(cf, redis) == NGX_OK ? NGX_CONF_OK
                                                            : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_ratelimit_redis_init_segment(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_slab_pool_t             *shpool;
    ngx_http_ratelimit_redis_t  *redis, *old;

    redis = shm_zone->data;
    old = data;

    if (ngx_http_ratelimit_open_wake(redis, old) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, ngx_errno,
                      "ratelimit: eventfd() failed");
        return NGX_ERROR;
    }

    if (old) {
        redis->stats = old->stats;
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shm_zone->shm.exists) {
        redis->stats = shpool->data;
        return NGX_OK;
    }

    redis->stats = ngx_slab_calloc(shpool,
                                   sizeof(ngx_http_ratelimit_redis_stats_t));
    if (redis->stats == NULL) {
        return NGX_ERROR;
    }

    shpool->data = redis->stats;
    redis->stats->machines = 1;

    return getrandom(redis->stats->machine, sizeof(redis->stats->machine), 0)
           == sizeof(redis->stats->machine) ? NGX_OK : NGX_ERROR;
}
