
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * A key that a request names, read as the policy's own sources would make it.
 * Where that may be more than one key, looking shows all of them, and writing
 * changes none.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "key/ngx_http_ratelimit_key.h"
#include "key/ngx_http_ratelimit_part.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "request/ngx_http_ratelimit_log.h"
#include "api/ngx_http_ratelimit_api.h"
#include "api/ngx_http_ratelimit_api_reading.h"


/* a part of a key, as one of its sources makes it */

typedef struct {
    rl_hash_prefix_t            *hash_prefix;
    ngx_str_t                    prefix;     /* "tag:", or empty */
    rl_str_t                     text;
} ngx_http_ratelimit_api_reading_t;


/* more keys than this are not looked at for one request */

#define NGX_HTTP_RATELIMIT_API_MAX_MEANT  16


static ngx_int_t ngx_http_ratelimit_api_read_part(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_part_t *part,
    rl_str_t *text, ngx_array_t *readings);
static ngx_int_t ngx_http_ratelimit_api_add_reading(ngx_array_t *readings,
    ngx_http_ratelimit_api_reading_t *reading);
static ngx_uint_t ngx_http_ratelimit_api_has_tag(rl_str_t *text,
    ngx_str_t *prefix);
static ngx_int_t ngx_http_ratelimit_api_add_meant(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy,
    ngx_array_t *readings, ngx_uint_t which, ngx_array_t *meant);


