
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_inherit": which lines hold at a level, its own and the outer
 * one's.
 */


#include "ngx_http_ratelimit.h"
#include "policy/ngx_http_ratelimit_rule.h"


static char *ngx_http_ratelimit_add_steps(ngx_conf_t *cf,
    ngx_http_ratelimit_loc_conf_t *conf, ngx_array_t *steps);
static ngx_int_t ngx_http_ratelimit_inherit_plan(ngx_conf_t *cf,
    ngx_http_ratelimit_loc_conf_t *prev, ngx_http_ratelimit_loc_conf_t *conf);
static ngx_int_t ngx_http_ratelimit_inherit_steps(ngx_conf_t *cf,
    ngx_array_t *steps, ngx_array_t *outer);
static ngx_uint_t ngx_http_ratelimit_count_policies(ngx_conf_t *cf,
    ngx_http_ratelimit_loc_conf_t *conf);


/*
 * A level's own lines come before the outer level's: the first line of a
 * policy that applies counts, and the inner one is the more special.
 */

char *
ngx_http_ratelimit_merge_rules(ngx_conf_t *cf,
    ngx_http_ratelimit_loc_conf_t *prev, ngx_http_ratelimit_loc_conf_t *conf)
{
    char                             *rv;
    ngx_uint_t                        outer;
    ngx_http_ratelimit_loc_conf_t   **pp;
    ngx_http_ratelimit_main_conf_t   *rmcf;

    if (prev->preaccess.elts == NULL && prev->steps) {

        /* the http level itself is never merged into */

        rv = ngx_http_ratelimit_add_steps(cf, prev, prev->steps);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    switch (conf->inherit) {

    case NGX_HTTP_RATELIMIT_INHERIT_MERGE:
        outer = !conf->off;
        break;

    case NGX_HTTP_RATELIMIT_INHERIT_ON:
        outer = !conf->off && conf->steps == NULL;
        break;

    default: /* NGX_HTTP_RATELIMIT_INHERIT_OFF */
        outer = 0;
        break;
    }

    if (conf->steps) {
        rv = ngx_http_ratelimit_add_steps(cf, conf, conf->steps);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (outer && ngx_http_ratelimit_inherit_plan(cf, prev, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_ratelimit_count_policies(cf, conf) > RL_MAX_ITEMS) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "more than %ui policies decide one request",
                           (ngx_uint_t) RL_MAX_ITEMS);
        return NGX_CONF_ERROR;
    }

    if (conf->preaccess.nelts + conf->precontent.nelts == 0) {
        return NGX_CONF_OK;
    }

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    pp = ngx_array_push(&rmcf->planned);
    if (pp == NULL) {
        return NGX_CONF_ERROR;
    }

    *pp = conf;

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_add_steps(ngx_conf_t *cf,
    ngx_http_ratelimit_loc_conf_t *conf, ngx_array_t *steps)
{
    ngx_uint_t                  i;
    ngx_array_t                *to;
    ngx_http_ratelimit_step_t  *step, *s;

    if (ngx_array_init(&conf->preaccess, cf->pool, steps->nelts,
                       sizeof(ngx_http_ratelimit_step_t))
        != NGX_OK
        || ngx_array_init(&conf->precontent, cf->pool, steps->nelts,
                          sizeof(ngx_http_ratelimit_step_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    step = steps->elts;

    for (i = 0; i < steps->nelts; i++) {
        to = step[i].rule->precontent ? &conf->precontent : &conf->preaccess;

        s = ngx_array_push(to);
        if (s == NULL) {
            return NGX_CONF_ERROR;
        }

        *s = step[i];
    }

    return NGX_CONF_OK;
}


/* a copy, unless nothing of this level's makes the plan another one */

static ngx_int_t
ngx_http_ratelimit_inherit_plan(ngx_conf_t *cf,
    ngx_http_ratelimit_loc_conf_t *prev, ngx_http_ratelimit_loc_conf_t *conf)
{
    if (conf->steps == NULL
        && conf->dry_run == prev->dry_run
        && conf->want_next == prev->want_next)
    {
        conf->preaccess = prev->preaccess;
        conf->precontent = prev->precontent;

        return NGX_OK;
    }

    if (ngx_http_ratelimit_inherit_steps(cf, &conf->preaccess,
                                         &prev->preaccess)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ratelimit_inherit_steps(cf, &conf->precontent,
                                            &prev->precontent);
}


static ngx_int_t
ngx_http_ratelimit_inherit_steps(ngx_conf_t *cf, ngx_array_t *steps,
    ngx_array_t *outer)
{
    void  *p;

    if (outer->nelts == 0) {
        return NGX_OK;
    }

    if (steps->elts == NULL
        && ngx_array_init(steps, cf->pool, outer->nelts,
                          sizeof(ngx_http_ratelimit_step_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = ngx_array_push_n(steps, outer->nelts);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, outer->elts,
               outer->nelts * sizeof(ngx_http_ratelimit_step_t));

    return NGX_OK;
}


static ngx_uint_t
ngx_http_ratelimit_count_policies(ngx_conf_t *cf,
    ngx_http_ratelimit_loc_conf_t *conf)
{
    ngx_uint_t                  i, j, n, count;
    ngx_http_ratelimit_step_t  *preaccess, *precontent, *a, *b;

    preaccess = conf->preaccess.elts;
    precontent = conf->precontent.elts;
    n = conf->preaccess.nelts + conf->precontent.nelts;
    count = 0;

    for (i = 0; i < n; i++) {
        a = (i < conf->preaccess.nelts) ? &preaccess[i]
                                  : &precontent[i - conf->preaccess.nelts];

        for (j = 0; j < i; j++) {
            b = (j < conf->preaccess.nelts) ? &preaccess[j]
                                  : &precontent[j - conf->preaccess.nelts];

            if (a->policy == b->policy) {
                break;
            }
        }

        if (j == i) {
            count++;
        }
    }

    return count;
}
