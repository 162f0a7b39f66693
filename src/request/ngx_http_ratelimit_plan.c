
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What a request asks of the core: whether a line applies, its policy's
 * bucket and quota at this moment, the cost.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "conf/ngx_http_ratelimit_value.h"
#include "key/ngx_http_ratelimit_key.h"
#include "key/ngx_http_ratelimit_part.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_rule.h"
#include "policy/ngx_http_ratelimit_step.h"
#include "request/ngx_http_ratelimit_log.h"
#include "request/ngx_http_ratelimit_plan.h"


static ngx_int_t ngx_http_ratelimit_item_quota(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item);
static ngx_int_t ngx_http_ratelimit_item_capacity(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item);
static ngx_int_t ngx_http_ratelimit_item_invalid(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_complaint_e what, ngx_str_t *value,
    const char *allowed);
static ngx_int_t ngx_http_ratelimit_item_name(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item, rl_time_t *now);
static ngx_int_t ngx_http_ratelimit_item_key(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item);
static ngx_int_t ngx_http_ratelimit_rule_applies(ngx_http_request_t *r,
    ngx_http_ratelimit_rule_t *rule);


ngx_int_t
ngx_http_ratelimit_item(ngx_http_request_t *r, ngx_http_ratelimit_step_t *step,
    rl_item_t *item, rl_item_t *same, rl_time_t *now)
{
    ngx_int_t                     rc;
    ngx_http_ratelimit_policy_t  *policy;

    policy = step->policy;

    ngx_memcpy(item, &step->item, offsetof(rl_item_t, admitted));

    if (step->varies & NGX_HTTP_RATELIMIT_VARIES_QUOTA) {
        rc = ngx_http_ratelimit_item_quota(r, policy, item);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (same) {
        rc = rl_check_name(item, NULL, same, now) ? NGX_OK : NGX_DECLINED;

    } else {
        rc = ngx_http_ratelimit_item_name(r, policy, item, now);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (step->varies & NGX_HTTP_RATELIMIT_VARIES_CAPACITY) {
        return ngx_http_ratelimit_item_capacity(r, policy, item);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_item_quota(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item)
{
    uint32_t                   scales[NGX_HTTP_RATELIMIT_MAX_SCALES];
    ngx_str_t                  value;
    ngx_uint_t                 i;
    const char                *allowed;
    ngx_http_complex_value_t  *cv;

    if (policy->quota) {

        if (ngx_http_complex_value(r, policy->quota, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        allowed = rl_read_quota(ngx_http_ratelimit_str(&value),
                                policy->core.algorithm == RL_CALENDAR,
                                &item->quota);
        if (allowed) {
            return ngx_http_ratelimit_item_invalid(r, policy, RL_BAD_QUOTA,
                                                   &value, allowed);
        }
    }

    if (item->quota.unlimited) {
        return NGX_DECLINED;
    }

    if (policy->scales.nelts == 0) {
        return NGX_OK;
    }

    cv = policy->scales.elts;

    for (i = 0; i < policy->scales.nelts; i++) {

        if (ngx_http_complex_value(r, &cv[i], &value) != NGX_OK) {
            return NGX_ERROR;
        }

        allowed = rl_read_scale(ngx_http_ratelimit_str(&value), &scales[i]);
        if (allowed) {
            return ngx_http_ratelimit_item_invalid(r, policy, RL_BAD_SCALE,
                                                   &value, allowed);
        }
    }

    item->quota.units = rl_scale_units(item->quota.units, scales, i);

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_item_capacity(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item)
{
    ngx_str_t    value;
    const char  *allowed;

    if (item->quota.units == 0) {
        return NGX_OK;
    }

    if (policy->constant_capacity) {
        item->capacity_units = policy->constant_capacity;
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, policy->capacity, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    allowed = rl_read_units(ngx_http_ratelimit_str(&value),
                            &item->capacity_units);
    if (allowed || item->capacity_units == 0) {
        allowed = NGX_HTTP_RATELIMIT_CAPACITY;
    }

    if (allowed) {
        return ngx_http_ratelimit_item_invalid(r, policy, RL_BAD_CAPACITY,
                                               &value, allowed);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_item_invalid(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_complaint_e what, ngx_str_t *value,
    const char *allowed)
{
    ngx_http_ratelimit_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_ratelimit_module);

    ngx_http_ratelimit_log_invalid(r, policy, what, value, allowed,
                                   rlcf->on_error == NGX_HTTP_RATELIMIT_PASS
                                   ? "the policy does not apply"
                                   : "the policy cannot decide");
    return NGX_ABORT;
}


/* a key that is one part is hashed without being put together */

static ngx_int_t
ngx_http_ratelimit_item_name(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item, rl_time_t *now)
{
    u_char     scratch[NGX_HTTP_RATELIMIT_SCRATCH];
    ngx_int_t  rc;
    rl_part_t  part;

    if (policy->partition->parts.nelts == 1) {
        rc = ngx_http_ratelimit_get_part(r, policy->partition->parts.elts,
                                         scratch, &part);
        if (rc != NGX_OK) {
            return rc;
        }

        return rl_check_name(item, &part, NULL, now) ? NGX_OK : NGX_DECLINED;
    }

    rc = ngx_http_ratelimit_item_key(r, policy, item);
    if (rc != NGX_OK) {
        return rc;
    }

    return rl_check_name(item, NULL, item, now) ? NGX_OK : NGX_DECLINED;
}


/* the bucket of a key of several parts; NGX_DECLINED: one of them is empty */

static ngx_int_t
ngx_http_ratelimit_item_key(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item)
{
    rl_str_t                   *texts;
    rl_hash_t                   hash;
    ngx_str_t                   value;
    ngx_uint_t                  i, n;
    ngx_http_ratelimit_part_t  *parts;

    n = policy->partition->parts.nelts;
    parts = policy->partition->parts.elts;

    texts = ngx_palloc(r->pool, n * sizeof(rl_str_t));
    if (texts == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        if (ngx_http_ratelimit_part_text(r, &parts[i], &value) != NGX_OK) {
            return NGX_ERROR;
        }

        if (value.len == 0) {
            return NGX_DECLINED;
        }

        texts[i] = ngx_http_ratelimit_str(&value);
    }

    rl_key_hash(policy->core.zone, texts, n, &hash);

    item->bucket.lo = hash.lo ^ policy->core.secret.lo;
    item->bucket.hi = hash.hi ^ policy->core.secret.hi;

    return NGX_OK;
}


ngx_int_t
ngx_http_ratelimit_step_applies(ngx_http_request_t *r,
    ngx_http_ratelimit_step_t *step)
{
    if ((r->method & step->methods) == 0) {
        return NGX_DECLINED;
    }

    return (step->varies & NGX_HTTP_RATELIMIT_VARIES_LINE)
           ? ngx_http_ratelimit_rule_applies(r, step->rule) : NGX_OK;
}


/* an unknown method of the line's, and its condition */

static ngx_int_t
ngx_http_ratelimit_rule_applies(ngx_http_request_t *r,
    ngx_http_ratelimit_rule_t *rule)
{
    ngx_str_t   value, *unknown;
    ngx_uint_t  i, listed;

    if (r->method == NGX_HTTP_UNKNOWN && rule->unknown) {
        listed = 0;
        unknown = rule->unknown->elts;

        for (i = 0; i < rule->unknown->nelts; i++) {
            if (unknown[i].len == r->method_name.len
                && ngx_strncmp(unknown[i].data, r->method_name.data,
                               unknown[i].len)
                   == 0)
            {
                listed = 1;
                break;
            }
        }

        if (listed == rule->except) {
            return NGX_DECLINED;
        }
    }

    if (rule->condition) {
        if (ngx_http_complex_value(r, rule->condition, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_http_ratelimit_is_true(&value) ? NGX_OK : NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ratelimit_item_cost(ngx_http_request_t *r,
    ngx_http_ratelimit_step_t *step, rl_item_t *item)
{
    ngx_str_t    value;
    const char  *allowed;

    if (ngx_http_complex_value(r, step->rule->cost, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    allowed = rl_read_units(ngx_http_ratelimit_str(&value), &item->cost_units);
    if (allowed) {
        item->cost_units = 1;
        ngx_http_ratelimit_log_invalid(r, step->policy, RL_BAD_COST, &value,
                                       allowed, "counted as 1");
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ratelimit_item_dry_run(ngx_http_request_t *r,
    ngx_http_ratelimit_step_t *step, rl_item_t *item)
{
    ngx_str_t                       value;
    ngx_http_complex_value_t       *dry_run;
    ngx_http_ratelimit_loc_conf_t  *rlcf;

    dry_run = step->rule->dry_run;

    if (dry_run == NULL) {
        rlcf = ngx_http_get_module_loc_conf(r, ngx_http_ratelimit_module);
        dry_run = rlcf->dry_run;
    }

    if (ngx_http_complex_value(r, dry_run, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    item->dry_run = (value.len == 2 && ngx_strncmp(value.data, "on", 2) == 0)
                    || (value.len == 1 && value.data[0] == '1');

    return NGX_OK;
}
