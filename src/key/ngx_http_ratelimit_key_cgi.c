
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_key ... names=cgi": all that a request says where a back end in
 * the manner of CGI looks for one thing.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "key/ngx_http_ratelimit_key.h"


static ngx_int_t ngx_http_ratelimit_cgi_value(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_http_ratelimit_scratch_t *scratch,
    rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_cgi_fields(ngx_http_request_t *r,
    rl_source_t *source, rl_str_t name, rl_values_t *values);
static ngx_int_t ngx_http_ratelimit_cgi_args(ngx_http_request_t *r,
    rl_source_t *source, rl_values_t *values);


/*
 * The name of a source as written, folded, and all that has it for its value.
 * A claim, an address and a variable are not looked for by their names.
 */

char *
ngx_http_ratelimit_cgi_source(ngx_conf_t *cf,
    ngx_http_ratelimit_source_t *source)
{
    u_char      *buf;
    rl_str_t     name;
    ngx_str_t    text;
    const char  *allowed;

    name = source->core.name;

    buf = ngx_pnalloc(cf->pool, name.len + 1);
    if (buf == NULL) {
        return NGX_CONF_ERROR;
    }

    allowed = rl_cgi_source(&source->core, buf);

    if (allowed) {
        text.len = name.len;
        text.data = (u_char *) name.data;

        return ngx_http_ratelimit_invalid(cf, "name", &text, allowed);
    }

    switch (source->core.kind) {

    case RL_SOURCE_JWT:
    case RL_SOURCE_ADDR:
    case RL_SOURCE_VAR:
        break;

    default:
        source->value = ngx_http_ratelimit_cgi_value;
        break;
    }

    return NGX_CONF_OK;
}


/* as any ngx_http_ratelimit_source_pt */

static ngx_int_t
ngx_http_ratelimit_cgi_value(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_http_ratelimit_scratch_t *scratch,
    rl_str_t *out)
{
    ngx_int_t    rc;
    rl_str_t     name;
    rl_values_t  values;

    ngx_memzero(&values, sizeof(rl_values_t));

    switch (source->core.kind) {

    case RL_SOURCE_HEADER:
        name = source->core.name;
        rc = ngx_http_ratelimit_cgi_fields(r, &source->core, name, &values);
        break;

    case RL_SOURCE_COOKIE:
        name = ngx_http_ratelimit_make_str((u_char *) "cookie", 6);
        rc = ngx_http_ratelimit_cgi_fields(r, &source->core, name, &values);
        break;

    case RL_SOURCE_ARG:
        rc = ngx_http_ratelimit_cgi_args(r, &source->core, &values);
        break;

    default: /* RL_SOURCE_BEARER, RL_SOURCE_BASIC */
        name = ngx_http_ratelimit_make_str((u_char *) "authorization", 13);
        rc = ngx_http_ratelimit_cgi_fields(r, &source->core, name, &values);
        break;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    return rl_cgi_value(&values, out) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_ratelimit_cgi_fields(ngx_http_request_t *r, rl_source_t *source,
    rl_str_t name, rl_values_t *values)
{
    u_char           *buf;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    for (part = &r->headers_in.headers.part; part; part = part->next) {

        header = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (!rl_cgi_is_field(ngx_http_ratelimit_str(&header[i].key),
                                 name))
            {
                continue;
            }

            buf = ngx_pnalloc(r->pool, header[i].value.len + 1);
            if (buf == NULL) {
                return NGX_ERROR;
            }

            rl_cgi_field(source, ngx_http_ratelimit_str(&header[i].value), buf,
                         values);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_cgi_args(ngx_http_request_t *r, rl_source_t *source,
    rl_values_t *values)
{
    u_char  *buf;

    buf = ngx_pnalloc(r->pool, r->args.len + 1);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    rl_cgi_args(ngx_http_ratelimit_str(&r->args), source->name, buf, values);

    return NGX_OK;
}
