
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_policy": whether what one line says makes a policy.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_limit_req.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "conf/ngx_http_ratelimit_value.h"
#include "key/ngx_http_ratelimit_part.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_policy_line.h"


/* "after=", unless it is said: a client that meets its limit once is none */

#define NGX_HTTP_RATELIMIT_BAN_AFTER  5


static char *ngx_http_ratelimit_policy_concurrent_check(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line);
static char *ngx_http_ratelimit_policy_ban_check(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line);
static char *ngx_http_ratelimit_policy_constants(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line);
static char *ngx_http_ratelimit_policy_capacity(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line);
static const char *ngx_http_ratelimit_parse_capacity(ngx_str_t *text,
    uint64_t *units);
static ngx_int_t ngx_http_ratelimit_policy_partition(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line);
static ngx_int_t ngx_http_ratelimit_join_keys(ngx_conf_t *cf,
    ngx_array_t *keys, ngx_str_t *text);


char *
ngx_http_ratelimit_policy_check(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line)
{
    char                         *missing, *rv;
    ngx_http_ratelimit_policy_t  *policy;

    policy = line->policy;
    missing = NULL;

    if (line->keys.nelts == 0) {
        missing = "key=";

    } else if (line->quota.data == NULL && line->concurrent.data == NULL) {
        missing = "quota=";
    }

    if (missing) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"ratelimit_policy\" \"%V\" has no \"%s\"",
                           &policy->name, missing);
        return NGX_CONF_ERROR;
    }

    if (line->concurrent.data) {
        rv = ngx_http_ratelimit_policy_concurrent_check(cf, line);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    rv = ngx_http_ratelimit_policy_ban_check(cf, line);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (line->capacity.data && policy->core.algorithm != RL_GCRA) {
        return ngx_http_ratelimit_invalid(cf, "capacity", &line->capacity,
                                          "must stand beside algorithm=gcra");
    }

    if (line->tz.data && policy->core.algorithm != RL_CALENDAR) {
        return ngx_http_ratelimit_invalid(cf, "tz", &line->tz,
                                          "must stand beside "
                                          "algorithm=calendar");
    }

    if (ngx_http_ratelimit_policy_partition(cf, line) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_ratelimit_policy_constants(cf, line);
}


/* what a policy is keyed by */

static ngx_int_t
ngx_http_ratelimit_policy_partition(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line)
{
    ngx_str_t                    *keys;
    ngx_uint_t                    i;
    ngx_http_ratelimit_part_t    *part;
    ngx_http_ratelimit_policy_t  *policy;

    policy = line->policy;

    policy->partition = ngx_pcalloc(cf->pool,
                                    sizeof(ngx_http_ratelimit_partition_t));
    if (policy->partition == NULL) {
        return NGX_ERROR;
    }

    if (ngx_array_init(&policy->partition->parts, cf->pool, line->keys.nelts,
                       sizeof(ngx_http_ratelimit_part_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    keys = line->keys.elts;

    for (i = 0; i < line->keys.nelts; i++) {
        part = ngx_array_push(&policy->partition->parts);

        if (ngx_http_ratelimit_compile_part(cf, &keys[i], part) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_ratelimit_join_keys(cf, &line->keys, &policy->partition->text)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* places come back with the end of a request, whatever came of it */

static char *
ngx_http_ratelimit_policy_concurrent_check(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line)
{
    if (line->quota.data) {
        return ngx_http_ratelimit_invalid(cf, "quota", &line->quota,
                   "must not stand beside \"concurrent=\": that takes a "
                   "policy of its own");
    }

    if (line->algorithm.data) {
        return ngx_http_ratelimit_invalid(cf, "algorithm", &line->algorithm,
                   "must not stand beside \"concurrent=\"");
    }

    if (line->policy->condition) {
        return ngx_http_ratelimit_invalid(cf, "concurrent", &line->concurrent,
                   "must not stand beside \"skip_status=\", \"skip_if=\", "
                   "\"count_status=\" or \"count_if=\"");
    }

    line->policy->core.algorithm = RL_CONCURRENT;
    line->quota = line->concurrent;

    return NGX_CONF_OK;
}


/* refusals are counted within the window of the quota */

static char *
ngx_http_ratelimit_policy_ban_check(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line)
{
    rl_ban_t  *ban;

    if (line->ban.data == NULL) {

        if (line->after.data) {
            return ngx_http_ratelimit_invalid(cf, "after", &line->after,
                                              "must stand beside \"ban=\"");
        }

        if (line->ban_restarts.data) {
            return ngx_http_ratelimit_invalid(cf, "parameter",
                                              &line->ban_restarts,
                                              "must stand beside \"ban=\"");
        }

        return NGX_CONF_OK;
    }

    if (line->concurrent.data) {
        return ngx_http_ratelimit_invalid(cf, "ban", &line->ban,
                   "must not stand beside \"concurrent=\", which has no "
                   "window");
    }

    ban = &line->policy->ban;

    if (line->after.data == NULL) {
        ban->after = NGX_HTTP_RATELIMIT_BAN_AFTER;
    }

    line->policy->core.ban = ban;

    return NGX_CONF_OK;
}


/* a constant is checked now, a variable at each request */

static char *
ngx_http_ratelimit_policy_constants(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line)
{
    char                         *hinted;
    const char                   *allowed;
    ngx_http_ratelimit_value_t   *quota;
    ngx_http_ratelimit_policy_t  *policy;
    u_char                        hint[NGX_HTTP_RATELIMIT_HINT_LEN];

    policy = line->policy;

    if (ngx_http_ratelimit_compile_value(cf, &line->quota, &quota)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (!ngx_http_ratelimit_value_varies(quota)) {
        if (policy->core.algorithm == RL_CONCURRENT) {
            allowed = rl_parse_places(ngx_http_ratelimit_str(&line->quota),
                                      &policy->constant_quota);
        } else {
            allowed = rl_parse_quota(ngx_http_ratelimit_str(&line->quota),
                                     policy->core.algorithm == RL_CALENDAR,
                                     &policy->constant_quota);
        }

        if (allowed) {
            hinted = ngx_http_ratelimit_hint_quota(&line->quota, hint);

            return ngx_http_ratelimit_invalid(cf,
                                              line->concurrent.data
                                              ? "concurrent" : "quota",
                                              &line->quota,
                                              hinted ? hinted : allowed);
        }

    } else {
        policy->quota = quota;
    }

    return line->capacity.data ? ngx_http_ratelimit_policy_capacity(cf, line)
                               : NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_policy_capacity(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line)
{
    const char                   *allowed;
    ngx_http_ratelimit_policy_t  *policy;

    policy = line->policy;

    if (ngx_http_ratelimit_compile_value(cf, &line->capacity,
                                         &policy->capacity)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (!ngx_http_ratelimit_value_varies(policy->capacity)) {
        allowed = ngx_http_ratelimit_parse_capacity(&line->capacity,
                                                &policy->core.capacity_units);
        if (allowed) {
            return ngx_http_ratelimit_invalid(cf, "capacity", &line->capacity,
                                              allowed);
        }
    }

    return NGX_CONF_OK;
}


static const char *
ngx_http_ratelimit_parse_capacity(ngx_str_t *text, uint64_t *units)
{
    if (rl_parse_units(ngx_http_ratelimit_str(text), units) != NULL
        || *units == 0)
    {
        return NGX_HTTP_RATELIMIT_CAPACITY;
    }

    return NULL;
}


/* each part behind its length, so that no two lists of keys read alike */

static ngx_int_t
ngx_http_ratelimit_join_keys(ngx_conf_t *cf, ngx_array_t *keys,
    ngx_str_t *text)
{
    u_char      *p;
    size_t       len;
    ngx_str_t   *key;
    ngx_uint_t   i;

    key = keys->elts;
    len = 0;

    for (i = 0; i < keys->nelts; i++) {
        len += NGX_SIZE_T_LEN + 1 + key[i].len;
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;

    for (i = 0; i < keys->nelts; i++) {
        p = ngx_sprintf(p, "%uz:%V", key[i].len, &key[i]);
    }

    text->len = p - text->data;

    return NGX_OK;
}
