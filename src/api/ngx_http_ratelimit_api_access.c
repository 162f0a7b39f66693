
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Who may use "ratelimit_api": a warning at start where everybody may, no
 * answers under a name that is not ours, and no writes on behalf of other
 * sites' pages.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "request/ngx_http_ratelimit_log.h"
#include "api/ngx_http_ratelimit_api.h"


static ngx_int_t ngx_http_ratelimit_api_add_server_names(ngx_conf_t *cf,
    ngx_http_ratelimit_api_t *api);
static ngx_uint_t ngx_http_ratelimit_api_is_guarded(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx);
static void **ngx_http_ratelimit_api_module_conf(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx, char *name);
static ngx_uint_t ngx_http_ratelimit_api_is_host(ngx_str_t *pattern,
    ngx_str_t *host);
static ngx_uint_t ngx_http_ratelimit_api_same_origin(ngx_http_request_t *r);


ngx_int_t
ngx_http_ratelimit_check_apis(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_http_ratelimit_api_t       **apis;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    apis = rmcf->apis.elts;

    for (i = 0; i < rmcf->apis.nelts; i++) {

        if (ngx_http_ratelimit_api_add_server_names(cf, apis[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        if (!ngx_http_ratelimit_api_is_guarded(cf, apis[i]->ctx)) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"ratelimit_api\" is open to everybody, no "
                          "\"allow\", \"deny\", \"auth_basic\" or "
                          "\"auth_request\" stands beside it in %s:%ui",
                          apis[i]->file, apis[i]->line);
        }
    }
    return NGX_OK;
}


/*
 * The server's own list of its names is gone once the configuration is read.
 * An expression, or "name.*", may match names of anybody's.
 */

static ngx_int_t
ngx_http_ratelimit_api_add_server_names(ngx_conf_t *cf,
    ngx_http_ratelimit_api_t *api)
{
    ngx_str_t                 *host;
    ngx_uint_t                 i;
    ngx_http_server_name_t    *name;
    ngx_http_core_srv_conf_t  *cscf;

    cscf = api->ctx->srv_conf[ngx_http_core_module.ctx_index];
    name = cscf->server_names.elts;

    for (i = 0; i < cscf->server_names.nelts; i++) {

#if (NGX_PCRE)
        if (name[i].regex) {
            continue;
        }
#endif

        if (name[i].name.len <= 1) {
            continue;
        }

        host = ngx_array_push(&api->hosts);
        if (host == NULL) {
            return NGX_ERROR;
        }

        *host = name[i].name;
    }

    return NGX_OK;
}


/*
 * Other modules' configurations are theirs, and only what each has always
 * begun with is looked at: access with three arrays (or as many as there are
 * address families) that are NULL without rules, auth_basic with a complex
 * value, auth_request with a string.  All levels are merged by now.
 */

static ngx_uint_t
ngx_http_ratelimit_api_is_guarded(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx)
{
    void                      **conf;
    ngx_str_t                  *uri;
    ngx_http_complex_value_t   *realm;
    ngx_http_core_loc_conf_t   *clcf;

    clcf = ctx->loc_conf[ngx_http_core_module.ctx_index];

    if (clcf->internal) {
        return 1;
    }

    conf = ngx_http_ratelimit_api_module_conf(cf, ctx,
                                              "ngx_http_access_module");
    if (conf
        && (conf[0]
#if (NGX_HAVE_INET6)
            || conf[1]
#endif
           ))
    {
        return 1;
    }

    conf = ngx_http_ratelimit_api_module_conf(cf, ctx,
                                              "ngx_http_auth_basic_module");
    if (conf && conf[0] && conf[0] != NGX_CONF_UNSET_PTR) {
        realm = conf[0];

        if (realm->value.len != 3
            || ngx_strncmp(realm->value.data, "off", 3) != 0)
        {
            return 1;
        }
    }

    conf = ngx_http_ratelimit_api_module_conf(cf, ctx,
                                              "ngx_http_auth_request_module");
    uri = (ngx_str_t *) conf;

    return uri && uri->len;
}


static void **
ngx_http_ratelimit_api_module_conf(ngx_conf_t *cf, ngx_http_conf_ctx_t *ctx,
    char *name)
{
    ngx_uint_t      i;
    ngx_module_t  **modules;

    modules = cf->cycle->modules;

    for (i = 0; modules[i]; i++) {
        if (modules[i]->type == NGX_HTTP_MODULE
            && ngx_strcmp(modules[i]->name, name) == 0)
        {
            return ctx->loc_conf[modules[i]->ctx_index];
        }
    }

    return NULL;
}


/* as of "server_name", but what an attacker could register is none */

char *
ngx_http_ratelimit_api_host(ngx_conf_t *cf, ngx_http_ratelimit_api_t *api,
    ngx_str_t *parameter)
{
    u_char      ch;
    ngx_str_t   host, *pattern;
    ngx_uint_t  i;

    host.len = parameter->len - (sizeof("host=") - 1);
    host.data = parameter->data + sizeof("host=") - 1;

    i = (host.len && host.data[0] == '*') ? 1 : 0;

    if (i && host.len > 1 && host.data[1] != '.') {
        host.len = 0;
    }

    for ( /* void */ ; i < host.len; i++) {
        ch = ngx_tolower(host.data[i]);
        host.data[i] = ch;

        if ((ch < 'a' || ch > 'z') && (ch < '0' || ch > '9')
            && ch != '.' && ch != '-' && ch != '_')
        {
            host.len = 0;
        }
    }

    if (host.len == 0) {
        return ngx_http_ratelimit_invalid(cf, "parameter", parameter,
                                          "must be a name without a port, "
                                          "\"*.NAME\", or \"*\" for any");
    }

    pattern = ngx_array_push(&api->hosts);
    if (pattern == NULL) {
        return NGX_CONF_ERROR;
    }

    *pattern = host;

    return NGX_CONF_OK;
}


/*
 * A page of an attacker's may have its own name point here (DNS rebinding):
 * to its browser this is then the same origin, which may be read and written.
 * So names are answered to that are known, or that nobody can have pointed
 * here: addresses, and those without a dot, which nobody can register.
 * Programs of HTTP/1.0 name no host, browsers always do.
 */

ngx_int_t
ngx_http_ratelimit_api_check_host(ngx_http_ratelimit_api_call_t *call)
{
    ngx_str_t   *host, *pattern, shown;
    ngx_uint_t   i;

    static ngx_str_t  local = ngx_string("*.localhost");

    host = &call->request->headers_in.server;

    if (host->len == 0 || host->data[0] == '['
        || ngx_strlchr(host->data, host->data + host->len, '.') == NULL
        || ngx_inet_addr(host->data, host->len) != INADDR_NONE
        || ngx_http_ratelimit_api_is_host(&local, host))
    {
        return NGX_OK;
    }

    pattern = call->api->hosts.elts;

    for (i = 0; i < call->api->hosts.nelts; i++) {
        if (ngx_http_ratelimit_api_is_host(&pattern[i], host)) {
            return NGX_OK;
        }
    }

    shown = *host;
    shown.len = ngx_min(shown.len, NGX_HTTP_RATELIMIT_MAX_SHOWN);

    return ngx_http_ratelimit_api_problem(call, NGX_HTTP_MISDIRECTED_REQUEST,
                                          "\"%V\" is no name that "
                                          "\"ratelimit_api\" answers to, "
                                          "\"host=\" adds one", &shown);
}


/* a pattern is "name", "*.name", ".name" or "*" */

static ngx_uint_t
ngx_http_ratelimit_api_is_host(ngx_str_t *pattern, ngx_str_t *host)
{
    ngx_str_t  tail;

    tail = *pattern;

    if (tail.data[0] == '*') {
        tail.data++;
        tail.len--;

    } else if (tail.data[0] == '.'
               && tail.len - 1 == host->len
               && ngx_strncasecmp(tail.data + 1, host->data, host->len) == 0)
    {
        return 1;

    } else if (tail.data[0] != '.' && tail.len != host->len) {
        return 0;
    }

    return host->len >= tail.len
           && ngx_strncasecmp(host->data + host->len - tail.len, tail.data,
                              tail.len)
              == 0;
}


/*
 * Browsers say where a request comes from, programs do not.  They also ask
 * before they send another site's PUT or DELETE, and are told 405: this is
 * for those that would not, and for proxies that answer in nginx's place.
 *
 * Sec-Fetch-Site is what a browser thinks itself, whatever a proxy makes of
 * Host; but it is sent to https and to localhost only.  Elsewhere there is
 * Origin.
 */

ngx_int_t
ngx_http_ratelimit_api_check_origin(ngx_http_ratelimit_api_call_t *call)
{
    ngx_str_t   *site;
    ngx_uint_t   same;

    site = ngx_http_ratelimit_api_header(call->request, "Sec-Fetch-Site");

    if (site) {
        same = (site->len == 11
                && ngx_strncmp(site->data, "same-origin", 11) == 0)
               || (site->len == 4 && ngx_strncmp(site->data, "none", 4) == 0);

    } else {
        same = ngx_http_ratelimit_api_same_origin(call->request);
    }

    if (same) {
        return NGX_OK;
    }

    return ngx_http_ratelimit_api_problem(call, NGX_HTTP_FORBIDDEN,
                                          "the request comes from a page of "
                                          "another origin");
}


/* the scheme may be a proxy's in front, the host is the same */

static ngx_uint_t
ngx_http_ratelimit_api_same_origin(ngx_http_request_t *r)
{
    u_char     *host;
    ngx_str_t  *origin, *own;

    origin = ngx_http_ratelimit_api_header(r, "Origin");

    if (origin == NULL) {
        return 1;
    }

    host = ngx_strlcasestrn(origin->data, origin->data + origin->len,
                            (u_char *) "://", sizeof("://") - 2);
    own = r->headers_in.host ? &r->headers_in.host->value
                             : &r->headers_in.server;

    if (host == NULL) {
        return 0;
    }

    host += sizeof("://") - 1;

    return (size_t) (origin->data + origin->len - host) == own->len
           && ngx_strncasecmp(host, own->data, own->len) == 0;
}


/* the first field of that name */

ngx_str_t *
ngx_http_ratelimit_api_header(ngx_http_request_t *r, char *name)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == len
                && ngx_strncasecmp(h[i].key.data, (u_char *) name, len) == 0)
            {
                return &h[i].value;
            }
        }
    }

    return NULL;
}
