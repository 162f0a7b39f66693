
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * "ratelimit_key": variables whose value is the first source that yields one,
 * and the values that partition a policy.
 */


#include "ngx_http_ratelimit_module.h"


typedef struct {
    rl_source_t                  core;
    ngx_int_t                    index;      /* of a variable, a JWT's claim */
    rl_str_t                     tag;        /* of the chain's first source */
    uint64_t                     prefix;     /* "tag:" as a number */
    ngx_uint_t                   prefix_len; /*  takes it; 0: untagged */
} ngx_http_ratelimit_source_t;


struct ngx_http_ratelimit_key_s {
    ngx_array_t                  sources;    /* ngx_http_ratelimit_source_t */
    ngx_uint_t                   untagged;   /* unsigned  untagged:1; */
};


/*
 * scratch is NULL or NGX_HTTP_RATELIMIT_SCRATCH bytes, in which a value may be
 * decoded rather than in the request's pool.
 */

typedef ngx_int_t (*ngx_http_ratelimit_field_pt)(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_str_t *field, u_char *scratch,
    rl_str_t *out);


static char *ngx_http_ratelimit_key_chain(ngx_conf_t *cf,
    ngx_http_ratelimit_key_t *key, ngx_str_t *chain);
static char *ngx_http_ratelimit_key_source(ngx_conf_t *cf,
    ngx_http_ratelimit_key_t *key, ngx_str_t *text, rl_str_t *tag);
static ngx_int_t ngx_http_ratelimit_key_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static void ngx_http_ratelimit_key_prefixes(ngx_http_ratelimit_key_t *key);
static ngx_http_ratelimit_noinline ngx_int_t ngx_http_ratelimit_key_part(
    ngx_http_request_t *r, ngx_http_ratelimit_key_t *key, u_char *scratch,
    rl_part_t *out);
static ngx_http_ratelimit_noinline ngx_int_t ngx_http_ratelimit_other_part(
    ngx_http_request_t *r, ngx_http_ratelimit_value_t *value, rl_part_t *out);
