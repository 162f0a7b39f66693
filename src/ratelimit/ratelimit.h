/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * The C ABI of the rate limiting core, and the only header of it that the
 * nginx shim includes.  Compiles as C99 and C++17.
 *
 * The core knows no nginx type.  It takes no clock, no allocator and no log:
 * time and memory come in as arguments, decisions go out as values.  Nothing
 * here throws, and nothing is kept in static variables.
 *
 * Terms follow the IETF draft "RateLimit header fields for HTTP": a quota
 * policy gives a quota of units per time window to each partition key.  A
 * bucket is what is stored for one policy and one key.
 */

#ifndef RATELIMIT_RATELIMIT_H_
#define RATELIMIT_RATELIMIT_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define RL_NOEXCEPT noexcept
#else
#define RL_NOEXCEPT
#endif

/* Bounds that the parsers enforce; proofs against overflow use them. */
#define RL_MAX_UNITS 999999999u /* of a quota, a capacity, a cost */
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

/* --------------------------------------------------------------- quotas */

typedef enum {
  RL_SLIDING = 0,
  RL_FIXED = 1,
  RL_CALENDAR = 2,
  RL_GCRA = 3
} rl_algorithm_e;

typedef struct {
  uint32_t units;         /* 0: refuse all */
  uint32_t window_months; /* not 0: calendar months, window_ms is 31 d each */
  uint64_t window_ms;     /* 1 to RL_MAX_WINDOW_MS */
  rl_str_t window_text;   /* as written, "1m"; points into the parsed text */
  int unlimited;          /* the policy does not apply */
} rl_quota_t;

/*
 * All parsers return NULL, or what is allowed as a phrase that fits behind
 * "invalid quota \"...\", " in a log line.  On an error *out is untouched.
 *
 * rl_parse_quota: "600/60s", "0/1h", "unlimited" and "" (the same); months
 * ("5000/1M") only where `months` is true.
 * rl_parse_window: "60s", "1M"; fills window_ms, window_months, window_text.
 * rl_parse_scale: "50%", "12.5%" (up to three decimals), "" is 100 %; at most
 * 10000 %; out is in thousandths of a percent, 100000 being 100 %.
 * rl_parse_units: a decimal integer of 0 to RL_MAX_UNITS.
 * rl_read_quota, rl_read_scale, rl_read_units: the same of what a variable
 * yields.  Units, and a scale, beyond their maximum are the maximum, however
 * many digits they have.  Units may have decimals ("0.123"), which are rounded
 * up; a scale's decimals behind the third are dropped, but it does not become
 * 0.
 * rl_parse_algorithm: one of the four names.
 * rl_parse_tz: "Z", "+09:00", "-03:30" as milliseconds east of UTC.
 */
const char *rl_parse_quota(rl_str_t text, int months,
                           rl_quota_t *out) RL_NOEXCEPT;
const char *rl_parse_window(rl_str_t text, int months,
                            rl_quota_t *out) RL_NOEXCEPT;
const char *rl_parse_scale(rl_str_t text, uint32_t *out) RL_NOEXCEPT;
const char *rl_parse_units(rl_str_t text, uint32_t *out) RL_NOEXCEPT;
const char *rl_read_quota(rl_str_t text, int months,
                          rl_quota_t *out) RL_NOEXCEPT;
const char *rl_read_scale(rl_str_t text, uint32_t *out) RL_NOEXCEPT;
const char *rl_read_units(rl_str_t text, uint32_t *out) RL_NOEXCEPT;
const char *rl_parse_algorithm(rl_str_t text, rl_algorithm_e *out) RL_NOEXCEPT;
const char *rl_parse_tz(rl_str_t text, int32_t *out_ms) RL_NOEXCEPT;
const char *rl_algorithm_name(rl_algorithm_e algorithm) RL_NOEXCEPT;

/*
 * units times every scale, rounded down once at the end, at least 1 unless
 * units or a scale is 0, at most RL_MAX_UNITS.
 */
