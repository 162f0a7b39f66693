
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Places of "concurrent=".  They are charged as units are, and come back once,
 * when the request's memory goes: after its last redirect, its upgrade or its
 * post_action, with its client gone or not.  What a process held that exits,
 * or is killed, is no longer counted: see ratelimit/algorithm/concurrent.h.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_rule.h"
#include "policy/ngx_http_ratelimit_step.h"
#include "request/ngx_http_ratelimit_place.h"
#include "request/ngx_http_ratelimit_queue.h"


/* when a lock is asked for again whose living owner did not move, in ms */

#define NGX_HTTP_RATELIMIT_RELEASE_AGAIN  100


/* a place that could not be given back yet */

typedef struct {
    ngx_event_t                  event;
    rl_item_t                    item;
} ngx_http_ratelimit_late_place_t;


static ngx_int_t ngx_http_ratelimit_check_lines_of(ngx_conf_t *cf,
    ngx_array_t *plan);
static ngx_int_t ngx_http_ratelimit_not_with(ngx_conf_t *cf,
    ngx_http_ratelimit_step_t *step, char *what,
    ngx_http_ratelimit_step_t *other, char *why);
static void ngx_http_ratelimit_release_later(rl_item_t *item);
static void ngx_http_ratelimit_release_again(ngx_event_t *ev);


/*
 * A place is held or it is not: there is no final cost of it.  What waits is
 * asked again and again, which neither a ban nor Redis is.
 */

ngx_int_t
ngx_http_ratelimit_check_lines(ngx_conf_t *cf)
{
    ngx_uint_t                        i;
    ngx_http_ratelimit_loc_conf_t   **rlcf;
    ngx_http_ratelimit_main_conf_t   *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    rlcf = rmcf->planned.elts;

    for (i = 0; i < rmcf->planned.nelts; i++) {
        if (ngx_http_ratelimit_check_lines_of(cf, &rlcf[i]->preaccess)
            != NGX_OK
            || ngx_http_ratelimit_check_lines_of(cf, &rlcf[i]->precontent)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_check_lines_of(ngx_conf_t *cf, ngx_array_t *plan)
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

    if (ban && shared) {
        return ngx_http_ratelimit_not_with(cf, ban, "ban=", shared,
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


void
ngx_http_ratelimit_release_places(rl_item_t *items, ngx_uint_t n)
{
    rl_time_t   now;
    ngx_uint_t  i;

    /* one that leaves the process table, as on exit, holds nothing */

    if (ngx_http_ratelimit_this_process.process_table == NULL) {
        return;
    }

    ngx_http_ratelimit_now(&now);

    (void) rl_release(&ngx_http_ratelimit_this_process, items, n, &now);

    for (i = 0; i < n; i++) {
        if (items[i].policy->algorithm != RL_CONCURRENT) {
            continue;
        }

        if (items[i].charged) {
            ngx_http_ratelimit_release_later(&items[i]);

        } else {
            ngx_http_ratelimit_wake_queue(&items[i]);
        }
    }
}


/* a lock's owner is stopped: the place must not be lost for all that */

static void
ngx_http_ratelimit_release_later(rl_item_t *item)
{
    ngx_http_ratelimit_late_place_t  *late;

    late = ngx_calloc(sizeof(ngx_http_ratelimit_late_place_t), ngx_cycle->log);
    if (late == NULL) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "ratelimit: no memory to give back a place of policy "
                      "\"%*s\" later: it stays taken until this process ends",
                      item->policy->name.len, item->policy->name.data);
        return;
    }

    late->item = *item;
    late->event.handler = ngx_http_ratelimit_release_again;
    late->event.data = late;
    late->event.log = ngx_cycle->log;
    late->event.cancelable = 1;

    ngx_add_timer(&late->event, NGX_HTTP_RATELIMIT_RELEASE_AGAIN);
}


static void
ngx_http_ratelimit_release_again(ngx_event_t *ev)
{
    rl_time_t                         now;
    ngx_http_ratelimit_late_place_t  *late = ev->data;

    ngx_http_ratelimit_now(&now);

    if (rl_release(&ngx_http_ratelimit_this_process, &late->item, 1, &now)
        == RL_TIMEOUT)
    {
        ngx_add_timer(ev, NGX_HTTP_RATELIMIT_RELEASE_AGAIN);
        return;
    }

    ngx_free(late);
}
