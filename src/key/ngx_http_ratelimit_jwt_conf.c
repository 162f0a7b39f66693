
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_jwt": how the "jwt=" sources of "ratelimit_key" verify tokens.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "conf/ngx_http_ratelimit_value.h"
#include "key/ngx_http_ratelimit_jwt.h"


static char *ngx_http_ratelimit_jwt_parameters(ngx_conf_t *cf,
    ngx_str_t *token, rl_jwt_line_t *line);
static char *ngx_http_ratelimit_jwt_leeway(ngx_conf_t *cf, ngx_str_t *value,
    rl_jwt_line_t *line);
static char *ngx_http_ratelimit_jwt_keys(ngx_conf_t *cf, ngx_str_t *name,
    rl_jwt_algorithm_e algorithm, rl_jwt_line_t *line);
static char *ngx_http_ratelimit_jwt_read(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *content);
static void ngx_http_ratelimit_jwt_cleanup(void *data);
static char *ngx_http_ratelimit_jwt_check(ngx_conf_t *cf,
    ngx_http_ratelimit_jwt_set_t *set);
static ngx_http_ratelimit_jwt_set_t *ngx_http_ratelimit_jwt_get_set(
    ngx_conf_t *cf, ngx_http_ratelimit_loc_conf_t *rlcf, ngx_str_t *text);


char *
ngx_http_ratelimit_jwt(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ratelimit_loc_conf_t  *rlcf = conf;

    char                          *rv;
    ngx_str_t                     *value, token;
    const char                    *allowed;
    rl_jwt_line_t                  line, *added;
    rl_jwt_algorithm_e             algorithm;
    ngx_http_ratelimit_jwt_set_t  *set;

    value = cf->args->elts;

    allowed = rl_parse_jwt_algorithm(ngx_http_ratelimit_str(&value[1]),
                                     &algorithm);
    if (allowed) {
        return ngx_http_ratelimit_invalid(cf, "algorithm", &value[1], allowed);
    }

    rv = ngx_http_ratelimit_jwt_parameters(cf, &token, &line);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    rv = ngx_http_ratelimit_jwt_keys(cf, &value[2], algorithm, &line);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    set = ngx_http_ratelimit_jwt_get_set(cf, rlcf, &token);
    if (set == NULL) {
        return NGX_CONF_ERROR;
    }

    added = ngx_array_push(&set->lines);
    if (added == NULL) {
        return NGX_CONF_ERROR;
    }

    *added = line;

    return ngx_http_ratelimit_jwt_check(cf, set);
}


static char *
ngx_http_ratelimit_jwt_parameters(ngx_conf_t *cf, ngx_str_t *token,
    rl_jwt_line_t *line)
{
    char        *rv;
    ngx_str_t   *value, text, leeway;
    ngx_uint_t   i;

    ngx_str_null(token);
    ngx_str_null(&leeway);

    line->leeway_ms = 0;

    value = cf->args->elts;

    for (i = 3; i < cf->args->nelts; i++) {

        if (ngx_http_ratelimit_parameter(&value[i], "token=", &text)) {

            if (token->data) {
                return ngx_http_ratelimit_duplicate(cf, &value[i]);
            }

            *token = text;

            if (token->len == 0) {
                return ngx_http_ratelimit_invalid(cf, "token", token,
                                                  "must not be empty");
            }

        } else if (ngx_http_ratelimit_parameter(&value[i], "leeway=", &text)) {

            if (leeway.data) {
                return ngx_http_ratelimit_duplicate(cf, &value[i]);
            }

            leeway = text;

            rv = ngx_http_ratelimit_jwt_leeway(cf, &leeway, line);
            if (rv != NGX_CONF_OK) {
                return rv;
            }

        } else {
            return ngx_http_ratelimit_invalid(cf, "parameter", &value[i],
                       "must be one of token=, leeway=");
        }
    }

    return NGX_CONF_OK;
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

    ngx_str_null(content);

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


/* whoever forges tokens chooses how many keys each is tried with */

static char *
ngx_http_ratelimit_jwt_check(ngx_conf_t *cf, ngx_http_ratelimit_jwt_set_t *set)
{
    int            kid_needed;
    ngx_str_t     *value;
    const char    *allowed;
    rl_jwt_set_t   core;

    value = cf->args->elts;

    core.id = 0;
    core.lines = set->lines.elts;
    core.nlines = set->lines.nelts;

    allowed = rl_jwt_check(&core, &kid_needed);

    if (allowed) {
        return ngx_http_ratelimit_invalid(cf, "key file", &value[2], allowed);
    }

    if (kid_needed) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"ratelimit_jwt\" has more than %d keys for %V: "
                           "those with a \"kid\" do not verify tokens "
                           "without one", RL_JWT_MAX_TRIES, &value[1]);
    }

    return NGX_CONF_OK;
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
            && (text->len == 0
                || ngx_memcmp(set[i].text.data, text->data, text->len) == 0))
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
        && ngx_http_ratelimit_compile_value(cf, text, &set->token)
           != NGX_CONF_OK)
    {
        return NULL;
    }

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    set->id = ++rmcf->jwt_sets;

    return set;
}
