
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The fields that a response is told by.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "request/ngx_http_ratelimit_record.h"
#include "response/ngx_http_ratelimit_field.h"
#include "response/ngx_http_ratelimit_headers.h"
#include "response/ngx_http_ratelimit_add_fields.h"


static ngx_int_t ngx_http_ratelimit_tell_more(
    ngx_http_request_t *r, ngx_http_ratelimit_record_t *record);
static ngx_int_t ngx_http_ratelimit_add(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_fields_t *fields);
static ngx_int_t ngx_http_ratelimit_add_listed(
    ngx_http_request_t *r, ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_fields_t *fields);
static ngx_inline ngx_int_t ngx_http_ratelimit_add_scope(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_fields_t *fields,
    u_char *skip);
static ngx_inline const rl_item_t *ngx_http_ratelimit_reported(
    ngx_http_ratelimit_record_t *record, u_char *skip);
static ngx_int_t ngx_http_ratelimit_add_common(
    ngx_http_request_t *r, ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_fields_t *fields, u_char *skip);
static ngx_int_t ngx_http_ratelimit_add_reported(
    ngx_http_request_t *r, ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_fields_t *fields, u_char *skip);
static ngx_inline u_char *ngx_http_ratelimit_room(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, size_t len);
static ngx_inline uint64_t ngx_http_ratelimit_retry_after(
    ngx_http_ratelimit_record_t *record);
static ngx_inline void ngx_http_ratelimit_tell_waited(
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_fields_t *fields);
static ngx_int_t ngx_http_ratelimit_add_item(
    ngx_http_request_t *r, ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_fields_t *fields, ngx_table_elt_t *elts,
    const rl_item_t *item);
static ngx_int_t ngx_http_ratelimit_add_each(
    ngx_http_request_t *r, ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_fields_t *fields, u_char *skip);
static ngx_int_t ngx_http_ratelimit_add_lists(
    ngx_http_request_t *r, ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_fields_t *fields, u_char *skip);
static u_char *ngx_http_ratelimit_skip(
    ngx_http_request_t *r, ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_fields_t *fields);
static ngx_int_t ngx_http_ratelimit_add_refusal(
    ngx_http_request_t *r, ngx_http_ratelimit_record_t *record);


static ngx_table_elt_t  ngx_http_ratelimit_refusal[] = {
    { .hash = 1, .key = ngx_string("Retry-After"),
      .lowcase_key = (u_char *) "retry-after" },
    { .hash = 1, .key = ngx_string("Cache-Control"),
      .lowcase_key = (u_char *) "cache-control" },
    { .hash = 1, .key = ngx_string("Retry-After-Ms"),
      .lowcase_key = (u_char *) "retry-after-ms" }
};


ngx_int_t
ngx_http_ratelimit_tell(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record)
{
    ngx_http_ratelimit_fields_t   **fields;
    ngx_http_ratelimit_headers_t   *headers;

    if (record->time.mono_ms != ngx_http_ratelimit_mono_ms()) {
        ngx_http_ratelimit_age_record(record);
    }

    record->foreign = r->headers_out.headers.part.nelts;

    headers = record->conf->headers;

    if (record->refused || headers == NULL || headers->fields.nelts != 1) {
        return ngx_http_ratelimit_tell_more(r, record);
    }

    fields = headers->fields.elts;

    return ngx_http_ratelimit_add(r, record, fields[0]);
}


/* than what one dialect says of an admission */

