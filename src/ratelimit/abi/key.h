/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Keys: where they stand in a request, and their keyed hashes.
 * A chapter of ratelimit.h.
 */

#ifndef RATELIMIT_ABI_KEY_H_
#define RATELIMIT_ABI_KEY_H_

#include "ratelimit/abi/types.h"
#include "ratelimit/abi/policy.h"
#include "ratelimit/abi/zone.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * How the hashes of a key's values begin: with the zone's secret and the tag,
 * "arg:" for example, of up to 7 bytes, or none, that all of them have.
 */
typedef struct {
  uint64_t v[4];
} rl_hash_prefix_t;

void rl_hash_prefix(const rl_zone_t *zone, rl_str_t tag,
                    rl_hash_prefix_t *out) RL_NOEXCEPT;

/* A key of one part: its tag, and what follows it. */
typedef struct {
  const rl_hash_prefix_t *hash_prefix;
  rl_str_t text;
} rl_part_t;

/*
 * SipHash-1-3 under the zone's secret: lo is the first half of its 128 bits,
 * and hi a check that belongs to lo.  rl_part_hash: of the tag, filled up with
 * zeros to 8 bytes, and the text.  rl_key_hash: of several texts, each after
 * its length, so that ("ab","c") and ("a","bc") differ; of a single one as of
 * an untagged part.
 */
void rl_part_hash(const rl_part_t *part, rl_hash_t *out) RL_NOEXCEPT;
void rl_key_hash(const rl_zone_t *zone, const rl_str_t *parts, size_t n,
                 rl_hash_t *out) RL_NOEXCEPT;

/*
 * The constant that makes a key's hash a policy's bucket (by XOR).  A changed
 * name, algorithm or key text gives another one: that policy starts afresh.
 */
void rl_policy_secret(const rl_zone_t *zone, rl_str_t name,
                      rl_algorithm_e algorithm, rl_str_t key_text,
                      rl_hash_t *out) RL_NOEXCEPT;

typedef enum {
  RL_SOURCE_BEARER,
  RL_SOURCE_BASIC,
  RL_SOURCE_HEADER,
  RL_SOURCE_ARG,
  RL_SOURCE_COOKIE,
  RL_SOURCE_JWT,
  RL_SOURCE_ADDR,
  RL_SOURCE_VAR
} rl_source_e;

typedef struct {
  rl_source_e kind;
  rl_str_t name;      /* header, arg, cookie, jwt claim, variable without $ */
  uint8_t v4_bits;    /* addr */
  uint8_t v6_bits;
} rl_source_t;

/* One source as written: "bearer", "header=X-API-Key", "addr=24/64", "$x". */
const char *rl_parse_source(rl_str_t text, rl_source_t *out) RL_NOEXCEPT;

/* The tag of a source's values: "bearer", ..., "var". */
rl_str_t rl_source_tag(rl_source_e kind) RL_NOEXCEPT;

/*
 * Each yields the value in *out and returns 1, or 0 where there is none (an
 * empty value is none).  Values are slices of the input, or of buf where they
 * had to be decoded; buf holds as many bytes as the input.  All writings of
 * one credential that common backends take for the same yield the same value.
 *
 * rl_key_bearer: the credential of "Bearer xyz" (RFC 6750), scheme in any
 * case; it ends at the first blank, comma or byte outside of ASCII.
 * rl_key_basic: the user name of "Basic base64" (RFC 7617).  A credential that
 * is no base64 yields ":", which no user name is: decoders differ in what they
 * skip, and else each would be another key of the same user.
 * rl_key_header: a field's value without blanks and controls around it.
 * rl_is_field: whether a field of that name, as long as the source's, is meant
 * by it: letters in whatever case.
 * rl_key_arg: of a query string, the first non-empty occurrence; names and
 * values percent-decoded and compared case-sensitively; "+" stays "+"; an
 * invalid escape stays as it is.
 * rl_key_plain_arg: the same for a name that rl_is_plain_arg says to have none
 * of "&", "%" and "=", which so can be compared as it stands; but 0 means that
 * there is none before the first escape, and rl_key_arg has to look.
 * rl_key_raw_arg: what nginx's $arg_NAME is (name in lower case): of the first
 * occurrence, in whatever case, as it stands.
 * rl_key_cookie: of one Cookie field's value, the first non-empty occurrence;
 * quotes around it removed, escapes decoded.
 * rl_key_addr: of 4 or 16 network-order address bytes, masked; an IPv4-mapped
 * address counts as IPv4; buf holds RL_ADDR_TEXT_LEN bytes.
 * rl_key_written: what the source makes of a value that an operator has
 * written, as an address masked; 0 where it never yields such a value.  buf as
 * for rl_key_addr.
 */
#define RL_ADDR_TEXT_LEN 46
int rl_key_bearer(rl_str_t authorization, rl_str_t *out) RL_NOEXCEPT;
int rl_key_basic(rl_str_t authorization, unsigned char *buf,
                 rl_str_t *out) RL_NOEXCEPT;
int rl_key_header(rl_str_t value, rl_str_t *out) RL_NOEXCEPT;
int rl_is_field(const unsigned char *field, rl_str_t name) RL_NOEXCEPT;
int rl_key_arg(rl_str_t query, rl_str_t name, unsigned char *buf,
               rl_str_t *out) RL_NOEXCEPT;
int rl_is_plain_arg(rl_str_t name) RL_NOEXCEPT;
int rl_key_plain_arg(rl_str_t query, rl_str_t name, rl_str_t *out) RL_NOEXCEPT;
int rl_key_raw_arg(rl_str_t query, rl_str_t name, rl_str_t *out) RL_NOEXCEPT;
int rl_key_cookie(rl_str_t cookie, rl_str_t name, unsigned char *buf,
                  rl_str_t *out) RL_NOEXCEPT;
int rl_key_addr(const unsigned char *address, size_t len,
                const rl_source_t *source, unsigned char *buf,
                rl_str_t *out) RL_NOEXCEPT;
int rl_key_written(rl_str_t text, const rl_source_t *source,
                   unsigned char *buf, rl_str_t *out) RL_NOEXCEPT;

/*
 * names=cgi: what PHP, and other back ends in the manner of CGI, take for a
 * source's name, and all values of a request that have it.
 *
 * rl_cgi_source folds the name of a source as written, into buf, as long as
 * that; returns NULL or what is allowed.  rl_cgi_is_field: whether a field has
 * a folded name.  rl_cgi_field adds what one field says, rl_cgi_args what a
 * query string does, empty ones too, to values that are zero at first; buf is
 * as long as the input and must live as long as the values.  rl_cgi_value
 * yields the one value of them, or ":" where there are two that differ.
 */
typedef struct {
  rl_str_t value; /* the first */
  int any;
  int differ;
} rl_values_t;

const char *rl_cgi_source(rl_source_t *source,
                          unsigned char *buf) RL_NOEXCEPT;
int rl_cgi_is_field(rl_str_t field, rl_str_t name) RL_NOEXCEPT;
void rl_cgi_field(const rl_source_t *source, rl_str_t field,
                  unsigned char *buf, rl_values_t *values) RL_NOEXCEPT;
void rl_cgi_args(rl_str_t query, rl_str_t name, unsigned char *buf,
                 rl_values_t *values) RL_NOEXCEPT;
int rl_cgi_value(const rl_values_t *values, rl_str_t *out) RL_NOEXCEPT;

/* ASCII letters in lower case, into buf, as long as text. */
rl_str_t rl_key_lower(rl_str_t text, unsigned char *buf) RL_NOEXCEPT;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* RATELIMIT_ABI_KEY_H_ */
