/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Counters, top keys, what a zone holds, and the log throttle.
 * A chapter of ratelimit.h.
 */

#ifndef RATELIMIT_ABI_STATISTICS_H_
#define RATELIMIT_ABI_STATISTICS_H_

#include "ratelimit/abi/types.h"
#include "ratelimit/abi/policy.h"
#include "ratelimit/abi/zone.h"
#include "ratelimit/abi/decision.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What the policies have decided.  The memory, aligned to 64, is shared by all
 * processes and outlives every reload.  Times are those of mono_ms.
 */
typedef enum {
  RL_COUNT_ADMITTED = 0, /* requests: it admitted, and so did all others */
  RL_COUNT_REFUSED,      /* it refused; every refusing policy counts */
  RL_COUNT_DRY_RUN,      /* it would have refused */
  RL_COUNT_BYPASSED,     /* its line applied, it did not: no key, unlimited */
  RL_COUNT_REFUNDED,     /* units were given back */
  RL_COUNT_ERRORS,       /* nonsense from a variable, or not decided at all */
  RL_COUNT_REQUESTS,     /* of those above, which rl_count takes */
  RL_COUNT_RESERVED = RL_COUNT_REQUESTS, /* units that decisions charged, */
  RL_COUNT_SETTLED,      /* that rl_settle charged beyond them, */
  RL_COUNT_RETURNED,     /* that rl_settle and rl_refund gave back */
  RL_COUNTERS
} rl_counter_e;

size_t rl_counters_size(void) RL_NOEXCEPT;
void rl_counters_create(void *memory) RL_NOEXCEPT;
int rl_counters_attach(void *memory) RL_NOEXCEPT;

/*
 * rl_counters_renew begins a configuration.  rl_counters_find is the row of
 * a policy, for rl_policy_t's counters; one that counts already is found
 * again.  NULL: there is none, or where `make` is true, there are more than
 * RL_MAX_POLICIES.
 * Those that are known must be found before any is made: a row that was not
 * found since renewal may be given to another policy.
 */
void rl_counters_renew(void *memory) RL_NOEXCEPT;
void *rl_counters_find(void *memory, rl_str_t policy, rl_str_t zone,
                       int make) RL_NOEXCEPT;

/* What rl_decide does not count itself. */
void rl_count(const rl_process_t *process, const rl_policy_t *policy,
              rl_counter_e what) RL_NOEXCEPT;

/* What was not decided by rl_decide, as that counts. */
void rl_count_decision(const rl_process_t *process, const rl_item_t *items,
                       size_t n, rl_verdict_e verdict,
                       const rl_time_t *now) RL_NOEXCEPT;

/* What was not settled or refunded by the core: units of an item. */
void rl_count_corrected(const rl_process_t *process, const rl_item_t *item,
                        uint64_t back_units, uint64_t more_units) RL_NOEXCEPT;

/*
 * Requests that were admitted after they had waited, and for how long in all.
 */
void rl_count_delay(const rl_policy_t *policy, uint64_t waited_ms) RL_NOEXCEPT;
uint64_t rl_delays(const rl_policy_t *policy,
                   uint64_t *waited_ms) RL_NOEXCEPT;

/*
 * Requests of all living processes that wait for the policy now; one of this
 * process begins to (more is 1), or waits no more (-1).  rl_waiting is 0 where
 * process is NULL.
 */
void rl_count_waiting(const rl_process_t *process, const rl_policy_t *policy,
                      int more) RL_NOEXCEPT;
uint64_t rl_waiting(const rl_process_t *process,
                    const rl_policy_t *policy) RL_NOEXCEPT;

/*
 * Which share of its quota a key had used when a request of it was admitted,
 * that request's units as well: out[i] is how many were at most at
 * RL_USED_BOUNDS[i], in thousandths, the last one all of them; *sum is that of
 * their shares.  A sample of the requests, each of which stands for several.
 */
#define RL_USED_BOUNDS {250, 500, 750, 900, 1000}
#define RL_USED_SHARES 5
void rl_used_shares(const rl_policy_t *policy, uint64_t out[RL_USED_SHARES],
                    uint64_t *sum) RL_NOEXCEPT;

/* Bans that have begun. */
uint64_t rl_bans(const rl_policy_t *policy) RL_NOEXCEPT;

