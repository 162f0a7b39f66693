
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "methods=" of a "ratelimit" line: "GET,POST" or "!OPTIONS,TRACE".
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "policy/ngx_http_ratelimit_rule.h"


static char *ngx_http_ratelimit_rule_method(ngx_conf_t *cf,
    ngx_http_ratelimit_rule_t *rule, ngx_str_t *name);


/* the methods that nginx knows */

static ngx_conf_bitmask_t  ngx_http_ratelimit_methods[] = {
    { ngx_string("GET"),       NGX_HTTP_GET|NGX_HTTP_HEAD },
    { ngx_string("HEAD"),      NGX_HTTP_HEAD },
    { ngx_string("POST"),      NGX_HTTP_POST },
    { ngx_string("PUT"),       NGX_HTTP_PUT },
    { ngx_string("DELETE"),    NGX_HTTP_DELETE },
    { ngx_string("MKCOL"),     NGX_HTTP_MKCOL },
    { ngx_string("COPY"),      NGX_HTTP_COPY },
    { ngx_string("MOVE"),      NGX_HTTP_MOVE },
    { ngx_string("OPTIONS"),   NGX_HTTP_OPTIONS },
    { ngx_string("PROPFIND"),  NGX_HTTP_PROPFIND },
    { ngx_string("PROPPATCH"), NGX_HTTP_PROPPATCH },
    { ngx_string("LOCK"),      NGX_HTTP_LOCK },
    { ngx_string("UNLOCK"),    NGX_HTTP_UNLOCK },
    { ngx_string("PATCH"),     NGX_HTTP_PATCH },
    { ngx_string("TRACE"),     NGX_HTTP_TRACE },
    { ngx_string("CONNECT"),   NGX_HTTP_CONNECT },
    { ngx_null_string, 0 }
};


char *
ngx_http_ratelimit_rule_methods(ngx_conf_t *cf, void *conf,
    ngx_http_ratelimit_param_t *param, ngx_str_t *value)
{
    ngx_http_ratelimit_rule_t *rule = conf;

    char       *rv;
    u_char     *p, *last;
    ngx_str_t   name;

    p = value->data;
    last = p + value->len;

    if (p < last && *p == '!') {
        rule->except = 1;
        p++;
    }

    for (name.data = p; name.data <= last; name.data = p + 1) {

        p = ngx_strlchr(name.data, last, ',');
        if (p == NULL) {
            p = last;
        }

        name.len = p - name.data;

        rv = ngx_http_ratelimit_rule_method(cf, rule, &name);
        if (rv != NGX_CONF_OK) {
            return ngx_http_ratelimit_invalid(cf, "methods", value, rv);
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_rule_method(ngx_conf_t *cf, ngx_http_ratelimit_rule_t *rule,
    ngx_str_t *name)
{
    u_char               ch;
    ngx_str_t           *unknown;
    ngx_uint_t           i;
    ngx_conf_bitmask_t  *m;

    m = ngx_http_ratelimit_methods;

    for (i = 0; m[i].name.len; i++) {
        if (m[i].name.len == name->len
            && ngx_strncmp(m[i].name.data, name->data, name->len) == 0)
        {
            rule->methods |= m[i].mask;
            return NGX_CONF_OK;
        }
    }

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if ((ch < 'A' || ch > 'Z') && ch != '_' && ch != '-') {
            break;
        }
    }

    if (name->len == 0 || i != name->len) {
        return "must be methods in upper case, separated by \",\", "
               "or \"!\" and the methods to leave out";
    }

    if (rule->unknown == NULL) {
        rule->unknown = ngx_array_create(cf->pool, 2, sizeof(ngx_str_t));
        if (rule->unknown == NULL) {
            return "cannot be stored, out of memory";
        }
    }

    unknown = ngx_array_push(rule->unknown);
    if (unknown == NULL) {
        return "cannot be stored, out of memory";
    }

    *unknown = *name;

    return NGX_CONF_OK;
}
