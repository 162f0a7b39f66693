
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The rows of a zone's buckets in Redis: memory beside the zone's own, which
 * outlives reloads.  A zone of another size begins with new rows; those that
 * its old workers use are given back when they end.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_shm.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "shared/ngx_http_ratelimit_redis.h"

#include <sys/random.h>


#define NGX_HTTP_RATELIMIT_BUCKET_LEN  64


static ngx_int_t ngx_http_ratelimit_init_rows(ngx_shm_zone_t *shm_zone,
    void *data);


/* a row for each bucket that the zone has room for */

ngx_int_t
ngx_http_ratelimit_add_rows(ngx_conf_t *cf, ngx_shm_zone_t *shm_zone)
{
    u_char                     *p;
    size_t                      size, prefix;
    ngx_str_t                   name, *redis;
    ngx_http_ratelimit_zone_t  *zone;

    zone = shm_zone->data;
    redis = &zone->redis->identity;
    prefix = sizeof("ngx_http_ratelimit_rows_") - 1;

    /* those of another Redis are others */

    name.len = prefix + zone->name.len + 1 + redis->len;
    name.data = ngx_pnalloc(cf->pool, name.len);
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(name.data, "ngx_http_ratelimit_rows_", prefix);
    ngx_sprintf(p, "%V@%V", &zone->name, redis);

    size = rl_rows_size((uint32_t) ngx_min(shm_zone->shm.size
                                           / NGX_HTTP_RATELIMIT_BUCKET_LEN,
                                           UINT32_MAX / 2));
    size = ngx_align(size + ngx_pagesize, ngx_pagesize);

    zone->rows = ngx_shared_memory_add(cf, &name, size,
                                       &ngx_http_ratelimit_module);
    if (zone->rows == NULL) {
        return NGX_ERROR;
    }

    zone->rows->init = ngx_http_ratelimit_init_rows;
    zone->rows->data = zone;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_init_rows(ngx_shm_zone_t *shm_zone, void *data)
{
    void      *memory;
    size_t     size;
    uint64_t   id;

    memory = ngx_http_ratelimit_memory(shm_zone, &size);

    if (data == NULL && !shm_zone->shm.exists) {

        if (getrandom(&id, sizeof(id), 0) != sizeof(id)) {
            ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, ngx_errno,
                          "ratelimit: getrandom() failed");
            return NGX_ERROR;
        }

        rl_rows_create(memory, size, ngx_http_ratelimit_used_memory(shm_zone),
                       id);

        return NGX_OK;
    }

    if (rl_rows_attach(memory) != RL_OK) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "ratelimit: the rows of zone \"%V\" are of another "
                      "version of the module, restart nginx instead of "
                      "reloading",
                      &((ngx_http_ratelimit_zone_t *) shm_zone->data)->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}
