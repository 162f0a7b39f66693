/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Text of header fields and bodies.
 * A chapter of ratelimit.h.
 */

#ifndef RATELIMIT_ABI_RESPONSE_H_
#define RATELIMIT_ABI_RESPONSE_H_

#include "ratelimit/abi/types.h"
#include "ratelimit/abi/policy.h"
#include "ratelimit/abi/decision.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A field is written as a template, "X-RateLimit-Reset: {reset:unix}": a name
 * and a value of texts and placeholders.  Each dialect is some templates.
 */
#define RL_MAX_PIECES 12 /* of a template's value */

typedef enum {
  RL_PIECE_TEXT = 0,
  RL_PIECE_LIMIT,
  RL_PIECE_REMAINING,
  RL_PIECE_USED,
  RL_PIECE_RESET,
  RL_PIECE_RETRY_AFTER, /* has no value where nothing is refused */
  RL_PIECE_WINDOW,
  RL_PIECE_WAITED_MS,
  RL_PIECE_POLICY
} rl_piece_e;

/* How a placeholder is rendered; what lies ahead is rounded up. */
typedef enum {
  RL_FORMAT_PLAIN = 0,    /* a number, a name; of a time: seconds */
  RL_FORMAT_MS,
  RL_FORMAT_DECIMAL,      /* seconds: "59.001" */
  RL_FORMAT_GO,           /* as time.Duration of Go: "6m0s", "17ms" */
  RL_FORMAT_UNIX,         /* the moment, in seconds since 1970 */
  RL_FORMAT_UNIX_MS,
  RL_FORMAT_UNIX_DECIMAL,
  RL_FORMAT_RFC3339,      /* "2026-11-28T21:08:42Z" */
  RL_FORMAT_HTTP,         /* "Sat, 28 Nov 2026 21:08:42 GMT" */
  RL_FORMAT_QUOTA,        /* a policy as an item of RateLimit-Policy */
  RL_FORMAT_LIMIT         /* a policy as an item of RateLimit */
} rl_format_e;

typedef struct {
  rl_piece_e what;
  rl_format_e format;
  rl_str_t text; /* RL_PIECE_TEXT */
} rl_piece_t;

/* Of which policies a field tells, and so how often it stands. */
typedef enum {
  RL_REPORTED = 0, /* once, of the one that speaks for all */
  RL_LISTED,       /* once, a list: its value has "{policy}" */
  RL_EACH          /* once for each policy: its name has "{policy}" */
} rl_scope_e;

typedef struct {
  rl_scope_e scope;
  rl_str_t before; /* the name; RL_EACH: around the policy's */
  rl_str_t after;
  rl_piece_t value[RL_MAX_PIECES];
  uint32_t pieces;
} rl_template_t;

/*
 * Points into text.  Phrases as those of the other parsers.
 */
const char *rl_parse_template(rl_str_t text, rl_template_t *out) RL_NOEXCEPT;

/*
 * A field's name for one policy and the same in lower case, as nginx wants it,
 * both into buf of RL_FIELD_NAME_LEN.  "_" in a policy's name becomes "-".
 */
#define RL_FIELD_NAME_LEN(field, policy_name_len) \
  (2 * ((field)->before.len + (policy_name_len) + (field)->after.len))
void rl_field_name(const rl_template_t *field, rl_str_t policy_name,
                   unsigned char *buf, rl_str_t *name,
                   rl_str_t *lower) RL_NOEXCEPT;

/* The dialects, by what is said of them in a configuration. */
typedef enum {
  RL_DIALECT_X = 0,     /* x-ratelimit */
  RL_DIALECT_IETF,      /* draft-ietf-httpapi-ratelimit-headers-11 */
  RL_DIALECT_DRAFT3,    /* draft -03 */
  RL_DIALECT_PER_POLICY,
  RL_DIALECT_FIELDS     /* templates of one's own */
} rl_dialect_e;

typedef enum {
  RL_RESET_DELTA = 0,   /* seconds from now */
  RL_RESET_UNIX,        /* Unix seconds */
  RL_RESET_UNIX_MS
} rl_reset_e;

const char *rl_parse_dialect(rl_str_t text, rl_dialect_e *out) RL_NOEXCEPT;
const char *rl_parse_reset(rl_str_t text, rl_reset_e *out) RL_NOEXCEPT;
/* What a field name may begin with: a token of RFC 9110. */
const char *rl_parse_prefix(rl_str_t text, rl_str_t *out) RL_NOEXCEPT;

/*
 * A dialect's i-th template as text, into buf of RL_DIALECT_TEMPLATE_LEN.
 * Returns how many bytes; 0: it has no more of them.
 */
