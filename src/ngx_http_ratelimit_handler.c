
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * A request's decisions, and the record that keeps them over its redirects.
 */


#include "ngx_http_ratelimit_module.h"


static ngx_int_t ngx_http_ratelimit_preaccess_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_ratelimit_preaccess_phase(ngx_http_request_t *r,
    ngx_http_phase_handler_t *ph);
static ngx_int_t ngx_http_ratelimit_precontent_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_ratelimit_decide(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_array_t *entries);
static ngx_inline ngx_uint_t ngx_http_ratelimit_is_quick(
    ngx_http_request_t *r, ngx_http_ratelimit_loc_conf_t *rlcf);
static ngx_http_ratelimit_noinline ngx_int_t ngx_http_ratelimit_decide_one(
    ngx_http_request_t *r, ngx_http_ratelimit_loc_conf_t *rlcf);
static void ngx_http_ratelimit_busy(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_uint_t n);
static ngx_inline void ngx_http_ratelimit_zone_check(ngx_http_request_t *r,
    ngx_http_ratelimit_main_conf_t *rmcf, rl_time_t *now);
static ngx_int_t ngx_http_ratelimit_collect(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_array_t *entries,
    ngx_http_ratelimit_record_t *record, ngx_uint_t *n);
static ngx_int_t ngx_http_ratelimit_admitted(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_uint_t first);
static ngx_int_t ngx_http_ratelimit_refused(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process,
    ngx_uint_t first);
static void ngx_http_ratelimit_return_charges(
    ngx_http_ratelimit_record_t *record, rl_process_t *process, ngx_uint_t n);
static ngx_http_ratelimit_record_t *ngx_http_ratelimit_make_record(
    ngx_http_request_t *r, ngx_uint_t nentries);
static ngx_inline ngx_http_ratelimit_record_t *
    ngx_http_ratelimit_create_record(ngx_http_request_t *r,
    ngx_uint_t nentries);
static void ngx_http_ratelimit_cleanup(void *data);


/* the second in which this process last looked for full zones */

static time_t  ngx_http_ratelimit_warned;


static ngx_int_t
ngx_http_ratelimit_preaccess_handler(ngx_http_request_t *r)
{
    ngx_http_ratelimit_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_ratelimit_module);

    if (rlcf->preaccess.nelts == 0 || r != r->main) {
        return NGX_DECLINED;
    }

    return ngx_http_ratelimit_decide(r, rlcf, &rlcf->preaccess);
}


/*
 * As nginx's checker of this phase, ngx_http_core_generic_phase(), does, for a
 * request that goes on, in 26 instructions less: most of what the module costs
 * a location that limits nothing.
 */

static ngx_int_t
ngx_http_ratelimit_preaccess_phase(ngx_http_request_t *r,
    ngx_http_phase_handler_t *ph)
{
    ngx_int_t                       rc;
    ngx_http_ratelimit_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_ratelimit_module);

    if (rlcf->preaccess.nelts == 0 || r != r->main) {
        r->phase_handler++;
        return NGX_AGAIN;
    }

    rc = ngx_http_ratelimit_is_quick(r, rlcf)
         ? ngx_http_ratelimit_decide_one(r, rlcf)
         : ngx_http_ratelimit_decide(r, rlcf, &rlcf->preaccess);

    if (rc == NGX_DECLINED) {
        r->phase_handler++;
        return NGX_AGAIN;
    }

    if (rc != NGX_DONE) {
        ngx_http_finalize_request(r, rc);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_precontent_handler(ngx_http_request_t *r)
{
    ngx_http_ratelimit_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_ratelimit_module);

    if (rlcf->precontent.nelts == 0 || r != r->main) {
        return NGX_DECLINED;
    }

    return ngx_http_ratelimit_decide(r, rlcf, &rlcf->precontent);
}