uint32_t rl_scale_units(uint32_t units, const uint32_t *scales,
                        size_t n) RL_NOEXCEPT;

/* -------------------------------------------------- memory and processes */

/*
 * A zone: the process's view of a bucket table in shared memory.  The memory
 * holds no pointer, so every process may map it where it likes; locks are
 * taken in address order, so processes that share several zones must map them
 * in the same order (nginx's workers do: they are forks of one master).
 */
typedef struct rl_zone_s rl_zone_t;
struct rl_zone_s {
  void *memory;     /* aligned to 64 */
  uint32_t sets;    /* of 31 buckets */
  uint32_t id;      /* random, names the zone's memory in a redo_log */
  rl_zone_t *next;  /* the memory that its buckets are to move to, or NULL */
  rl_zone_t *older; /* that which they are moving from, or NULL */
};

#define RL_OK 0
#define RL_ERROR (-1)

/*
 * rl_zone_create lays a new table out over memory of size bytes, whatever it
 * held; seed is 16 random bytes, the zone's secret.  RL_ERROR: too small, or
 * larger than RL_MAX_ZONE_LEN.
 * rl_zone_attach checks the header of a table that is in use and leaves it
 * alone.  RL_ERROR: not a table of this layout and size.
 */
int rl_zone_create(rl_zone_t *zone, void *memory, size_t size,
                   const unsigned char seed[16]) RL_NOEXCEPT;
int rl_zone_attach(rl_zone_t *zone, void *memory, size_t size) RL_NOEXCEPT;

/* Whether the zone's secret is this one, as machines that share it need. */
int rl_zone_has_seed(const rl_zone_t *zone,
                     const unsigned char seed[16]) RL_NOEXCEPT;

/* What a zone can say of itself; a scan of all sets where scan is true. */
typedef struct {
  uint64_t capacity;        /* buckets */
  uint64_t entries;         /* buckets that there are, idle or active (scan) */
  uint64_t active;          /* of these, with units in use (scan) */
  uint64_t evicted_idle;    /* replaced after they had become idle */
  uint64_t evicted_active;  /* replaced while units were in use */
  uint64_t lock_recoveries; /* locks taken from dead processes */
} rl_zone_stats_t;

void rl_zone_stats(const rl_zone_t *zone, int scan, const rl_time_t *now,
                   rl_zone_stats_t *out) RL_NOEXCEPT;

/*
 * True for one caller per minute and zone, when active buckets were evicted
 * since the last time it was true; then *evicted is how many.
 */
int rl_zone_full_warning(const rl_zone_t *zone, const rl_time_t *now,
                         uint64_t *evicted) RL_NOEXCEPT;

/*
 * The process table: shared memory (aligned to 64) that outlives every zone
 * and names the processes that may own a lock, each with a redo log of what it
 * is about to write.  A process joins before its first decision and leaves at
 * exit; what one that dies was about to write is written by whoever waits for
 * its locks.  A fork of a process that joined has to join for itself.
 */
typedef struct {
  void *registry;           /* shared; NULL before join */
  void *redo_log;            /* its redo log there */
  uint32_t owner;           /* lock word: slot and generation */
  uint32_t slot;
  rl_zone_t *const *zones; /* every zone this process may touch, to finish */
  size_t nzones;           /* the work of a dead one */
} rl_process_t;

size_t rl_registry_size(void) RL_NOEXCEPT;
void rl_registry_create(void *memory) RL_NOEXCEPT;
int rl_registry_attach(void *memory) RL_NOEXCEPT;

/*
 * Joining once more only renews the zones, which must stay where they are
 * until the process leaves.  RL_ERROR: every slot belongs to a living process.
 */
int rl_process_join(rl_process_t *process, void *registry,
                    rl_zone_t *const *zones, size_t nzones) RL_NOEXCEPT;
void rl_process_leave(rl_process_t *process) RL_NOEXCEPT;

/*
 * Names a process for as long as it lives, and after that none.  0: there is
 * no such process.  rl_life_is_over: it has ended, waited for or not.
 */
