
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Which policy and which bucket a request means.  What is given as a key is
 * hashed at once, and kept or shown nowhere.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "key/ngx_http_ratelimit_key.h"
#include "key/ngx_http_ratelimit_part.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "request/ngx_http_ratelimit_log.h"
#include "api/ngx_http_ratelimit_api.h"
#include "api/ngx_http_ratelimit_api_reading.h"


static ngx_int_t ngx_http_ratelimit_api_check_known(
    ngx_http_ratelimit_api_call_t *call, ngx_http_ratelimit_policy_t *policy,
    uint64_t key);


ngx_int_t
ngx_http_ratelimit_api_find_policy(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t **policy)
{
    ngx_str_t  name;

    name = call->args.policy;

    if (name.data == NULL) {
        return ngx_http_ratelimit_api_problem(call, NGX_HTTP_BAD_REQUEST,
                                              "no \"policy=\"");
    }

    *policy = ngx_http_ratelimit_find_policy(call->conf, &name);

    if (*policy == NULL) {
        name.len = ngx_min(name.len, NGX_HTTP_RATELIMIT_MAX_SHOWN);

        return ngx_http_ratelimit_api_problem(call, NGX_HTTP_NOT_FOUND,
                                              "unknown policy \"%V\"", &name);
    }

    return NGX_OK;
}


/* from "key=", repeated as in the policy, or from the "id=" that logs show */

ngx_int_t
ngx_http_ratelimit_api_find_buckets(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy, ngx_array_t *meant)
{
    uint64_t                         id;
    ngx_http_ratelimit_api_meant_t  *key;

    if (ngx_array_init(meant, call->request->pool, 1,
                       sizeof(ngx_http_ratelimit_api_meant_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_ratelimit_api_check_parts(call, policy) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (call->args.id.data) {
        if (ngx_http_ratelimit_api_parse_id(call, &id) != NGX_OK) {
            return NGX_DECLINED;
        }

        key = ngx_array_push(meant);
        if (key == NULL) {
            return NGX_ERROR;
        }

        key->bucket.lo = rl_key_id(&policy->core, id);
        key->bucket.hi = 0;
        key->tags = NULL;

        return NGX_OK;
    }

    return ngx_http_ratelimit_api_read_keys(call, policy, meant);
}


/* of keys of which none is to be told by its tags */

void
ngx_http_ratelimit_api_free_tags(ngx_array_t *meant)
{
    ngx_uint_t                       i;
    ngx_http_ratelimit_api_meant_t  *key;

    key = meant->elts;

    for (i = 0; i < meant->nelts; i++) {
        json_decref(key[i].tags);
        key[i].tags = NULL;
    }
}


/* the one that is to be changed; an id must be of a key that is known */

ngx_int_t
ngx_http_ratelimit_api_find_bucket(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy, rl_hash_t *bucket)
{
    ngx_array_t                      meant;
    ngx_http_ratelimit_api_meant_t  *key;

    if (ngx_http_ratelimit_api_find_buckets(call, policy, &meant) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_http_ratelimit_api_free_tags(&meant);

    if (meant.nelts > 1) {
        return ngx_http_ratelimit_api_problem(call, NGX_HTTP_BAD_REQUEST,
                                              "%ui keys could be meant, write "
                                              "the tag, as in \"bearer:\"",
                                              meant.nelts);
    }

    key = meant.elts;
    *bucket = key->bucket;

    if (call->args.id.data) {
        return ngx_http_ratelimit_api_check_known(call, policy, bucket->lo);
    }

    return NGX_OK;
}


/* an id may be of another policy's key, or of none at all */

static ngx_int_t
ngx_http_ratelimit_api_check_known(ngx_http_ratelimit_api_call_t *call,
    ngx_http_ratelimit_policy_t *policy, uint64_t key)
{
    int            rc, banned;
    size_t         i, n;
    uint64_t       until_ms;
    rl_bucket_t    stored;
    rl_process_t  *process;
    rl_top_key_t   top;
    rl_override_t  overrides[RL_MAX_OVERRIDES];

    process = ngx_http_ratelimit_process(call->conf);

    if (process == NULL) {
        ngx_http_ratelimit_api_no_place(call);
        return NGX_DECLINED;
    }

    rc = rl_inspect(process, policy->core.zone, key, &call->now, &stored);

    /* a ban may outlast the bucket that it comes of */

    banned = rl_banned_until(process, &policy->core, key, &call->now,
                             &until_ms);

    if ((rc == 1 && stored.algorithm == policy->core.algorithm)
        || banned == 1
        || rl_find_top_key(&policy->core, RL_TOP_REFUSED, key, &call->now,
                           &top)
        || rl_find_top_key(&policy->core, RL_TOP_ADMITTED, key, &call->now,
                           &top))
    {
        return NGX_OK;
    }

    n = rl_overrides(policy->core.zone, &call->now, overrides);

    for (i = 0; i < n; i++) {
        if (overrides[i].id == key) {
            return NGX_OK;
        }
    }

    if (rc == RL_ERROR || banned == RL_ERROR) {
        return ngx_http_ratelimit_api_problem(call,
                                              NGX_HTTP_SERVICE_UNAVAILABLE,
                                              "the key is locked, try again");
    }

    return ngx_http_ratelimit_api_problem(call, NGX_HTTP_NOT_FOUND,
                                          "policy \"%V\" knows no key of this "
                                          "id", &policy->name);
}


ngx_int_t
ngx_http_ratelimit_api_parse_id(ngx_http_ratelimit_api_call_t *call,
    uint64_t *id)
{
    u_char      ch;
    ngx_str_t  *text;
    ngx_uint_t  i;

    text = &call->args.id;
    *id = 0;

    for (i = 0; text->len == 16 && i < 16; i++) {
        ch = ngx_tolower(text->data[i]);

        if (ch >= '0' && ch <= '9') {
            *id = *id << 4 | (ch - '0');

        } else if (ch >= 'a' && ch <= 'f') {
            *id = *id << 4 | (ch - 'a' + 10);

        } else {
            break;
        }
    }

    if (i == 16) {
        return NGX_OK;
    }

    return ngx_http_ratelimit_api_problem(call, NGX_HTTP_BAD_REQUEST,
                                          "\"id=\" must be 16 hex digits, as "
                                          "in $ratelimit_key_id");
}
