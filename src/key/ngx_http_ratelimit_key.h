
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_key": variables made of sources.
 */


#ifndef _NGX_HTTP_RATELIMIT_KEY_H_INCLUDED_
#define _NGX_HTTP_RATELIMIT_KEY_H_INCLUDED_


#include "ngx_http_ratelimit.h"
#include "key/ngx_http_ratelimit_scratch.h"


typedef struct ngx_http_ratelimit_source_s  ngx_http_ratelimit_source_t;


/*
 * What a request has for a source.  scratch is that of a decision, in which a
 * value may be decoded rather than in the request's pool, or NULL.
 * NGX_DECLINED: the source yields nothing.
 */

typedef ngx_int_t (*ngx_http_ratelimit_source_pt)(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_http_ratelimit_scratch_t *scratch,
    rl_str_t *out);


struct ngx_http_ratelimit_source_s {
    rl_source_t                  core;
    ngx_http_ratelimit_source_pt value;
    ngx_int_t                    index;      /* of a variable, a JWT's claim */
    rl_str_t                     tag;        /* of the chain's first source */
    ngx_str_t                    prefix;     /* "tag:"; empty: untagged */
    ngx_uint_t                   plain;      /* unsigned  plain:1;  the name of
                                                an argument, as it stands */
};


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


/* ngx_http_ratelimit_key_conf.c */

char *ngx_http_ratelimit_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_http_ratelimit_key_t *ngx_http_ratelimit_find_key(ngx_conf_t *cf,
    ngx_str_t *variable);

/* ngx_http_ratelimit_key.c */

ngx_int_t ngx_http_ratelimit_key_text(ngx_http_request_t *r,
    ngx_http_ratelimit_key_t *key, ngx_str_t *out);
ngx_int_t ngx_http_ratelimit_key_lower(ngx_http_request_t *r, rl_str_t *text);


/* the first source that yields a value, and that; scratch may be NULL */

static ngx_inline ngx_int_t
ngx_http_ratelimit_key_first(ngx_http_request_t *r,
    ngx_http_ratelimit_key_t *key, ngx_http_ratelimit_scratch_t *scratch,
    ngx_uint_t *i, rl_str_t *out)
{
    ngx_int_t                     rc;
    ngx_uint_t                    n;
    ngx_http_ratelimit_source_t  *source;

    source = key->sources.elts;
    rc = NGX_DECLINED;

    for (n = 0; n < key->sources.nelts; n++) {
        rc = source[n].value(r, &source[n], scratch, out);

        if (rc != NGX_DECLINED) {
            break;
        }
    }

    *i = n;

    return (rc == NGX_OK && key->lower) ? ngx_http_ratelimit_key_lower(r, out)
                                        : rc;
}


/* ngx_http_ratelimit_key_source.c */

ngx_http_ratelimit_source_pt ngx_http_ratelimit_source_value(
    rl_source_e kind);

/* ngx_http_ratelimit_key_cgi.c */

char *ngx_http_ratelimit_cgi_source(ngx_conf_t *cf,
    ngx_http_ratelimit_source_t *source);


#endif /* _NGX_HTTP_RATELIMIT_KEY_H_INCLUDED_ */
