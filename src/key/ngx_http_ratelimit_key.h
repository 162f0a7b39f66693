
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_key": what the files of that name share.
 */


#ifndef _NGX_HTTP_RATELIMIT_KEY_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_KEY_H_INCLUDED_


#include "ngx_http_ratelimit.h"


typedef struct {
    rl_source_t                  core;
    ngx_int_t                    index;      /* of a variable, a JWT's claim */
    rl_str_t                     tag;        /* of the chain's first source */
    ngx_str_t                    prefix;     /* "tag:"; empty: untagged */
} ngx_http_ratelimit_source_t;


struct ngx_http_ratelimit_key_s {
    ngx_array_t                  sources;    /* ngx_http_ratelimit_source_t */
    ngx_str_t                    name;       /* of the variable */
    u_char                      *file;
    ngx_uint_t                   line;
    unsigned                     untagged:1;
    unsigned                     cgi:1;      /* "names=cgi" */
    unsigned                     lower:1;
    unsigned                     visit:2;    /* of the search for cycles */
};


/* ngx_http_ratelimit_key.c */

ngx_int_t ngx_http_ratelimit_any_part(ngx_http_request_t *r,
    ngx_http_ratelimit_value_t *value, u_char *scratch, rl_part_t *out);

/*
 * A value as a part of a key: a tag and what the source yields are not put
 * together for its hash.  scratch is of NGX_HTTP_RATELIMIT_SCRATCH bytes, and
 * must live as long as the part.  NGX_DECLINED: it is empty.
 */

static ngx_inline ngx_int_t
ngx_http_ratelimit_value_part(ngx_http_request_t *r,
    ngx_http_ratelimit_value_t *value, u_char *scratch, rl_part_t *out)
{
    out->start = value->starts;

    if (value->arg.len) {
        return rl_key_raw_arg(ngx_http_ratelimit_str(&r->args),
                              ngx_http_ratelimit_str(&value->arg), &out->text)
               ? NGX_OK : NGX_DECLINED;
    }

    if (value->plain_arg.len
        && rl_key_plain_arg(ngx_http_ratelimit_str(&r->args),
                            value->plain_arg, &out->text))
    {
        return NGX_OK;
    }

    if (value->bearer
        && r->headers_in.authorization
        && rl_key_bearer(ngx_http_ratelimit_str(
                                        &r->headers_in.authorization->value),
                         &out->text))
    {
        return NGX_OK;
    }

    return ngx_http_ratelimit_any_part(r, value, scratch, out);
}

/* ngx_http_ratelimit_key_source.c */

/*
 * scratch is NULL or NGX_HTTP_RATELIMIT_SCRATCH bytes, in which a value may be
 * decoded rather than in the request's pool.  NGX_DECLINED: the source yields
 * nothing.
 */

ngx_int_t ngx_http_ratelimit_key_value(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, u_char *scratch, rl_str_t *out);

/* ngx_http_ratelimit_key_cgi.c */

char *ngx_http_ratelimit_cgi_source(ngx_conf_t *cf,
    ngx_http_ratelimit_source_t *source);
ngx_int_t ngx_http_ratelimit_cgi_value(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, u_char *scratch, rl_str_t *out);


#endif /* _NGX_HTTP_RATELIMIT_KEY_H_INCLUDED_ */
