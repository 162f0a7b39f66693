
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_policy": what one line says.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "conf/ngx_http_ratelimit_value.h"
#include "key/ngx_http_ratelimit_part.h"
#include "policy/ngx_http_ratelimit_condition.h"
#include "policy/ngx_http_ratelimit_policy.h"


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
    ngx_http_ratelimit_policy_pt set;        /* NULL: of the response */
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
static char *ngx_http_ratelimit_policy_keep(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *value);
static char *ngx_http_ratelimit_policy_parameter(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *arg);
static char *ngx_http_ratelimit_policy_check(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line);
static char *ngx_http_ratelimit_policy_constants(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line);
static ngx_int_t ngx_http_ratelimit_join_keys(ngx_conf_t *cf,
    ngx_array_t *keys, ngx_str_t *text);


static ngx_http_ratelimit_policy_parameter_t
    ngx_http_ratelimit_policy_parameters[] =
{
    { "key=",          ngx_http_ratelimit_policy_key,          1 },
    { "quota=",        ngx_http_ratelimit_policy_quota,        0 },
    { "scale=",        ngx_http_ratelimit_policy_scale,        1 },
    { "algorithm=",    ngx_http_ratelimit_policy_algorithm,    0 },
    { "capacity=",     ngx_http_ratelimit_policy_capacity,     0 },
    { "tz=",           ngx_http_ratelimit_policy_tz,           0 },
    { "zone=",         ngx_http_ratelimit_policy_zone,         0 },
    { "status=",       ngx_http_ratelimit_policy_status,       0 },
    { "hidden",        ngx_http_ratelimit_policy_hidden,       0 },
    { "keep",          ngx_http_ratelimit_policy_keep,         0 },
    { "skip_status=",  NULL,                                   0 },
    { "skip_if=",      NULL,                                   0 },
    { "count_status=", NULL,                                   0 },
    { "count_if=",     NULL,                                   0 },
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

        if (p[i].set == NULL) {
            return ngx_http_ratelimit_condition_parameter(cf,
                                                   &line->policy->condition,
                                                   p[i].name, &value);
        }

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
ngx_http_ratelimit_policy_keep(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line, ngx_str_t *value)
{
    line->policy->keep = 1;

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_policy_check(ngx_conf_t *cf,
    ngx_http_ratelimit_policy_line_t *line)
{
    char                         *missing;
    ngx_str_t                    *keys;
    ngx_uint_t                    i;
    ngx_http_ratelimit_part_t    *part;
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
                       sizeof(ngx_http_ratelimit_part_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    keys = line->keys.elts;

    for (i = 0; i < line->keys.nelts; i++) {
        part = ngx_array_push(&policy->partition->parts);

        if (ngx_http_ratelimit_compile_part(cf, &keys[i], part) != NGX_OK) {
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
        allowed = ngx_http_ratelimit_parse_capacity(&line->capacity,
                                                  &policy->constant_capacity);
        if (allowed) {
            return ngx_http_ratelimit_invalid(cf, "capacity", &line->capacity,
                                              allowed);
        }
    }

    return NGX_CONF_OK;
}


const char *
ngx_http_ratelimit_parse_capacity(ngx_str_t *text, uint32_t *units)
{
    if (rl_parse_units(ngx_http_ratelimit_str(text), units) != NULL
        || *units == 0)
    {
        return NGX_HTTP_RATELIMIT_CAPACITY;
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