uint64_t rl_life_of(uint32_t pid) RL_NOEXCEPT;
int rl_life_is_over(uint64_t life) RL_NOEXCEPT;

/*
 * A zone whose size changes: no decision is made twice, and no count is lost,
 * while some processes still know nothing of the new memory.
 *
 * rl_zone_expect makes *next, which rl_zone_create has made or another process
 * has called this for, the memory that *zone is to move to, and the zone's
 * secret that of *next.  *zone goes on in its old memory.  *older is room for
 * its view, and must, as *next, stay where it is.
 * rl_zone_claim makes it the one: processes that expect another one will not
 * begin any more.  RL_ERROR: they have begun; then rl_zone_move, and anew.
 * rl_zone_begin_move begins to move, and takes the overrides along: for when
 * no process is left that does not know *next.  RL_ERROR: it has begun
 * already, or *next is not claimed, or a living process holds the zone.
 * From then on *zone becomes *next, wherever a process comes upon it, and
 * every decision moves the buckets that it needs.  rl_zone_move moves the
 * others, this many sets at a time: 1 while there are more, 0 when nothing is
 * left to move, and only then may a next move begin; RL_ERROR: a living
 * process holds what comes next.  Where *next has no room for all, the
 * smallest debts are lost.
 *
 * The zones must be among those that the process has joined with.
 */
void rl_zone_expect(rl_zone_t *zone, rl_zone_t *next,
                    rl_zone_t *older) RL_NOEXCEPT;
int rl_zone_claim(rl_process_t *process, const rl_zone_t *zone) RL_NOEXCEPT;
int rl_zone_begin_move(rl_process_t *process, const rl_zone_t *zone,
                       const rl_time_t *now) RL_NOEXCEPT;
int rl_zone_move(rl_process_t *process, const rl_zone_t *zone, uint32_t sets,
                 const rl_time_t *now) RL_NOEXCEPT;

/* ------------------------------------------------------------- state files */

/*
 * A zone's active buckets as bytes, to outlive a restart: a header with the
 * zone's secret and the overrides, blocks of one or more sets each, an end
 * mark.
 * Every part carries a checksum under the zone's secret, so that a file that
 * was cut short, damaged or put together from two is known as such.
 *
 * rl_state_header and rl_state_end write RL_STATE_HEADER_LEN and
 * RL_STATE_END_LEN bytes.  rl_state_sets writes the block of sets first to
 * first + n - 1 (n at most RL_STATE_SETS) into buf of RL_STATE_BLOCK_LEN,
 * returns its bytes (0: no active bucket) and adds to *buckets.
 *
 * rl_state_load fills a zone just created from such bytes, as read() yields
 * them, and makes the secret of the file its own.  Monotonic times are those
 * of another boot: they are moved by the time that has gone by on the wall
 * clock, or by the monotonic clock where boot_id (16 bytes that the kernel
 * makes at boot) is the same.  NULL, or what is wrong as a phrase such as "is
 * cut short"; then the zone must be created anew.
 *
 * What its processes need to know of the last copy stands in the zone's
 * memory, as none of them need live as long as it takes until the next.
 * rl_state_due: 0: a copy is due, and by this call the caller's; else how many
 * milliseconds are left of the interval since the last was due.
 * rl_state_written, rl_state_last: what names the file that was written last;
 * 0: none was.
 */
#define RL_STATE_HEADER_LEN 2656
#define RL_STATE_END_LEN 32
#define RL_STATE_SETS 8u
#define RL_STATE_BLOCK_LEN (32 + RL_STATE_SETS * 31 * 72)

void rl_state_header(const rl_zone_t *zone, const unsigned char boot_id[16],
                     const rl_time_t *now, unsigned char *buf) RL_NOEXCEPT;
size_t rl_state_sets(rl_process_t *process, const rl_zone_t *zone,
                     uint32_t first, uint32_t n, const rl_time_t *now,
                     unsigned char *buf, uint64_t *buckets) RL_NOEXCEPT;
