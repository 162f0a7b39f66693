/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Bounds, texts, times and hashes that all chapters speak of.
 * A chapter of ratelimit.h.
 */

#ifndef RATELIMIT_ABI_TYPES_H_
#define RATELIMIT_ABI_TYPES_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define RL_NOEXCEPT noexcept
#else
#define RL_NOEXCEPT
#endif

/* Bounds that the parsers enforce; proofs against overflow use them. */
#define RL_MAX_UNITS UINT64_C(999999999999999) /* of a quota, a cost */
#define RL_MAX_WINDOW_MS (366ull * 86400 * 1000) /* 366 days */
#define RL_MAX_MONTHS 12u                        /* of a calendar window */
#define RL_MAX_ZONE_LEN (256ull << 30)           /* of a zone's memory */
#define RL_MAX_ITEMS 128u /* policies that decide one request */
#define RL_MAX_PROCESSES 4096u /* that may own a lock at one time */
#define RL_MAX_POLICIES 1024u  /* of a configuration */

/* Bytes that are not terminated and not owned. */
typedef struct {
  size_t len;
  const unsigned char *data;
} rl_str_t;

/*
 * The time of a call.  Elapsed time is counted on mono_ms alone (it may be
 * stale by some milliseconds in one of several processes and is clamped);
 * wall_ms, since 1970 in UTC, serves calendar windows only.
 */
typedef struct {
  uint64_t mono_ms; /* below 2^40: 34 years of uptime */
  uint64_t wall_ms;
} rl_time_t;

/* A keyed hash; lo is what a bucket stores and what a key id shows. */
typedef struct {
  uint64_t lo;
  uint64_t hi;
} rl_hash_t;

#endif /* RATELIMIT_ABI_TYPES_H_ */
