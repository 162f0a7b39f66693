
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Reads bodies as they pass, for "ratelimit_usage".  These filters are the
 * first of all, so that nginx's own gzip, ssi or range has not changed what
 * the back end has sent; the module's header filter is among the last.
 *
 * The first filters are those that were added last, and modules add theirs
 * while the configuration is read, so these are added behind it.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "policy/ngx_http_ratelimit_settle.h"
#include "request/ngx_http_ratelimit_log.h"
#include "request/ngx_http_ratelimit_record.h"
#include "response/ngx_http_ratelimit_usage.h"


/* the room that a reader begins with; most events need no more */

#define NGX_HTTP_RATELIMIT_ROOM_BEGIN  2048

/* of a body that is in a file */

#define NGX_HTTP_RATELIMIT_PIECE       4096


static ngx_int_t ngx_http_ratelimit_usage_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_ratelimit_add_reader(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_item_t *item,
    ngx_http_ratelimit_usage_t *usage);
static ngx_uint_t ngx_http_ratelimit_usage_has_type(
    ngx_http_ratelimit_usage_t *usage, ngx_str_t *type);
static ngx_int_t ngx_http_ratelimit_usage_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_ratelimit_read_body(ngx_http_request_t *r,
    ngx_http_ratelimit_reader_t *reader, ngx_chain_t *in)
    __attribute__((noinline));
static ngx_int_t ngx_http_ratelimit_read(ngx_http_request_t *r,
    ngx_http_ratelimit_reader_t *reader, ngx_chain_t *in);
static void ngx_http_ratelimit_end_reader(ngx_http_request_t *r,
    ngx_http_ratelimit_reader_t *reader);
static ngx_int_t ngx_http_ratelimit_read_rest(ngx_http_request_t *r,
    ngx_http_ratelimit_reader_t *reader, u_char *last, size_t left);
static ngx_int_t ngx_http_ratelimit_read_file(ngx_http_request_t *r,
    ngx_http_ratelimit_reader_t *reader, ngx_buf_t *b);
static ngx_int_t ngx_http_ratelimit_grow_reader(ngx_http_request_t *r,
    ngx_http_ratelimit_reader_t *reader, size_t more);


static ngx_http_output_header_filter_pt  ngx_http_next_usage_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_usage_body_filter;


/* of a response to a request with a charge that its body settles */