void rl_state_end(const rl_zone_t *zone, uint64_t buckets,
                  unsigned char *buf) RL_NOEXCEPT;

/* Returns how many bytes it has put into buf; fewer than len: at the end. */
typedef size_t (*rl_state_read_t)(void *data, unsigned char *buf, size_t len);

const char *rl_state_load(const rl_zone_t *zone, rl_state_read_t read,
                          void *data, const unsigned char boot_id[16],
                          const rl_time_t *now, uint64_t *buckets) RL_NOEXCEPT;

uint64_t rl_state_due(const rl_zone_t *zone, uint64_t interval_ms,
                      const rl_time_t *now) RL_NOEXCEPT;
void rl_state_written(const rl_zone_t *zone, uint64_t file) RL_NOEXCEPT;
uint64_t rl_state_last(const rl_zone_t *zone) RL_NOEXCEPT;

/* ---------------------------------------------------------------- hashes */

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

/* -------------------------------------------------------------- decisions */

/* A policy: read-only after configuration. */
typedef struct {
  rl_str_t name;
  const rl_zone_t *zone;
  rl_hash_t secret;
  rl_algorithm_e algorithm;
  int32_t tz_ms; /* calendar */
  int hidden;    /* not shown in fields and bodies */
  uint32_t rendered_limit_units; /* rl_policy_render_quota's */
  uint32_t rendered_limit_code;
  rl_str_t rendered_limit_text;
  rl_str_t rendered_item_text;
  void *counters; /* what rl_counters_find returned */
} rl_policy_t;

/*
 * The quota that most requests have, so that what is told of it is rendered
 * once: into buf, of RL_RENDERED_LEN(name.len) bytes, which must live as long
 * as the policy.  None is rendered where `constant` is false: another window,
 * or capacity, may have the same limit.
 */
#define RL_RENDERED_LEN(name_len) (96 + (name_len))
void rl_policy_render_quota(rl_policy_t *policy, const rl_quota_t *quota,
                            int constant, unsigned char *buf) RL_NOEXCEPT;

/*
 * One policy's part in a decision.  The caller fills the first part; the core
 * the second.
 */
typedef struct {
  const rl_policy_t *policy;
  rl_hash_t bucket;        /* key hash XOR policy->secret */
  rl_quota_t quota;        /* scaled; never unlimited */
  uint32_t capacity_units; /* gcra: the bucket's size, at least 1 unless the
                              quota is 0; others: quota.units */
  uint32_t cost_units;     /* 0: look only */
  int dry_run;             /* its refusal refuses nothing */
  int want_next;           /* fill next_ms */
  void *data;              /* the caller's own, left alone */

  int admitted;            /* by this policy alone */
  int charged;             /* how many charges of it are in the bucket now, to
                              cost_units together: 0, 1, or 2 once rl_settle
                              has charged more */
  uint32_t limit_units;    /* quota, or capacity for gcra */
  uint32_t remaining_units;/* after this request; 0 if it refused in dry run */
  uint64_t reset_ms;       /* admitted: until the whole quota is there again,
                              at most the window (gcra: until the bucket is
                              full); refused: retry_after_ms */
  uint64_t retry_after_ms; /* refused: until cost_units would be admitted, the
                              window where waiting cannot help; else 0 */
  uint64_t next_ms;        /* fixed, calendar: until the window's end; sliding,
                              gcra: until the next unit comes back (0: none is
                              out) */
  uint64_t receipt;        /* names the window that was charged */
  uint64_t more_receipt;   /* charged is 2: that of the second charge, */
  uint32_t more_units;     /* and its part of cost_units */
} rl_item_t;

typedef enum {
  RL_ADMITTED = 0,
  RL_REFUSED = 1,        /* by a policy that is not in dry run */
  RL_BUSY = 2,           /* a lock's living owner did not move: nothing was
                            decided or charged */
  RL_PENDING = 3         /* not to be had yet: nothing was decided or charged,
                            and the items can be asked again as they are, after
                            the first one's retry_after_ms at the latest */
} rl_verdict_e;