static ngx_int_t
ngx_http_ratelimit_decide(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_array_t *entries)
{
    ngx_uint_t                       n, first;
    rl_process_t                    *process;
    rl_verdict_e                     verdict;
    ngx_http_ratelimit_record_t     *record;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    record = ngx_http_ratelimit_make_record(r, rlcf->preaccess.nelts
                                               + rlcf->precontent.nelts);
    if (record == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (record->refused) {
        return NGX_DECLINED;
    }

    /* an earlier phase's or location's items keep up with the record's time */

    if (record->nitems) {
        ngx_http_ratelimit_age_record(record);
    }

    ngx_http_ratelimit_now(&record->time);

    if (ngx_http_ratelimit_collect(r, rlcf, entries, record, &n) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (n == 0) {
        return NGX_DECLINED;
    }

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_ratelimit_module);

    process = ngx_http_ratelimit_process(rmcf);

    first = record->nitems;
    verdict = RL_BUSY;

    if (process) {
        verdict = rl_decide(process, &record->items[first], n, &record->time);
    }

    if (verdict == RL_BUSY) {
        ngx_http_ratelimit_busy(r, record, n);
        return NGX_DECLINED;
    }

    rl_count_decision(process, &record->items[first], n, verdict,
                      &record->time);

    record->conf = rlcf;
    record->nitems += n;

    ngx_http_ratelimit_zone_check(r, rmcf, &record->time);

    if (verdict == RL_REFUSED) {
        return ngx_http_ratelimit_refused(r, record, process, first);
    }

    return ngx_http_ratelimit_admitted(r, record, first);
}


/* one policy decides, by one value, and nothing but that varies */

static ngx_inline ngx_uint_t
ngx_http_ratelimit_is_quick(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf)
{
    ngx_http_ratelimit_entry_t  *entry;

    entry = rlcf->preaccess.elts;

    return rlcf->quick && entry->policy->quick
           && ngx_http_ratelimit_get_record(r) == NULL;
}


/*
 * As ngx_http_ratelimit_decide() for such a request, as most are, with one
 * call of the core: 830 instructions less of 1,130.
 */

static ngx_http_ratelimit_noinline ngx_int_t
ngx_http_ratelimit_decide_one(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf)
{
    u_char                           scratch[NGX_HTTP_RATELIMIT_SCRATCH];
    ngx_int_t                        rc;
    rl_item_t                       *item;
    rl_process_t                    *process;
    rl_verdict_e                     verdict;
    rl_part_t                        part;
    ngx_http_ratelimit_entry_t      *entry;
    ngx_http_ratelimit_record_t     *record;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    record = ngx_http_ratelimit_create_record(r, 1 + rlcf->precontent.nelts);
    if (record == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_ratelimit_now(&record->time);

    entry = rlcf->preaccess.elts;
    item = record->items;

    ngx_memcpy(item, &entry->policy->item, offsetof(rl_item_t, admitted));

    item->want_next = rlcf->want_next;
    item->data = entry->rule;

    rc = ngx_http_ratelimit_value_part(r, entry->policy->partition->parts.elts,
                                       scratch, &part);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_ratelimit_module);

    process = ngx_http_ratelimit_process(rmcf);

    if (rc == NGX_DECLINED) {
        verdict = RL_BYPASSED;

    } else if (process == NULL) {
        verdict = RL_BUSY;

    } else {
        verdict = rl_decide_key(process, item, &part, &record->time);
    }

    switch (verdict) {

    case RL_BYPASSED:
        ngx_http_ratelimit_count(entry->policy, RL_COUNT_BYPASSED);
        return NGX_DECLINED;

    case RL_BUSY:
        ngx_http_ratelimit_busy(r, record, 1);
        return NGX_DECLINED;

    default:
        break;
    }

    record->conf = rlcf;
    record->nitems = 1;

    ngx_http_ratelimit_zone_check(r, rmcf, &record->time);

    if (verdict == RL_REFUSED) {
        return ngx_http_ratelimit_refused(r, record, process, 0);
    }

    return NGX_DECLINED;
}


/* a lock's owner is stopped, or this process has no place in the register */

static void
ngx_http_ratelimit_busy(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_uint_t n)
{
    record->error = 1;

    ngx_http_ratelimit_log_busy(r, "the request is not counted");
    ngx_http_ratelimit_count_items(&record->items[record->nitems], n,
                                   RL_COUNT_ERRORS);
}


static ngx_inline void
ngx_http_ratelimit_zone_check(ngx_http_request_t *r,
    ngx_http_ratelimit_main_conf_t *rmcf, rl_time_t *now)
{
    if (ngx_time() != ngx_http_ratelimit_warned) {
        ngx_http_ratelimit_warned = ngx_time();
        ngx_http_ratelimit_zone_warn(r, rmcf, now);
    }
}


/*
 * Appends an item for each policy that applies and that has not decided this
 * request yet, behind record->nitems; of a policy's lines the first that
 * applies counts.
 */

static ngx_int_t
ngx_http_ratelimit_collect(ngx_http_request_t *r,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_array_t *entries,
    ngx_http_ratelimit_record_t *record, ngx_uint_t *n)
{
    ngx_int_t                    rc;
    rl_item_t                   *item;
    ngx_uint_t                   i, j, nitems;
    ngx_http_ratelimit_entry_t  *entry;

    entry = entries->elts;
    nitems = record->nitems;

    for (i = 0; i < entries->nelts; i++) {

        for (j = 0; j < nitems; j++) {
            if (record->items[j].policy == &entry[i].policy->core) {
                break;
            }
        }

        if (j < nitems) {
            continue;
        }

        if (!entry[i].rule->plain) {
            rc = ngx_http_ratelimit_rule_applies(r, entry[i].rule);

            if (rc == NGX_DECLINED) {
                continue;
            }

            if (rc != NGX_OK) {
                return NGX_ERROR;
            }
        }

        item = &record->items[nitems];

        rc = ngx_http_ratelimit_item(r, entry[i].policy, item, record->items,
                                     nitems, &record->time);
        if (rc == NGX_DECLINED) {
            ngx_http_ratelimit_count(entry[i].policy, RL_COUNT_BYPASSED);
            continue;
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }

        if (!entry[i].rule->plain || rlcf->dry_run) {
            if (ngx_http_ratelimit_rule_cost(r, &entry[i], item) != NGX_OK
                || ngx_http_ratelimit_rule_dry_run(r, rlcf, entry[i].rule,
                                                   item)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }
        }

        item->want_next = rlcf->want_next;
        item->data = entry[i].rule;

        if (entry[i].policy->response || entry[i].rule->settle) {
            record->responds = 1;
        }

        nitems++;
    }

    *n = nitems - record->nitems;

    return NGX_OK;
}


/* items in dry run may have refused what is admitted */

static ngx_int_t
ngx_http_ratelimit_admitted(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_uint_t first)
{
    rl_item_t   *slowest;
    ngx_uint_t   i;

    slowest = NULL;

    for (i = first; i < record->nitems; i++) {

        if (!record->items[i].admitted
            && (slowest == NULL
                || record->items[i].retry_after_ms > slowest->retry_after_ms))
        {
            slowest = &record->items[i];
        }
    }

    if (slowest) {
        record->dry_run = 1;

        ngx_http_ratelimit_log_refusal(r, slowest, record->conf->log_level,
                                       &record->time);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_ratelimit_refused(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_process_t *process,
    ngx_uint_t first)
{
    rl_item_t                    *item, *slowest;
    ngx_uint_t                    i, status;
    ngx_http_ratelimit_policy_t  *policy;

    slowest = NULL;

    for (i = first; i < record->nitems; i++) {
        item = &record->items[i];

        if (item->admitted || item->dry_run) {
            continue;
        }

        if (slowest == NULL || item->retry_after_ms > slowest->retry_after_ms)
        {
            slowest = item;
        }
    }

    record->refused = 1;
    record->retry_after_ms = slowest->retry_after_ms;

    /* a refused request is charged to none, earlier phases' included */

    ngx_http_ratelimit_return_charges(record, process, first);

    ngx_http_ratelimit_log_refusal(r, slowest, record->conf->log_level,
                                   &record->time);

    policy = (ngx_http_ratelimit_policy_t *) slowest->policy;
    status = policy->status ? policy->status : record->conf->status;

    return ngx_http_ratelimit_refuse(r, record, status);
}


static void
ngx_http_ratelimit_return_charges(ngx_http_ratelimit_record_t *record,
    rl_process_t *process, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (record->items[i].charged
            && rl_refund(process, &record->items[i], 1, &record->time)
               != RL_BUSY)
        {
            ngx_http_ratelimit_count_items(&record->items[i], 1,
                                           RL_COUNT_REFUNDED);
        }
    }
}


/* what the record says was so at its decision: resets draw nearer since */

void
ngx_http_ratelimit_age_record(ngx_http_ratelimit_record_t *record)
{
    uint64_t     elapsed_ms;
    rl_time_t    now;
    rl_item_t   *item;
    ngx_uint_t   i;

    ngx_http_ratelimit_now(&now);

    if (now.mono_ms <= record->time.mono_ms) {
        return;
    }

    elapsed_ms = now.mono_ms - record->time.mono_ms;

    /* not now.wall_ms: the clocks tick apart, a Unix reset would waver */

    record->time.mono_ms += elapsed_ms;
    record->time.wall_ms += elapsed_ms;

#define ngx_http_ratelimit_age(ms)                                            \
    (ms) -= ngx_min((ms), elapsed_ms)

    ngx_http_ratelimit_age(record->retry_after_ms);

    for (i = 0; i < record->nitems; i++) {
        item = &record->items[i];

        ngx_http_ratelimit_age(item->reset_ms);
        ngx_http_ratelimit_age(item->retry_after_ms);
        ngx_http_ratelimit_age(item->next_ms);
    }
}


/* of a request whose contexts were zeroed, or that has none */

ngx_http_ratelimit_record_t *
ngx_http_ratelimit_find_record(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t           *cln;
    ngx_http_ratelimit_record_t  *record;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_ratelimit_cleanup) {
            record = cln->data;
            ngx_http_set_ctx(r, record, ngx_http_ratelimit_module);
            return record;
        }
    }

    return NULL;
}


