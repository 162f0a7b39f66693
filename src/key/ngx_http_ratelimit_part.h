
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What partitions a policy: the parts of its key.
 */


#ifndef _NGX_HTTP_RATELIMIT_PART_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_PART_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "conf/ngx_http_ratelimit_value.h"
#include "key/ngx_http_ratelimit_scratch.h"


/* one "key=": a variable of "ratelimit_key", or any value */

typedef struct {
    ngx_http_ratelimit_value_t  *value;
    rl_str_t                     plain_arg;  /* its key's first source is an
                                                argument of a plain name, */
    ngx_uint_t                   bearer;     /* unsigned  bearer:1;  or that */
    ngx_http_ratelimit_key_t    *key;        /* that defines it, or NULL */
    rl_hash_prefix_t            *prefixes;   /* one for each of its sources;
                                                keys of one part have them */
} ngx_http_ratelimit_part_t;


ngx_int_t ngx_http_ratelimit_compile_part(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_ratelimit_part_t *part);
void ngx_http_ratelimit_bind_part(ngx_conf_t *cf,
    ngx_http_ratelimit_part_t *part);
ngx_int_t ngx_http_ratelimit_part_starts(ngx_cycle_t *cycle, rl_zone_t *zone,
    ngx_http_ratelimit_part_t *part);

/* as a text; of several parts each is hashed after its length */

ngx_int_t ngx_http_ratelimit_part_text(ngx_http_request_t *r,
    ngx_http_ratelimit_part_t *part, ngx_str_t *out);

/* the hash of a key of several; NGX_DECLINED: one of them is empty */

ngx_int_t ngx_http_ratelimit_parts_hash(ngx_http_request_t *r,
    ngx_array_t *parts, const rl_zone_t *zone, rl_hash_t *hash);

ngx_int_t ngx_http_ratelimit_any_part(ngx_http_request_t *r,
    ngx_http_ratelimit_part_t *part, ngx_http_ratelimit_scratch_t *scratch,
    rl_part_t *out);

/*
 * As the core wants a key's only part: a tag and what the source yields are
 * not put together for its hash.  *out lives until the next call with this
 * scratch.  NGX_DECLINED: it is empty.
 */

static ngx_inline ngx_int_t
ngx_http_ratelimit_get_part(ngx_http_request_t *r,
    ngx_http_ratelimit_part_t *part, ngx_http_ratelimit_scratch_t *scratch,
    rl_part_t *out)
{
    out->hash_prefix = part->prefixes;

    if (part->value->arg.len) {
        return rl_key_raw_arg(ngx_http_ratelimit_str(&r->args),
                              ngx_http_ratelimit_str(&part->value->arg),
                              &out->text)
               ? NGX_OK : NGX_DECLINED;
    }

    if (part->plain_arg.len
        && rl_key_plain_arg(ngx_http_ratelimit_str(&r->args),
                            part->plain_arg, &out->text))
    {
        return NGX_OK;
    }

    if (part->bearer
        && r->headers_in.authorization
        && rl_key_bearer(ngx_http_ratelimit_str(
                                        &r->headers_in.authorization->value),
                         &out->text))
    {
        return NGX_OK;
    }

    return ngx_http_ratelimit_any_part(r, part, scratch, out);
}


#endif /* _NGX_HTTP_RATELIMIT_PART_H_INCLUDED_ */
