
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The answer to a refused request: "ratelimit_body".
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_param.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "conf/ngx_http_ratelimit_value.h"
#include "request/ngx_http_ratelimit_record.h"
#include "response/ngx_http_ratelimit_refuse.h"


/* a piece of a refusal's body; a variable in JSON is escaped */

typedef struct {
    ngx_http_complex_value_t     complex;
    ngx_uint_t                   escape;     /* unsigned  escape:1; */
} ngx_http_ratelimit_piece_t;


struct ngx_http_ratelimit_body_s {
    ngx_str_t                    type;
    ngx_array_t                 *pieces;     /* NULL: problem */
    unsigned                     grpc:1;
};


static char *ngx_http_ratelimit_body_pieces(ngx_conf_t *cf, ngx_str_t *text,
    ngx_array_t *pieces);
static u_char *ngx_http_ratelimit_body_variable_end(u_char *p, u_char *last);
static char *ngx_http_ratelimit_body_piece(ngx_conf_t *cf, ngx_array_t *pieces,
    u_char *start, u_char *end, ngx_uint_t escape);
static ngx_uint_t ngx_http_ratelimit_body_is_json(ngx_str_t *type);
static ngx_int_t ngx_http_ratelimit_body_text(ngx_http_request_t *r,
    ngx_http_ratelimit_body_t *body, ngx_str_t *text);
static ngx_int_t ngx_http_ratelimit_body_problem(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_uint_t status, ngx_str_t *text);


/* off | problem | grpc | content-type text */

char *
ngx_http_ratelimit_body(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ratelimit_loc_conf_t  *rlcf = conf;

    ngx_str_t                  *value;
    ngx_http_ratelimit_body_t  *body;

    if (rlcf->body) {
        return "is duplicate";
    }

    body = ngx_pcalloc(cf->pool, sizeof(ngx_http_ratelimit_body_t));
    if (body == NULL) {
        return NGX_CONF_ERROR;
    }

    rlcf->body = body;

    value = cf->args->elts;

    if (cf->args->nelts == 2) {

        if (value[1].len == 3 && ngx_strncmp(value[1].data, "off", 3) == 0) {
            return NGX_CONF_OK;
        }

        if (value[1].len == 7
            && ngx_strncmp(value[1].data, "problem", 7) == 0)
        {
            ngx_str_set(&body->type, "application/problem+json");
            return NGX_CONF_OK;
        }

        if (value[1].len == 4 && ngx_strncmp(value[1].data, "grpc", 4) == 0) {
            body->grpc = 1;
            return NGX_CONF_OK;
        }

        return ngx_http_ratelimit_invalid(cf, "value", &value[1],
                   "must be off, problem, grpc or a content type and a text");
    }

    if (ngx_strlchr(value[1].data, value[1].data + value[1].len, '/') == NULL)
    {
        return ngx_http_ratelimit_invalid(cf, "content type", &value[1],
                   "must be a media type such as application/json");
    }

    body->type = value[1];

    body->pieces = ngx_array_create(cf->pool, 4,
                                    sizeof(ngx_http_ratelimit_piece_t));
    if (body->pieces == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_ratelimit_body_is_json(&body->type)) {
        return ngx_http_ratelimit_body_pieces(cf, &value[2], body->pieces);
    }

    return ngx_http_ratelimit_body_piece(cf, body->pieces, value[2].data,
                                         value[2].data + value[2].len, 0);
}


/* splits the text before and behind each variable, which is to be escaped */

