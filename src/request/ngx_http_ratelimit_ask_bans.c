
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Decisions of policies that ban, where a bucket is shared with other
 * machines: who is banned stands in this machine's memory, and so is refused
 * without asking Redis.  What that should know is told once it is decided.
 */


#include "ngx_http_ratelimit.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "shared/ngx_http_ratelimit_bans.h"
#include "request/ngx_http_ratelimit_ask.h"


static void ngx_http_ratelimit_tell_bans(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record);


/* who waits for units goes on as one that came before a ban */

rl_verdict_e
ngx_http_ratelimit_ask_with_bans(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process)
{
    rl_item_t     *items;
    rl_verdict_e   verdict;

    items = &record->items[record->nitems];
    verdict = RL_ADMITTED;

    if (record->asking == NULL) {
        verdict = rl_ask_bans(process, items, record->nasked, &record->time);

        if (verdict == RL_TIMEOUT) {
            return RL_TIMEOUT;
        }
    }

    if (verdict == RL_ADMITTED
        && ngx_http_ratelimit_use_leases(record, process))
    {
        return RL_ADMITTED;
    }

    verdict = ngx_http_ratelimit_ask(r, record, process);

    if (verdict == RL_ADMITTED || verdict == RL_REFUSED) {
        rl_note_refusals(process, items, record->nasked, &record->time);
        ngx_http_ratelimit_tell_bans(r, record);
    }

    return verdict;
}


static void
ngx_http_ratelimit_tell_bans(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record)
{
    rl_item_t                      *items;
    ngx_uint_t                      i;
    ngx_http_ratelimit_zone_t      *zone;
    ngx_http_ratelimit_loc_conf_t  *rlcf;

    items = &record->items[record->nitems];
    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_ratelimit_module);

    for (i = 0; i < record->nasked; i++) {
        zone = ngx_http_ratelimit_item_zone(&items[i]);

        if (zone->redis) {
            ngx_http_ratelimit_tell_ban(zone->redis, &items[i], &record->time,
                                        rlcf->log_level,
                                        &r->connection->addr_text);
        }
    }
}