ngx_int_t
ngx_http_ratelimit_api_check_parts(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy)
{
    rl_str_t    *keys;
    ngx_uint_t   i, n;

    n = call->args.keys.nelts;

    if (call->args.id.data) {
        if (n == 0) {
            return NGX_OK;
        }

        return ngx_http_ratelimit_api_problem(call, NGX_HTTP_BAD_REQUEST,
                                              "\"id=\" and \"key=\" exclude "
                                              "each other");
    }

    if (n != policy->partition->parts.nelts) {
        return ngx_http_ratelimit_api_problem(call, NGX_HTTP_BAD_REQUEST,
                                              "policy \"%V\" needs \"id=\" or "
                                              "%ui times \"key=\", not %ui",
                                              &policy->name,
                                              policy->partition->parts.nelts,
                                              n);
    }

    keys = call->args.keys.elts;

    for (i = 0; i < n; i++) {
        if (keys[i].len == 0) {
            return ngx_http_ratelimit_api_problem(call, NGX_HTTP_BAD_REQUEST,
                                                  "an empty key is never "
                                                  "counted");
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ratelimit_api_read_keys(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy, ngx_array_t *meant)
{
    rl_str_t                   *keys;
    ngx_uint_t                  i, n;
    ngx_array_t                *readings;
    ngx_http_ratelimit_part_t  *parts;

    keys = call->args.keys.elts;
    parts = policy->partition->parts.elts;

    readings = ngx_palloc(call->request->pool,
                          call->args.keys.nelts * sizeof(ngx_array_t));
    if (readings == NULL) {
        return NGX_ERROR;
    }

    for (i = 0, n = 1; i < call->args.keys.nelts; i++) {
        if (ngx_http_ratelimit_api_read_part(call, &parts[i], &keys[i],
                                             &readings[i])
            != NGX_OK)
        {
            return NGX_DECLINED;
        }

        n *= readings[i].nelts;

        if (n > NGX_HTTP_RATELIMIT_API_MAX_MEANT) {
            return ngx_http_ratelimit_api_problem(call, NGX_HTTP_BAD_REQUEST,
                                                  "too many keys could be "
                                                  "meant, write their tags");
        }
    }

    for (i = 0; i < n; i++) {
        if (ngx_http_ratelimit_api_add_meant(call, policy, readings, i, meant)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* with a tag of the key's own in front, only as that says */

static ngx_int_t
ngx_http_ratelimit_api_read_part(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_part_t *part, rl_str_t *text, ngx_array_t *readings)
{
    u_char                            *buf;
    rl_str_t                           rest;
    ngx_uint_t                         i, tagged;
    ngx_http_ratelimit_source_t       *source;
    ngx_http_ratelimit_api_reading_t   reading;

    if (ngx_array_init(readings, call->request->pool, 2, sizeof(reading))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memzero(&reading, sizeof(reading));

    if (part->key == NULL) {
        reading.hash_prefix = part->prefixes;
        reading.text = *text;
        return ngx_http_ratelimit_api_add_reading(readings, &reading);
    }

    source = part->key->sources.elts;

    for (i = 0, tagged = 0; i < part->key->sources.nelts; i++) {
        tagged |= ngx_http_ratelimit_api_has_tag(text, &source[i].prefix);
    }

    for (i = 0; i < part->key->sources.nelts; i++) {

        rest = *text;

        if (tagged) {
            if (!ngx_http_ratelimit_api_has_tag(text, &source[i].prefix)) {
                continue;
            }

            rest.data += source[i].prefix.len;
            rest.len -= source[i].prefix.len;
        }

        buf = ngx_pnalloc(call->request->pool, RL_ADDR_TEXT_LEN);
        if (buf == NULL) {
            return NGX_ERROR;
        }

        if (!rl_key_written(rest, &source[i].core, buf, &reading.text)) {
            continue;
        }

        reading.hash_prefix = part->prefixes ? &part->prefixes[i] : NULL;
        reading.prefix = source[i].prefix;

        if (ngx_http_ratelimit_api_add_reading(readings, &reading) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (readings->nelts) {
        return NGX_OK;
    }

    return ngx_http_ratelimit_api_problem(call, NGX_HTTP_BAD_REQUEST,
               "no source of \"%V\" yields such a value",
               ngx_http_ratelimit_value_text(part->value));
}


/* once: sources of one tag mean the same key */

static ngx_int_t
ngx_http_ratelimit_api_add_reading(ngx_array_t *readings,
    ngx_http_ratelimit_api_reading_t *reading)
{
    ngx_uint_t                         i;
    ngx_http_ratelimit_api_reading_t  *other;

    /* memcpy() and memcmp() must not be given NULL, not even of no bytes */

    if (reading->prefix.len == 0) {
        ngx_str_set(&reading->prefix, "");
    }

    if (reading->text.len == 0) {
        ngx_str_set(&reading->text, "");
    }

    other = readings->elts;

    for (i = 0; i < readings->nelts; i++) {
        if (other[i].prefix.len == reading->prefix.len
            && other[i].text.len == reading->text.len
            && ngx_memcmp(other[i].prefix.data, reading->prefix.data,
                          reading->prefix.len)
               == 0
            && ngx_memcmp(other[i].text.data, reading->text.data,
                          reading->text.len)
               == 0)
        {
            return NGX_OK;
        }
    }

    other = ngx_array_push(readings);
    if (other == NULL) {
        return NGX_ERROR;
    }

    *other = *reading;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_ratelimit_api_has_tag(rl_str_t *text, ngx_str_t *prefix)
{
    return prefix->len
           && text->len > prefix->len
           && ngx_memcmp(text->data, prefix->data, prefix->len) == 0;
}


/* which of all combinations of the parts' readings */

static ngx_int_t
ngx_http_ratelimit_api_add_meant(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy, ngx_array_t *readings,
    ngx_uint_t which, ngx_array_t *meant)
{
    u_char                            *p;
    rl_str_t                          *texts;
    rl_part_t                          part;
    rl_hash_t                          hash;
    ngx_str_t                          tag;
    ngx_uint_t                         i, n;
    ngx_http_ratelimit_api_meant_t    *key;
    ngx_http_ratelimit_api_reading_t  *reading;

    n = policy->partition->parts.nelts;

    key = ngx_array_push(meant);
    texts = ngx_palloc(call->request->pool, n * sizeof(rl_str_t));

    if (key == NULL || texts == NULL) {
        return NGX_ERROR;
    }

    key->tags = json_array();

    for (i = 0; i < n; i++) {
        reading = readings[i].elts;
        reading += which % readings[i].nelts;
        which /= readings[i].nelts;

        tag = reading->prefix;
        tag.len -= tag.len ? 1 : 0;

        json_array_append_new(key->tags, tag.len
                              ? ngx_http_ratelimit_api_string(&tag)
                              : json_null());

        p = ngx_pnalloc(call->request->pool,
                        reading->prefix.len + reading->text.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        texts[i] = ngx_http_ratelimit_make_str(p, reading->prefix.len
                                                  + reading->text.len);
        p = ngx_cpymem(p, reading->prefix.data, reading->prefix.len);
        ngx_memcpy(p, reading->text.data, reading->text.len);

        part.hash_prefix = reading->hash_prefix;
        part.text = reading->text;
    }

    if (n == 1) {
        rl_part_hash(&part, &hash);

    } else {
        rl_key_hash(policy->core.zone, texts, n, &hash);
    }

    key->bucket.lo = hash.lo ^ policy->core.secret.lo;
    key->bucket.hi = hash.hi ^ policy->core.secret.hi;

    return NGX_OK;
}
