
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What is configured, and cannot do what was meant by it: a warning each.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "key/ngx_http_ratelimit_key.h"
#include "key/ngx_http_ratelimit_part.h"
#include "policy/ngx_http_ratelimit_idle.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_rule.h"
#include "policy/ngx_http_ratelimit_step.h"
#include "zone/ngx_http_ratelimit_zone.h"


static void ngx_http_ratelimit_warn_zone(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf, ngx_shm_zone_t *shm_zone);
static void ngx_http_ratelimit_warn_policy(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_t *policy);
static void ngx_http_ratelimit_warn_ban(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_t *policy);
static ngx_uint_t ngx_http_ratelimit_is_source(ngx_str_t *text);
static ngx_uint_t ngx_http_ratelimit_is_variable(ngx_conf_t *cf,
    ngx_str_t *name);
static void ngx_http_ratelimit_warn_plan(ngx_conf_t *cf, ngx_array_t *plan);
static void ngx_http_ratelimit_warn_key(ngx_conf_t *cf,
    ngx_http_ratelimit_key_t *key);
static ngx_uint_t ngx_http_ratelimit_knows_underscores(ngx_conf_t *cf);


void
ngx_http_ratelimit_warn_idle(ngx_conf_t *cf)
{
    ngx_uint_t                        i;
    ngx_shm_zone_t                  **zones;
    ngx_http_ratelimit_key_t        **keys;
    ngx_http_ratelimit_policy_t     **policies;
    ngx_http_ratelimit_loc_conf_t   **rlcf;
    ngx_http_ratelimit_main_conf_t   *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    zones = rmcf->zones.elts;

    for (i = 0; i < rmcf->zones.nelts; i++) {
        ngx_http_ratelimit_warn_zone(cf, rmcf, zones[i]);
    }

    policies = rmcf->policies.elts;

    for (i = 0; i < rmcf->policies.nelts; i++) {
        ngx_http_ratelimit_warn_policy(cf, policies[i]);
    }

    rlcf = rmcf->planned.elts;

    for (i = 0; i < rmcf->planned.nelts; i++) {
        ngx_http_ratelimit_warn_plan(cf, &rlcf[i]->preaccess);
        ngx_http_ratelimit_warn_plan(cf, &rlcf[i]->precontent);
    }

    keys = rmcf->keys.elts;

    for (i = 0; i < rmcf->keys.nelts; i++) {
        ngx_http_ratelimit_warn_key(cf, keys[i]);
    }
}


static void
ngx_http_ratelimit_warn_zone(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf, ngx_shm_zone_t *shm_zone)
{
    ngx_uint_t                     i;
    ngx_http_ratelimit_zone_t     *zone;
    ngx_http_ratelimit_policy_t  **policies;

    policies = rmcf->policies.elts;

    for (i = 0; i < rmcf->policies.nelts; i++) {
        if (policies[i]->shm_zone == shm_zone) {
            return;
        }
    }

    zone = shm_zone->data;

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"ratelimit_zone\" \"%V\" holds nothing, no "
                  "\"ratelimit_policy\" is in it in %s:%ui",
                  &zone->name, zone->file, zone->line);
}


static void
ngx_http_ratelimit_warn_policy(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_t *policy)
{
    ngx_str_t                  *text;
    ngx_uint_t                  i;
    ngx_http_ratelimit_part_t  *part;

    if (!policy->limits) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"ratelimit_policy\" \"%V\" limits nothing, no "
                      "\"ratelimit\" line names it in %s:%ui",
                      &policy->name, policy->file, policy->line);
    }

    ngx_http_ratelimit_warn_ban(cf, policy);

    part = policy->partition->parts.elts;

    for (i = 0; i < policy->partition->parts.nelts; i++) {
        text = ngx_http_ratelimit_value_text(part[i].value);

        if (part[i].key != NULL || part[i].value->index != -1
            || ngx_http_ratelimit_value_varies(part[i].value))
        {
            continue;
        }

        if (ngx_http_ratelimit_is_variable(cf, text)) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"key=%V\" of the \"ratelimit_policy\" \"%V\" is "
                          "one key for all requests, the variable is "
                          "\"$%V\" in %s:%ui",
                          text, &policy->name, text, policy->file,
                          policy->line);

        } else if (ngx_http_ratelimit_is_source(text)) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"key=%V\" of the \"ratelimit_policy\" \"%V\" is "
                          "one key for all requests, \"%V\" is for a "
                          "\"ratelimit_key\" in %s:%ui",
                          text, &policy->name, text, policy->file,
                          policy->line);
        }
    }
}