/*
 * Names the bucket of an item, whose policy and quota are filled: that of the
 * key, or, where `key` is NULL, of the key of `same`, a named item of a policy
 * of the same zone (or the item itself, where its bucket is that of a key of
 * several parts).  Then applies the overrides in force to its quota, and makes
 * capacity_units its units.  0: the policy does not apply.
 */
int rl_check_name(rl_item_t *item, const rl_part_t *key, const rl_item_t *same,
                  const rl_time_t *now) RL_NOEXCEPT;

/*
 * Decides n items (1 to RL_MAX_ITEMS, of distinct policies) all or none: the
 * request is admitted only if every item that is not in dry run admits it, and
 * then these are charged.  Items in dry run are charged as enforcement would:
 * all of them, if every item of either kind admits.  What it decides it also
 * counts, in the policies' counters where they have any.
 */
rl_verdict_e rl_decide(rl_process_t *process, rl_item_t *items, size_t n,
                       const rl_time_t *now) RL_NOEXCEPT;

/*
 * As rl_decide would find them, charging nothing and creating no bucket:
 * limit, remaining (before any cost), reset; admitted and retry_after_ms are
 * for cost_units.
 */
rl_verdict_e rl_look(rl_process_t *process, rl_item_t *items, size_t n,
                     const rl_time_t *now) RL_NOEXCEPT;

/*
 * Puts a refused item of rl_decide behind those of its bucket that were put in
 * turn before it: raises its retry_after_ms, reset_ms and next_ms to when
 * there are units for these and for its own cost.  So many requests that are
 * refused at once do not all come back for the same units.
 * A window's units are told a window after the last one's, and up to about a
 * second more, as clients are told whole seconds and come late.
 * Never earlier than it was, at most 8 such windows later; requests beyond
 * these are told the same as the last.  Where waiting cannot help, nothing
 * changes.
 * Shared by all processes of the zone, in memory for 24 buckets: where more
 * have requests in turn, some begin anew.  A turn is over when its time is,
 * whether it was taken or not.
 */
void rl_take_turn(rl_process_t *process, rl_item_t *item,
                  const rl_time_t *now) RL_NOEXCEPT;

/*
 * Gives `units` of the charged items back to the windows that they came from
 * (at most what is still there of it, and never to a later one), or, where
 * rl_settle finds the final cost higher, charges the difference, into debt if
 * need be.  Both update remaining_units, reset_ms and next_ms.  rl_refund
 * leaves the items uncharged.  A cost is final once: of two that raised it a
 * refund knows the window of the last.
 */
rl_verdict_e rl_refund(rl_process_t *process, rl_item_t *items, size_t n,
                       const rl_time_t *now) RL_NOEXCEPT;
rl_verdict_e rl_settle(rl_process_t *process, rl_item_t *item,
                       uint32_t final_units, const rl_time_t *now) RL_NOEXCEPT;

/*
 * The one to report where only one can be: the refusing one that takes longest
 * to admit again, else the one with the smallest remaining / cost, ties to the
 * longest reset.  Never a hidden one, nor one for which skip[i] is true (skip
 * may be NULL).  NULL: none.
 */
const rl_item_t *rl_most_restrictive(const rl_item_t *items, size_t n,
                                     const unsigned char *skip) RL_NOEXCEPT;

/* --------------------------------------------------------------- overrides */

/*
 * What an operator sets at run time, kept in the zone's memory: at most
 * RL_MAX_OVERRIDES of them, an override for a zone, a policy or one key of a
 * policy.
 */
#define RL_MAX_OVERRIDES 40u
#define RL_OVERRIDE_POLICY_LEN 32 /* a policy of a longer name can have none */

typedef enum {
  RL_OVERRIDE_SCALE = 1,    /* value: thousandths of a percent */
  RL_OVERRIDE_UNITS = 2,    /* value: the units of the quota */
  RL_OVERRIDE_UNLIMITED = 3 /* the policy does not apply */
} rl_override_kind_e;