static ngx_int_t ngx_http_ratelimit_key_value(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, u_char *scratch, rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_key_authorization(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_http_ratelimit_field_pt extract,
    u_char *scratch, rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_key_field(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, rl_str_t *name,
    ngx_http_ratelimit_field_pt extract, u_char *scratch, rl_str_t *out);
static u_char *ngx_http_ratelimit_key_buf(ngx_http_request_t *r,
    u_char *scratch, size_t len);
static ngx_int_t ngx_http_ratelimit_key_bearer(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_str_t *field, u_char *scratch,
    rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_key_basic(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_str_t *field, u_char *scratch,
    rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_key_header(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_str_t *field, u_char *scratch,
    rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_key_cookie(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_str_t *field, u_char *scratch,
    rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_key_arg(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_key_addr(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, u_char *scratch, rl_str_t *out);
static ngx_int_t ngx_http_ratelimit_key_var(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, rl_str_t *out);


char *
ngx_http_ratelimit_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                      *rv;
    ngx_str_t                 *value, name;
    ngx_uint_t                 i;
    ngx_http_variable_t       *var;
    ngx_http_ratelimit_key_t  *key;

    value = cf->args->elts;

    if (value[1].len < 2 || value[1].data[0] != '$') {
        return ngx_http_ratelimit_invalid(cf, "variable", &value[1],
                                          "must be \"$\" and a name");
    }

    name.len = value[1].len - 1;
    name.data = value[1].data + 1;

    key = ngx_pcalloc(cf->pool, sizeof(ngx_http_ratelimit_key_t));
    if (key == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_array_init(&key->sources, cf->pool, 4,
                       sizeof(ngx_http_ratelimit_source_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (value[i].len == 8
            && ngx_strncmp(value[i].data, "untagged", 8) == 0)
        {
            if (key->untagged) {
                return ngx_http_ratelimit_duplicate(cf, &value[i]);
            }

            key->untagged = 1;
            continue;
        }

        rv = ngx_http_ratelimit_key_chain(cf, key, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (key->sources.nelts == 0) {
        return "needs a source";
    }

    ngx_http_ratelimit_key_prefixes(key);

    var = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
    if (var == NULL) {
        return NGX_CONF_ERROR;
    }

    var->get_handler = ngx_http_ratelimit_key_variable;
    var->data = (uintptr_t) key;

    return NGX_CONF_OK;
}


/* "bearer|header=X-API-Key" */

static char *
ngx_http_ratelimit_key_chain(ngx_conf_t *cf, ngx_http_ratelimit_key_t *key,
    ngx_str_t *chain)
{
    char       *rv;
    u_char     *p, *last;
    rl_str_t    tag;
    ngx_str_t   text;

    tag.len = 0;
    last = chain->data + chain->len;

    for (text.data = chain->data; text.data <= last; text.data = p + 1) {

        p = ngx_strlchr(text.data, last, '|');
        if (p == NULL) {
            p = last;
        }

        text.len = p - text.data;

        rv = ngx_http_ratelimit_key_source(cf, key, &text, &tag);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ratelimit_key_source(ngx_conf_t *cf, ngx_http_ratelimit_key_t *key,
    ngx_str_t *text, rl_str_t *tag)
{
    ngx_str_t                     name;
    const char                   *allowed;
    ngx_http_ratelimit_source_t  *source;

    source = ngx_array_push(&key->sources);
    if (source == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(source, sizeof(ngx_http_ratelimit_source_t));

    allowed = rl_parse_source(ngx_http_ratelimit_str(text), &source->core);
    if (allowed) {
        return ngx_http_ratelimit_invalid(cf, "source", text, allowed);
    }

    if (tag->len == 0) {
        *tag = rl_source_tag(source->core.kind);
    }

    source->tag = *tag;

    if (source->core.kind == RL_SOURCE_VAR) {
        name.len = source->core.name.len;
        name.data = (u_char *) source->core.name.data;

        source->index = ngx_http_get_variable_index(cf, &name);
        if (source->index == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }
    }

    if (source->core.kind == RL_SOURCE_JWT) {
        allowed = rl_parse_claim(source->core.name);
        if (allowed) {
            return ngx_http_ratelimit_invalid(cf, "source", text, allowed);
        }

        return ngx_http_ratelimit_jwt_add_claim(cf, &source->core.name,
                                                &source->index);
    }

    return NGX_CONF_OK;
}


static void
ngx_http_ratelimit_key_prefixes(ngx_http_ratelimit_key_t *key)
{
    ngx_uint_t                    i, j;
    ngx_http_ratelimit_source_t  *source;

    if (key->untagged) {
        return;
    }

    source = key->sources.elts;

    for (i = 0; i < key->sources.nelts; i++) {

        for (j = 0; j < source[i].tag.len; j++) {
            source[i].prefix |= (uint64_t) source[i].tag.data[j] << 8 * j;
        }

        source[i].prefix |= (uint64_t) ':' << 8 * j;
        source[i].prefix_len = j + 1;
    }
}


static ngx_int_t
ngx_http_ratelimit_key_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t  text;

    if (ngx_http_ratelimit_key_text(r, (ngx_http_ratelimit_key_t *) data,
                                    &text)
        != NGX_OK)
    {
        /* in a text of several parts nginx takes this for an empty one */

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "ratelimit: no memory for a key");
        return NGX_ERROR;
    }

    if (text.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;
    v->len = text.len;
    v->data = text.data;

    return NGX_OK;
}


/* the key behind a variable, or NULL */

ngx_http_ratelimit_key_t *
ngx_http_ratelimit_key_of(ngx_http_variable_t *variable)
{
    return (variable->get_handler == ngx_http_ratelimit_key_variable)
           ? (ngx_http_ratelimit_key_t *) variable->data : NULL;
}


/* "tag:value" of the first source that yields a value, empty if none does */

ngx_int_t
ngx_http_ratelimit_key_text(ngx_http_request_t *r,
    ngx_http_ratelimit_key_t *key, ngx_str_t *out)
{
    u_char      *p;
    ngx_int_t    rc;
    rl_part_t    part;
    ngx_uint_t   i;

    out->len = 0;

    rc = ngx_http_ratelimit_key_part(r, key, NULL, &part);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : NGX_ERROR;
    }

    out->len = part.tag_len + part.text.len;
    out->data = (u_char *) part.text.data;

    if (part.tag_len == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, out->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;

    for (i = 0; i < part.tag_len; i++) {
        *p++ = (u_char) (part.tag >> 8 * i);
    }

    ngx_memcpy(p, part.text.data, part.text.len);

    return NGX_OK;
}


/*
 * A value as a part of a key: a tag and what the source yields are not put
 * together for its hash.  scratch is of NGX_HTTP_RATELIMIT_SCRATCH bytes, and
 * must live as long as the part.  NGX_DECLINED: it is empty.
 */

ngx_int_t
ngx_http_ratelimit_value_part(ngx_http_request_t *r,
    ngx_http_ratelimit_value_t *value, u_char *scratch, rl_part_t *out)
{
    ngx_http_ratelimit_source_t  *source;

    if (value->key == NULL) {
        return ngx_http_ratelimit_other_part(r, value, out);
    }

    source = value->key->sources.elts;

    if (source->core.kind == RL_SOURCE_ARG
        && r->args.len <= NGX_HTTP_RATELIMIT_SCRATCH)
    {
        /* no need to look for escapes first, there is room for them */

        out->tag = source->prefix;
        out->tag_len = source->prefix_len;

        if (rl_key_arg(ngx_http_ratelimit_str(&r->args), source->core.name,
                       scratch, &out->text))
        {
            return NGX_OK;
        }
    }

    return ngx_http_ratelimit_key_part(r, value->key, scratch, out);
}


/* of what is no "ratelimit_key" */

static ngx_int_t
ngx_http_ratelimit_other_part(ngx_http_request_t *r,
    ngx_http_ratelimit_value_t *value, rl_part_t *out)
{
    ngx_str_t  s;

    out->tag = 0;
    out->tag_len = 0;

    if (value->arg.len) {
        return rl_key_raw_arg(ngx_http_ratelimit_str(&r->args),
                              ngx_http_ratelimit_str(&value->arg), &out->text)
               ? NGX_OK : NGX_DECLINED;
    }

    if (ngx_http_ratelimit_value(r, value, &s) != NGX_OK) {
        return NGX_ERROR;
    }

    out->text = ngx_http_ratelimit_str(&s);

    return s.len ? NGX_OK : NGX_DECLINED;
}


/* of the first source that yields a value; scratch may be NULL */

static ngx_int_t
ngx_http_ratelimit_key_part(ngx_http_request_t *r,
    ngx_http_ratelimit_key_t *key, u_char *scratch, rl_part_t *out)
{
    ngx_int_t                     rc;
    ngx_http_ratelimit_source_t  *source, *last;

    source = key->sources.elts;
    last = source + key->sources.nelts;

    do {
        rc = ngx_http_ratelimit_key_value(r, source, scratch, &out->text);

        if (rc != NGX_DECLINED) {
            out->tag = source->prefix;
            out->tag_len = source->prefix_len;
            return rc;
        }

    } while (++source < last);

    return NGX_DECLINED;
}


/* NGX_DECLINED: this source yields nothing */

static ngx_int_t
ngx_http_ratelimit_key_value(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, u_char *scratch, rl_str_t *out)
{
    rl_str_t  name;

    switch (source->core.kind) {

    case RL_SOURCE_BEARER:
        return ngx_http_ratelimit_bearer(r, out);

    case RL_SOURCE_BASIC:
        return ngx_http_ratelimit_key_authorization(r, source,
                                                  ngx_http_ratelimit_key_basic,
                                                  scratch, out);

    case RL_SOURCE_HEADER:
        return ngx_http_ratelimit_key_field(r, source, &source->core.name,
                                            ngx_http_ratelimit_key_header,
                                            scratch, out);

    case RL_SOURCE_COOKIE:
        name = ngx_http_ratelimit_make_str((u_char *) "Cookie", 6);
        return ngx_http_ratelimit_key_field(r, source, &name,
                                            ngx_http_ratelimit_key_cookie,
                                            scratch, out);

    case RL_SOURCE_ARG:
        return ngx_http_ratelimit_key_arg(r, source, out);

    case RL_SOURCE_JWT:
        return ngx_http_ratelimit_jwt_value(r, source->index, out);

    case RL_SOURCE_ADDR:
        return ngx_http_ratelimit_key_addr(r, source, scratch, out);

    default: /* RL_SOURCE_VAR */
        return ngx_http_ratelimit_key_var(r, source, out);
    }
}


/* the bearer credential; NGX_DECLINED: there is none */

ngx_int_t
ngx_http_ratelimit_bearer(ngx_http_request_t *r, rl_str_t *out)
{
    return ngx_http_ratelimit_key_authorization(r, NULL,
                                                ngx_http_ratelimit_key_bearer,
                                                NULL, out);
}


/*
 * nginx knows the first Authorization field; the others are only looked for
 * where that one yields nothing, and where it is NULL there are none.
 */

static ngx_int_t
ngx_http_ratelimit_key_authorization(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_http_ratelimit_field_pt extract,
    u_char *scratch, rl_str_t *out)
{
    rl_str_t          name;
    ngx_int_t         rc;
    ngx_table_elt_t  *first;

    first = r->headers_in.authorization;

    if (first == NULL) {
        return NGX_DECLINED;
    }

    rc = extract(r, source, &first->value, scratch, out);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    name = ngx_http_ratelimit_make_str((u_char *) "Authorization", 13);

    return ngx_http_ratelimit_key_field(r, source, &name, extract, scratch,
                                        out);
}


/*
 * The first field of that name from which the source yields a value: an empty
 * field in front of the real one must not hide it.
 */

static ngx_int_t
ngx_http_ratelimit_key_field(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, rl_str_t *name,
    ngx_http_ratelimit_field_pt extract, u_char *scratch, rl_str_t *out)
{
    ngx_int_t         rc;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    for (part = &r->headers_in.headers.part; part; part = part->next) {

        header = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (header[i].key.len != name->len
                || ngx_strncasecmp(header[i].key.data, (u_char *) name->data,
                                   name->len)
                   != 0)
            {
                continue;
            }

            rc = extract(r, source, &header[i].value, scratch, out);

            if (rc != NGX_DECLINED) {
                return rc;
            }
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_ratelimit_key_bearer(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_str_t *field, u_char *scratch,
    rl_str_t *out)
{
    return rl_key_bearer(ngx_http_ratelimit_str(field), out) ? NGX_OK
                                                             : NGX_DECLINED;
}


static ngx_int_t
ngx_http_ratelimit_key_basic(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_str_t *field, u_char *scratch,
    rl_str_t *out)
{
    u_char  *buf;

    buf = ngx_http_ratelimit_key_buf(r, scratch, field->len);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    return rl_key_basic(ngx_http_ratelimit_str(field), buf, out)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_ratelimit_key_header(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_str_t *field, u_char *scratch,
    rl_str_t *out)
{
    return rl_key_header(ngx_http_ratelimit_str(field), out) ? NGX_OK
                                                             : NGX_DECLINED;
}


static ngx_int_t
ngx_http_ratelimit_key_cookie(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, ngx_str_t *field, u_char *scratch,
    rl_str_t *out)
{
    u_char  *buf;

    buf = ngx_http_ratelimit_key_buf(r, scratch, field->len);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    return rl_key_cookie(ngx_http_ratelimit_str(field), source->core.name, buf,
                         out)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_ratelimit_key_arg(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, rl_str_t *out)
{
    u_char  *buf;

    buf = NULL;

    if (ngx_strlchr(r->args.data, r->args.data + r->args.len, '%')) {

        buf = ngx_pnalloc(r->pool, r->args.len);
        if (buf == NULL) {
            return NGX_ERROR;
        }
    }

    return rl_key_arg(ngx_http_ratelimit_str(&r->args), source->core.name, buf,
                      out)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_ratelimit_key_addr(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, u_char *scratch, rl_str_t *out)
{
    size_t                len;
    u_char               *address, *buf;
    struct sockaddr      *sa;
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    sa = r->connection->sockaddr;

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        address = (u_char *) &sin->sin_addr;
        len = 4;
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;
        address = (u_char *) &sin6->sin6_addr;
        len = 16;
        break;
#endif

    default: /* AF_UNIX: the peer has no address */
        return NGX_DECLINED;
    }

    buf = ngx_http_ratelimit_key_buf(r, scratch, RL_ADDR_TEXT_LEN);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    return rl_key_addr(address, len, &source->core, buf, out) ? NGX_OK
                                                              : NGX_DECLINED;
}


static ngx_int_t
ngx_http_ratelimit_key_var(ngx_http_request_t *r,
    ngx_http_ratelimit_source_t *source, rl_str_t *out)
{
    ngx_http_variable_value_t  *vv;

    vv = ngx_http_get_flushed_variable(r, source->index);
    if (vv == NULL) {
        return NGX_ERROR;
    }

    if (vv->not_found || vv->len == 0) {
        return NGX_DECLINED;
    }

    *out = ngx_http_ratelimit_make_str(vv->data, vv->len);

    return NGX_OK;
}


static u_char *
ngx_http_ratelimit_key_buf(ngx_http_request_t *r, u_char *scratch, size_t len)
{
    if (scratch && len <= NGX_HTTP_RATELIMIT_SCRATCH) {
        return scratch;
    }

    return ngx_pnalloc(r->pool, len);
}
