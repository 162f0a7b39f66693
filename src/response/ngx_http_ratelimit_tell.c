
/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * What a response is told by: fields, and charges that it corrects.
 */


#include "ngx_http_ratelimit.h"
#include "conf/ngx_http_ratelimit_clock.h"
#include "conf/ngx_http_ratelimit_str.h"
#include "policy/ngx_http_ratelimit_policy.h"
#include "request/ngx_http_ratelimit_charge.h"
#include "request/ngx_http_ratelimit_record.h"
#include "response/ngx_http_ratelimit_field.h"
#include "response/ngx_http_ratelimit_headers.h"
#include "response/ngx_http_ratelimit_tell.h"


static ngx_int_t ngx_http_ratelimit_tell_more(
    ngx_http_request_t *r, ngx_http_ratelimit_record_t *record);
static ngx_int_t ngx_http_ratelimit_add_dialect(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_dialect_t *dialect);
static ngx_int_t ngx_http_ratelimit_add_listed(
    ngx_http_request_t *r, ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_dialect_t *dialect);
static ngx_inline ngx_int_t ngx_http_ratelimit_add_kind(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_dialect_t *dialect,
    u_char *skip);
static ngx_int_t ngx_http_ratelimit_add_reported(
    ngx_http_request_t *r, ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_dialect_t *dialect, u_char *skip);
static ngx_inline u_char *ngx_http_ratelimit_room(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, size_t len);
static ngx_int_t ngx_http_ratelimit_add_item(
    ngx_http_request_t *r, ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_dialect_t *dialect, ngx_table_elt_t *fields,
    const rl_item_t *item);
static ngx_int_t ngx_http_ratelimit_add_policies(
    ngx_http_request_t *r, ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_dialect_t *dialect, u_char *skip);
static ngx_int_t ngx_http_ratelimit_add_ietf(
    ngx_http_request_t *r, ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_dialect_t *dialect, u_char *skip);
static u_char *ngx_http_ratelimit_skip(
    ngx_http_request_t *r, ngx_http_ratelimit_record_t *record,
    ngx_http_ratelimit_dialect_t *dialect);
static ngx_int_t
    ngx_http_ratelimit_add_retry_after(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record);


ngx_int_t
ngx_http_ratelimit_tell(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record)
{
    ngx_array_t                    *array;
    ngx_http_ratelimit_dialect_t  **dialects;

    if (record->time.mono_ms != ngx_http_ratelimit_mono_ms()) {
        ngx_http_ratelimit_age_record(record);
    }

    array = record->conf->dialects;

    if (record->responds || record->refused || array->nelts != 1) {
        return ngx_http_ratelimit_tell_more(r, record);
    }

    dialects = array->elts;

    return ngx_http_ratelimit_add_dialect(r, record, dialects[0]);
}


/* than what one dialect says of an admission */

