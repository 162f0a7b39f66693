
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
#include "request/ngx_http_ratelimit_log.h"
#include "request/ngx_http_ratelimit_plan.h"


static ngx_int_t ngx_http_ratelimit_item_quota(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item);
static ngx_int_t ngx_http_ratelimit_item_capacity(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item);
static ngx_int_t ngx_http_ratelimit_item_invalid(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_complaint_e what, ngx_str_t *value,
    const char *allowed);
static ngx_int_t ngx_http_ratelimit_item_bucket(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item, rl_item_t *known,
    ngx_uint_t nknown);
static ngx_int_t ngx_http_ratelimit_item_hash(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_hash_t *hash);


/*
 * Fills what an item asks of the core; its cost is 1 and it is not in dry run.
 * known are the items of this very decision: what a key was in an earlier one,
 * before authentication or a redirect, says nothing of what it is now.
 * NGX_DECLINED: the policy does not apply to this request.  NGX_ABORT: nobody
 * can tell what it allows.
 */

ngx_int_t
ngx_http_ratelimit_item(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item, rl_item_t *known,
    ngx_uint_t nknown, rl_time_t *now)
{
    ngx_int_t  rc;

    ngx_memcpy(item, &policy->item, offsetof(rl_item_t, admitted));

    if (!policy->constant) {
        rc = ngx_http_ratelimit_item_quota(r, policy, item);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    rc = ngx_http_ratelimit_item_bucket(r, policy, item, known, nknown);
    if (rc != NGX_OK) {
        return rc;
    }

    rl_override_apply(&policy->core, &item->bucket, now, &item->quota);

    if (item->quota.unlimited) {
        return NGX_DECLINED;
    }

    item->capacity_units = item->quota.units;

    if (policy->capacity == NULL) {
        return NGX_OK;
    }

    return ngx_http_ratelimit_item_capacity(r, policy, item);
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


/* a decision evaluates and hashes a key once, however many policies have it */

static ngx_int_t
ngx_http_ratelimit_item_bucket(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item, rl_item_t *known,
    ngx_uint_t nknown)
{
    u_char                        scratch[NGX_HTTP_RATELIMIT_SCRATCH];
    rl_hash_t                     hash;
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    rl_part_t                     part;
    ngx_http_ratelimit_policy_t  *other;

    for (i = nknown; i-- > 0; /* void */ ) {
        other = (ngx_http_ratelimit_policy_t *) known[i].policy;

        if (other->partition == policy->partition) {
            hash.lo = known[i].bucket.lo ^ other->core.secret.lo;
            hash.hi = known[i].bucket.hi ^ other->core.secret.hi;
            goto found;
        }
    }

    if (policy->partition->parts.nelts == 1) {
        rc = ngx_http_ratelimit_get_part(r, policy->partition->parts.elts,
                                           scratch, &part);
        if (rc == NGX_OK) {
            rl_part_hash(&part, &hash);
        }

    } else {
        rc = ngx_http_ratelimit_item_hash(r, policy, &hash);
    }

    if (rc != NGX_OK) {
        return rc;
    }

found:

    item->bucket.lo = hash.lo ^ policy->core.secret.lo;
    item->bucket.hi = hash.hi ^ policy->core.secret.hi;

    return NGX_OK;
}


/* of a key of several parts; NGX_DECLINED: one of them is empty */

static ngx_int_t
ngx_http_ratelimit_item_hash(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_hash_t *hash)
{
    rl_str_t                    *parts;
    ngx_str_t                    value;
    ngx_uint_t                   i, n;
    ngx_http_ratelimit_part_t   *values;

    n = policy->partition->parts.nelts;
    values = policy->partition->parts.elts;

    parts = ngx_palloc(r->pool, n * sizeof(rl_str_t));
    if (parts == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        if (ngx_http_ratelimit_part_text(r, &values[i], &value) != NGX_OK) {
            return NGX_ERROR;
        }

        if (value.len == 0) {
            return NGX_DECLINED;
        }

        parts[i] = ngx_http_ratelimit_str(&value);
    }

    rl_key_hash(policy->core.zone, parts, n, hash);

    return NGX_OK;
}


ngx_int_t
ngx_http_ratelimit_rule_applies(ngx_http_request_t *r,
    ngx_http_ratelimit_rule_t *rule)
{
    ngx_str_t   value, *unknown;
    ngx_uint_t  i, listed;

    if (rule->methods || rule->unknown) {
        listed = (r->method & rule->methods) ? 1 : 0;

        if (r->method == NGX_HTTP_UNKNOWN && rule->unknown) {
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
ngx_http_ratelimit_rule_cost(ngx_http_request_t *r,
    ngx_http_ratelimit_entry_t *entry, rl_item_t *item)
{
    ngx_str_t    value;
    const char  *allowed;

    if (entry->rule->cost == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, entry->rule->cost, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    allowed = rl_read_units(ngx_http_ratelimit_str(&value), &item->cost_units);
    if (allowed) {
        item->cost_units = 1;
        ngx_http_ratelimit_log_invalid(r, entry->policy, RL_BAD_COST, &value,
                                       allowed, "counted as 1");
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ratelimit_rule_dry_run(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_http_ratelimit_rule_t *rule,
    rl_item_t *item)
{
    ngx_str_t                  value;
    ngx_http_complex_value_t  *dry_run;

    dry_run = rule->dry_run ? rule->dry_run : rlcf->dry_run;

    if (dry_run == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, dry_run, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    item->dry_run = (value.len == 2 && ngx_strncmp(value.data, "on", 2) == 0)
                    || (value.len == 1 && value.data[0] == '1');

    return NGX_OK;
}
