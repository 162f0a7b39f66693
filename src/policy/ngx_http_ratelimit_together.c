
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What cannot be decided together, of the lines that hold in one location.
 */


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_rule.h"
#include "policy/ngx_http_ratelimit_step.h"
#include "policy/ngx_http_ratelimit_together.h"
#include "zone/ngx_http_ratelimit_zone.h"


static ngx_int_t ngx_http_ratelimit_check_plan_together(ngx_conf_t *cf,
    ngx_array_t *plan);
static ngx_int_t ngx_http_ratelimit_not_with(ngx_conf_t *cf,
    ngx_http_ratelimit_step_t *step, char *what,
    ngx_http_ratelimit_step_t *other, char *why);


/*
 * A place is held or it is not: there is no final cost of it.  What waits is
 * asked again and again, which neither a ban nor Redis is.
 */

ngx_int_t
ngx_http_ratelimit_check_together(ngx_conf_t *cf)
{
    ngx_uint_t                        i;
    ngx_http_ratelimit_loc_conf_t   **rlcf;
    ngx_http_ratelimit_main_conf_t   *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    rlcf = rmcf->planned.elts;

    for (i = 0; i < rmcf->planned.nelts; i++) {
        if (ngx_http_ratelimit_check_plan_together(cf, &rlcf[i]->preaccess)
            != NGX_OK
            || ngx_http_ratelimit_check_plan_together(cf, &rlcf[i]->precontent)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_check_plan_together(ngx_conf_t *cf, ngx_array_t *plan)
{
    ngx_uint_t                  i;
    ngx_http_ratelimit_step_t  *steps, *wait, *ban, *shared;
    ngx_http_ratelimit_zone_t  *zone;

    steps = plan->elts;
    wait = NULL;
    ban = NULL;
    shared = NULL;

    for (i = 0; i < plan->nelts; i++) {

        if (steps[i].policy->core.algorithm == RL_CONCURRENT
            && steps[i].rule->settle.value)
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"settle=\" must not stand at the policy \"%V\" "
                          "with \"concurrent=\" in %s:%ui",
                          &steps[i].policy->name, steps[i].rule->file,
                          steps[i].rule->line);
            return NGX_ERROR;
        }

        zone = steps[i].policy->shm_zone->data;

        if (steps[i].policy->core.ban) {
            ban = &steps[i];
        }

        if (steps[i].rule->wait_ms) {
            wait = &steps[i];
        }

        if (zone->redis) {
            shared = &steps[i];
        }
    }

    if (wait && ban) {
        return ngx_http_ratelimit_not_with(cf, wait, "wait=", ban,
                                           "that has \"ban=\"");
    }

    if (wait && shared) {
        return ngx_http_ratelimit_not_with(cf, wait, "wait=", shared,
                                           "of a shared zone");
    }

    return NGX_OK;
}


/* of what cannot be decided together */

static ngx_int_t
ngx_http_ratelimit_not_with(ngx_conf_t *cf, ngx_http_ratelimit_step_t *step,
    char *what, ngx_http_ratelimit_step_t *other, char *why)
{
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"%s\" of the policy \"%V\" must not be decided together "
                  "with the policy \"%V\" %s in %s:%ui",
                  what, &step->policy->name, &other->policy->name, why,
                  step->rule->file, step->rule->line);

    return NGX_ERROR;
}