static ngx_int_t
ngx_http_ratelimit_tell_more(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record)
{
    ngx_uint_t                      i, n;
    ngx_http_ratelimit_dialect_t  **dialects;

    if (record->responds
        && ngx_http_ratelimit_correct_charges(r, record) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (record->conf->dialects) {
        dialects = record->conf->dialects->elts;
        n = record->conf->dialects->nelts;

        for (i = 0; i < n; i++) {
            if (ngx_http_ratelimit_add_dialect(r, record, dialects[i])
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return record->refused ? ngx_http_ratelimit_add_retry_after(r, record)
                           : NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_add_dialect(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_dialect_t *dialect)
{
    return dialect->policies
           ? ngx_http_ratelimit_add_listed(r, record, dialect)
           : ngx_http_ratelimit_add_kind(r, record, dialect, NULL);
}


static ngx_int_t
ngx_http_ratelimit_add_listed(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_dialect_t *dialect)
{
    u_char  *skip;

    skip = ngx_http_ratelimit_skip(r, record, dialect);
    if (skip == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_ratelimit_add_kind(r, record, dialect, skip);
}


static ngx_inline ngx_int_t
ngx_http_ratelimit_add_kind(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_dialect_t *dialect,
    u_char *skip)
{
    switch (dialect->core.kind) {

    case RL_DIALECT_IETF:
        return ngx_http_ratelimit_add_ietf(r, record, dialect, skip);

    case RL_DIALECT_PER_POLICY:
        return ngx_http_ratelimit_add_policies(r, record, dialect, skip);

    default: /* RL_DIALECT_X, RL_DIALECT_DRAFT3 */
        return ngx_http_ratelimit_add_reported(r, record, dialect, skip);
    }
}


static ngx_int_t
ngx_http_ratelimit_add_reported(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_dialect_t *dialect,
    u_char *skip)
{
    const rl_item_t  *item;

    item = (record->nitems == 1 && skip == NULL
            && !record->items->policy->hidden)
           ? record->items
           : rl_most_restrictive(record->items, record->nitems, skip);
    if (item == NULL) {
        return NGX_OK;
    }

    return ngx_http_ratelimit_add_item(r, record, dialect, dialect->fields,
                                       item);
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


/* what a dialect but "ietf" says of one policy; calls would cost 20 each */

static ngx_int_t
ngx_http_ratelimit_add_item(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_dialect_t *dialect,
    ngx_table_elt_t *fields, const rl_item_t *item)
{
    u_char    *buf;
    rl_str_t   values[RL_DIALECT_FIELDS];

    buf = ngx_http_ratelimit_room(r, record, RL_VALUES_LEN);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    rl_render_values(&dialect->core, item, &record->time, buf, values);

    return ngx_http_ratelimit_add_fields(r, fields, values, RL_DIALECT_FIELDS);
}


static ngx_int_t
ngx_http_ratelimit_add_policies(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_dialect_t *dialect,
    u_char *skip)
{
    rl_item_t                    *item;
    ngx_uint_t                    i;
    ngx_http_ratelimit_policy_t  *policy;

    for (i = 0; i < record->nitems; i++) {
        item = &record->items[i];

        if (item->policy->hidden || (skip && skip[i])) {
            continue;
        }

        policy = (ngx_http_ratelimit_policy_t *) item->policy;

        if (ngx_http_ratelimit_add_item(r, record, dialect,
                                  dialect->fields
                                  + policy->index * RL_DIALECT_FIELDS,
                                        item)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ratelimit_add_ietf(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_dialect_t *dialect,
    u_char *skip)
{
    u_char    *buf;
    rl_str_t   values[RL_IETF_FIELDS];

    buf = ngx_http_ratelimit_room(r, record,
                                  rl_ietf_len(record->items, record->nitems));
    if (buf == NULL) {
        return NGX_ERROR;
    }

    rl_render_ietf(record->items, record->nitems, skip,
                   record->refused ? record->retry_after_ms : 0, buf, values);

    if (values[0].len == 0) {
        return NGX_OK;
    }

    return ngx_http_ratelimit_add_fields(r, dialect->fields, values,
                                         RL_IETF_FIELDS);
}


/* marks the items that "policies=" leaves out */

static u_char *
ngx_http_ratelimit_skip(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record, ngx_http_ratelimit_dialect_t *dialect)
{
    u_char                        *skip;
    ngx_uint_t                     i, j;
    ngx_http_ratelimit_policy_t  **policies;

    skip = ngx_pnalloc(r->pool, record->nitems);
    if (skip == NULL) {
        return NULL;
    }

    policies = dialect->policies->elts;

    for (i = 0; i < record->nitems; i++) {
        skip[i] = 1;

        for (j = 0; j < dialect->policies->nelts; j++) {
            if (record->items[i].policy == &policies[j]->core) {
                skip[i] = 0;
                break;
            }
        }
    }

    return skip;
}


static ngx_int_t
ngx_http_ratelimit_add_retry_after(ngx_http_request_t *r,
    ngx_http_ratelimit_record_t *record)
{
    u_char           *buf;
    uint64_t          seconds;
    rl_str_t          value;
    ngx_table_elt_t   field;

    buf = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    seconds = rl_seconds_up(record->retry_after_ms);

    value = ngx_http_ratelimit_make_str(buf,
                                        rl_render_u64(ngx_max(seconds, 1),
                                                      buf));

    ngx_memzero(&field, sizeof(ngx_table_elt_t));

    field.hash = 1;
    ngx_str_set(&field.key, "Retry-After");
    field.lowcase_key = (u_char *) "retry-after";

    return ngx_http_ratelimit_add_fields(r, &field, &value, 1);
}
