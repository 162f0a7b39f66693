
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Deciding the requests that most are: constant quotas, keys of one value,
 * lines that name policies and nothing else.  All that varies is the keys, and
 * one call of the core does the rest: a half to a third of what
 * ngx_http_ratelimit_decide() needs.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "zone/ngx_http_ratelimit_process.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "key/ngx_http_ratelimit_key.h"
#include "key/ngx_http_ratelimit_part.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_rule.h"
#include "policy/ngx_http_ratelimit_statistics.h"
#include "request/ngx_http_ratelimit_decide.h"
#include "request/ngx_http_ratelimit_record.h"


/* keys are decoded on the stack: this many of them */

#define NGX_HTTP_RATELIMIT_QUICK_POLICIES  8


static ngx_int_t ngx_http_ratelimit_init_items(ngx_conf_t *cf,
    ngx_http_ratelimit_loc_conf_t *rlcf);
static uint32_t ngx_http_ratelimit_same_key(rl_item_t *items, ngx_uint_t n);
static ngx_http_ratelimit_noinline ngx_int_t ngx_http_ratelimit_decide_one(
    ngx_http_request_t *r, ngx_http_ratelimit_loc_conf_t *rlcf);
static ngx_http_ratelimit_noinline ngx_int_t ngx_http_ratelimit_decide_some(
    ngx_http_request_t *r, ngx_http_ratelimit_loc_conf_t *rlcf);
static ngx_http_ratelimit_always_inline ngx_int_t ngx_http_ratelimit_decide_n(
    ngx_http_request_t *r, ngx_http_ratelimit_loc_conf_t *rlcf,
    ngx_uint_t nentries, rl_part_t *parts,
    u_char (*scratch)[NGX_HTTP_RATELIMIT_SCRATCH]);
static ngx_http_ratelimit_noinline void ngx_http_ratelimit_count_bypassed(
    ngx_http_ratelimit_entry_t *entry, ngx_uint_t bypassed);


/* what can be known of a location; of its policies, when they are defined */

