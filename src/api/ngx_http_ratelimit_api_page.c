
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The page for people: one response that needs no other, and that no browser
 * lets load anything from elsewhere.
 */


#include "ngx_http_ratelimit.h"
#include "api/ngx_http_ratelimit_api.h"
#include "ngx_http_ratelimit_page.h"

#include <sys/random.h>


#define NGX_HTTP_RATELIMIT_NONCE_BYTES  18
#define NGX_HTTP_RATELIMIT_NONCE_LEN                                          \
    ngx_base64_encoded_length(NGX_HTTP_RATELIMIT_NONCE_BYTES)


static ngx_int_t ngx_http_ratelimit_api_nonce(ngx_http_request_t *r,
    ngx_str_t *nonce);
static ngx_int_t ngx_http_ratelimit_api_policy_header(ngx_http_request_t *r,
    ngx_str_t *nonce);
static ngx_chain_t **ngx_http_ratelimit_api_piece(ngx_http_request_t *r,
    ngx_chain_t **ll, u_char *start, u_char *end);


ngx_int_t
ngx_http_ratelimit_api_page(ngx_http_ratelimit_api_call_t *call)
{
    u_char        *p, *last, *mark;
    ngx_str_t      nonce;
    ngx_chain_t   *out, **ll;

    if (ngx_http_ratelimit_api_nonce(call->request, &nonce) != NGX_OK
        || ngx_http_ratelimit_api_policy_header(call->request, &nonce)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = (u_char *) ngx_http_ratelimit_page;
    last = p + sizeof(ngx_http_ratelimit_page);
    ll = &out;

    while (p < last) {
        mark = ngx_strlcasestrn(p, last, (u_char *) "@NONCE@",
                                sizeof("@NONCE@") - 2);

        ll = ngx_http_ratelimit_api_piece(call->request, ll, p,
                                          mark ? mark : last);
        if (ll == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (mark == NULL) {
            break;
        }

        ll = ngx_http_ratelimit_api_piece(call->request, ll, nonce.data,
                                          nonce.data + nonce.len);
        if (ll == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        p = mark + sizeof("@NONCE@") - 1;
    }

    *ll = NULL;

    return ngx_http_ratelimit_api_send(call, NGX_HTTP_OK,
                                       "text/html; charset=utf-8", out);
}


/* new in every response, so that only the page's own script is run */

static ngx_int_t
ngx_http_ratelimit_api_nonce(ngx_http_request_t *r, ngx_str_t *nonce)
{
    u_char     bytes[NGX_HTTP_RATELIMIT_NONCE_BYTES];
    ngx_str_t  random;

    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes)) {
        return NGX_ERROR;
    }

    nonce->data = ngx_pnalloc(r->pool, NGX_HTTP_RATELIMIT_NONCE_LEN);
    if (nonce->data == NULL) {
        return NGX_ERROR;
    }

    random.data = bytes;
    random.len = sizeof(bytes);

    ngx_encode_base64(nonce, &random);

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_api_policy_header(ngx_http_request_t *r, ngx_str_t *nonce)
{
    ngx_str_t  value;

    static char  format[] =
        "default-src 'none'; script-src 'nonce-%V'; style-src 'nonce-%V'; "
        "connect-src 'self'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'";

    value.data = ngx_pnalloc(r->pool, sizeof(format) + 2 * nonce->len);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data, format, nonce, nonce) - value.data;

    return ngx_http_ratelimit_api_add_header(r, "Content-Security-Policy",
                                             &value);
}


static ngx_chain_t **
ngx_http_ratelimit_api_piece(ngx_http_request_t *r, ngx_chain_t **ll,
    u_char *start, u_char *end)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    b = ngx_calloc_buf(r->pool);
    cl = ngx_alloc_chain_link(r->pool);

    if (b == NULL || cl == NULL) {
        return NULL;
    }

    b->pos = start;
    b->last = end;
    b->memory = 1;

    cl->buf = b;
    *ll = cl;

    return &cl->next;
}