#define RL_DIALECT_TEMPLATE_LEN(prefix_len) ((prefix_len) + 64)
size_t rl_dialect_template(rl_dialect_e dialect, rl_str_t prefix,
                           rl_reset_e reset, size_t i,
                           unsigned char *buf) RL_NOEXCEPT;

/* Fields of one scope, that are rendered together. */
#define RL_MAX_FIELDS 8

typedef enum {
  RL_SHAPE_ANY = 0,
  RL_SHAPE_COMMON, /* limit, remaining and reset of RL_REPORTED */
  RL_SHAPE_IETF    /* a policy's quota and limit, nothing else */
} rl_shape_e;

typedef struct {
  rl_scope_e scope;
  rl_shape_e shape;
  uint32_t n;
  int want_next;     /* of the items, their next_ms */
  int want_waited;   /* and their waited_ms */
  uint32_t text_len; /* of an item's values, but for names of policies */
  uint32_t names;
  rl_template_t templates[RL_MAX_FIELDS];
} rl_fields_t;

/* To fields that are zero at first.  0: it has no room, or another scope. */
int rl_fields_add(rl_fields_t *fields, const rl_template_t *field) RL_NOEXCEPT;

/*
 * The fields' values, rendered into buf of rl_fields_len, or for a single item
 * of RL_ITEM_LEN (RL_COMMON_LEN for RL_SHAPE_COMMON), each as a slice in
 * values[].  An empty one is left out of the response.  Some point elsewhere:
 * at what lives as long as the policy.
 *
 * rl_render_values: of one item, where the scope is not RL_LISTED.
 * rl_render_lists: of RL_LISTED, all items but those hidden or skipped.
 *
 * retry_after_ms is what Retry-After tells of the whole response; 0: there is
 * none.  `t` of RateLimit never exceeds it.
 */
#define RL_COMMON_LEN 64
#define RL_ITEM_LEN(fields, item) \
  ((fields)->text_len + (fields)->names * (item)->policy->name.len)
size_t rl_fields_len(const rl_fields_t *fields, const rl_item_t *items,
                     size_t n) RL_NOEXCEPT;
void rl_render_values(const rl_fields_t *fields, const rl_item_t *item,
                      const rl_time_t *now, uint64_t retry_after_ms,
                      unsigned char *buf,
                      rl_str_t *values) RL_NOEXCEPT;
void rl_render_lists(const rl_fields_t *fields, const rl_item_t *items,
                     size_t n, const unsigned char *skip, const rl_time_t *now,
                     uint64_t retry_after_ms, unsigned char *buf,
                     rl_str_t *values) RL_NOEXCEPT;

/* Of the limit, those that do not remain. */
uint64_t rl_used_units(const rl_item_t *item) RL_NOEXCEPT;

/* A window's length; where it is months, that of the one which is now. */
uint64_t rl_window_ms(const rl_policy_t *policy, const rl_quota_t *quota,
                      const rl_time_t *now) RL_NOEXCEPT;

/* Milliseconds as whole seconds, rounded up; Retry-After is at least 1. */
uint64_t rl_seconds_up(uint64_t ms) RL_NOEXCEPT;
/* The Unix second (rounded up) that lies ahead_ms ahead of now. */
uint64_t rl_unix_seconds(const rl_time_t *now, uint64_t ahead_ms) RL_NOEXCEPT;

/* Decimal digits of value into buf (20 bytes suffice); returns how many. */
size_t rl_render_u64(uint64_t value, unsigned char *buf) RL_NOEXCEPT;
/*
 * The id by which people are told of a bucket (its lo), or the bucket of an
 * id.  It is the policy's own: under another policy it is no bucket's.
 */
uint64_t rl_key_id(const rl_policy_t *policy, uint64_t id) RL_NOEXCEPT;
/* The 16 hex digits of a key id. */
void rl_render_key_id(uint64_t key_id, unsigned char buf[16]) RL_NOEXCEPT;

/*
 * text as the inside of a JSON string: quote, backslash and controls escaped,
 * invalid UTF-8 replaced by U+FFFD.  Writes at most
 * RL_JSON_EXPANSION * text.len bytes; buf NULL only counts.
 */
#define RL_JSON_EXPANSION 6
size_t rl_json_escape(rl_str_t text, unsigned char *buf) RL_NOEXCEPT;

/*
 * RFC 9457 application/problem+json of the draft's type quota-exceeded, with
 * the visible refusing items as violated-policies.  rl_problem_len is a
 * sufficient buf.
 */
size_t rl_problem_len(const rl_item_t *items, size_t n) RL_NOEXCEPT;
size_t rl_render_problem(const rl_item_t *items, size_t n, unsigned status,
                         unsigned char *buf) RL_NOEXCEPT;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* RATELIMIT_ABI_RESPONSE_H_ */