void rl_counts(const rl_policy_t *policy, uint64_t out[RL_COUNTERS])
    RL_NOEXCEPT;

/*
 * The last hour of a policy.  rl_history_record takes a sample, if the step
 * that now is in has none yet: every process is to call it once a step.
 * rl_history copies what there is, oldest first, and returns how many: what
 * was counted in span_ms until at_ms, mostly one step.  Nothing is told of the
 * time before the first sample.
 */
#define RL_HISTORY_STEP_MS 10000u
#define RL_HISTORY_SAMPLES 360u

typedef struct {
  uint64_t at_ms;    /* of the clock of mono_ms, to a step */
  uint32_t span_ms;
  uint32_t admitted; /* requests, as RL_COUNT_ADMITTED, and so on */
  uint32_t refused;
  uint32_t dry_run;
  uint32_t waiting;  /* at at_ms */
} rl_history_sample_t;

void rl_history_record(const rl_process_t *process, const rl_policy_t *policy,
                       const rl_time_t *now) RL_NOEXCEPT;
size_t rl_history(const rl_policy_t *policy, const rl_time_t *now,
                  rl_history_sample_t out[RL_HISTORY_SAMPLES]) RL_NOEXCEPT;

/*
 * The top keys of a policy: those that were refused most lately (or would have
 * been, in dry run), and those that were admitted most; see top_keys.h for
 * what is guaranteed.
 */
typedef enum {
  RL_TOP_REFUSED,
  RL_TOP_ADMITTED
} rl_top_e;

typedef struct {
  uint64_t key_id;
  uint64_t requests_last_minute; /* about */
  uint64_t requests;             /* in all; estimated for the admitted */
  uint64_t first_seen_ms;        /* since it is listed, or back from a pause of
                                    10 min */
  uint64_t last_seen_ms;
  rl_quota_t quota;              /* units and window at the last request */
  uint64_t capacity_units;
  int dry_run;                   /* nor was that one enforced */
} rl_top_key_t;

#define RL_MAX_TOP_KEYS 64

/* Copies up to max (at most RL_MAX_TOP_KEYS exist), the busiest first. */
size_t rl_top_keys(const rl_policy_t *policy, rl_top_e list,
                   const rl_time_t *now, rl_top_key_t *out, size_t max)
    RL_NOEXCEPT;
int rl_find_top_key(const rl_policy_t *policy, rl_top_e list,
                    uint64_t key_id, const rl_time_t *now, rl_top_key_t *out)
    RL_NOEXCEPT;

/*
 * What operators see beside a top key's id: up to RL_LABEL_LEN bytes, kept for
 * as long as the key is listed.  rl_key_wants_label: it is listed, and has
 * none.  rl_key_label fills buf of RL_LABEL_LEN, and returns how many bytes;
 * 0: none.
 */
#define RL_LABEL_LEN 64
int rl_key_wants_label(const rl_policy_t *policy,
                       uint64_t key_id) RL_NOEXCEPT;
void rl_label_key(const rl_policy_t *policy, uint64_t key_id, rl_str_t label,
                  const rl_time_t *now) RL_NOEXCEPT;
size_t rl_key_label(const rl_policy_t *policy, uint64_t key_id,
                    unsigned char *buf) RL_NOEXCEPT;

/* How many keys a policy bans now. */
typedef struct {
  uint64_t policy_id;      /* rl_policy_t's secret.lo */
  uint64_t reset_at_ms;    /* bans from before are lifted */
  uint64_t keys;
} rl_banned_t;

/*
 * Adds the buckets of up to `sets` sets from set `first` on, those that were
 * never used apart, to out->entries and out->active, and banned keys to the
 * keys of those of the n policies whose they are; banned is sorted by
 * policy_id.  Returns the set to go on with, 0 when all are counted.
 * So a scan can be cut into turns of an event loop: 256 sets take some 100
 * microseconds.
 */
uint32_t rl_zone_scan(const rl_zone_t *zone, uint32_t first, uint32_t sets,
                      const rl_time_t *now, rl_zone_stats_t *out,
                      rl_banned_t *banned, size_t n) RL_NOEXCEPT;