typedef struct {
  uint64_t id;       /* RL_OVERRIDE_ZONE, a policy's secret.lo, a bucket.lo */
  uint64_t until_ms; /* monotonic; 0: until it is cleared */
  rl_override_kind_e kind;
  uint32_t value;
  uint64_t key_id;   /* rl_key_id of a key, else 0; with policy it says whose
                        the override is, also when that policy is gone */
  char policy[RL_OVERRIDE_POLICY_LEN]; /* zeros fill it up, all of a zone's */
} rl_override_t;

#define RL_OVERRIDE_ZONE 1u

/*
 * rl_override_set replaces the override of that id.  RL_ERROR: there is no
 * room.  rl_override_clear: RL_ERROR if there is none.  Both: RL_BUSY as of
 * decisions; process may be NULL where nobody else uses the zone.
 * rl_overrides lists those in force into out[RL_MAX_OVERRIDES], returns how
 * many.
 */
int rl_override_set(rl_process_t *process, const rl_zone_t *zone,
                    const rl_override_t *override,
                    const rl_time_t *now) RL_NOEXCEPT;
int rl_override_clear(rl_process_t *process, const rl_zone_t *zone,
                   uint64_t id) RL_NOEXCEPT;
size_t rl_overrides(const rl_zone_t *zone, const rl_time_t *now,
                    rl_override_t *out) RL_NOEXCEPT;

/*
 * The quota under the overrides in force. A key's units or unlimited are
 * final; else a policy's units stand for its own, and every scale is
 * multiplied on, as by rl_scale_units. 1: an override has said the units, or
 * unlimited, whatever the quota's own were; else 0.
 */
int rl_override_apply(const rl_policy_t *policy, const rl_hash_t *bucket,
                   const rl_time_t *now, rl_quota_t *quota) RL_NOEXCEPT;

/* --------------------------------------------------------------- counters */

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

void rl_counts(const rl_policy_t *policy, uint64_t out[RL_COUNTERS])
    RL_NOEXCEPT;

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
  uint32_t capacity_units;
} rl_top_key_t;

#define RL_MAX_TOP_KEYS 64

/* Copies up to max (at most RL_MAX_TOP_KEYS exist), the busiest first. */
size_t rl_top_keys(const rl_policy_t *policy, rl_top_e list,
                   const rl_time_t *now, rl_top_key_t *out, size_t max)
    RL_NOEXCEPT;
int rl_find_top_key(const rl_policy_t *policy, rl_top_e list,
                    uint64_t key_id, const rl_time_t *now, rl_top_key_t *out)
    RL_NOEXCEPT;

/* ------------------------------------------------------- looking at a zone */

/*
 * Adds the buckets of up to `sets` sets from set `first` on to out->entries
 * and out->active.  Returns the set to go on with, 0 when all are counted.
 * So a scan can be cut into turns of an event loop: 256 sets take some 100
 * microseconds.
 */
uint32_t rl_zone_scan(const rl_zone_t *zone, uint32_t first, uint32_t sets,
                      const rl_time_t *now, rl_zone_stats_t *out) RL_NOEXCEPT;

/* A bucket as it is stored. */
typedef struct {
  rl_hash_t bucket;        /* as far as it is stored: enough to find it */
  rl_algorithm_e algorithm;
  rl_quota_t quota;        /* units and window of the last charge */
  uint32_t capacity_units;
  int exact;               /* the units are; else rounded down by < 1/32 */
  int active;              /* units are in use */
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

/* ----------------------------------------------------------- log throttle */

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
  RL_LOCKED,        /* RL_BUSY, or RL_PENDING for too long: undecided */
  RL_UNCORRECTED,   /* RL_BUSY, of a refund or a final cost */
  RL_COMPLAINTS
} rl_complaint_e;

int rl_complaint_throttle(const rl_policy_t *policy, rl_complaint_e what,
                          const rl_time_t *now, uint32_t *suppressed)
    RL_NOEXCEPT;

/* ------------------------------------------------------------ key sources */

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

