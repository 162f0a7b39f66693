
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_jwt": how the "jwt=" sources of "ratelimit_key" verify tokens.
 */


#include "ngx_http_ratelimit_module.h"

#include <sys/random.h>


/* lines of one level whose token is the same */

typedef struct {
    ngx_uint_t                   id;         /* in the cache */
    ngx_str_t                    text;       /* of token=, empty: the bearer */
    ngx_http_ratelimit_value_t   token;
    ngx_array_t                  lines;      /* rl_jwt_line_t */
} ngx_http_ratelimit_jwt_set_t;


static char *ngx_http_ratelimit_jwt_leeway(ngx_conf_t *cf, ngx_str_t *value,
    rl_jwt_line_t *line);
static char *ngx_http_ratelimit_jwt_keys(ngx_conf_t *cf, ngx_str_t *name,
    rl_jwt_algorithm_e algorithm, rl_jwt_line_t *line);
static char *ngx_http_ratelimit_jwt_read(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *content);
static void ngx_http_ratelimit_jwt_cleanup(void *data);
static ngx_http_ratelimit_jwt_set_t *ngx_http_ratelimit_jwt_get_set(
    ngx_conf_t *cf, ngx_http_ratelimit_loc_conf_t *rlcf, ngx_str_t *text);
static ngx_int_t ngx_http_ratelimit_jwt_token(ngx_http_request_t *r,
    ngx_http_ratelimit_jwt_set_t *set, rl_str_t *token);


char *
ngx_http_ratelimit_jwt(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ratelimit_loc_conf_t  *rlcf = conf;

    char                          *rv;
    ngx_str_t                     *value, text, leeway;
    const char                    *allowed;
    ngx_uint_t                     i;
    rl_jwt_line_t                 *line;
    rl_jwt_algorithm_e             algorithm;
    ngx_http_ratelimit_jwt_set_t  *set;

    value = cf->args->elts;

    allowed = rl_parse_jwt_algorithm(ngx_http_ratelimit_str(&value[1]),
                                     &algorithm);
    if (allowed) {
        return ngx_http_ratelimit_invalid(cf, "algorithm", &value[1], allowed);
    }

    ngx_str_null(&text);
    ngx_str_null(&leeway);

    for (i = 3; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "token=", 6) == 0) {

            if (text.data) {
                return ngx_http_ratelimit_duplicate(cf, &value[i]);
            }

            (void) ngx_http_ratelimit_parameter(&value[i], "token=", &text);

            if (text.len == 0) {
                return ngx_http_ratelimit_invalid(cf, "token", &text,
                                                  "must not be empty");
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "leeway=", 7) == 0) {

            if (leeway.data) {
                return ngx_http_ratelimit_duplicate(cf, &value[i]);
            }

            (void) ngx_http_ratelimit_parameter(&value[i], "leeway=", &leeway);

            continue;
        }

        return ngx_http_ratelimit_invalid(cf, "parameter", &value[i],
                                          "must be one of token=, leeway=");
    }

    set = ngx_http_ratelimit_jwt_get_set(cf, rlcf, &text);
    if (set == NULL) {
        return NGX_CONF_ERROR;
    }

    line = ngx_array_push(&set->lines);
    if (line == NULL) {
        return NGX_CONF_ERROR;
    }

    line->leeway_ms = 0;

    if (leeway.data) {
        rv = ngx_http_ratelimit_jwt_leeway(cf, &leeway, line);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return ngx_http_ratelimit_jwt_keys(cf, &value[2], algorithm, line);
}


