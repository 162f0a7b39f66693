
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_key": variables whose value is the first source that yields one.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "key/ngx_http_ratelimit_jwt.h"
#include "key/ngx_http_ratelimit_key.h"


static char *ngx_http_ratelimit_key_sources(ngx_conf_t *cf,
    ngx_http_ratelimit_key_t *key);
static ngx_int_t ngx_http_ratelimit_key_flag(ngx_str_t *text,
    const char *name);
static char *ngx_http_ratelimit_key_chain(ngx_conf_t *cf,
    ngx_http_ratelimit_key_t *key, ngx_str_t *chain);
static char *ngx_http_ratelimit_key_source(ngx_conf_t *cf,
    ngx_http_ratelimit_key_t *key, ngx_str_t *text, rl_str_t *tag);
static ngx_int_t ngx_http_ratelimit_key_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_ratelimit_key_prefixes(ngx_conf_t *cf,
    ngx_http_ratelimit_key_t *key);


char *
ngx_http_ratelimit_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                            *rv;
    ngx_str_t                       *value, name;
    ngx_http_variable_t             *var;
    ngx_http_ratelimit_key_t        *key, **pp;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    value = cf->args->elts;

    if (value[1].len < 2 || value[1].data[0] != '$') {
        return ngx_http_ratelimit_invalid(cf, "variable", &value[1],
                                          "must be \"$\" and a name");
    }

    name.len = value[1].len - 1;
    name.data = value[1].data + 1;

    key = ngx_pcalloc(cf->pool, sizeof(ngx_http_ratelimit_key_t));
    if (key == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_array_init(&key->sources, cf->pool, 4,
                       sizeof(ngx_http_ratelimit_source_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_ratelimit_key_sources(cf, key);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (ngx_http_ratelimit_key_prefixes(cf, key) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    var = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
    if (var == NULL) {
        return NGX_CONF_ERROR;
    }

    var->get_handler = ngx_http_ratelimit_key_variable;
    var->data = (uintptr_t) key;

    key->name = name;
    key->file = cf->conf_file->file.name.data;
    key->line = cf->conf_file->line;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    pp = ngx_array_push(&rmcf->keys);
    if (pp == NULL) {
        return NGX_CONF_ERROR;
    }

    *pp = key;

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_key_sources(ngx_conf_t *cf, ngx_http_ratelimit_key_t *key)
{
    char                         *rv;
    ngx_str_t                    *value, text;
    ngx_uint_t                    i;
    ngx_http_ratelimit_source_t  *source;

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_ratelimit_key_flag(&value[i], "untagged")) {

            if (key->untagged) {
                return ngx_http_ratelimit_duplicate(cf, &value[i]);
            }

            key->untagged = 1;

        } else if (ngx_http_ratelimit_key_flag(&value[i], "lower")) {

            if (key->lower) {
                return ngx_http_ratelimit_duplicate(cf, &value[i]);
            }

            key->lower = 1;

        } else if (ngx_http_ratelimit_parameter(&value[i], "names=", &text)) {

            if (key->cgi) {
                return ngx_http_ratelimit_duplicate(cf, &value[i]);
            }

            if (!ngx_http_ratelimit_key_flag(&text, "cgi")) {
                return ngx_http_ratelimit_invalid(cf, "names", &text,
                                                  "must be \"cgi\"");
            }

            key->cgi = 1;

        } else {

            rv = ngx_http_ratelimit_key_chain(cf, key, &value[i]);
            if (rv != NGX_CONF_OK) {
                return rv;
            }
        }
    }

    if (key->sources.nelts == 0) {
        return "needs a source";
    }

    source = key->sources.elts;

    for (i = 0; key->cgi && i < key->sources.nelts; i++) {

        rv = ngx_http_ratelimit_cgi_source(cf, &source[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_ratelimit_key_flag(ngx_str_t *text, const char *name)
{
    return text->len == ngx_strlen(name)
           && ngx_strncmp(text->data, name, text->len) == 0;
}


/* "bearer|header=X-API-Key" */

static char *
ngx_http_ratelimit_key_chain(ngx_conf_t *cf, ngx_http_ratelimit_key_t *key,
    ngx_str_t *chain)
{
    char       *rv;
    u_char     *p, *last;
    rl_str_t    tag;
    ngx_str_t   text;

    tag.len = 0;
    last = chain->data + chain->len;

    for (text.data = chain->data; text.data <= last; text.data = p + 1) {

        p = ngx_strlchr(text.data, last, '|');
        if (p == NULL) {
            p = last;
        }

        text.len = p - text.data;

        rv = ngx_http_ratelimit_key_source(cf, key, &text, &tag);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_key_source(ngx_conf_t *cf, ngx_http_ratelimit_key_t *key,
    ngx_str_t *text, rl_str_t *tag)
{
    ngx_str_t                     name;
    const char                   *allowed;
    ngx_http_ratelimit_source_t  *source;

    source = ngx_array_push(&key->sources);
    if (source == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(source, sizeof(ngx_http_ratelimit_source_t));

    allowed = rl_parse_source(ngx_http_ratelimit_str(text), &source->core);
    if (allowed) {
        return ngx_http_ratelimit_invalid(cf, "source", text, allowed);
    }

    if (tag->len == 0) {
        *tag = rl_source_tag(source->core.kind);
    }

    source->tag = *tag;
    source->value = ngx_http_ratelimit_source_value(source->core.kind);
    source->plain = rl_is_plain_arg(source->core.name);

    if (source->core.kind == RL_SOURCE_VAR) {
        name.len = source->core.name.len;
        name.data = (u_char *) source->core.name.data;

        source->index = ngx_http_get_variable_index(cf, &name);
        if (source->index == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }
    }

    if (source->core.kind == RL_SOURCE_JWT) {
        allowed = rl_parse_claim(source->core.name);
        if (allowed) {
            return ngx_http_ratelimit_invalid(cf, "source", text, allowed);
        }

        return ngx_http_ratelimit_jwt_add_claim(cf, &source->core.name,
                                                &source->index);
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_ratelimit_key_prefixes(ngx_conf_t *cf, ngx_http_ratelimit_key_t *key)
{
    u_char                       *p;
    ngx_uint_t                    i;
    ngx_http_ratelimit_source_t  *source;

    if (key->untagged) {
        return NGX_OK;
    }

    source = key->sources.elts;

    for (i = 0; i < key->sources.nelts; i++) {

        source[i].prefix.data = ngx_pnalloc(cf->pool, source[i].tag.len + 1);
        if (source[i].prefix.data == NULL) {
            return NGX_ERROR;
        }

        p = ngx_cpymem(source[i].prefix.data, source[i].tag.data,
                       source[i].tag.len);
        *p++ = ':';

        source[i].prefix.len = p - source[i].prefix.data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_key_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t  text;

    if (ngx_http_ratelimit_key_text(r, (ngx_http_ratelimit_key_t *) data,
                                    &text)
        != NGX_OK)
    {
        /* in a text of several parts nginx takes this for an empty one */

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "ratelimit: no memory for a key");
        return NGX_ERROR;
    }

    if (text.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;
    v->len = text.len;
    v->data = text.data;

    return NGX_OK;
}


/* the key that defines the variable, or NULL */

ngx_http_ratelimit_key_t *
ngx_http_ratelimit_find_key(ngx_conf_t *cf, ngx_str_t *variable)
{
    ngx_uint_t                  i;
    ngx_hash_key_t             *key;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    key = cmcf->variables_keys->keys.elts;

    for (i = 0; i < cmcf->variables_keys->keys.nelts; i++) {
        v = key[i].value;

        if (key[i].key.len == variable->len
            && ngx_strncasecmp(key[i].key.data, variable->data, variable->len)
               == 0)
        {
            return (v->get_handler == ngx_http_ratelimit_key_variable)
                   ? (ngx_http_ratelimit_key_t *) v->data : NULL;
        }
    }

    return NULL;
}
