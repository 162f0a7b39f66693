
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The parameters of a request to "ratelimit_api".  They stand in the query:
 * requests have no bodies.  What is not known is an error and not ignored:
 * a misspelled "for=" would make an override hold for ever.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "request/ngx_http_ratelimit_log.h"
#include "api/ngx_http_ratelimit_api.h"


static ngx_int_t ngx_http_ratelimit_api_parse_arg(
    ngx_http_ratelimit_api_call_t *call, rl_str_t arg);
static ngx_int_t ngx_http_ratelimit_api_decode(ngx_pool_t *pool, rl_str_t arg,
    rl_str_t name, rl_str_t *value);


static struct {
    ngx_str_t                    name;
    size_t                       offset;
} ngx_http_ratelimit_api_parameters[] = {

#define ngx_http_ratelimit_api_parameter(name, member)                        \
    { ngx_string(name), offsetof(ngx_http_ratelimit_api_args_t, member) }

    ngx_http_ratelimit_api_parameter("policy", policy),
    ngx_http_ratelimit_api_parameter("zone", zone),
    ngx_http_ratelimit_api_parameter("id", id),
    ngx_http_ratelimit_api_parameter("top", top),
    ngx_http_ratelimit_api_parameter("scale", scale),
    ngx_http_ratelimit_api_parameter("quota", quota),
    ngx_http_ratelimit_api_parameter("for", duration),
    ngx_http_ratelimit_api_parameter("all", all),
    ngx_http_ratelimit_api_parameter("key", keys),  /* repeats */
    { ngx_null_string, 0 }
};


/* not NGX_OK: the complaint is sent, call->rc is what came of it */

ngx_int_t
ngx_http_ratelimit_api_parse_args(ngx_http_ratelimit_api_call_t *call)
{
    u_char              *p, *last, *end;
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = call->request;

    if (ngx_array_init(&call->args.keys, r->pool, 2, sizeof(rl_str_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = r->args.data;
    last = p + r->args.len;

    for ( /* void */ ; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');
        if (end == NULL) {
            end = last;
        }

        if (end == p) {
            continue;
        }

        rc = ngx_http_ratelimit_api_parse_arg(call,
                                 ngx_http_ratelimit_make_str(p, end - p));
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_api_parse_arg(ngx_http_ratelimit_api_call_t *call,
    rl_str_t arg)
{
    u_char      *end;
    rl_str_t     name, value, *key;
    ngx_str_t   *known, *text, shown;
    ngx_uint_t   i;

    end = ngx_strlchr((u_char *) arg.data, (u_char *) arg.data + arg.len, '=');

    name.data = arg.data;
    name.len = end ? (size_t) (end - arg.data) : arg.len;

    for (i = 0; ngx_http_ratelimit_api_parameters[i].name.len; i++) {
        known = &ngx_http_ratelimit_api_parameters[i].name;

        if (known->len != name.len
            || ngx_strncmp(known->data, name.data, name.len) != 0)
        {
            continue;
        }

        if (ngx_http_ratelimit_api_decode(call->request->pool, arg, name,
                                          &value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (ngx_http_ratelimit_api_parameters[i].offset
            == offsetof(ngx_http_ratelimit_api_args_t, keys))
        {
            key = ngx_array_push(&call->args.keys);
            if (key == NULL) {
                return NGX_ERROR;
            }

            *key = value;

            return NGX_OK;
        }

        text = (ngx_str_t *) ((u_char *) &call->args
                              + ngx_http_ratelimit_api_parameters[i].offset);

        if (text->data) {
            return ngx_http_ratelimit_api_problem(call, NGX_HTTP_BAD_REQUEST,
                                                  "duplicate parameter "
                                                  "\"%V\"", known);
        }

        text->len = value.len;
        text->data = (u_char *) value.data;

        return NGX_OK;
    }

    shown.len = ngx_min(name.len, NGX_HTTP_RATELIMIT_MAX_SHOWN);
    shown.data = (u_char *) name.data;

    return ngx_http_ratelimit_api_problem(call, NGX_HTTP_BAD_REQUEST,
                                          "unknown parameter \"%V\"", &shown);
}


/* percent-decoded as a key's "arg=" is; a "+" stays one */

static ngx_int_t
ngx_http_ratelimit_api_decode(ngx_pool_t *pool, rl_str_t arg, rl_str_t name,
    rl_str_t *value)
{
    u_char  *buf;

    buf = ngx_pnalloc(pool, arg.len);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    if (!rl_key_arg(arg, name, buf, value)) {
        value->len = 0;
        value->data = buf;
    }

    return NGX_OK;
}
