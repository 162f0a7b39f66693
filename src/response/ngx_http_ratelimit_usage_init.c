
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Once all plans are known: which of their lines settle their charges by which
 * "ratelimit_usage", and so ask for a body.
 */


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_rule.h"
#include "policy/ngx_http_ratelimit_settle.h"
#include "policy/ngx_http_ratelimit_step.h"
#include "response/ngx_http_ratelimit_usage.h"


static ngx_int_t ngx_http_ratelimit_init_usage_plan(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf, ngx_array_t *plan);
static ngx_int_t ngx_http_ratelimit_init_usage_settle(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf, ngx_http_ratelimit_rule_t *rule);


ngx_int_t
ngx_http_ratelimit_init_usages(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_http_ratelimit_usage_t     **usages;
    ngx_http_ratelimit_loc_conf_t  **rlcf;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    if (rmcf->usages.nelts == 0) {
        return NGX_OK;
    }

    rlcf = rmcf->planned.elts;

    for (i = 0; i < rmcf->planned.nelts; i++) {
        if (ngx_http_ratelimit_init_usage_plan(cf, rmcf, &rlcf[i]->preaccess)
            != NGX_OK
            || ngx_http_ratelimit_init_usage_plan(cf, rmcf,
                                                  &rlcf[i]->precontent)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    usages = rmcf->usages.elts;

    for (i = 0; i < rmcf->usages.nelts; i++) {
        if (!usages[i]->settles) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"$%V\" of \"ratelimit_usage\" stays empty, since "
                          "it stands in no \"settle=\" of a \"ratelimit\" "
                          "line in %s:%ui",
                          &usages[i]->name, usages[i]->file, usages[i]->line);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_init_usage_plan(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf, ngx_array_t *plan)
{
    ngx_uint_t                  i;
    ngx_http_ratelimit_step_t  *steps;

    steps = plan->elts;

    for (i = 0; i < plan->nelts; i++) {
        if (steps[i].item.data && steps[i].rule->settle.usages == NULL
            && ngx_http_ratelimit_init_usage_settle(cf, rmcf, steps[i].rule)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* those that stand in the value itself, not in a "map" that it reads */

static ngx_int_t
ngx_http_ratelimit_init_usage_settle(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf, ngx_http_ratelimit_rule_t *rule)
{
    ngx_uint_t                    i, *index;
    ngx_http_ratelimit_usage_t  **usages, **pp;

    usages = rmcf->usages.elts;
    index = rule->settle.value->complex.flushes;

    for ( /* void */ ; index && *index != (ngx_uint_t) -1; index++) {

        for (i = 0; i < rmcf->usages.nelts; i++) {

            if (usages[i]->index != *index) {
                continue;
            }

            if (!rule->settle.at_end) {
                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "\"settle=\" with \"$%V\" needs "
                              "\"settle_at=end\" in %s:%ui",
                              &usages[i]->name, rule->file, rule->line);
                return NGX_ERROR;
            }

            if (rule->settle.usages == NULL) {
                rule->settle.usages = ngx_array_create(cf->pool, 1,
                                         sizeof(ngx_http_ratelimit_usage_t *));
                if (rule->settle.usages == NULL) {
                    return NGX_ERROR;
                }
            }

            pp = ngx_array_push(rule->settle.usages);
            if (pp == NULL) {
                return NGX_ERROR;
            }

            *pp = usages[i];
            usages[i]->settles = 1;
        }
    }

    return NGX_OK;
}
