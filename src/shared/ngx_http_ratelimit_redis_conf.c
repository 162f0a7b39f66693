
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The ratelimit_redis directive.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "shared/ngx_http_ratelimit_redis.h"


/* what they mean depends on each other, so first they are kept as written */

typedef enum {
    NGX_HTTP_RATELIMIT_REDIS_SERVER = 0,
    NGX_HTTP_RATELIMIT_REDIS_TLS,
    NGX_HTTP_RATELIMIT_REDIS_CA,
    NGX_HTTP_RATELIMIT_REDIS_CERTIFICATE_NAME,
    NGX_HTTP_RATELIMIT_REDIS_USER,
    NGX_HTTP_RATELIMIT_REDIS_PASSWORD_FILE,
    NGX_HTTP_RATELIMIT_REDIS_SECRET_FILE,
    NGX_HTTP_RATELIMIT_REDIS_DB,
    NGX_HTTP_RATELIMIT_REDIS_TIMEOUT,
    NGX_HTTP_RATELIMIT_REDIS_PREFIX,
    NGX_HTTP_RATELIMIT_REDIS_CLUSTER,
    NGX_HTTP_RATELIMIT_REDIS_PARAMETERS
} ngx_http_ratelimit_redis_parameter_e;


typedef struct {
    ngx_http_ratelimit_redis_t  *redis;
    ngx_str_t                    values[NGX_HTTP_RATELIMIT_REDIS_PARAMETERS];
} ngx_http_ratelimit_redis_given_t;


static ngx_uint_t ngx_http_ratelimit_is_redis_name(ngx_str_t *name);
static char *ngx_http_ratelimit_redis_values(ngx_conf_t *cf,
    ngx_http_ratelimit_redis_t *redis, ngx_str_t *given);
