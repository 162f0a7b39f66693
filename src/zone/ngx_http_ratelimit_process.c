
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * This process in the table of those that may hold a zone's locks.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "zone/ngx_http_ratelimit_shm.h"


#if (NGX_MAX_PROCESSES > RL_MAX_PROCESSES)
#error a master of this nginx has more processes than there are places
#endif


/* this process's place in the process table; the zones are the cycle's */

rl_process_t  ngx_http_ratelimit_this_process;


/*
 * Joined at the first decision, since a process must join after it forked;
 * in single process mode a reload changes the zones under a joined process.
 * One that finds no place has looked at all of them: not again this second.
 */

rl_process_t *
ngx_http_ratelimit_join(ngx_http_ratelimit_main_conf_t *rmcf)
{
    size_t         size;
    rl_process_t  *process;

    static time_t  failed;

    process = &ngx_http_ratelimit_this_process;

    if (process->process_table != NULL) {
        rl_process_leave(process);
    }

    if (failed == ngx_time()) {
        return NULL;
    }

    if (rl_process_join(process,
                        ngx_http_ratelimit_memory(rmcf->process_table, &size),
                        rmcf->core_zones, rmcf->zones.nelts)
        != RL_OK)
    {
        failed = ngx_time();
        return NULL;
    }

    return process;
}


void
ngx_http_ratelimit_leave(void)
{
    if (ngx_http_ratelimit_this_process.process_table != NULL) {
        rl_process_leave(&ngx_http_ratelimit_this_process);
    }
}
