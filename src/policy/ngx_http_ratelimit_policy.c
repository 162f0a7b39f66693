
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The policies of a configuration: found by name, used before they are
 * defined, bound to their zones.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "zone/ngx_http_ratelimit_zone.h"
#include "key/ngx_http_ratelimit_part.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_step.h"


static ngx_int_t ngx_http_ratelimit_init_policy(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf,
    ngx_http_ratelimit_policy_t *policy);
static ngx_int_t ngx_http_ratelimit_init_policy_zone(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf, ngx_http_ratelimit_policy_t *policy);
static ngx_int_t ngx_http_ratelimit_add_banning(ngx_conf_t *cf,
    ngx_http_ratelimit_zone_t *zone, ngx_http_ratelimit_policy_t *policy);
static ngx_http_ratelimit_partition_t *ngx_http_ratelimit_share_partition(
    ngx_conf_t *cf, ngx_http_ratelimit_main_conf_t *rmcf,
    ngx_http_ratelimit_policy_t *policy);


ngx_int_t
ngx_http_ratelimit_policy_name(ngx_str_t *name)
{
    u_char      ch;
    ngx_uint_t  i;

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if (ch >= 'a' && ch <= 'z') {
            continue;
        }

        if (i == 0 || ((ch < '0' || ch > '9') && ch != '_')) {
            return NGX_ERROR;
        }
    }

    if (name->len == 0
        || (name->len == 2 && ngx_strncmp(name->data, "on", 2) == 0)
        || (name->len == 3 && ngx_strncmp(name->data, "off", 3) == 0))
    {
        return NGX_ERROR;
    }

    /* $ratelimit_reset_at must not be $ratelimit_reset of a policy "at" */

    if (name->len >= 2 && ngx_strncmp(name->data, "at", 2) == 0) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_http_ratelimit_policy_t *
ngx_http_ratelimit_find_policy(ngx_http_ratelimit_main_conf_t *rmcf,
    ngx_str_t *name)
{
    ngx_uint_t                     i;
    ngx_http_ratelimit_policy_t  **policies;

    policies = rmcf->policies.elts;

    for (i = 0; i < rmcf->policies.nelts; i++) {
        if (policies[i]->name.len == name->len
            && ngx_strncmp(policies[i]->name.data, name->data, name->len) == 0)
        {
            return policies[i];
        }
    }

    return NULL;
}


/* the policy of that name, defined or yet to be */

ngx_http_ratelimit_policy_t *
ngx_http_ratelimit_add_policy(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_http_ratelimit_policy_t     *policy, **pp;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    policy = ngx_http_ratelimit_find_policy(rmcf, name);
    if (policy) {
        return policy;
    }

    if (rmcf->policies.nelts == RL_MAX_POLICIES) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "policy \"%V\" is one too many, there may be %ui",
                           name, (ngx_uint_t) RL_MAX_POLICIES);
        return NULL;
    }

    policy = ngx_pcalloc(cf->pool, sizeof(ngx_http_ratelimit_policy_t));
    if (policy == NULL) {
        return NULL;
    }

    pp = ngx_array_push(&rmcf->policies);
    if (pp == NULL) {
        return NULL;
    }

    *pp = policy;

    policy->name = *name;
    policy->index = rmcf->policies.nelts - 1;
    policy->core.name = ngx_http_ratelimit_str(name);
    policy->core.algorithm = RL_SLIDING;

    return policy;
}


/* the policy that the current directive names; defined by the end */

ngx_http_ratelimit_policy_t *
ngx_http_ratelimit_use_policy(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_str_t                    *directive;
    ngx_http_ratelimit_policy_t  *policy;

    if (ngx_http_ratelimit_policy_name(name) != NGX_OK) {
        ngx_http_ratelimit_invalid(cf, "policy", name,
                                   "must be the name of a "
                                   "\"ratelimit_policy\"");
        return NULL;
    }

    policy = ngx_http_ratelimit_add_policy(cf, name);
    if (policy == NULL) {
        return NULL;
    }

    if (policy->file == NULL) {
        directive = cf->args->elts;
        policy->user = *directive;
        policy->file = cf->conf_file->file.name.data;
        policy->line = cf->conf_file->line;
    }

    return policy;
}


/* "a,b" */

ngx_array_t *
ngx_http_ratelimit_policies(ngx_conf_t *cf, ngx_str_t *names)
{
    u_char                        *p, *last;
    ngx_str_t                      name;
    ngx_array_t                   *policies;
    ngx_http_ratelimit_policy_t  **policy;

    policies = ngx_array_create(cf->pool, 2, sizeof(void *));
    if (policies == NULL) {
        return NULL;
    }

    last = names->data + names->len;

    for (name.data = names->data; name.data <= last; name.data = p + 1) {

        p = ngx_strlchr(name.data, last, ',');
        if (p == NULL) {
            p = last;
        }

        name.len = p - name.data;

        policy = ngx_array_push(policies);
        if (policy == NULL) {
            return NULL;
        }

        *policy = ngx_http_ratelimit_use_policy(cf, &name);
        if (*policy == NULL) {
            return NULL;
        }
    }

    return policies;
}


/* what could not be checked before the whole configuration was read */