char *
ngx_http_ratelimit_find_quick(ngx_conf_t *cf,
    ngx_http_ratelimit_loc_conf_t *rlcf)
{
    ngx_uint_t                        i, j;
    ngx_http_ratelimit_entry_t       *entry;
    ngx_http_ratelimit_loc_conf_t   **pp;
    ngx_http_ratelimit_main_conf_t   *rmcf;

    if (rlcf->dry_run
        || rlcf->preaccess.nelts == 0
        || rlcf->preaccess.nelts > NGX_HTTP_RATELIMIT_QUICK_POLICIES)
    {
        return NGX_CONF_OK;
    }

    entry = rlcf->preaccess.elts;

    for (i = 0; i < rlcf->preaccess.nelts; i++) {

        if (!entry[i].rule->plain || entry[i].rule->settle) {
            return NGX_CONF_OK;
        }

        for (j = 0; j < i; j++) {
            if (entry[j].policy == entry[i].policy) {
                return NGX_CONF_OK;
            }
        }
    }

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    pp = ngx_array_push(&rmcf->quick);
    if (pp == NULL) {
        return NGX_CONF_ERROR;
    }

    *pp = rlcf;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_ratelimit_init_quick(ngx_conf_t *cf)
{
    ngx_uint_t                        i;
    ngx_http_ratelimit_loc_conf_t   **rlcf;
    ngx_http_ratelimit_main_conf_t   *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    rlcf = rmcf->quick.elts;

    for (i = 0; i < rmcf->quick.nelts; i++) {
        if (ngx_http_ratelimit_init_items(cf, rlcf[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_init_items(ngx_conf_t *cf,
    ngx_http_ratelimit_loc_conf_t *rlcf)
{
    rl_item_t                   *items;
    ngx_uint_t                   i, n;
    ngx_http_ratelimit_entry_t  *entry;

    entry = rlcf->preaccess.elts;
    n = rlcf->preaccess.nelts;

    for (i = 0; i < n; i++) {
        if (!entry[i].policy->quick) {
            return NGX_OK;
        }
    }

    items = ngx_pcalloc(cf->pool, n * sizeof(rl_item_t));
    if (items == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        items[i] = entry[i].policy->item;
        items[i].want_next = rlcf->want_next;
        items[i].same_key_as = ngx_http_ratelimit_same_key(items, i);
    }

    rlcf->items = items;

    return NGX_OK;
}


/* a key that several policies have is evaluated, and hashed, once */

static uint32_t
ngx_http_ratelimit_same_key(rl_item_t *items, ngx_uint_t n)
{
    ngx_uint_t                       i;
    ngx_http_ratelimit_partition_t  *partition;

    partition = ngx_http_ratelimit_item_policy(&items[n])->partition;

    for (i = 0; i < n; i++) {
        if (ngx_http_ratelimit_item_policy(&items[i])->partition == partition)
        {
            return i + 1;
        }
    }

    return 0;
}


/* one policy has code of its own: 70 instructions less for most requests */

ngx_int_t
ngx_http_ratelimit_decide_quickly(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf)
{
    return (rlcf->preaccess.nelts == 1)
           ? ngx_http_ratelimit_decide_one(r, rlcf)
           : ngx_http_ratelimit_decide_some(r, rlcf);
}


static ngx_http_ratelimit_noinline ngx_int_t
ngx_http_ratelimit_decide_one(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf)
{
    u_char     scratch[1][NGX_HTTP_RATELIMIT_SCRATCH];
    rl_part_t  parts[1];

    return ngx_http_ratelimit_decide_n(r, rlcf, 1, parts, scratch);
}


static ngx_http_ratelimit_noinline ngx_int_t
ngx_http_ratelimit_decide_some(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf)
{
    u_char     scratch[NGX_HTTP_RATELIMIT_QUICK_POLICIES]
                      [NGX_HTTP_RATELIMIT_SCRATCH];
    rl_part_t  parts[NGX_HTTP_RATELIMIT_QUICK_POLICIES];

    return ngx_http_ratelimit_decide_n(r, rlcf, rlcf->preaccess.nelts, parts,
                                       scratch);
}


/* parts and scratch are room for nentries keys */

static ngx_http_ratelimit_always_inline ngx_int_t
ngx_http_ratelimit_decide_n(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_uint_t nentries,
    rl_part_t *parts, u_char (*scratch)[NGX_HTTP_RATELIMIT_SCRATCH])
{
    ngx_int_t                        rc;
    rl_item_t                       *item, *items;
    ngx_uint_t                       i, n, bypassed;
    rl_process_t                    *process;
    rl_verdict_e                     verdict;
    ngx_http_ratelimit_entry_t      *entry;
    ngx_http_ratelimit_record_t     *record;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    record = ngx_http_ratelimit_create_record(r, nentries
                                                 + rlcf->precontent.nelts);
    if (record == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_ratelimit_now(&record->time);

    entry = rlcf->preaccess.elts;
    items = record->items;
    n = 0;
    bypassed = 0;

    for (i = 0; i < nentries; i++) {

        item = &items[n];

        ngx_memcpy(item, &rlcf->items[i], offsetof(rl_item_t, admitted));

        if (bypassed) {
            item->same_key_as = ngx_http_ratelimit_same_key(items, n);
        }

        rc = (nentries > 1 && item->same_key_as)
             ? NGX_OK
             : ngx_http_ratelimit_get_part(r,
                                      entry[i].policy->partition->parts.elts,
                                      scratch[n], &parts[n]);
        if (rc == NGX_OK) {
            n++;

        } else if (rc == NGX_DECLINED) {
            bypassed |= 1 << i;

        } else {
            ngx_http_ratelimit_not_evaluated(record, entry[i].policy);

            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (n == 0) {
        ngx_http_ratelimit_count_bypassed(entry, bypassed);
        return NGX_DECLINED;
    }

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_ratelimit_module);

    process = ngx_http_ratelimit_process(rmcf);

    verdict = process ? rl_decide_keys(process, items, parts, n, &record->time)
                      : RL_BUSY;

    if (verdict == RL_OVERRIDDEN) {
        return ngx_http_ratelimit_decide(r, rlcf, &rlcf->preaccess);
    }

    if (bypassed) {
        ngx_http_ratelimit_count_bypassed(entry, bypassed);
    }

    if (verdict == RL_BUSY) {
        return ngx_http_ratelimit_busy(r, rlcf, record, n);
    }

    record->conf = rlcf;
    record->nitems = n;

    ngx_http_ratelimit_zone_check(r, rmcf, &record->time);

    return (verdict == RL_ADMITTED)
           ? NGX_DECLINED
           : ngx_http_ratelimit_refused(r, record, process, 0);
}


/* once it is certain that ngx_http_ratelimit_decide() will not count them */

static ngx_http_ratelimit_noinline void
ngx_http_ratelimit_count_bypassed(ngx_http_ratelimit_entry_t *entry,
    ngx_uint_t bypassed)
{
    for ( /* void */ ; bypassed; bypassed >>= 1, entry++) {
        if (bypassed & 1) {
            ngx_http_ratelimit_count(entry->policy, RL_COUNT_BYPASSED);
        }
    }
}
