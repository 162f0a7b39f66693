
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Answers of "ratelimit_api": texts, JSON, problems (RFC 9457).
 */


#include "ngx_http_ratelimit.h"
#include "request/ngx_http_ratelimit_log.h"
#include "api/ngx_http_ratelimit_api.h"


static void ngx_http_ratelimit_api_printable(u_char *p, u_char *last,
    u_char quote);
static ngx_int_t ngx_http_ratelimit_api_fixed_headers(ngx_http_request_t *r);


/* what every answer says; none of them is to be kept, guessed at or framed */

static struct {
    char                        *name;
    ngx_str_t                    value;
} ngx_http_ratelimit_api_headers[] = {
    { "Cache-Control",          ngx_string("no-store") },
    { "X-Content-Type-Options", ngx_string("nosniff") },
    { "Referrer-Policy",        ngx_string("no-referrer") },
    { "X-Frame-Options",        ngx_string("DENY") },
    { "Cross-Origin-Resource-Policy", ngx_string("same-origin") },
    { NULL, ngx_null_string }
};


ngx_int_t
ngx_http_ratelimit_api_send(ngx_http_ratelimit_api_call_t *call,
    ngx_uint_t status, char *type, ngx_chain_t *out)
{
    off_t                len;
    ngx_int_t            rc;
    ngx_chain_t         *cl;
    ngx_http_request_t  *r;

    r = call->request;
    len = 0;

    for (cl = out; cl; cl = cl->next) {
        len += ngx_buf_size(cl->buf);

        if (cl->next == NULL) {
            cl->buf->last_buf = (r == r->main);
            cl->buf->last_in_chain = 1;
        }
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = len;
    r->headers_out.content_type.data = (u_char *) type;
    r->headers_out.content_type.len = ngx_strlen(type);
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    if (ngx_http_ratelimit_api_fixed_headers(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, out);
}


static ngx_int_t
ngx_http_ratelimit_api_fixed_headers(ngx_http_request_t *r)
{
    ngx_uint_t  i;

    for (i = 0; ngx_http_ratelimit_api_headers[i].name; i++) {
        if (ngx_http_ratelimit_api_add_header(r,
                                     ngx_http_ratelimit_api_headers[i].name,
                                     &ngx_http_ratelimit_api_headers[i].value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ratelimit_api_add_header(ngx_http_request_t *r, char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.len = ngx_strlen(name);
    h->key.data = (u_char *) name;
    h->value = *value;

    return NGX_OK;
}


ngx_int_t
ngx_http_ratelimit_api_send_text(ngx_http_ratelimit_api_call_t *call,
    char *type, ngx_str_t *text)
{
    ngx_buf_t    *b;
    ngx_chain_t   out;

    b = ngx_calloc_buf(call->request->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = text->data;
    b->last = text->data + text->len;
    b->memory = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_ratelimit_api_send(call, NGX_HTTP_OK, type, &out);
}


/* takes the reference to json; NULL: there was no memory for it */

ngx_int_t
ngx_http_ratelimit_api_send_json(ngx_http_ratelimit_api_call_t *call,
    ngx_uint_t status, json_t *json)
{
    char         *type, *text;
    size_t        len;
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;

    json_decref(json);

    if (text == NULL) {
        return rc;
    }

    len = ngx_strlen(text);

    b = ngx_create_temp_buf(call->request->pool, len + 1);

    if (b) {
        b->last = ngx_cpymem(b->last, text, len);
        *b->last++ = LF;

        out.buf = b;
        out.next = NULL;

        type = (status < NGX_HTTP_SPECIAL_RESPONSE)
               ? "application/json" : "application/problem+json";

        rc = ngx_http_ratelimit_api_send(call, status, type, &out);
    }

    free(text);

    return rc;
}


/*
 * Complains; format is as ngx_sprintf's, and what it makes is cut at 1,024
 * bytes.  Returns NGX_DECLINED, for who has to give up then, and leaves what
 * came of sending it in call->rc.
 */

ngx_int_t
ngx_http_ratelimit_api_problem(ngx_http_ratelimit_api_call_t *call,
    ngx_uint_t status, const char *format, ...)
{
    char       *title;
    u_char      detail[1024];
    va_list     args;
    ngx_str_t   text;

    va_start(args, format);
    text.data = detail;
    text.len = ngx_vslprintf(detail, detail + sizeof(detail), format, args)
               - detail;
    va_end(args);

    if (call->write) {
        ngx_http_ratelimit_api_log(call, "%V of \"%V\" refused with %ui (%V)",
                                   &call->request->method_name, &call->path,
                                   status, &text);
    }

    switch (status) {

    case NGX_HTTP_BAD_REQUEST:
        title = "Bad Request";
        break;

    case NGX_HTTP_FORBIDDEN:
        title = "Forbidden";
        break;

    case NGX_HTTP_NOT_FOUND:
        title = "Not Found";
        break;

    case NGX_HTTP_NOT_ALLOWED:
        title = "Method Not Allowed";
        break;

    case NGX_HTTP_CONFLICT:
        title = "Conflict";
        break;

    case NGX_HTTP_MISDIRECTED_REQUEST:
        title = "Misdirected Request";
        break;

    case NGX_HTTP_INSUFFICIENT_STORAGE:
        title = "Insufficient Storage";
        break;

    default: /* NGX_HTTP_SERVICE_UNAVAILABLE */
        title = "Service Unavailable";
    }

    call->rc = ngx_http_ratelimit_api_send_json(call, status,
                   json_pack("{s:s, s:s, s:i, s:o}",
                             "type", "about:blank",
                             "title", title,
                             "status", (int) status,
                             "detail", ngx_http_ratelimit_api_string(&text)));

    return NGX_DECLINED;
}


/* to change something a process must be in the process table */

ngx_int_t
ngx_http_ratelimit_api_no_place(ngx_http_ratelimit_api_call_t *call)
{
    ngx_http_ratelimit_api_problem(call, NGX_HTTP_SERVICE_UNAVAILABLE,
                                   "there are too many worker processes, this "
                                   "one may change nothing");
    return call->rc;
}


/*
 * What was done, or refused, and to whom.  Not with the request's context, as
 * nginx's other lines: the request line holds the key.  $remote_user is
 * whatever the client said where no "auth_basic" checks it.
 */

void
ngx_http_ratelimit_api_log(ngx_http_ratelimit_api_call_t *call,
    const char *format, ...)
{
    u_char              *p, *last, text[1536];
    va_list              args;
    ngx_str_t            user;
    ngx_http_request_t  *r;

    r = call->request;
    last = text + sizeof(text);

    va_start(args, format);
    p = ngx_vslprintf(text, text + 1024, format, args);
    va_end(args);

    ngx_http_ratelimit_api_printable(text, p, 0);

    p = ngx_slprintf(p, last, " by \"ratelimit_api\"");

    if (ngx_http_auth_basic_user(r) == NGX_OK) {
        user = r->headers_in.user;
        user.len = ngx_min(user.len, NGX_HTTP_RATELIMIT_MAX_SHOWN);

        p = ngx_slprintf(p, last, ", user: \"%V\"", &user);

        ngx_http_ratelimit_api_printable(p - user.len - 1, p - 1, '"');
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "ratelimit: %*s, client: %V", (size_t) (p - text), text,
                  &r->connection->addr_text);
}


/* what could break a line, or end the quotes around it, becomes "?" */

static void
ngx_http_ratelimit_api_printable(u_char *p, u_char *last, u_char quote)
{
    for ( /* void */ ; p < last; p++) {
        if (*p < 0x20 || *p >= 0x7f || *p == quote) {
            *p = '?';
        }
    }
}
