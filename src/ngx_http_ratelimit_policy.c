
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_policy", and what a policy says of a request: its bucket, its
 * quota at this moment.
 */


#include "ngx_http_ratelimit_module.h"


/* more would be a mistake, and the product is exact for so many */

#define NGX_HTTP_RATELIMIT_MAX_SCALES  8


/* what one "ratelimit_policy" line says, before it is checked as a whole */

typedef struct {
    ngx_http_ratelimit_policy_t *policy;
    ngx_array_t                  keys;       /* ngx_str_t */
    ngx_str_t                    quota;
    ngx_str_t                    capacity;
    ngx_str_t                    tz;
    ngx_uint_t                   seen;       /* bit mask of parameters */
} ngx_http_ratelimit_policy_line_t;


typedef char *(*ngx_http_ratelimit_policy_pt)(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *value);


typedef struct {
    char                        *name;
    ngx_http_ratelimit_policy_pt set;
    ngx_uint_t                   repeats;    /* unsigned  repeats:1; */
} ngx_http_ratelimit_policy_parameter_t;


static char *ngx_http_ratelimit_policy_key(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_quota(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_scale(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_algorithm(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_capacity(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_tz(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_zone(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_status(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_hidden(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_parameter(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *arg);
static char *ngx_http_ratelimit_policy_check(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line);
static char *ngx_http_ratelimit_policy_constants(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line);
static const char *ngx_http_ratelimit_parse_capacity(ngx_str_t *text,
    uint32_t *units);
static ngx_int_t ngx_http_ratelimit_join_keys(ngx_conf_t *cf,
    ngx_array_t *keys, ngx_str_t *text);
static ngx_int_t ngx_http_ratelimit_policy_name(ngx_str_t *name);
static ngx_http_ratelimit_policy_t *ngx_http_ratelimit_add_policy(
    ngx_conf_t *cf, ngx_str_t *name);
static ngx_int_t ngx_http_ratelimit_init_policy(ngx_conf_t *cf,
    ngx_http_ratelimit_main_conf_t *rmcf,
    ngx_http_ratelimit_policy_t *policy);
static ngx_http_ratelimit_partition_t *ngx_http_ratelimit_share_partition(
    ngx_conf_t *cf, ngx_http_ratelimit_main_conf_t *rmcf,
    ngx_http_ratelimit_policy_t *policy);
static ngx_int_t ngx_http_ratelimit_item_quota(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item);
static ngx_int_t ngx_http_ratelimit_item_capacity(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item);
static ngx_int_t ngx_http_ratelimit_item_bucket(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item, rl_item_t *known,
    ngx_uint_t nknown);


static ngx_http_ratelimit_policy_parameter_t
    ngx_http_ratelimit_policy_parameters[] =
{
    { "key=",       ngx_http_ratelimit_policy_key,       1 },
    { "quota=",     ngx_http_ratelimit_policy_quota,     0 },
    { "scale=",     ngx_http_ratelimit_policy_scale,     1 },
    { "algorithm=", ngx_http_ratelimit_policy_algorithm, 0 },
    { "capacity=",  ngx_http_ratelimit_policy_capacity,  0 },
    { "tz=",        ngx_http_ratelimit_policy_tz,        0 },
    { "zone=",      ngx_http_ratelimit_policy_zone,      0 },
    { "status=",    ngx_http_ratelimit_policy_status,    0 },
    { "hidden",     ngx_http_ratelimit_policy_hidden,    0 },
    { NULL, NULL, 0 }
};


char *
ngx_http_ratelimit_policy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                              *rv;
    ngx_str_t                         *value;
    ngx_uint_t                         i;
    ngx_http_ratelimit_policy_t       *policy;
    ngx_http_ratelimit_policy_line_t   line;

    value = cf->args->elts;

    if (ngx_http_ratelimit_policy_name(&value[1]) != NGX_OK) {
        return ngx_http_ratelimit_invalid(cf, "name", &value[1],
                   "must be lower-case letters, digits and \"_\", begin with "
                   "a letter, and be neither \"on\" nor \"off\" nor begin "
                   "with \"at\"");
    }

    policy = ngx_http_ratelimit_add_policy(cf, &value[1]);
    if (policy == NULL) {
        return NGX_CONF_ERROR;
    }

    if (policy->defined) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate policy \"%V\" in \"ratelimit_policy\", "
                           "first defined in %s:%ui",
                           &value[1], policy->file, policy->line);
        return NGX_CONF_ERROR;
    }

    policy->defined = 1;
    policy->file = cf->conf_file->file.name.data;
    policy->line = cf->conf_file->line;

    ngx_memzero(&line, sizeof(ngx_http_ratelimit_policy_line_t));
    line.policy = policy;

    if (ngx_array_init(&line.keys, cf->pool, 2, sizeof(ngx_str_t)) != NGX_OK
        || ngx_array_init(&policy->scales, cf->pool, 1,
                          sizeof(ngx_http_complex_value_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_ratelimit_policy_parameter(cf, &line, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return ngx_http_ratelimit_policy_check(cf, &line);
}


static char *
ngx_http_ratelimit_policy_parameter(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *arg)
{
    u_char                                 *last;
    ngx_str_t                               value;
    ngx_uint_t                              i;
    ngx_http_ratelimit_policy_parameter_t  *p;
    u_char                                  allowed[256];

    p = ngx_http_ratelimit_policy_parameters;

    for (i = 0; p[i].name; i++) {

        if (!ngx_http_ratelimit_parameter(arg, p[i].name, &value)) {
            continue;
        }

        if (p[i].name[ngx_strlen(p[i].name) - 1] != '=' && value.len) {
            continue;
        }

        if ((line->seen & (1 << i)) && !p[i].repeats) {
            return ngx_http_ratelimit_duplicate(cf, arg);
        }

        line->seen |= 1 << i;

        return p[i].set(cf, line, &value);
    }

    last = ngx_cpymem(allowed, "must be one of", 14);

    for (i = 0; p[i].name; i++) {
        last = ngx_sprintf(last, "%s %s", i ? "," : "", p[i].name);
    }

    *last = '\0';

    return ngx_http_ratelimit_invalid(cf, "parameter", arg, (char *) allowed);
}


static char *
ngx_http_ratelimit_policy_key(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *value)
{
    ngx_str_t  *key;

    if (value->len == 0) {
        return ngx_http_ratelimit_invalid(cf, "key", value,
                   "must be a variable or a text with variables");
    }

    key = ngx_array_push(&line->keys);
    if (key == NULL) {
        return NGX_CONF_ERROR;
    }

    *key = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_policy_quota(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *value)
{
    line->quota = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_policy_scale(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *value)
{
    uint32_t                   scale;
    const char                *allowed;
    ngx_http_complex_value_t  *cv;

    if (line->policy->scales.nelts == NGX_HTTP_RATELIMIT_MAX_SCALES) {
        return ngx_http_ratelimit_invalid(cf, "scale", value,
                                          "must not stand more than 8 times");
    }

    cv = ngx_array_push(&line->policy->scales);
    if (cv == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_ratelimit_compile(cf, value, cv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (cv->lengths == NULL) {
        allowed = rl_parse_scale(ngx_http_ratelimit_str(value), &scale);
        if (allowed) {
            return ngx_http_ratelimit_invalid(cf, "scale", value, allowed);
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_policy_algorithm(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *value)
{
    const char  *allowed;

    allowed = rl_parse_algorithm(ngx_http_ratelimit_str(value),
                                 &line->policy->core.algorithm);
    if (allowed) {
        return ngx_http_ratelimit_invalid(cf, "algorithm", value, allowed);
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_policy_capacity(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *value)
{
    line->capacity = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_policy_tz(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *value)
{
    const char  *allowed;

    line->tz = *value;

    allowed = rl_parse_tz(ngx_http_ratelimit_str(value),
                          &line->policy->core.tz_ms);
    if (allowed) {
        return ngx_http_ratelimit_invalid(cf, "tz", value, allowed);
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_policy_zone(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *value)
{
    if (value->len == 0) {
        return ngx_http_ratelimit_invalid(cf, "zone", value,
                   "must be the name of a \"ratelimit_zone\"");
    }

    line->policy->zone_name = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_policy_status(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *value)
{
    return ngx_http_ratelimit_parse_status(cf, value, &line->policy->status);
}


static char *
ngx_http_ratelimit_policy_hidden(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *value)
{
    line->policy->core.hidden = 1;

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_policy_check(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line)
{
    char                         *missing;
    ngx_str_t                    *keys;
    ngx_uint_t                    i;
    ngx_http_ratelimit_value_t   *part;
    ngx_http_ratelimit_policy_t  *policy;

    policy = line->policy;
    missing = NULL;

    if (line->keys.nelts == 0) {
        missing = "key=";

    } else if (line->quota.data == NULL) {
        missing = "quota=";
    }

    if (missing) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"ratelimit_policy\" \"%V\" has no \"%s\"",
                           &policy->name, missing);
        return NGX_CONF_ERROR;
    }

    if (line->capacity.data && policy->core.algorithm != RL_GCRA) {
        return ngx_http_ratelimit_invalid(cf, "capacity", &line->capacity,
                                          "must stand beside algorithm=gcra");
    }

    if (line->tz.data && policy->core.algorithm != RL_CALENDAR) {
        return ngx_http_ratelimit_invalid(cf, "tz", &line->tz,
                                          "must stand beside "
                                          "algorithm=calendar");
    }

    policy->partition = ngx_pcalloc(cf->pool,
                                    sizeof(ngx_http_ratelimit_partition_t));
    if (policy->partition == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_array_init(&policy->partition->parts, cf->pool, line->keys.nelts,
                       sizeof(ngx_http_ratelimit_value_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    keys = line->keys.elts;

    for (i = 0; i < line->keys.nelts; i++) {
        part = ngx_array_push(&policy->partition->parts);

        if (ngx_http_ratelimit_compile_value(cf, &keys[i], part) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_http_ratelimit_join_keys(cf, &line->keys, &policy->partition->text)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_ratelimit_policy_constants(cf, line);
}


/* a constant is checked now, a variable at each request */

static char *
ngx_http_ratelimit_policy_constants(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line)
{
    uint32_t                      units;
    const char                   *allowed;
    ngx_http_complex_value_t      cv;
    ngx_http_ratelimit_policy_t  *policy;

    policy = line->policy;

    if (ngx_http_ratelimit_compile(cf, &line->quota, &cv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (cv.lengths == NULL) {
        allowed = rl_parse_quota(ngx_http_ratelimit_str(&line->quota),
                                 policy->core.algorithm == RL_CALENDAR,
                                 &policy->constant_quota);
        if (allowed) {
            return ngx_http_ratelimit_invalid(cf, "quota", &line->quota,
                                              allowed);
        }

    } else {
        policy->quota = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
        if (policy->quota == NULL) {
            return NGX_CONF_ERROR;
        }

        *policy->quota = cv;
    }

    if (line->capacity.data == NULL) {
        return NGX_CONF_OK;
    }

    policy->capacity = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (policy->capacity == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_ratelimit_compile(cf, &line->capacity, policy->capacity)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (policy->capacity->lengths == NULL) {
        allowed = ngx_http_ratelimit_parse_capacity(&line->capacity, &units);
        if (allowed) {
            return ngx_http_ratelimit_invalid(cf, "capacity", &line->capacity,
                                              allowed);
        }
    }

    return NGX_CONF_OK;
}


static const char *
ngx_http_ratelimit_parse_capacity(ngx_str_t *text, uint32_t *units)
{
    if (rl_parse_units(ngx_http_ratelimit_str(text), units) != NULL
        || *units == 0)
    {
        return "must be an integer of 1 to 999999999";
    }

    return NULL;
}


/* each part behind its length, so that no two lists of keys read alike */

static ngx_int_t
ngx_http_ratelimit_join_keys(ngx_conf_t *cf, ngx_array_t *keys,
    ngx_str_t *text)
{
    u_char      *p;
    size_t       len;
    ngx_str_t   *key;
    ngx_uint_t   i;

    key = keys->elts;
    len = 0;

    for (i = 0; i < keys->nelts; i++) {
        len += NGX_SIZE_T_LEN + 1 + key[i].len;
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;

    for (i = 0; i < keys->nelts; i++) {
        p = ngx_sprintf(p, "%uz:%V", key[i].len, &key[i]);
    }

    text->len = p - text->data;

    return NGX_OK;
}


static ngx_int_t
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

static ngx_http_ratelimit_policy_t *
ngx_http_ratelimit_add_policy(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_http_ratelimit_policy_t     *policy, **pp;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    policy = ngx_http_ratelimit_find_policy(rmcf, name);
    if (policy) {
        return policy;
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
    ngx_shm_zone_t  **zones;

    if (!policy->defined) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "unknown policy \"%V\" in \"%V\" in %s:%ui",
                      &policy->name, &policy->user, policy->file,
                      policy->line);
        return NGX_ERROR;
    }

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

    policy->partition = ngx_http_ratelimit_share_partition(cf, rmcf, policy);

    return policy->partition ? NGX_OK : NGX_ERROR;
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
ngx_http_ratelimit_init_module(ngx_cycle_t *cycle)
{
    ngx_uint_t                        i;
    ngx_shm_zone_t                  **zones;
    ngx_http_ratelimit_zone_t        *zone;
    ngx_http_ratelimit_policy_t     **policies, *policy;
    ngx_http_ratelimit_main_conf_t   *rmcf;

    rmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_ratelimit_module);
    if (rmcf == NULL || rmcf->zones.nelts == 0) {
        return NGX_OK;
    }

    rmcf->core_zones = ngx_palloc(cycle->pool,
                                  rmcf->zones.nelts * sizeof(rl_zone_t *));
    if (rmcf->core_zones == NULL) {
        return NGX_ERROR;
    }

    zones = rmcf->zones.elts;

    for (i = 0; i < rmcf->zones.nelts; i++) {
        zone = zones[i]->data;
        rmcf->core_zones[i] = &zone->zone;
    }

    policies = rmcf->policies.elts;

    for (i = 0; i < rmcf->policies.nelts; i++) {
        policy = policies[i];
        zone = policy->shm_zone->data;

        policy->core.zone = &zone->zone;

        rl_policy_secret(&zone->zone, policy->core.name,
                         policy->core.algorithm,
                         ngx_http_ratelimit_str(&policy->partition->text),
                         &policy->core.secret);
    }

    return NGX_OK;
}


/*
 * Fills what an item asks of the core but for its cost.  NGX_DECLINED: the
 * policy does not apply to this request.
 */

ngx_int_t
ngx_http_ratelimit_item(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item, rl_item_t *known,
    ngx_uint_t nknown)
{
    ngx_int_t  rc;

    item->policy = &policy->core;
    item->want_next = 0;

    rc = ngx_http_ratelimit_item_quota(r, policy, item);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_ratelimit_item_capacity(r, policy, item);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_ratelimit_item_bucket(r, policy, item, known, nknown);
}


static ngx_int_t
ngx_http_ratelimit_item_quota(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item)
{
    uint32_t                   scales[NGX_HTTP_RATELIMIT_MAX_SCALES];
    ngx_str_t                  value;
    ngx_uint_t                 i;
    const char                *allowed;
    ngx_http_complex_value_t  *cv;

    if (policy->quota == NULL) {
        item->quota = policy->constant_quota;

    } else {
        if (ngx_http_complex_value(r, policy->quota, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        allowed = rl_parse_quota(ngx_http_ratelimit_str(&value),
                                 policy->core.algorithm == RL_CALENDAR,
                                 &item->quota);
        if (allowed) {
            ngx_http_ratelimit_log_invalid(r, policy, "quota", &value, allowed,
                                           "the policy does not apply");
            return NGX_DECLINED;
        }
    }

    if (item->quota.unlimited) {
        return NGX_DECLINED;
    }

    if (policy->scales.nelts == 0) {
        return NGX_OK;
    }

    cv = policy->scales.elts;

    for (i = 0; i < policy->scales.nelts; i++) {

        if (ngx_http_complex_value(r, &cv[i], &value) != NGX_OK) {
            return NGX_ERROR;
        }

        allowed = rl_parse_scale(ngx_http_ratelimit_str(&value), &scales[i]);
        if (allowed) {
            ngx_http_ratelimit_log_invalid(r, policy, "scale", &value, allowed,
                                           "the policy does not apply");
            return NGX_DECLINED;
        }
    }

    item->quota.units = rl_scale_units(item->quota.units, scales, i);

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_item_capacity(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item)
{
    ngx_str_t    value;
    const char  *allowed;

    item->capacity_units = item->quota.units;

    if (policy->capacity == NULL || item->quota.units == 0) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, policy->capacity, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    allowed = ngx_http_ratelimit_parse_capacity(&value, &item->capacity_units);
    if (allowed) {
        ngx_http_ratelimit_log_invalid(r, policy, "capacity", &value, allowed,
                                       "the policy does not apply");
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* a key is evaluated and hashed once, however many policies it has */

static ngx_int_t
ngx_http_ratelimit_item_bucket(ngx_http_request_t *r,
    ngx_http_ratelimit_policy_t *policy, rl_item_t *item, rl_item_t *known,
    ngx_uint_t nknown)
{
    rl_hash_t                     hash;
    rl_str_t                      part, *parts;
    ngx_str_t                     value;
    ngx_uint_t                    i, n;
    ngx_http_ratelimit_value_t   *values;
    ngx_http_ratelimit_policy_t  *other;

    for (i = nknown; i-- > 0; /* void */ ) {
        other = (ngx_http_ratelimit_policy_t *) known[i].policy;

        if (other->partition == policy->partition) {
            hash.lo = known[i].bucket.lo ^ other->core.secret.lo;
            hash.hi = known[i].bucket.hi ^ other->core.secret.hi;
            goto found;
        }
    }

    n = policy->partition->parts.nelts;
    values = policy->partition->parts.elts;
    parts = &part;

    if (n > 1) {
        parts = ngx_palloc(r->pool, n * sizeof(rl_str_t));
        if (parts == NULL) {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < n; i++) {

        if (ngx_http_ratelimit_value(r, &values[i], &value) != NGX_OK) {
            return NGX_ERROR;
        }

        if (value.len == 0) {
            return NGX_DECLINED;
        }

        parts[i] = ngx_http_ratelimit_str(&value);
    }

    rl_key_hash(policy->core.zone, parts, n, &hash);

found:

    item->bucket.lo = hash.lo ^ policy->core.secret.lo;
    item->bucket.hi = hash.hi ^ policy->core.secret.hi;

    return NGX_OK;
}