static ngx_int_t
ngx_http_ratelimit_usage_header_filter(ngx_http_request_t *r)
{
    ngx_uint_t                     i, j;
    ngx_http_ratelimit_usage_t   **usages;
    ngx_http_ratelimit_record_t   *record;
    ngx_http_ratelimit_settle_t   *settle;

    record = (r == r->main) ? ngx_http_ratelimit_get_record(r) : NULL;

    if (record == NULL || !record->responds || record->refused) {
        return ngx_http_next_usage_header_filter(r);
    }

    /* those of a response that was given up for this one read no more */

    record->readers = NULL;

    for (i = 0; i < record->nitems; i++) {
        settle = record->items[i].data;

        if (settle == NULL || settle->usages == NULL) {
            continue;
        }

        usages = settle->usages->elts;

        for (j = 0; j < settle->usages->nelts; j++) {
            if (ngx_http_ratelimit_add_reader(r, record, &record->items[i],
                                              usages[j])
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return ngx_http_next_usage_header_filter(r);
}


static ngx_int_t
ngx_http_ratelimit_add_reader(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, rl_item_t *item,
    ngx_http_ratelimit_usage_t *usage)
{
    u_char                       *p;
    ngx_str_t                     type;
    ngx_table_elt_t              *encoding;
    ngx_http_ratelimit_reader_t  *reader;

    for (reader = record->readers; reader; reader = reader->next) {
        if (reader->usage == usage) {
            return NGX_OK;
        }
    }

    type = r->headers_out.content_type;

    p = ngx_strlchr(type.data, type.data + type.len, ';');
    if (p) {
        type.len = p - type.data;
    }

    while (type.len && type.data[type.len - 1] == ' ') {
        type.len--;
    }

    if (!ngx_http_ratelimit_usage_has_type(usage, &type)) {
        return NGX_OK;
    }

    encoding = r->headers_out.content_encoding;

    if (encoding && encoding->hash && encoding->value.len
        && ngx_strcasecmp(encoding->value.data, (u_char *) "identity") != 0)
    {
        ngx_http_ratelimit_log_unread(r, item->policy, &usage->name,
                                      "the response has a Content-Encoding");
        return NGX_OK;
    }

    reader = ngx_palloc(r->pool, sizeof(ngx_http_ratelimit_reader_t));
    if (reader == NULL) {
        return NGX_ERROR;
    }

    rl_usage_begin(&reader->core, &usage->search,
                   rl_usage_form(ngx_http_ratelimit_str(&type)));

    reader->usage = usage;
    reader->item = item;
    reader->next = record->readers;

    record->readers = reader;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_ratelimit_usage_has_type(ngx_http_ratelimit_usage_t *usage,
    ngx_str_t *type)
{
    ngx_str_t   *types;
    ngx_uint_t   i;

    types = usage->types.elts;

    for (i = 0; i < usage->types.nelts; i++) {
        if (types[i].len == type->len
            && ngx_strncasecmp(types[i].data, type->data, type->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* most are of no such response: these save no registers */

static ngx_int_t
ngx_http_ratelimit_usage_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_ratelimit_record_t  *record;

    record = ngx_http_get_module_ctx(r, ngx_http_ratelimit_module);

    if (record == NULL || record->readers == NULL || r != r->main) {
        return ngx_http_next_usage_body_filter(r, in);
    }

    return ngx_http_ratelimit_read_body(r, record->readers, in);
}


static ngx_int_t
ngx_http_ratelimit_read_body(ngx_http_request_t *r,
    ngx_http_ratelimit_reader_t *reader, ngx_chain_t *in)
{
    for ( /* void */ ; reader; reader = reader->next) {
        if (ngx_http_ratelimit_read(r, reader, in) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_http_next_usage_body_filter(r, in);
}


static ngx_int_t
ngx_http_ratelimit_read(ngx_http_request_t *r,
    ngx_http_ratelimit_reader_t *reader, ngx_chain_t *in)
{
    size_t      left;
    ngx_buf_t  *b;
    rl_str_t    bytes;

    for ( /* void */ ; in; in = in->next) {

        b = in->buf;

        if (ngx_buf_in_memory(b)) {
            bytes.data = b->pos;
            bytes.len = b->last - b->pos;

            left = rl_usage_take(&reader->core, bytes);

            if (left && ngx_http_ratelimit_read_rest(r, reader, b->last, left)
                        != NGX_OK)
            {
                return NGX_ERROR;
            }

        } else if (b->in_file
                   && ngx_http_ratelimit_read_file(r, reader, b) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (b->last_buf) {
            ngx_http_ratelimit_end_reader(r, reader);
        }
    }

    return NGX_OK;
}


static void
ngx_http_ratelimit_end_reader(ngx_http_request_t *r,
    ngx_http_ratelimit_reader_t *reader)
{
    rl_usage_end(&reader->core);

    if (reader->core.broken && reader->core.form == RL_USAGE_JSON) {
        ngx_http_ratelimit_log_unread(r, reader->item->policy,
                                      &reader->usage->name,
                                      "the response is no JSON");
    }
}


/* what there was no room for */

static ngx_int_t
ngx_http_ratelimit_read_rest(ngx_http_request_t *r,
    ngx_http_ratelimit_reader_t *reader, u_char *last, size_t left)
{
    rl_str_t  bytes;

    while (left) {
        if (ngx_http_ratelimit_grow_reader(r, reader, left) != NGX_OK) {
            return NGX_ERROR;
        }

        bytes.data = last - left;
        bytes.len = left;

        left = rl_usage_take(&reader->core, bytes);
    }

    return NGX_OK;
}


/* the cache's, say, which need not be in memory for others */

static ngx_int_t
ngx_http_ratelimit_read_file(ngx_http_request_t *r,
    ngx_http_ratelimit_reader_t *reader, ngx_buf_t *b)
{
    off_t     at;
    size_t    len, left;
    u_char    piece[NGX_HTTP_RATELIMIT_PIECE];
    ssize_t   n;
    rl_str_t  bytes;

    for (at = b->file_pos; at < b->file_last; at += n) {

        /* a body that was given up as too long has nothing more to say */

        if (reader->core.form == RL_USAGE_JSON && reader->core.too_long) {
            return NGX_OK;
        }

        len = (size_t) ngx_min(b->file_last - at, NGX_HTTP_RATELIMIT_PIECE);

        /* with "directio" it cannot be read in pieces */

        n = b->file->directio ? 0 : ngx_read_file(b->file, piece, len, at);

        if (n <= 0) {
            rl_usage_skip(&reader->core);
            ngx_http_ratelimit_log_unread(r, reader->item->policy,
                                          &reader->usage->name,
                                          "its file cannot be read");
            return NGX_OK;
        }

        bytes.data = piece;
        bytes.len = n;

        left = rl_usage_take(&reader->core, bytes);

        if (left && ngx_http_ratelimit_read_rest(r, reader, piece + n, left)
                    != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* or gives a text up that is longer than "max=" */

static ngx_int_t
ngx_http_ratelimit_grow_reader(ngx_http_request_t *r,
    ngx_http_ratelimit_reader_t *reader, size_t more)
{
    size_t   room;
    u_char  *memory, *old;

    room = ngx_max(2 * reader->core.room, NGX_HTTP_RATELIMIT_ROOM_BEGIN);
    room = ngx_max(room, reader->core.ended + reader->core.held + more);
    room = ngx_min(room, reader->usage->max);

    if (room == reader->core.room) {
        if (rl_usage_make_room(&reader->core)) {
            return NGX_OK;
        }

        ngx_http_ratelimit_log_unread(r, reader->item->policy,
                                      &reader->usage->name,
                                      "a part of the response, or all of it, "
                                      "is longer than \"max=\"");
        return NGX_OK;
    }

    memory = ngx_palloc(r->pool, RL_USAGE_MEMORY(room));
    if (memory == NULL) {
        return NGX_ERROR;
    }

    old = reader->core.memory;

    rl_usage_grow(&reader->core, memory, room);

    if (old) {
        (void) ngx_pfree(r->pool, old);
    }

    return NGX_OK;
}


/*
 * Before the workers fork, and in each of them: a configuration that could not
 * be loaded meanwhile has left the filters of modules only.
 */

void
ngx_http_ratelimit_init_usage_filter(ngx_http_ratelimit_main_conf_t *rmcf)
{
    if (rmcf->usages.nelts == 0
        || ngx_http_top_body_filter == ngx_http_ratelimit_usage_body_filter)
    {
        return;
    }

    ngx_http_next_usage_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_ratelimit_usage_header_filter;

    ngx_http_next_usage_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_ratelimit_usage_body_filter;
}