static ngx_http_ratelimit_record_t *
ngx_http_ratelimit_make_record(ngx_http_request_t *r, ngx_uint_t nentries)
{
    rl_item_t                    *items;
    ngx_http_ratelimit_record_t  *record;

    record = ngx_http_ratelimit_get_record(r);

    if (record == NULL) {
        return ngx_http_ratelimit_create_record(r, nentries);
    }

    if (record->nitems + nentries <= record->size) {
        return record;
    }

    items = ngx_palloc(r->pool,
                       (record->nitems + nentries) * sizeof(rl_item_t));
    if (items == NULL) {
        return NULL;
    }

    ngx_memcpy(items, record->items, record->nitems * sizeof(rl_item_t));

    record->items = items;
    record->size = record->nitems + nentries;

    return record;
}


static ngx_inline ngx_http_ratelimit_record_t *
ngx_http_ratelimit_create_record(ngx_http_request_t *r, ngx_uint_t nentries)
{
    ngx_pool_cleanup_t           *cln;
    ngx_http_ratelimit_record_t  *record;

    /* as ngx_pool_cleanup_add(), with one allocation: 30 instructions less */

    cln = ngx_palloc(r->pool, sizeof(ngx_pool_cleanup_t)
                              + sizeof(ngx_http_ratelimit_record_t)
                              + nentries * sizeof(rl_item_t));
    if (cln == NULL) {
        return NULL;
    }

    record = (ngx_http_ratelimit_record_t *) (cln + 1);
    ngx_memzero(record, sizeof(ngx_http_ratelimit_record_t));

    record->items = (rl_item_t *) (record + 1);
    record->size = nentries;

    cln->handler = ngx_http_ratelimit_cleanup;
    cln->data = record;
    cln->next = r->pool->cleanup;
    r->pool->cleanup = cln;

    ngx_http_set_ctx(r, record, ngx_http_ratelimit_module);

    return record;
}


