
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * A location's plan, made when its lines and their policies are known: all
 * that does not vary from request to request is found out here.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_rule.h"
#include "policy/ngx_http_ratelimit_step.h"


static void ngx_http_ratelimit_scale_step(ngx_http_ratelimit_policy_t *policy,
    ngx_http_ratelimit_step_t *step);
static void ngx_http_ratelimit_init_plan(ngx_http_ratelimit_loc_conf_t *rlcf,
    ngx_array_t *plan);
static void ngx_http_ratelimit_show_plans(ngx_http_ratelimit_loc_conf_t *rlcf);
static void ngx_http_ratelimit_step_rule(ngx_http_ratelimit_loc_conf_t *rlcf,
    ngx_http_ratelimit_step_t *step);
static ngx_uint_t ngx_http_ratelimit_step_methods(
    ngx_http_ratelimit_rule_t *rule);
static void ngx_http_ratelimit_step_before(ngx_http_ratelimit_step_t *steps,
    ngx_uint_t n);


void
ngx_http_ratelimit_init_step(ngx_http_ratelimit_policy_t *policy)
{
    ngx_http_ratelimit_step_t  *step;

    step = &policy->step;

    step->policy = policy;
    step->methods = (ngx_uint_t) -1;

    step->item.policy = &policy->core;
    step->item.quota = policy->constant_quota;
    step->item.cost_units = 1;

    if (policy->quota || policy->constant_quota.unlimited) {
        step->varies |= NGX_HTTP_RATELIMIT_VARIES_QUOTA;

    } else {
        ngx_http_ratelimit_scale_step(policy, step);
    }

    if (policy->capacity
        && ngx_http_ratelimit_value_varies(policy->capacity))
    {
        step->varies |= NGX_HTTP_RATELIMIT_VARIES_CAPACITY;
    }

    step->item.capacity_units = rl_capacity_units(&policy->core,
                                                  &step->item.quota);

    if (policy->label) {
        step->varies |= NGX_HTTP_RATELIMIT_VARIES_LABEL;
    }

    if (policy->core.algorithm == RL_CONCURRENT) {
        step->varies |= NGX_HTTP_RATELIMIT_VARIES_PLACE;
    }

    if (policy->core.ban) {
        step->varies |= NGX_HTTP_RATELIMIT_VARIES_BAN;
    }
}


static void
ngx_http_ratelimit_scale_step(ngx_http_ratelimit_policy_t *policy,
    ngx_http_ratelimit_step_t *step)
{
    uint32_t                      scales[NGX_HTTP_RATELIMIT_MAX_SCALES];
    ngx_str_t                    *text;
    ngx_uint_t                    i;
    ngx_http_ratelimit_value_t  **scale;

    scale = policy->scales.elts;

    for (i = 0; i < policy->scales.nelts; i++) {

        if (ngx_http_ratelimit_value_varies(scale[i])) {
            step->varies |= NGX_HTTP_RATELIMIT_VARIES_QUOTA;
            return;
        }

        text = ngx_http_ratelimit_value_text(scale[i]);

        (void) rl_parse_scale(ngx_http_ratelimit_str(text), &scales[i]);
    }

    if (i) {
        step->item.quota.units = rl_scale_units(step->item.quota.units, scales,
                                                i);
    }
}


void
ngx_http_ratelimit_init_plans(ngx_http_ratelimit_main_conf_t *rmcf)
{
    ngx_uint_t                       i;
    ngx_http_ratelimit_loc_conf_t  **rlcf;

    rlcf = rmcf->planned.elts;

    for (i = 0; i < rmcf->planned.nelts; i++) {
        ngx_http_ratelimit_init_plan(rlcf[i], &rlcf[i]->preaccess);
        ngx_http_ratelimit_init_plan(rlcf[i], &rlcf[i]->precontent);

        if (rlcf[i]->shown) {
            ngx_http_ratelimit_show_plans(rlcf[i]);
        }
    }
}


/* not before: locations in this one have inherited its plans by now */

static void
ngx_http_ratelimit_show_plans(ngx_http_ratelimit_loc_conf_t *rlcf)
{
    rlcf->shown->preaccess = rlcf->preaccess;
    rlcf->shown->precontent = rlcf->precontent;

    rlcf->preaccess.nelts = 0;
    rlcf->precontent.nelts = 0;
}


static void
ngx_http_ratelimit_init_plan(ngx_http_ratelimit_loc_conf_t *rlcf,
    ngx_array_t *plan)
{
    ngx_uint_t                  i;
    ngx_http_ratelimit_rule_t  *rule;
    ngx_http_ratelimit_step_t  *steps;

    steps = plan->elts;

    for (i = 0; i < plan->nelts; i++) {
        rule = steps[i].rule;

        steps[i] = steps[i].policy->step;
        steps[i].rule = rule;

        ngx_http_ratelimit_step_rule(rlcf, &steps[i]);
        ngx_http_ratelimit_step_before(steps, i);
    }
}


/* what the line and the location say */

static void
ngx_http_ratelimit_step_rule(ngx_http_ratelimit_loc_conf_t *rlcf,
    ngx_http_ratelimit_step_t *step)
{
    ngx_str_t                   *text;
    ngx_http_ratelimit_rule_t   *rule;
    ngx_http_ratelimit_value_t  *dry_run;

    rule = step->rule;
    dry_run = rule->dry_run ? rule->dry_run : rlcf->dry_run;

    step->methods = ngx_http_ratelimit_step_methods(rule);
    step->item.data = rule->settle.value ? &rule->settle : NULL;
    step->item.want_next = rlcf->want_next;

    if (rule->unknown || rule->condition) {
        step->varies |= NGX_HTTP_RATELIMIT_VARIES_LINE;
    }

    if (rule->settle.value || step->policy->condition) {
        rlcf->responds = 1;
    }

    if (rule->wait_ms) {
        step->varies |= NGX_HTTP_RATELIMIT_VARIES_WAIT;
    }

    if (rule->cost && ngx_http_ratelimit_value_varies(rule->cost)) {
        step->varies |= NGX_HTTP_RATELIMIT_VARIES_COST;

    } else if (rule->cost) {
        text = ngx_http_ratelimit_value_text(rule->cost);

        (void) rl_parse_units(ngx_http_ratelimit_str(text),
                              &step->item.cost_units);
    }

    if (dry_run && ngx_http_ratelimit_value_varies(dry_run)) {
        step->varies |= NGX_HTTP_RATELIMIT_VARIES_DRY_RUN;

    } else if (dry_run) {
        /* "on" */
        step->item.dry_run = (ngx_http_ratelimit_value_text(dry_run)->len
                              == 2);
    }
}


/* methods that nginx does not know share a bit, and may vary */

static ngx_uint_t
ngx_http_ratelimit_step_methods(ngx_http_ratelimit_rule_t *rule)
{
    if (rule->methods == 0 && rule->unknown == NULL) {
        return (ngx_uint_t) -1;
    }

    return (rule->except ? ~rule->methods : rule->methods)
           | (rule->unknown ? NGX_HTTP_UNKNOWN : 0);
}


/* what the n steps before the n-th say of it */

static void
ngx_http_ratelimit_step_before(ngx_http_ratelimit_step_t *steps, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {

        if (steps[i].policy == steps[n].policy) {
            steps[n].varies |= NGX_HTTP_RATELIMIT_VARIES_POLICY;
        }

        if (steps[i].policy->partition == steps[n].policy->partition) {
            steps[n].varies |= NGX_HTTP_RATELIMIT_VARIES_SAME_KEY;
        }
    }
}