static char *ngx_http_ratelimit_redis_server(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_redis_parameter(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value);
static char *ngx_http_ratelimit_redis_flag(ngx_conf_t *cf, char *what,
    ngx_str_t *value, ngx_uint_t *on);
static char *ngx_http_ratelimit_redis_prefix(ngx_conf_t *cf,
    ngx_http_ratelimit_redis_t *redis, ngx_str_t *value);


/* in the order of the enumeration */

static ngx_http_ratelimit_param_t  ngx_http_ratelimit_redis_params[] = {
    { "server=", ngx_http_ratelimit_redis_server, 1 },
    { "tls=", ngx_http_ratelimit_redis_parameter, 0 },
    { "ca=", ngx_http_ratelimit_redis_parameter, 0 },
    { "name=", ngx_http_ratelimit_redis_parameter, 0 },
    { "user=", ngx_http_ratelimit_redis_parameter, 0 },
    { "password_file=", ngx_http_ratelimit_redis_parameter, 0 },
    { "secret_file=", ngx_http_ratelimit_redis_parameter, 0 },
    { "db=", ngx_http_ratelimit_redis_parameter, 0 },
    { "timeout=", ngx_http_ratelimit_redis_parameter, 0 },
    { "prefix=", ngx_http_ratelimit_redis_parameter, 0 },
    { "cluster=", ngx_http_ratelimit_redis_parameter, 0 },
    { NULL, NULL, 0 }
};


char *
ngx_http_ratelimit_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ratelimit_main_conf_t  *rmcf = conf;

    char                             *rv;
    ngx_str_t                        *value;
    ngx_uint_t                        i, seen;
    ngx_http_ratelimit_redis_t       *redis, **rp;
    ngx_http_ratelimit_redis_given_t  given;

    value = cf->args->elts;
    seen = 0;

    ngx_memzero(&given, sizeof(given));

    if (!ngx_http_ratelimit_is_redis_name(&value[1])) {
        return ngx_http_ratelimit_invalid(cf, "name", &value[1],
                   "must be of 1 to 64 letters, digits, \"_\" and \"-\"");
    }

    if (ngx_http_ratelimit_find_redis(rmcf, &value[1])) {
        return ngx_http_ratelimit_invalid(cf, "name", &value[1],
                                          "must be defined once");
    }

    redis = ngx_pcalloc(cf->pool, sizeof(ngx_http_ratelimit_redis_t));
    if (redis == NULL) {
        return NGX_CONF_ERROR;
    }

    given.redis = redis;

    redis->name = value[1];
    redis->file = cf->conf_file->file.name.data;
    redis->line = cf->conf_file->line;

    if (ngx_array_init(&redis->servers, cf->pool, 2,
                       sizeof(ngx_http_ratelimit_server_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_ratelimit_set_param(cf, ngx_http_ratelimit_redis_params,
                                          &seen, &given, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (redis->servers.nelts == 0) {
        return "has no \"server=\"";
    }

    rv = ngx_http_ratelimit_redis_values(cf, redis, given.values);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    rp = ngx_array_push(&rmcf->redises);

    if (rp == NULL
        || ngx_http_ratelimit_redis_identify(cf, redis) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    *rp = redis;

    return ngx_http_ratelimit_redis_segment(cf, redis);
}


static ngx_uint_t
ngx_http_ratelimit_is_redis_name(ngx_str_t *name)
{
    u_char  ch;
    size_t  i;

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9') || ch == '_' || ch == '-'))
        {
            return 0;
        }
    }

    return name->len > 0 && name->len <= NGX_HTTP_RATELIMIT_MAX_REDIS_NAME;
}


static char *
ngx_http_ratelimit_redis_values(ngx_conf_t *cf,
    ngx_http_ratelimit_redis_t *redis, ngx_str_t *given)
{
    char                *rv;
    ngx_int_t            n;
    ngx_str_t           *value, *name, secret;
    ngx_uint_t           on = 0;
    ngx_pool_cleanup_t  *cln;

    value = &given[NGX_HTTP_RATELIMIT_REDIS_TIMEOUT];
    redis->timeout = 50;

    if (value->data) {
        n = ngx_parse_time(value, 0);

        if (n == NGX_ERROR || n < 1 || n > 10000) {
            return ngx_http_ratelimit_invalid(cf, "timeout", value,
                                       "must be a time of 1ms to 10s");
        }

        redis->timeout = n;
    }

    value = &given[NGX_HTTP_RATELIMIT_REDIS_CLUSTER];

    on = 0;

    if (value->data) {
        rv = ngx_http_ratelimit_redis_flag(cf, "cluster", value, &on);
        if (rv != NGX_CONF_OK) {
            return rv;
        }

        redis->cluster = on;
    }

    value = &given[NGX_HTTP_RATELIMIT_REDIS_DB];

    if (value->data) {
        redis->db = ngx_atoi(value->data, value->len);

        if (redis->db == NGX_ERROR || (redis->cluster && redis->db != 0)) {
            return ngx_http_ratelimit_invalid(cf, "db", value, redis->cluster
                       ? "must be 0, a cluster has no others"
                       : "must be a number of 0 or more");
        }
    }

    rv = ngx_http_ratelimit_redis_prefix(cf, redis,
                                 &given[NGX_HTTP_RATELIMIT_REDIS_PREFIX]);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    value = &given[NGX_HTTP_RATELIMIT_REDIS_PASSWORD_FILE];

    if (value->data) {
        rv = ngx_http_ratelimit_redis_secret(cf, "password_file", value,
                                             &redis->password);
        if (rv != NGX_CONF_OK) {
            return rv;
        }

        cln = ngx_pool_cleanup_add(cf->pool, 0);
        if (cln == NULL) {
            return NGX_CONF_ERROR;
        }

        cln->handler = ngx_http_ratelimit_redis_forget;
        cln->data = &redis->password;
    }

    redis->user = given[NGX_HTTP_RATELIMIT_REDIS_USER];

    if (redis->user.data
        && (redis->user.len == 0 || redis->password.len == 0))
    {
        return ngx_http_ratelimit_invalid(cf, "user", &redis->user,
                                          "needs \"password_file=\"");
    }

    ngx_str_null(&secret);
    value = &given[NGX_HTTP_RATELIMIT_REDIS_SECRET_FILE];

    if (value->data) {
        rv = ngx_http_ratelimit_redis_secret(cf, "secret_file", value,
                                             &secret);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    rv = ngx_http_ratelimit_redis_seed(cf, redis, &secret);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    value = &given[NGX_HTTP_RATELIMIT_REDIS_TLS];
    on = 0;

    if (value->data) {
        rv = ngx_http_ratelimit_redis_flag(cf, "tls", value, &on);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    name = &given[NGX_HTTP_RATELIMIT_REDIS_CERTIFICATE_NAME];

    return ngx_http_ratelimit_redis_tls(cf, redis, on, value,
                                        &given[NGX_HTTP_RATELIMIT_REDIS_CA],
                                        name);
}


static char *
ngx_http_ratelimit_redis_parameter(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_redis_given_t *given = conf;

    given->values[param - ngx_http_ratelimit_redis_params] = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_redis_server(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_redis_given_t *given = conf;

    return ngx_http_ratelimit_redis_add_server(cf, given->redis, value);
}


static char *
ngx_http_ratelimit_redis_flag(ngx_conf_t *cf, char *what, ngx_str_t *value,
    ngx_uint_t *on)
{
    if (value->len == 2 && ngx_strncmp(value->data, "on", 2) == 0) {
        *on = 1;

    } else if (value->len == 3 && ngx_strncmp(value->data, "off", 3) == 0) {
        *on = 0;

    } else {
        return ngx_http_ratelimit_invalid(cf, what, value,
                                          "must be one of on, off");
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_redis_prefix(ngx_conf_t *cf,
    ngx_http_ratelimit_redis_t *redis, ngx_str_t *value)
{
    u_char  ch;
    size_t  i;

    if (value->data == NULL) {
        ngx_str_set(&redis->prefix, "ratelimit:");
        return NGX_CONF_OK;
    }

    redis->prefix = *value;

    for (i = 0; i < value->len; i++) {
        ch = value->data[i];

        /* braces are a cluster's */

        if (ch <= ' ' || ch >= 0x7f || ch == '{' || ch == '}') {
            break;
        }
    }

    if (i < value->len || value->len == 0
        || value->len > NGX_HTTP_RATELIMIT_MAX_PREFIX)
    {
        return ngx_http_ratelimit_invalid(cf, "prefix", value,
                   "must be 1 to 64 visible characters without braces");
    }

    return NGX_CONF_OK;
}
