
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The parts of a key: what partitions a policy.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "conf/ngx_http_ratelimit_value.h"
#include "key/ngx_http_ratelimit_key.h"
#include "key/ngx_http_ratelimit_part.h"


ngx_int_t
ngx_http_ratelimit_compile_part(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_ratelimit_part_t *part)
{
    ngx_memzero(part, sizeof(ngx_http_ratelimit_part_t));

    return (ngx_http_ratelimit_compile_value(cf, text, &part->value)
            == NGX_CONF_OK)
           ? NGX_OK : NGX_ERROR;
}


/* a "ratelimit_key" may stand behind its use: looked for at the end */

void
ngx_http_ratelimit_bind_part(ngx_conf_t *cf, ngx_http_ratelimit_part_t *part)
{
    if (part->value->name.len) {
        part->key = ngx_http_ratelimit_find_key(cf, &part->value->name);
    }
}


/* before the first request, for keys of one part */

ngx_int_t
ngx_http_ratelimit_part_starts(ngx_cycle_t *cycle, rl_zone_t *zone,
    ngx_http_ratelimit_part_t *part)
{
    ngx_uint_t                    i, n;
    ngx_http_ratelimit_source_t  *source;

    source = part->key ? part->key->sources.elts : NULL;
    n = part->key ? part->key->sources.nelts : 1;

    part->prefixes = ngx_pcalloc(cycle->pool, n * sizeof(rl_hash_prefix_t));
    if (part->prefixes == NULL) {
        return NGX_ERROR;
    }

    if (source && !part->key->cgi && !part->key->lower) {

        if (source->core.kind == RL_SOURCE_ARG
            && rl_is_plain_arg(source->core.name))
        {
            part->plain_arg = source->core.name;
        }

        part->bearer = (source->core.kind == RL_SOURCE_BEARER);
    }

    for (i = 0; i < n; i++) {
        rl_hash_prefix(zone,
                       source ? ngx_http_ratelimit_str(&source[i].prefix)
                              : ngx_http_ratelimit_make_str(NULL, 0),
                       &part->prefixes[i]);
    }

    return NGX_OK;
}


/* as ngx_http_ratelimit_get_part(), of whatever it is */

ngx_int_t
ngx_http_ratelimit_any_part(ngx_http_request_t *r,
    ngx_http_ratelimit_part_t *part, ngx_http_ratelimit_scratch_t *scratch,
    rl_part_t *out)
{
    ngx_int_t   rc;
    ngx_str_t   s;
    ngx_uint_t  i;

    if (part->key) {
        rc = ngx_http_ratelimit_key_first(r, part->key, scratch, &i,
                                          &out->text);
        if (rc == NGX_OK) {
            out->hash_prefix = &part->prefixes[i];
        }

        return rc;
    }

    if (ngx_http_ratelimit_value(r, part->value, &s) != NGX_OK) {
        return NGX_ERROR;
    }

    out->text = ngx_http_ratelimit_str(&s);

    return s.len ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_ratelimit_part_text(ngx_http_request_t *r,
    ngx_http_ratelimit_part_t *part, ngx_str_t *out)
{
    return part->key ? ngx_http_ratelimit_key_text(r, part->key, out)
                     : ngx_http_ratelimit_value(r, part->value, out);
}


ngx_int_t
ngx_http_ratelimit_parts_hash(ngx_http_request_t *r, ngx_array_t *parts,
    const rl_zone_t *zone, rl_hash_t *hash)
{
    rl_str_t                   *texts;
    ngx_str_t                   value;
    ngx_uint_t                  i;
    ngx_http_ratelimit_part_t  *part;

    part = parts->elts;

    texts = ngx_palloc(r->pool, parts->nelts * sizeof(rl_str_t));
    if (texts == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < parts->nelts; i++) {

        if (ngx_http_ratelimit_part_text(r, &part[i], &value) != NGX_OK) {
            return NGX_ERROR;
        }

        if (value.len == 0) {
            return NGX_DECLINED;
        }

        texts[i] = ngx_http_ratelimit_str(&value);
    }

    rl_key_hash(zone, texts, i, hash);

    return NGX_OK;
}