ngx_int_t
ngx_http_ratelimit_init_policies(ngx_conf_t *cf)
{
    ngx_uint_t                        i;
    ngx_http_ratelimit_policy_t     **policies;
    ngx_http_ratelimit_main_conf_t   *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    policies = rmcf->policies.elts;

    for (i = 0; i < rmcf->policies.nelts; i++) {
        if (ngx_http_ratelimit_init_policy(cf, rmcf, policies[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_init_policy(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf, ngx_http_ratelimit_policy_t *policy)
{
    u_char                     *p;
    ngx_uint_t                  i;
    ngx_http_ratelimit_part_t  *part;

    if (!policy->defined) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "unknown policy \"%V\" in \"%V\" in %s:%ui",
                      &policy->name, &policy->user, policy->file,
                      policy->line);
        return NGX_ERROR;
    }

    if (ngx_http_ratelimit_init_policy_zone(cf, rmcf, policy) != NGX_OK) {
        return NGX_ERROR;
    }

    part = policy->partition->parts.elts;

    for (i = 0; i < policy->partition->parts.nelts; i++) {
        ngx_http_ratelimit_bind_part(cf, &part[i]);
    }

    ngx_http_ratelimit_init_step(policy);

    p = ngx_pnalloc(cf->pool, RL_RENDERED_LEN(policy->core.name.len));
    if (p == NULL) {
        return NGX_ERROR;
    }

    rl_policy_render_quota(&policy->core, &policy->step.item.quota,
                           !(policy->step.varies
                             & NGX_HTTP_RATELIMIT_VARIES_QUOTA)
                           && policy->capacity == NULL,
                           p);

    policy->partition = ngx_http_ratelimit_share_partition(cf, rmcf, policy);
    if (policy->partition == NULL) {
        return NGX_ERROR;
    }

    if (policy->partition->parts.nelts == 1) {
        policy->step.part = policy->partition->parts.elts;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_init_policy_zone(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf, ngx_http_ratelimit_policy_t *policy)
{
    ngx_shm_zone_t             **zones;
    ngx_http_ratelimit_zone_t   *zone;

    zones = rmcf->zones.elts;

    if (policy->zone_name.len) {
        policy->shm_zone = ngx_http_ratelimit_find_zone(rmcf,
                                                        &policy->zone_name);
        if (policy->shm_zone == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "unknown zone \"%V\" in \"ratelimit_policy\" "
                          "in %s:%ui",
                          &policy->zone_name, policy->file, policy->line);
            return NGX_ERROR;
        }

    } else if (rmcf->zones.nelts == 1) {
        policy->shm_zone = zones[0];

    } else {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ratelimit_policy\" \"%V\" needs %s in %s:%ui",
                      &policy->name,
                      rmcf->zones.nelts ? "\"zone=\", there are several zones"
                                        : "a \"ratelimit_zone\"",
                      policy->file, policy->line);
        return NGX_ERROR;
    }

    zone = policy->shm_zone->data;

    if (zone->redis && policy->core.algorithm == RL_CONCURRENT) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ratelimit_policy\" \"%V\" with \"concurrent=\" must "
                      "not be in the shared zone \"%V\": each machine has its "
                      "own in %s:%ui",
                      &policy->name, &zone->name, policy->file, policy->line);
        return NGX_ERROR;
    }

    return policy->core.ban
           ? ngx_http_ratelimit_add_banning(cf, zone, policy) : NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_add_banning(ngx_conf_t *cf, ngx_http_ratelimit_zone_t *zone,
    ngx_http_ratelimit_policy_t *policy)
{
    rl_policy_t  **banning;

    if (zone->banning.elts == NULL
        && ngx_array_init(&zone->banning, cf->pool, 4, sizeof(rl_policy_t *))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    banning = ngx_array_push(&zone->banning);
    if (banning == NULL) {
        return NGX_ERROR;
    }

    *banning = &policy->core;

    return NGX_OK;
}


/* policies of one zone and one key text share the key's hash */

static ngx_http_ratelimit_partition_t *
ngx_http_ratelimit_share_partition(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf, ngx_http_ratelimit_policy_t *policy)
{
    ngx_str_t                        *text;
    ngx_uint_t                        i;
    ngx_http_ratelimit_partition_t  **known, **pp;

    known = rmcf->partitions.elts;
    text = &policy->partition->text;

    for (i = 0; i < rmcf->partitions.nelts; i++) {
        if (known[i]->shm_zone == policy->shm_zone
            && known[i]->text.len == text->len
            && ngx_memcmp(known[i]->text.data, text->data, text->len) == 0)
        {
            return known[i];
        }
    }

    pp = ngx_array_push(&rmcf->partitions);
    if (pp == NULL) {
        return NULL;
    }

    policy->partition->shm_zone = policy->shm_zone;

    *pp = policy->partition;

    return *pp;
}


/* after the zones' memory is there, before the workers fork */

ngx_int_t
ngx_http_ratelimit_bind_policies(ngx_cycle_t *cycle,
    ngx_http_ratelimit_main_conf_t *rmcf)
{
    ngx_uint_t                     i;
    ngx_http_core_main_conf_t     *cmcf;
    ngx_http_ratelimit_part_t     *part;
    ngx_http_ratelimit_zone_t     *zone;
    ngx_http_ratelimit_policy_t  **policies, *policy;

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_core_module);

    ngx_http_ratelimit_bind_values(cmcf, &rmcf->values);

    policies = rmcf->policies.elts;

    for (i = 0; i < rmcf->policies.nelts; i++) {
        policy = policies[i];
        zone = policy->shm_zone->data;

        part = policy->partition->parts.elts;

        if (policy->partition->parts.nelts == 1
            && ngx_http_ratelimit_part_starts(cycle, &zone->zone, part)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        policy->core.zone = &zone->zone;

        rl_policy_secret(&zone->zone, policy->core.name,
                         policy->core.algorithm,
                         ngx_http_ratelimit_str(&policy->partition->text),
                         &policy->core.secret);
    }

    return NGX_OK;
}
