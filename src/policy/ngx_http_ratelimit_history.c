
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Every ten seconds a sample of what each policy has counted, taken by the
 * worker that comes first.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "policy/ngx_http_ratelimit_history.h"
#include "policy/ngx_http_ratelimit_policy.h"


/* some 2 microseconds a policy; the next ones soon */

#define NGX_HTTP_RATELIMIT_HISTORY_POLICIES  128
#define NGX_HTTP_RATELIMIT_HISTORY_PAUSE     5


static void ngx_http_ratelimit_record_history(ngx_event_t *ev);


static ngx_event_t       ngx_http_ratelimit_history_event;
static ngx_connection_t  ngx_http_ratelimit_history_dummy;
static ngx_uint_t        ngx_http_ratelimit_history_next;  /* policy */


void
ngx_http_ratelimit_init_history(ngx_cycle_t *cycle)
{
    ngx_event_t  *ev;

    ngx_http_ratelimit_history_dummy.fd = (ngx_socket_t) -1;

    ev = &ngx_http_ratelimit_history_event;

    ev->handler = ngx_http_ratelimit_record_history;
    ev->data = &ngx_http_ratelimit_history_dummy;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, 1);
}


static void
ngx_http_ratelimit_record_history(ngx_event_t *ev)
{
    rl_time_t                        now;
    ngx_uint_t                       i, end;
    ngx_http_ratelimit_policy_t    **policies;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_ratelimit_module);

    policies = rmcf->policies.elts;
    i = ngx_http_ratelimit_history_next;
    end = ngx_min(i + NGX_HTTP_RATELIMIT_HISTORY_POLICIES,
                  rmcf->policies.nelts);

    ngx_http_ratelimit_now(&now);

    for ( /* void */ ; i < end; i++) {
        rl_history_record(ngx_http_ratelimit_process(rmcf),
                          &policies[i]->core, &now);
    }

    if (end < rmcf->policies.nelts) {
        ngx_http_ratelimit_history_next = end;
        ngx_add_timer(ev, NGX_HTTP_RATELIMIT_HISTORY_PAUSE);
        return;
    }

    ngx_http_ratelimit_history_next = 0;
    ngx_add_timer(ev, RL_HISTORY_STEP_MS - now.mono_ms % RL_HISTORY_STEP_MS);
}