/* the record is plain memory of the pool's; the handler is its mark */

static void
ngx_http_ratelimit_cleanup(void *data)
{
}


/*
 * Phase handlers run from the last to the first.  The first place of preaccess
 * thus comes after realip, whose address keys are made of, and after limit_req
 * and limit_conn, whatever the order in which dynamic modules were loaded; the
 * last place of precontent comes before mirror and try_files.
 */

ngx_int_t
ngx_http_ratelimit_init_handlers(ngx_conf_t *cf)
{
    ngx_array_t                     *handlers;
    ngx_http_handler_pt             *h;
    ngx_http_core_main_conf_t       *cmcf;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    if (!rmcf->used) {
        return NGX_OK;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    handlers = &cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers;

    if (ngx_array_push(handlers) == NULL) {
        return NGX_ERROR;
    }

    h = handlers->elts;

    ngx_memmove(&h[1], &h[0],
                (handlers->nelts - 1) * sizeof(ngx_http_handler_pt));

    h[0] = ngx_http_ratelimit_preaccess_handler;

    if (!rmcf->precontent) {
        return NGX_OK;
    }

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_ratelimit_precontent_handler;

    return NGX_OK;
}


/* once nginx has made its phase engine of the handlers */

void
ngx_http_ratelimit_init_phases(ngx_cycle_t *cycle)
{
    ngx_http_phase_handler_t   *ph;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_core_module);

    for (ph = cmcf->phase_engine.handlers; ph->checker; ph++) {
        if (ph->handler == ngx_http_ratelimit_preaccess_handler) {
            ph->checker = ngx_http_ratelimit_preaccess_phase;
        }
    }
}