/* That of the policy, or NULL. */
rl_banned_t *rl_find_banned(rl_banned_t *banned, size_t n,
                            uint64_t policy_id) RL_NOEXCEPT;

/* A key that is banned. */
typedef struct {
  uint64_t policy_id;
  uint64_t key_id;         /* of the policy's bucket, its lo */
  uint64_t since_ms;       /* the refusal that began it */
  uint64_t until_ms;
  uint64_t forget_ms;      /* the next one is a longer one until then */
  uint32_t level;          /* 0: the first of the ban's durations, ... */
  uint8_t tag;             /* of the policy's bucket, the lowest byte of hi */
} rl_banned_key_t;

/* Where a walk through a zone is; zeros at its beginning. */
typedef struct {
  uint32_t memory;         /* the id of a zone's memory, which may change */
  uint32_t set;
} rl_bans_walk_t;

/*
 * The next set that was ever used: the keys banned in it are the first *n of
 * out.  1; or 0: there is no further set.  RL_ERROR: a lock's living owner did
 * not move; the walk may go on with the same set.
 * Over a whole walk every key that is banned all the while is told, and one
 * whose bucket moves meanwhile may be told twice.
 */
#define RL_MAX_BANNED_OF_SET 31
int rl_next_banned(rl_process_t *process, const rl_zone_t *zone,
                   rl_bans_walk_t *walk, const rl_time_t *now,
                   rl_banned_key_t out[RL_MAX_BANNED_OF_SET],
                   size_t *n) RL_NOEXCEPT;

/* A bucket as it is stored. */
typedef struct {
  rl_hash_t bucket;        /* as far as it is stored: enough to find it */
  rl_algorithm_e algorithm;
  rl_quota_t quota;        /* units and window of the last charge */
  uint64_t capacity_units;
  int exact;               /* the units are; else rounded down by < 1/512 */
  int active;              /* units are in use */
  uint64_t banned_until_ms; /* RL_BAN; it may be over */
  uint64_t charged_ms;     /* sliding, gcra: the last charge; else when the
                              window opened */
} rl_bucket_t;

/*
 * rl_inspect finds a bucket by its key id alone: 1, or 0 where there is none.
 * rl_reset takes everything off it that is in use: 1, or 0 where there is
 * none.  RL_ERROR: a lock's living owner did not move.
 */
int rl_inspect(rl_process_t *process, const rl_zone_t *zone, uint64_t key_id,
               const rl_time_t *now, rl_bucket_t *out) RL_NOEXCEPT;
int rl_reset(rl_process_t *process, const rl_zone_t *zone, uint64_t key_id,
             const rl_time_t *now) RL_NOEXCEPT;

/*
 * Throttles the log of a refused key: true if a line is due (none was written
 * in this second); then *suppressed is how many similar ones were left out
 * since the last one.
 * Shared by all processes of the zone, bounded memory: where more keys than it
 * holds are refused within a second, the others get no line.
 */
int rl_log_throttle(const rl_zone_t *zone, uint64_t key_id,
                    const rl_time_t *now, uint32_t *suppressed) RL_NOEXCEPT;

/*
 * What is wrong with a policy rather than with a client.
 * rl_complaint_throttle is as rl_log_throttle, for each policy that has
 * counters and each kind apart, so that none of them hides another, nor do
 * refusals.
 */
typedef enum {
  RL_BAD_QUOTA = 0, /* nonsense from a variable */
  RL_BAD_SCALE,
  RL_BAD_CAPACITY,
  RL_BAD_COST,
  RL_BAD_SETTLE,
  RL_NO_PLACE,      /* rl_process_join found none: undecided */
  RL_LOCKED,        /* RL_TIMEOUT, or RL_PENDING for too long: undecided */
  RL_UNCORRECTED,   /* RL_TIMEOUT, of a refund or a final cost */
  RL_CROWDED,       /* more processes hold places of a key than its bucket
                       names: refused */
  RL_UNREAD,        /* a response that does not say what it used */
  RL_COMPLAINTS
} rl_complaint_e;

int rl_complaint_throttle(const rl_policy_t *policy, rl_complaint_e what,
                          const rl_time_t *now, uint32_t *suppressed)
    RL_NOEXCEPT;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* RATELIMIT_ABI_STATISTICS_H_ */
