
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What of an item varies from request to request, but for its key: whether its
 * line applies, quota, capacity, cost, dry run.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "conf/ngx_http_ratelimit_value.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_rule.h"
#include "policy/ngx_http_ratelimit_step.h"
#include "request/ngx_http_ratelimit_log.h"
#include "request/ngx_http_ratelimit_vary.h"


static ngx_int_t ngx_http_ratelimit_item_cost(ngx_http_request_t *r,
    ngx_http_ratelimit_step_t *step, rl_item_t *item);
static ngx_int_t ngx_http_ratelimit_item_dry_run(ngx_http_request_t *r,
    ngx_http_ratelimit_step_t *step, rl_item_t *item);
static ngx_int_t ngx_http_ratelimit_item_invalid(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_complaint_e what, ngx_str_t *value,
    const char *allowed);


/* an unknown method of the line's, and its condition */

ngx_int_t
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
        if (ngx_http_ratelimit_value(r, rule->condition, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_http_ratelimit_is_true(&value) ? NGX_OK : NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ratelimit_item_quota(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item)
{
    uint32_t                      scales[NGX_HTTP_RATELIMIT_MAX_SCALES];
    ngx_str_t                     value;
    ngx_uint_t                    i;
    const char                   *allowed;
    ngx_http_ratelimit_value_t  **scale;

    if (policy->quota) {

        if (ngx_http_ratelimit_value(r, policy->quota, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        if (policy->core.algorithm == RL_CONCURRENT) {
            allowed = rl_read_places(ngx_http_ratelimit_str(&value),
                                     &item->quota);
        } else {
            allowed = rl_read_quota(ngx_http_ratelimit_str(&value),
                                    policy->core.algorithm == RL_CALENDAR,
                                    &item->quota);
        }

        if (allowed) {
            return ngx_http_ratelimit_item_invalid(r, policy, RL_BAD_QUOTA,
                                                   &value, allowed);
        }
    }

    if (item->quota.unlimited) {
        return NGX_DECLINED;
    }

    scale = policy->scales.elts;

    for (i = 0; i < policy->scales.nelts; i++) {

        if (ngx_http_ratelimit_value(r, scale[i], &value) != NGX_OK) {
            return NGX_ERROR;
        }

        allowed = rl_read_scale(ngx_http_ratelimit_str(&value), &scales[i]);
        if (allowed) {
            return ngx_http_ratelimit_item_invalid(r, policy, RL_BAD_SCALE,
                                                   &value, allowed);
        }
    }

    if (i) {
        item->quota.units = rl_scale_units(item->quota.units, scales, i);
    }

    item->capacity_units = rl_capacity_units(&policy->core, &item->quota);

    return NGX_OK;
}


ngx_int_t
ngx_http_ratelimit_item_capacity(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item)
{
    ngx_str_t    value;
    const char  *allowed;

    if (item->quota.units == 0) {
        return NGX_OK;
    }

    if (ngx_http_ratelimit_value(r, policy->capacity, &value) != NGX_OK) {
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


ngx_int_t
ngx_http_ratelimit_step_is_asked(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_step_t *step)
{
    if (ngx_http_ratelimit_has_decided(record, step->policy)) {
        return NGX_DECLINED;
    }

    return (step->varies & NGX_HTTP_RATELIMIT_VARIES_LINE)
           ? ngx_http_ratelimit_rule_applies(r, step->rule) : NGX_OK;
}


ngx_int_t
ngx_http_ratelimit_vary_item(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_step_t *step,
    rl_item_t *item, ngx_int_t rc)
{
    if ((step->varies & NGX_HTTP_RATELIMIT_VARIES_CAPACITY) && rc == NGX_OK) {
        rc = ngx_http_ratelimit_item_capacity(r, step->policy, item);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    if ((step->varies & NGX_HTTP_RATELIMIT_VARIES_COST)
        && ngx_http_ratelimit_item_cost(r, step, item) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if ((step->varies & NGX_HTTP_RATELIMIT_VARIES_DRY_RUN)
        && ngx_http_ratelimit_item_dry_run(r, step, item) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (step->varies & NGX_HTTP_RATELIMIT_VARIES_BAN) {
        record->bans = 1;
        item->banned = 0;
    }

    if ((step->varies & NGX_HTTP_RATELIMIT_VARIES_LABEL) && rc == NGX_OK) {
        ngx_http_ratelimit_label_item(r, item, &record->time);
    }

    return rc;
}


static ngx_int_t
ngx_http_ratelimit_item_cost(ngx_http_request_t *r,
    ngx_http_ratelimit_step_t *step, rl_item_t *item)
{
    ngx_str_t    value;
    const char  *allowed;

    if (ngx_http_ratelimit_value(r, step->rule->cost, &value) != NGX_OK) {
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


static ngx_int_t
ngx_http_ratelimit_item_dry_run(ngx_http_request_t *r,
    ngx_http_ratelimit_step_t *step, rl_item_t *item)
{
    ngx_str_t                       value;
    ngx_http_ratelimit_value_t     *dry_run;
    ngx_http_ratelimit_loc_conf_t  *rlcf;

    dry_run = step->rule->dry_run;

    if (dry_run == NULL) {
        rlcf = ngx_http_get_module_loc_conf(r, ngx_http_ratelimit_module);
        dry_run = rlcf->dry_run;
    }

    if (ngx_http_ratelimit_value(r, dry_run, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    item->dry_run = (value.len == 2 && ngx_strncmp(value.data, "on", 2) == 0)
                    || (value.len == 1 && value.data[0] == '1');

    return NGX_OK;
}


/*
 * A key that came onto a list gets its label at its next request, or, if that
 * was refused, at once.  An empty one is none, and is asked for again.
 */

void
ngx_http_ratelimit_label_item(ngx_http_request_t *r, rl_item_t *item,
    rl_time_t *now)
{
    ngx_str_t                     value;
    ngx_http_ratelimit_policy_t  *policy;

    policy = ngx_http_ratelimit_item_policy(item);

    if (policy->label == NULL
        || !rl_key_wants_label(&policy->core, item->bucket.lo)
        || ngx_http_ratelimit_value(r, policy->label, &value) != NGX_OK
        || value.len == 0)
    {
        return;
    }

    rl_label_key(&policy->core, item->bucket.lo,
                 ngx_http_ratelimit_str(&value), now);
}


/* a variable yields nonsense */

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