/*
 * A quota that is spent at once is refused for its window, or with gcra until
 * the next unit is due.
 */

static void
ngx_http_ratelimit_warn_ban(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_t *policy)
{
    uint64_t     ban_ms, wait_ms;
    rl_quota_t  *quota;

    quota = &policy->constant_quota;

    if (policy->core.ban == NULL || policy->quota || quota->unlimited
        || quota->units == 0)
    {
        return;
    }

    wait_ms = quota->window_ms;

    if (policy->core.algorithm == RL_GCRA) {

        if (policy->scales.nelts) {
            return;
        }

        wait_ms /= quota->units;
    }

    ban_ms = policy->core.ban->durations_ms[0];

    if (ban_ms >= wait_ms) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"ban=\" of the \"ratelimit_policy\" \"%V\" begins with "
                  "%uL.%03uLs, its quota of %uL/%V keeps out for %uL.%03uLs "
                  "anyway in %s:%ui",
                  &policy->name, ban_ms / 1000, ban_ms % 1000, quota->units,
                  &quota->window_text, wait_ms / 1000, wait_ms % 1000,
                  policy->file, policy->line);
}


static ngx_uint_t
ngx_http_ratelimit_is_source(ngx_str_t *text)
{
    rl_source_t  source;

    return rl_parse_source(ngx_http_ratelimit_str(text), &source) == NULL;
}


static ngx_uint_t
ngx_http_ratelimit_is_variable(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_uint_t                  i;
    ngx_hash_key_t             *key;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    key = cmcf->variables_keys->keys.elts;

    for (i = 0; i < cmcf->variables_keys->keys.nelts; i++) {
        if (key[i].key.len == name->len
            && ngx_strncmp(key[i].key.data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* a cost that the quota never has */

static void
ngx_http_ratelimit_warn_plan(ngx_conf_t *cf, ngx_array_t *plan)
{
    uint64_t                      limit;
    ngx_uint_t                    i;
    ngx_http_ratelimit_step_t    *steps;
    ngx_http_ratelimit_policy_t  *policy;

    steps = plan->elts;

    for (i = 0; i < plan->nelts; i++) {
        policy = steps[i].policy;

        if ((steps[i].varies & (NGX_HTTP_RATELIMIT_VARIES_QUOTA
                                |NGX_HTTP_RATELIMIT_VARIES_COST))
            || (policy->capacity && policy->core.capacity_units == 0))
        {
            continue;
        }

        limit = policy->capacity ? policy->core.capacity_units
                                 : steps[i].item.quota.units;

        if (limit == 0 || steps[i].item.cost_units <= limit
            || steps[i].rule->warned)
        {
            continue;
        }

        steps[i].rule->warned = 1;

        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"cost=%uL\" is above the %uL units that the "
                      "\"ratelimit_policy\" \"%V\" ever has, so that each "
                      "request is refused in %s:%ui",
                      steps[i].item.cost_units, limit, &policy->name,
                      steps[i].rule->file, steps[i].rule->line);
    }
}


/* nginx drops fields with an underscore, unless it is told not to */

static void
ngx_http_ratelimit_warn_key(ngx_conf_t *cf, ngx_http_ratelimit_key_t *key)
{
    rl_str_t                      *name;
    ngx_uint_t                     i;
    ngx_http_ratelimit_source_t   *source;

    if (key->cgi || ngx_http_ratelimit_knows_underscores(cf)) {
        return;
    }

    source = key->sources.elts;

    for (i = 0; i < key->sources.nelts; i++) {
        name = &source[i].core.name;

        if (source[i].core.kind == RL_SOURCE_HEADER
            && ngx_strlchr((u_char *) name->data,
                           (u_char *) name->data + name->len, '_'))
        {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"header=%*s\" of the \"ratelimit_key\" \"$%V\" "
                          "matches no request without "
                          "\"underscores_in_headers on\" in %s:%ui",
                          name->len, name->data, &key->name, key->file,
                          key->line);
        }
    }
}


static ngx_uint_t
ngx_http_ratelimit_knows_underscores(ngx_conf_t *cf)
{
    ngx_uint_t                   i;
    ngx_http_core_srv_conf_t   **cscfp;
    ngx_http_core_main_conf_t   *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    cscfp = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        if (cscfp[i]->underscores_in_headers) {
            return 1;
        }
    }

    return 0;
}
