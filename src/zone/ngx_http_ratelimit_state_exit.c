
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The last copy into state files, when all workers have gone.  The master
 * process, being root as a rule, leaves it to a child that is root no more:
 * the directory is its workers', and what stands there may be a trap.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "zone/ngx_http_ratelimit_state.h"
#include "zone/ngx_http_ratelimit_zone.h"


static ngx_uint_t ngx_http_ratelimit_has_state(
    ngx_http_ratelimit_main_conf_t *rmcf);
static void ngx_http_ratelimit_write_states(ngx_cycle_t *cycle,
    ngx_http_ratelimit_main_conf_t *rmcf);
static ngx_int_t ngx_http_ratelimit_become_worker(ngx_cycle_t *cycle);
static void ngx_http_ratelimit_wait_for(ngx_cycle_t *cycle, ngx_pid_t pid);


/* unless a new binary goes on */

void
ngx_http_ratelimit_exit_master(ngx_cycle_t *cycle)
{
    ngx_pid_t                        pid;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_ratelimit_module);

    if (rmcf == NULL || ngx_new_binary
        || !ngx_http_ratelimit_has_state(rmcf))
    {
        return;
    }

    if (ngx_process == NGX_PROCESS_SINGLE || geteuid() != 0) {

        /* no other user than that of the workers */

        ngx_http_ratelimit_write_states(cycle, rmcf);
        return;
    }

    /* the master process keeps SIGCHLD blocked, so the child waits for us */

    pid = fork();

    if (pid == -1) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_errno,
                      "ratelimit: fork() failed, no state file is written");
        return;
    }

    if (pid == 0) {
        ngx_pid = ngx_getpid();

        if (ngx_http_ratelimit_become_worker(cycle) == NGX_OK) {
            ngx_http_ratelimit_write_states(cycle, rmcf);
        }

        _exit(0);
    }

    ngx_http_ratelimit_wait_for(cycle, pid);
}


static ngx_uint_t
ngx_http_ratelimit_has_state(ngx_http_ratelimit_main_conf_t *rmcf)
{
    ngx_uint_t                  i;
    ngx_shm_zone_t            **zones;
    ngx_http_ratelimit_zone_t  *zone;

    zones = rmcf->zones.elts;

    for (i = 0; i < rmcf->zones.nelts; i++) {
        zone = zones[i]->data;

        if (zone->state.len) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_ratelimit_write_states(ngx_cycle_t *cycle,
    ngx_http_ratelimit_main_conf_t *rmcf)
{
    ngx_uint_t                  i;
    rl_process_t               *process;
    ngx_shm_zone_t            **zones;
    ngx_http_ratelimit_zone_t  *zone;

    process = ngx_http_ratelimit_process(rmcf);

    if (process == NULL) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, 0,
                      "ratelimit: too many processes, no state file is "
                      "written");
        return;
    }

    zones = rmcf->zones.elts;

    for (i = 0; i < rmcf->zones.nelts; i++) {
        zone = zones[i]->data;

        if (zone->state.len) {
            (void) ngx_http_ratelimit_write_state(cycle, zones[i], process);
        }
    }
}


/* as nginx's workers do */

static ngx_int_t
ngx_http_ratelimit_become_worker(ngx_cycle_t *cycle)
{
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (setgid(ccf->group) == -1
        || initgroups(ccf->username, ccf->group) == -1
        || setuid(ccf->user) == -1)
    {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_errno,
                      "ratelimit: cannot become user \"%s\", no state file is "
                      "written", ccf->username);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_ratelimit_wait_for(ngx_cycle_t *cycle, ngx_pid_t pid)
{
    int  status;

    while (waitpid(pid, &status, 0) == -1) {

        if (ngx_errno != NGX_EINTR) {
            return;
        }
    }

    if (WIFSIGNALED(status)) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, 0,
                      "ratelimit: the process that writes state files exited "
                      "on signal %d", WTERMSIG(status));
    }
}
