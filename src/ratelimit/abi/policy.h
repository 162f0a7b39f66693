/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Quotas, and the policies that give them.
 * A chapter of ratelimit.h.
 */

#ifndef RATELIMIT_ABI_POLICY_H_
#define RATELIMIT_ABI_POLICY_H_

#include "ratelimit/abi/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  RL_SLIDING = 0,
  RL_FIXED = 1,
  RL_CALENDAR = 2,
  RL_GCRA = 3,
  RL_CONCURRENT = 4 /* units in use at a time; no window gives them back */
} rl_algorithm_e;

/* Of a bucket, but of no policy: whether its key is banned. */
#define RL_BAN 5

/* Places of RL_CONCURRENT, that a process may hold of one key. */
#define RL_MAX_PLACES 1000000u

/*
 * When a place is free again nobody knows: those refused are told to come
 * back after the shortest time that Retry-After can say, and this is the
 * window of such quotas.
 */
#define RL_PLACE_MS 1000u

typedef struct {
  uint64_t units;         /* 0: refuse all */
  uint64_t window_ms;     /* 1 to RL_MAX_WINDOW_MS */
  rl_str_t window_text;   /* as written, "1m"; points into the parsed text */
  uint32_t window_months; /* not 0: calendar months, window_ms is 31 d each */
  int unlimited;          /* the policy does not apply */
} rl_quota_t;

/* Whom a policy refuses `after` times in its window it bans. */
#define RL_MAX_BANS 8u
#define RL_MAX_BAN_AFTER 255u

typedef struct {
  uint64_t durations_ms[RL_MAX_BANS]; /* for the first time, and for each next
                                         time within the longest, the last */
  uint32_t n;
  uint32_t after;
  int restarts; /* with each request that is refused meanwhile */
} rl_ban_t;

/*
 * All parsers return NULL, or what is allowed as a phrase that fits behind
 * "invalid quota \"...\", " in a log line.  On an error *out is untouched.
 *
 * rl_parse_quota: "600/60s", "0/1h", "unlimited" and "" (the same); months
 * ("5000/1M") only where `months` is true.
 * rl_parse_window: "60s", "1M"; fills window_ms, window_months, window_text.
 * rl_parse_scale: "50%", "12.5%" (up to three decimals), "" is 100 %; at most
 * 10000 %; out is in thousandths of a percent, 100000 being 100 %.
 * rl_parse_units: a decimal integer of 0 to RL_MAX_UNITS, in a quota as here
 * with a power of ten behind it perhaps: k, M, G or T.
 * rl_read_quota, rl_read_scale, rl_read_units: the same of what a variable
 * yields.  Units, and a scale, beyond their maximum are the maximum, however
 * many digits they have.  Units may have decimals ("0.123"), which are rounded
 * up; a scale's decimals behind the third are dropped, but it does not become
 * 0.
 * rl_parse_places, rl_read_places: "10", "unlimited" and "" (the same), of a
 * configuration and of a variable, as a quota of RL_CONCURRENT.
 * rl_read_seconds: times as nginx writes them, in seconds with decimals, as
 * units of a millisecond, rounded up; of several ("0.010, 0.250 : 0.100", "-"
 * for none) the sum.
 * rl_parse_bans: "10m,1h,1d", the durations of out alone.
 * rl_parse_algorithm: one of the four names; RL_CONCURRENT is not chosen so.
 * rl_parse_tz: "Z", "+09:00", "-03:30" as milliseconds east of UTC.
 */
const char *rl_parse_quota(rl_str_t text, int months,
                           rl_quota_t *out) RL_NOEXCEPT;
const char *rl_parse_window(rl_str_t text, int months,
                            rl_quota_t *out) RL_NOEXCEPT;
const char *rl_parse_bans(rl_str_t text, rl_ban_t *out) RL_NOEXCEPT;
const char *rl_parse_scale(rl_str_t text, uint32_t *out) RL_NOEXCEPT;
const char *rl_parse_units(rl_str_t text, uint64_t *out) RL_NOEXCEPT;
const char *rl_read_quota(rl_str_t text, int months,
                          rl_quota_t *out) RL_NOEXCEPT;
const char *rl_read_scale(rl_str_t text, uint32_t *out) RL_NOEXCEPT;
const char *rl_read_units(rl_str_t text, uint64_t *out) RL_NOEXCEPT;
const char *rl_parse_places(rl_str_t text, rl_quota_t *out) RL_NOEXCEPT;
const char *rl_read_places(rl_str_t text, rl_quota_t *out) RL_NOEXCEPT;
const char *rl_read_seconds(rl_str_t text, uint64_t *out) RL_NOEXCEPT;
const char *rl_parse_algorithm(rl_str_t text, rl_algorithm_e *out) RL_NOEXCEPT;
const char *rl_parse_tz(rl_str_t text, int32_t *out_ms) RL_NOEXCEPT;
const char *rl_algorithm_name(rl_algorithm_e algorithm) RL_NOEXCEPT;

/*
 * units times every scale, rounded down once at the end, at least 1 unless
 * units or a scale is 0, at most RL_MAX_UNITS.
 */
uint64_t rl_scale_units(uint64_t units, const uint32_t *scales,
                        size_t n) RL_NOEXCEPT;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* RATELIMIT_ABI_POLICY_H_ */
