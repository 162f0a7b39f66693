/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Shared memory: zones of buckets, the process table, state files.
 * A chapter of ratelimit.h.
 */

#ifndef RATELIMIT_ABI_ZONE_H_
#define RATELIMIT_ABI_ZONE_H_

#include "ratelimit/abi/types.h"
#include "ratelimit/abi/policy.h"

#ifdef __cplusplus
extern "C" {
#endif

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
 * rl_zone_create lays a new table out over memory of size bytes.  The first
 * used_len of them may hold anything, the others are zeros as the system gives
 * them, and are not touched before they are needed; seed is 16 random bytes,
 * the zone's secret.  RL_ERROR: too small, or larger than RL_MAX_ZONE_LEN.
 * rl_zone_attach checks the header of a table that is in use and leaves it
 * alone.  RL_ERROR: not a table of this layout and size.
 */
int rl_zone_create(rl_zone_t *zone, void *memory, size_t size,
                   size_t used_len,
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
  void *process_table;           /* shared; NULL before join */
  void *redo_log;            /* its redo log there */
  uint32_t owner;           /* lock word: slot and generation */
  uint32_t slot;
  rl_zone_t *const *zones; /* every zone this process may touch, to finish */
  size_t nzones;           /* the work of a dead one */
} rl_process_t;

size_t rl_process_table_size(void) RL_NOEXCEPT;
void rl_process_table_create(void *memory) RL_NOEXCEPT;
int rl_process_table_attach(void *memory) RL_NOEXCEPT;

/*
 * Joining once more only renews the zones, which must stay where they are
 * until the process leaves.  RL_ERROR: every slot belongs to a living process.
 */
int rl_process_join(rl_process_t *process, void *process_table,
                    rl_zone_t *const *zones, size_t nzones) RL_NOEXCEPT;
void rl_process_leave(rl_process_t *process) RL_NOEXCEPT;

/*
 * Names a process for as long as it lives, and after that none.  0: there is
 * no such process.  rl_process_has_ended: it has ended, waited for or not.
 */
uint64_t rl_process_id_of(uint32_t pid) RL_NOEXCEPT;
int rl_process_has_ended(uint64_t id) RL_NOEXCEPT;

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
 * rl_state_interval_ms: how long a copy is good for: RL_STATE_INTERVAL_MS, or
 * RL_STATE_REST times as long as the last one took, if that is longer.
 * rl_state_due: 0: a copy is due, and by this call the caller's; else how many
 * milliseconds are left of the interval since the last was due.
 * rl_state_written: one that was begun at began_ms is whole now, in a file
 * that is known by this number.
 * rl_state_last: that number; 0: none was written.
 * rl_state_age_ms: how old what is in it is; UINT64_MAX: none was written.
 * rl_zone_next_used: the first set from `set` on that was ever used, or
 * zone->sets: what lies between has nothing to copy.
 */
#define RL_STATE_HEADER_LEN 2976
#define RL_STATE_END_LEN 32
#define RL_STATE_SETS 8u
#define RL_STATE_BLOCK_LEN (32 + RL_STATE_SETS * 31 * 72)
#define RL_STATE_INTERVAL_MS 5000u
#define RL_STATE_REST 20u

uint32_t rl_zone_next_used(const rl_zone_t *zone, uint32_t set) RL_NOEXCEPT;
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

uint64_t rl_state_interval_ms(const rl_zone_t *zone) RL_NOEXCEPT;
uint64_t rl_state_due(const rl_zone_t *zone,
                      const rl_time_t *now) RL_NOEXCEPT;
void rl_state_written(const rl_zone_t *zone, uint64_t file, uint64_t began_ms,
                      const rl_time_t *now) RL_NOEXCEPT;
uint64_t rl_state_last(const rl_zone_t *zone) RL_NOEXCEPT;
uint64_t rl_state_age_ms(const rl_zone_t *zone,
                         const rl_time_t *now) RL_NOEXCEPT;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* RATELIMIT_ABI_ZONE_H_ */