static ngx_int_t
ngx_http_ratelimit_tell_more(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record)
{
    ngx_uint_t                     i, n;
    ngx_http_ratelimit_fields_t  **fields;

    if (record->conf->headers) {
        fields = record->conf->headers->fields.elts;
        n = record->conf->headers->fields.nelts;

        for (i = 0; i < n; i++) {
            if (ngx_http_ratelimit_add(r, record, fields[i]) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return record->refused ? ngx_http_ratelimit_add_refusal(r, record)
                           : NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_add(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_fields_t *fields)
{
    return fields->policies
           ? ngx_http_ratelimit_add_listed(r, record, fields)
           : ngx_http_ratelimit_add_scope(r, record, fields, NULL);
}


static ngx_int_t
ngx_http_ratelimit_add_listed(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_fields_t *fields)
{
    u_char  *skip;

    skip = ngx_http_ratelimit_skip(r, record, fields);
    if (skip == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_ratelimit_add_scope(r, record, fields, skip);
}


static ngx_inline ngx_int_t
ngx_http_ratelimit_add_scope(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_fields_t *fields,
    u_char *skip)
{
    if (fields->core.shape == RL_SHAPE_COMMON) {
        return ngx_http_ratelimit_add_common(r, record, fields, skip);
    }

    switch (fields->core.scope) {

    case RL_LISTED:
        return ngx_http_ratelimit_add_lists(r, record, fields, skip);

    case RL_EACH:
        return ngx_http_ratelimit_add_each(r, record, fields, skip);

    default: /* RL_REPORTED */
        return ngx_http_ratelimit_add_reported(r, record, fields, skip);
    }
}


/* the usual response has one dialect's values, short ones, and them once */

static ngx_inline u_char *
ngx_http_ratelimit_room(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, size_t len)
{
    if (record->rendered || len > NGX_HTTP_RATELIMIT_ROOM) {
        return ngx_pnalloc(r->pool, len);
    }

    record->rendered = 1;

    return record->values;
}


/* 0: the request is not refused */

static ngx_inline uint64_t
ngx_http_ratelimit_retry_after(ngx_http_ratelimit_record_t *record)
{
    return record->refused
           ? ngx_http_ratelimit_told_ms(record->conf->headers,
                                        record->retry_after_ms)
           : 0;
}


static ngx_inline const rl_item_t *
ngx_http_ratelimit_reported(ngx_http_ratelimit_record_t *record, u_char *skip)
{
    return (record->nitems == 1 && skip == NULL
            && !record->items->policy->hidden)
           ? record->items
           : rl_most_restrictive(record->items, record->nitems, skip);
}


/* limit, remaining and reset need no look at pieces, nor calls for each */

static ngx_int_t
ngx_http_ratelimit_add_common(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_fields_t *fields,
    u_char *skip)
{
    u_char           *buf;
    rl_str_t          values[3];
    const rl_item_t  *item;

    item = ngx_http_ratelimit_reported(record, skip);
    if (item == NULL) {
        return NGX_OK;
    }

    buf = ngx_http_ratelimit_room(r, record, RL_COMMON_LEN);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    rl_render_values(&fields->core, item, &record->time, 0, buf, values);

    return ngx_http_ratelimit_add_fields(r, record->foreign, fields->elts,
                                         values, 3);
}


static ngx_int_t
ngx_http_ratelimit_add_reported(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_fields_t *fields,
    u_char *skip)
{
    const rl_item_t  *item;

    ngx_http_ratelimit_tell_waited(record, fields);

    item = ngx_http_ratelimit_reported(record, skip);

    return item ? ngx_http_ratelimit_add_item(r, record, fields, fields->elts,
                                              item)
                : NGX_OK;
}


static ngx_inline void
ngx_http_ratelimit_tell_waited(ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_fields_t *fields)
{
    ngx_uint_t  i;

    if (fields->core.want_waited) {
        for (i = 0; i < record->nitems; i++) {
            record->items[i].waited_ms = ngx_min(record->waited_ms,
                                                 NGX_MAX_UINT32_VALUE);
        }
    }
}


static ngx_int_t
ngx_http_ratelimit_add_item(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_fields_t *fields,
    ngx_table_elt_t *elts, const rl_item_t *item)
{
    u_char    *buf;
    rl_str_t   values[RL_MAX_FIELDS];

    buf = ngx_http_ratelimit_room(r, record,
                                  RL_ITEM_LEN(&fields->core, item));
    if (buf == NULL) {
        return NGX_ERROR;
    }

    rl_render_values(&fields->core, item, &record->time,
                     ngx_http_ratelimit_retry_after(record), buf, values);

    return ngx_http_ratelimit_push_fields(r, record->foreign, elts, values,
                                          fields->core.n);
}


static ngx_int_t
ngx_http_ratelimit_add_each(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_fields_t *fields,
    u_char *skip)
{
    rl_item_t                    *item;
    ngx_uint_t                    i;
    ngx_http_ratelimit_policy_t  *policy;

    ngx_http_ratelimit_tell_waited(record, fields);

    for (i = 0; i < record->nitems; i++) {
        item = &record->items[i];

        if (item->policy->hidden || (skip && skip[i])) {
            continue;
        }

        policy = (ngx_http_ratelimit_policy_t *) item->policy;

        if (ngx_http_ratelimit_add_item(r, record, fields,
                                        fields->elts
                                        + policy->index * fields->core.n,
                                        item)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_add_lists(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_fields_t *fields,
    u_char *skip)
{
    size_t     len;
    u_char    *buf;
    rl_str_t   values[RL_MAX_FIELDS];

    ngx_http_ratelimit_tell_waited(record, fields);

    len = (record->nitems == 1)
          ? RL_ITEM_LEN(&fields->core, record->items)
          : rl_fields_len(&fields->core, record->items, record->nitems);

    buf = ngx_http_ratelimit_room(r, record, len);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    rl_render_lists(&fields->core, record->items, record->nitems, skip,
                    &record->time, ngx_http_ratelimit_retry_after(record), buf,
                    values);

    if (fields->core.shape != RL_SHAPE_IETF || values[0].len == 0) {
        return ngx_http_ratelimit_push_fields(r, record->foreign,
                                              fields->elts, values,
                                              fields->core.n);
    }

    return ngx_http_ratelimit_add_fields(r, record->foreign, fields->elts,
                                         values, 2);
}


/* marks the items that "policies=" leaves out */

static u_char *
ngx_http_ratelimit_skip(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_fields_t *fields)
{
    u_char                        *skip;
    ngx_uint_t                     i, j;
    ngx_http_ratelimit_policy_t  **policies;

    skip = ngx_pnalloc(r->pool, record->nitems);
    if (skip == NULL) {
        return NULL;
    }

    policies = fields->policies->elts;

    for (i = 0; i < record->nitems; i++) {
        skip[i] = 1;

        for (j = 0; j < fields->policies->nelts; j++) {
            if (record->items[i].policy == &policies[j]->core) {
                skip[i] = 0;
                break;
            }
        }
    }

    return skip;
}


/* what a client has to do now, and that nobody keeps this answer */

static ngx_int_t
ngx_http_ratelimit_add_refusal(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record)
{
    u_char      *p;
    uint64_t     ms;
    ngx_uint_t   n;
    rl_str_t     values[3];

    p = ngx_pnalloc(r->pool, 2 * NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ms = ngx_http_ratelimit_retry_after(record);

    values[0] = ngx_http_ratelimit_make_str(p,
                                         rl_render_u64(rl_seconds_up(ms), p));

    /* what the configuration says of caches stands */

    n = record->foreign
        && ngx_http_ratelimit_has_field(r, &ngx_http_ratelimit_refusal[1]);

    values[1] = ngx_http_ratelimit_make_str((u_char *) "no-store", n ? 0 : 8);

    n = 2;

    if (record->conf->headers && record->conf->headers->retry_after_ms) {
        p += values[0].len;
        values[n++] = ngx_http_ratelimit_make_str(p, rl_render_u64(ms, p));
    }

    return ngx_http_ratelimit_add_fields(r, record->foreign,
                                         ngx_http_ratelimit_refusal, values,
                                         n);
}
