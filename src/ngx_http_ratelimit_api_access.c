
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Who may use "ratelimit_api": a warning at start where everybody may, and no
 * writes on behalf of other sites' pages.
 */


#include "ngx_http_ratelimit_api.h"


static ngx_uint_t ngx_http_ratelimit_api_is_guarded(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx);
static void **ngx_http_ratelimit_api_module_conf(ngx_conf_t *cf,
    ngx_http_conf_ctx_t *ctx, char *name);


void
ngx_http_ratelimit_check_apis(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_http_ratelimit_api_t       **apis;
    ngx_http_ratelimit_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ratelimit_module);

    apis = rmcf->apis.elts;

    for (i = 0; i < rmcf->apis.nelts; i++) {

        if (!ngx_http_ratelimit_api_is_guarded(cf, apis[i]->ctx)) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"ratelimit_api\" is open to everybody, no "
                          "\"allow\", \"deny\", \"auth_basic\" or "
                          "\"auth_request\" stands beside it in %s:%ui",
                          apis[i]->file, apis[i]->line);
        }
    }
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


/*
 * Browsers say where a request comes from, programs do not.  They also ask
 * before they send another site's PUT or DELETE, and are told 405: this is
 * for those that would not, and for proxies that answer in nginx's place.
 */

ngx_int_t
ngx_http_ratelimit_api_same_origin(ngx_http_request_t *r)
{
    u_char     *host;
    ngx_str_t  *site, *origin, *own;

    static ngx_str_t  same = ngx_string("same-origin");
    static ngx_str_t  none = ngx_string("none");

    site = ngx_http_ratelimit_api_header(r, "Sec-Fetch-Site");

    if (site
        && ngx_memn2cmp(site->data, same.data, site->len, same.len) != 0
        && ngx_memn2cmp(site->data, none.data, site->len, none.len) != 0)
    {
        return 0;
    }

    origin = ngx_http_ratelimit_api_header(r, "Origin");

    if (origin == NULL) {
        return 1;
    }

    /* the scheme may be a proxy's in front, the host is the same */

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