static char *
ngx_http_ratelimit_body_pieces(ngx_conf_t *cf, ngx_str_t *text,
    ngx_array_t *pieces)
{
    char    *rv;
    u_char  *p, *last, *start;

    p = text->data;
    last = p + text->len;

    while (p < last) {
        start = p;

        if (*p == '$') {
            p = ngx_http_ratelimit_body_variable_end(p + 1, last);

        } else {
            p = ngx_strlchr(p, last, '$');
            if (p == NULL) {
                p = last;
            }
        }

        rv = ngx_http_ratelimit_body_piece(cf, pieces, start, p,
                                           *start == '$');
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


/* "{name}", "name" or the one digit of a capture, as nginx's scripts read */

static u_char *
ngx_http_ratelimit_body_variable_end(u_char *p, u_char *last)
{
    u_char  *end;

    if (p < last && *p == '{') {
        end = ngx_strlchr(p, last, '}');
        return end ? end + 1 : last;
    }

    if (p < last && *p >= '1' && *p <= '9') {
        return p + 1;
    }

    while (p < last
           && ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
               || (*p >= '0' && *p <= '9') || *p == '_'))
    {
        p++;
    }

    return p;
}


static char *
ngx_http_ratelimit_body_piece(ngx_conf_t *cf, ngx_array_t *pieces,
    u_char *start, u_char *end, ngx_uint_t escape)
{
    ngx_str_t                   text;
    ngx_http_ratelimit_piece_t  *piece;

    piece = ngx_array_push(pieces);
    if (piece == NULL) {
        return NGX_CONF_ERROR;
    }

    text.len = end - start;
    text.data = start;

    piece->escape = escape;

    if (ngx_http_ratelimit_compile(cf, &text, &piece->complex) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* "application/json" or "...+json", whatever parameters follow */

static ngx_uint_t
ngx_http_ratelimit_body_is_json(ngx_str_t *type)
{
    u_char  *p;
    size_t   len;

    p = ngx_strlchr(type->data, type->data + type->len, ';');
    len = p ? (size_t) (p - type->data) : type->len;

    while (len && type->data[len - 1] == ' ') {
        len--;
    }

    return (len == 16
            && ngx_strncasecmp(type->data, (u_char *) "application/json", 16)
               == 0)
           || (len > 5
               && ngx_strncasecmp(type->data + len - 5, (u_char *) "+json", 5)
                  == 0);
}


/* answers in place of nginx's own error page, or lets that page be */

ngx_int_t
ngx_http_ratelimit_refuse(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_uint_t                    status;
    ngx_http_complex_value_t      cv;
    ngx_http_ratelimit_body_t    *body;
    ngx_http_ratelimit_record_t  *record;

    record = ngx_http_ratelimit_get_record(r);
    status = record->status;
    body = record->conf->body;

    if (body == NULL || status == NGX_HTTP_CLOSE) {
        return status;
    }

    if (body->grpc) {
        return ngx_http_ratelimit_refuse_grpc(r, record);
    }

    if (body->type.len == 0) {
        return status;
    }

    /* for $status in the body */

    r->headers_out.status = status;

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    rc = body->pieces ? ngx_http_ratelimit_body_text(r, body, &cv.value)
                      : ngx_http_ratelimit_body_problem(r, record, status,
                                                        &cv.value);
    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_finalize_request(r, ngx_http_send_response(r, status, &body->type,
                                                        &cv));
    return NGX_DONE;
}


static ngx_int_t
ngx_http_ratelimit_body_text(ngx_http_request_t *r,
    ngx_http_ratelimit_body_t *body, ngx_str_t *text)
{
    size_t                       len;
    u_char                      *p;
    ngx_str_t                   *values;
    ngx_uint_t                   i, n;
    ngx_http_ratelimit_piece_t  *piece;

    piece = body->pieces->elts;
    n = body->pieces->nelts;

    values = ngx_palloc(r->pool, n * sizeof(ngx_str_t));
    if (values == NULL) {
        return NGX_ERROR;
    }

    len = 0;

    for (i = 0; i < n; i++) {

        if (ngx_http_complex_value(r, &piece[i].complex, &values[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        len += piece[i].escape
               ? rl_json_escape(ngx_http_ratelimit_str(&values[i]), NULL)
               : values[i].len;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->len = len;
    text->data = p;

    for (i = 0; i < n; i++) {

        if (piece[i].escape) {
            p += rl_json_escape(ngx_http_ratelimit_str(&values[i]), p);

        } else {
            p = ngx_cpymem(p, values[i].data, values[i].len);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_body_problem(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_uint_t status, ngx_str_t *text)
{
    text->data = ngx_pnalloc(r->pool,
                             rl_problem_len(record->items, record->nitems));
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    text->len = rl_render_problem(record->items, record->nitems, status,
                                  text->data);

    return NGX_OK;
}