static char *
ngx_http_ratelimit_jwt_leeway(ngx_conf_t *cf, ngx_str_t *value,
    rl_jwt_line_t *line)
{
    ngx_int_t  ms;

    ms = value->len ? ngx_parse_time(value, 0) : NGX_ERROR;

    if (ms == NGX_ERROR) {
        return ngx_http_ratelimit_invalid(cf, "leeway", value,
                                          "must be a time such as 30s");
    }

    line->leeway_ms = ms;

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_jwt_keys(ngx_conf_t *cf, ngx_str_t *name,
    rl_jwt_algorithm_e algorithm, rl_jwt_line_t *line)
{
    char                *rv;
    ngx_str_t            content;
    const char          *allowed;
    rl_jwt_keys_t       *keys;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_ratelimit_jwt_read(cf, name, &content);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    allowed = rl_jwt_keys_create(algorithm, ngx_http_ratelimit_str(&content),
                                 &keys);

    /* it may be a secret, which no memory is to hold longer than need be */

    ngx_explicit_memzero(content.data, content.len);
    ngx_pfree(cf->temp_pool, content.data);

    if (allowed) {
        return ngx_http_ratelimit_invalid(cf, "key file", name, allowed);
    }

    cln->handler = ngx_http_ratelimit_jwt_cleanup;
    cln->data = keys;

    line->keys = keys;

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_jwt_read(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *content)
{
    ssize_t          n;
    ngx_file_t       file;
    ngx_file_info_t  fi;

    ngx_memzero(&file, sizeof(ngx_file_t));

    file.name = *name;
    file.log = cf->log;

    if (ngx_conf_full_name(cf->cycle, &file.name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    file.fd = ngx_open_file(file.name.data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                            NGX_FILE_OPEN, 0);

    if (file.fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "cannot open key file \"%V\" in \"ratelimit_jwt\"",
                           &file.name);
        return NGX_CONF_ERROR;
    }

    content->data = NULL;

    if (ngx_fd_info(file.fd, &fi) == NGX_FILE_ERROR
        || !ngx_is_file(&fi)
        || ngx_file_size(&fi) == 0
        || ngx_file_size(&fi) > RL_JWT_MAX_FILE_LEN)
    {
        ngx_close_file(file.fd);
        return ngx_http_ratelimit_invalid(cf, "key file", name,
                                  "must be a file of 1 byte to 256 kilobytes");
    }

    content->len = ngx_file_size(&fi);
    content->data = ngx_pnalloc(cf->temp_pool, content->len);

    n = content->data ? ngx_read_file(&file, content->data, content->len, 0)
                      : NGX_ERROR;

    ngx_close_file(file.fd);

    if (n != (ssize_t) content->len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "cannot read key file \"%V\" in \"ratelimit_jwt\"",
                           &file.name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void
ngx_http_ratelimit_jwt_cleanup(void *data)
{
    rl_jwt_keys_destroy(data);
}


static ngx_http_ratelimit_jwt_set_t *
ngx_http_ratelimit_jwt_get_set(ngx_conf_t *cf,
    ngx_http_ratelimit_loc_conf_t *rlcf, ngx_str_t *text)
{
    ngx_uint_t                       i;
    ngx_http_ratelimit_jwt_set_t    *set;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    if (rlcf->jwt == NULL) {
        rlcf->jwt = ngx_array_create(cf->pool, 2,
                                     sizeof(ngx_http_ratelimit_jwt_set_t));
        if (rlcf->jwt == NULL) {
            return NULL;
        }
    }

    set = rlcf->jwt->elts;

    for (i = 0; i < rlcf->jwt->nelts; i++) {
        if (set[i].text.len == text->len
            && ngx_memcmp(set[i].text.data, text->data, text->len) == 0)
        {
            return &set[i];
        }
    }

    set = ngx_array_push(rlcf->jwt);
    if (set == NULL) {
        return NULL;
    }

    if (ngx_array_init(&set->lines, cf->pool, 2, sizeof(rl_jwt_line_t))
        != NGX_OK)
    {
        return NULL;
    }

    set->text = *text;

    if (text->len
        && ngx_http_ratelimit_compile_value(cf, text, &set->token) != NGX_OK)
    {
        return NULL;
    }

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    set->id = ++rmcf->jwt_sets;

    return set;
}


/* the index of a claim that a "jwt=" source yields */

char *
ngx_http_ratelimit_jwt_add_claim(ngx_conf_t *cf, rl_str_t *name,
    ngx_int_t *index)
{
    rl_str_t                        *claim;
    ngx_uint_t                       i;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    if (rmcf->jwt_claims == NULL) {
        rmcf->jwt_claims = ngx_array_create(cf->pool, 4, sizeof(rl_str_t));
        if (rmcf->jwt_claims == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    claim = rmcf->jwt_claims->elts;

    for (i = 0; i < rmcf->jwt_claims->nelts; i++) {
        if (claim[i].len == name->len
            && ngx_memcmp(claim[i].data, name->data, name->len) == 0)
        {
            *index = i;
            return NGX_CONF_OK;
        }
    }

    claim = ngx_array_push(rmcf->jwt_claims);
    if (claim == NULL) {
        return NGX_CONF_ERROR;
    }

    *claim = *name;
    *index = i;

    return NGX_CONF_OK;
}


/*
 * The cache is made in the master: workers are forks, and each writes into a
 * copy of its own.  Its keys are those of this configuration, so it ends with
 * that.
 */

ngx_int_t
ngx_http_ratelimit_init_jwt(ngx_conf_t *cf)
{
    void                            *memory;
    u_char                           seed[16];
    ngx_array_t                     *claims;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);
    claims = rmcf->jwt_claims;

    if (claims == NULL) {
        return NGX_OK;
    }

    if (rmcf->jwt_sets == 0) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"jwt=%*s\" in \"ratelimit_key\" yields nothing, "
                      "there is no \"ratelimit_jwt\"",
                      ((rl_str_t *) claims->elts)->len,
                      ((rl_str_t *) claims->elts)->data);
        return NGX_OK;
    }

    if (getrandom(seed, sizeof(seed), 0) != sizeof(seed)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, ngx_errno,
                      "ratelimit: getrandom() failed for \"ratelimit_jwt\"");
        return NGX_ERROR;
    }

    memory = ngx_palloc(cf->pool, rl_jwt_cache_size(claims->nelts));
    if (memory == NULL) {
        return NGX_ERROR;
    }

    rmcf->jwt_cache = rl_jwt_cache_create(memory, claims->elts, claims->nelts,
                                          seed);

    return NGX_OK;
}


/* NGX_DECLINED: no token of this location yields the claim */

ngx_int_t
ngx_http_ratelimit_jwt_value(ngx_http_request_t *r, ngx_int_t claim,
    rl_str_t *out)
{
    u_char                          *p;
    rl_str_t                         token, value;
    rl_time_t                        now;
    ngx_int_t                        rc;
    ngx_uint_t                       i;
    const char                      *reason;
    rl_jwt_set_t                     core;
    ngx_http_ratelimit_jwt_set_t    *set;
    ngx_http_ratelimit_loc_conf_t   *rlcf;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_ratelimit_module);

    if (rlcf->jwt == NULL) {
        return NGX_DECLINED;
    }

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_ratelimit_module);

    ngx_http_ratelimit_now(&now);

    set = rlcf->jwt->elts;

    for (i = 0; i < rlcf->jwt->nelts; i++) {

        rc = ngx_http_ratelimit_jwt_token(r, &set[i], &token);

        if (rc == NGX_DECLINED) {
            continue;
        }

        if (rc != NGX_OK) {
            return rc;
        }

        core.id = set[i].id;
        core.lines = set[i].lines.elts;
        core.nlines = set[i].lines.nelts;

        reason = rl_jwt_claim(rmcf->jwt_cache, &core, token, claim, &now,
                              &value);

        if (reason) {
            ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                           "ratelimit: JSON Web Token %s", reason);
            continue;
        }

        /* the cache may overwrite it at the next token */

        p = ngx_pnalloc(r->pool, value.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(p, value.data, value.len);

        *out = ngx_http_ratelimit_make_str(p, value.len);

        return NGX_OK;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_ratelimit_jwt_token(ngx_http_request_t *r,
    ngx_http_ratelimit_jwt_set_t *set, rl_str_t *token)
{
    ngx_str_t  value;

    if (set->text.len == 0) {
        return ngx_http_ratelimit_bearer(r, token);
    }

    if (ngx_http_ratelimit_value(r, &set->token, NULL, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (value.len == 0) {
        return NGX_DECLINED;
    }

    *token = ngx_http_ratelimit_str(&value);

    return NGX_OK;
}