/* -------------------------------------------------------- JSON Web Tokens */

#define RL_JWT_MAX_TOKEN_LEN 16384  /* a longer one does not verify; twice the
                                       longest field that nginx takes unless
                                       told otherwise */
#define RL_JWT_MAX_FILE_LEN 262144  /* of a key file */
#define RL_JWT_MAX_KEYS 64          /* of a key file */
#define RL_JWT_MAX_TRIES 4          /* keys that a token is tried with */

typedef enum {
  RL_HS256 = 0,
  RL_HS384,
  RL_HS512,
  RL_RS256,
  RL_RS384,
  RL_RS512,
  RL_PS256,
  RL_ES256,
  RL_ES384,
  RL_EDDSA
} rl_jwt_algorithm_e;

const char *rl_parse_jwt_algorithm(rl_str_t text,
                                   rl_jwt_algorithm_e *out) RL_NOEXCEPT;

/* A claim as written: a member's name, or a JSON pointer (RFC 6901). */
const char *rl_parse_claim(rl_str_t text) RL_NOEXCEPT;

/*
 * The keys that a key file holds for one algorithm: a PEM public key or
 * several, a JWKS (RFC 7517), or, for HS*, a secret: all its bytes, but the
 * newline behind a text.  Read-only once made; freed by rl_jwt_keys_destroy.
 */
typedef struct rl_jwt_keys_s rl_jwt_keys_t;

const char *rl_jwt_keys_create(rl_jwt_algorithm_e algorithm, rl_str_t file,
                               rl_jwt_keys_t **out) RL_NOEXCEPT;
void rl_jwt_keys_destroy(rl_jwt_keys_t *keys) RL_NOEXCEPT;

/* One way to verify a token. */
typedef struct {
  const rl_jwt_keys_t *keys;
  uint64_t leeway_ms;    /* around exp and nbf */
} rl_jwt_line_t;

/* A token verifies if it does by one of the lines. */
typedef struct {
  uint64_t id;           /* of these lines, in the cache */
  const rl_jwt_line_t *lines;
  size_t nlines;
} rl_jwt_set_t;

/*
 * Whether the set is one that a forged token costs at most RL_JWT_MAX_TRIES
 * checks; called at configuration whenever a line was added.  *kid_needed:
 * there are more keys than that for the last line's algorithm, so that a token
 * without "kid" is tried only with those that have none.
 */
const char *rl_jwt_check(const rl_jwt_set_t *set, int *kid_needed) RL_NOEXCEPT;

/*
 * What a process remembers of tokens, in memory given by the caller (aligned
 * to 8) that never grows: of those that verified, the claims' values; of those
 * that did not, for a minute, that they did not.  claims and seed (the secret
 * under which tokens are hashed) are those of every call with this cache.
 * The memory may be copied, as a fork does.
 */
typedef struct rl_jwt_cache_s rl_jwt_cache_t;

size_t rl_jwt_cache_size(size_t nclaims) RL_NOEXCEPT;
rl_jwt_cache_t *rl_jwt_cache_create(void *memory, const rl_str_t *claims,
                                    size_t nclaims,
                                    const unsigned char seed[16]) RL_NOEXCEPT;

/*
 * The claim's value as text: a string's bytes or an integer's digits, never
 * empty.  NULL: *out is it, until the next call with this cache; else why
 * there is none, as "has expired".  Only now->wall_ms counts.
 */
const char *rl_jwt_claim(rl_jwt_cache_t *cache, const rl_jwt_set_t *set,
                         rl_str_t token, size_t claim, const rl_time_t *now,
                         rl_str_t *out) RL_NOEXCEPT;

/* ----------------------------------------------------------- header fields */

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
uint32_t rl_used_units(const rl_item_t *item) RL_NOEXCEPT;

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

/* ------------------------------------------------------------------ bodies */

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

/* -------------------------------------------- buckets shared through Redis */

#include "ratelimit/abi/shared.h"

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* RATELIMIT_RATELIMIT_H_ */
