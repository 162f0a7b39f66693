/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Buckets that several machines share through Redis: what one process knows of
 * them, what it sends there and what comes back.
 * A chapter of ratelimit.h.
 *
 * In Redis each machine has a row in a bucket: what it has used so far, and
 * the units it holds until when (see rows.lua).  Its workers have that row
 * together, in memory that they share: who finds enough units in hand takes
 * them.  Whoever finds too few waits, by a lease of its own: a request is
 * sent, one of a row at a time, and its reply says how many there are now.
 *
 * Leases that borrow are given more than what waits, by the rate at which they
 * are used, and are renewed before they end; others have what waits, for some
 * round trips.
 *
 * Times named _us are of a clock that runs while the machine sleeps, read
 * afresh; no two machines' clocks need agree.
 */

#ifndef RATELIMIT_ABI_SHARED_H_
#define RATELIMIT_ABI_SHARED_H_

#include "ratelimit/abi/decision.h"
#include "ratelimit/abi/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rl_lease_s rl_lease_t;
typedef struct rl_leases_s rl_leases_t;

/*
 * The rows of a zone, about n, in memory of that size that its workers share,
 * aligned to 64; used: so many of its first bytes may not be zero.  first_id
 * is random.  RL_ERROR: it is another version's.
 * rl_rows_configure: processes of a configuration are about to begin that use
 * them.
 */
size_t rl_rows_size(uint32_t n) RL_NOEXCEPT;
void rl_rows_create(void *memory, size_t size, size_t used,
                    uint64_t first_id) RL_NOEXCEPT;
int rl_rows_attach(void *memory) RL_NOEXCEPT;
void rl_rows_configure(void *memory) RL_NOEXCEPT;

/*
 * A process's leases of these rows in memory of its own, aligned to 8: n of
 * them at most, of which the one that was not used for longest gives way.
 * process must stay where it is.  timeout_ms: no request is under way for
 * longer.  borrow: whether units may be borrowed that nobody waits for yet.
 * rl_leases_join: the process uses the rows, once it has its place among those
 * that share them.  rl_leases_leave: it does not any more; true if no other
 * one does that lives or is about to begin.
 */
size_t rl_leases_size(uint32_t n) RL_NOEXCEPT;
rl_leases_t *rl_leases_create(void *memory, uint32_t n,
                              const rl_process_t *process, void *rows,
                              uint32_t timeout_ms, int borrow) RL_NOEXCEPT;
void rl_leases_join(rl_leases_t *leases) RL_NOEXCEPT;
int rl_leases_leave(rl_leases_t *leases) RL_NOEXCEPT;

/*
 * The lease of an item's bucket.  NULL: all are in use.
 * rl_lease_next: each of this process's in turn, from NULL on.
 */
rl_lease_t *rl_lease_find(rl_leases_t *leases,
                          const rl_item_t *item) RL_NOEXCEPT;
rl_lease_t *rl_lease_next(rl_leases_t *leases, rl_lease_t *last) RL_NOEXCEPT;

/*
 * Charges an item if the units that it costs are in hand, it costs any, and
 * nobody waits for them; *due gets whether there is anything to send then.
 * False: nothing was done.
 * rl_leases_refund: what was charged goes back, as by rl_refund().  Units that
 * Redis was told of go back with the next request, once: they are lost where
 * it gets lost.
 * rl_leases_settle: as rl_settle, of an item that was charged to a lease: its
 * `leased` is true.  RL_ERROR: its row is not to be had.
 * rl_leases_look: fills the second part of an item by what was told last, or
 * as it is after a reset, and charges nothing; false: nothing was told, or it
 * was too long ago.
 */
int rl_leases_use(rl_leases_t *leases, rl_item_t *item, uint64_t now_us,
                  int *due) RL_NOEXCEPT;
void rl_leases_refund(rl_leases_t *leases, rl_item_t *item,
                      uint64_t now_us) RL_NOEXCEPT;
int rl_leases_settle(rl_leases_t *leases, rl_item_t *item,
                     uint64_t final_units, uint64_t now_us) RL_NOEXCEPT;
int rl_leases_look(const rl_leases_t *leases, uint64_t now_us,
                   rl_item_t *item) RL_NOEXCEPT;

/*
 * A walk through the machine's rows, from *at = 0 on: the next one that Redis
 * has, and the units that it holds, of *n at the most.  False: there is none.
 * Who goes on adds 1 to *at.
 * rl_leases_at: a lease of the row there; NULL: it is gone, or all are in use.
 */
int rl_leases_held(const rl_leases_t *leases, uint32_t *at, uint32_t *n,
                   uint64_t now_us, uint64_t *held_units) RL_NOEXCEPT;
rl_lease_t *rl_leases_at(rl_leases_t *leases, uint32_t at) RL_NOEXCEPT;

/*
 * A lease that ends soon, each of them once; NULL: none does.  next_us: when
 * one may, or UINT64_MAX.
 */
rl_lease_t *rl_leases_ending(rl_leases_t *leases, uint64_t now_us) RL_NOEXCEPT;
uint64_t rl_leases_next_us(const rl_leases_t *leases) RL_NOEXCEPT;

/* One request's wait for units of a lease; a lease has them in their order. */
typedef struct rl_waiter_s rl_waiter_t;
struct rl_waiter_s {
  rl_waiter_t *next;
  rl_waiter_t *previous;
  rl_lease_t *lease; /* NULL: it does not wait */
  uint64_t units;
  void *data;        /* the caller's own */
};

/* RL_ERROR: RL_MAX_WAITERS wait already. */
#define RL_MAX_WAITERS 1000u
int rl_lease_wait(rl_lease_t *lease, rl_waiter_t *waiter,
                  uint64_t units) RL_NOEXCEPT;
void rl_lease_leave(rl_waiter_t *waiter) RL_NOEXCEPT;
rl_waiter_t *rl_lease_waiters(const rl_lease_t *lease) RL_NOEXCEPT;

/*
 * Charges an item if the units that it costs are in hand (RL_ADMITTED), in one
 * step, as another process might take them else.  RL_REFUSED: Redis has just
 * said that there are none.  RL_PENDING: it is to be asked.  RL_TIMEOUT: the
 * row is not to be had.  Who waited longer goes first; waiter is NULL for a
 * request that does not wait yet.  Where nothing has been told since asked_us,
 * cost 0 is pending as well.
 */
rl_verdict_e rl_lease_take(rl_lease_t *lease, const rl_waiter_t *waiter,
                           rl_item_t *item, uint64_t asked_us,
                           uint64_t now_us) RL_NOEXCEPT;

/* Fills the second part of an item by what the last reply said. */
void rl_lease_answer(const rl_lease_t *lease, rl_verdict_e verdict,
                     uint64_t now_us, rl_item_t *item) RL_NOEXCEPT;

/*
 * What a server's clock can show: the least that it was ahead of ours, which a
 * reply has told.  One for each server.
 */
typedef struct {
  int64_t ahead_ms;
  uint64_t at_us;        /* 0: nothing is known */
  int64_t old_ahead_ms;  /* before its clock was set */
  uint64_t old_at_us;
  uint64_t set_us;       /* when that was noticed; 0: never */
} rl_clock_t;

/*
 * Whether there is anything to send: units to get, or to give back.
 * RL_DUE_LATER: another process's request is under way, behind which somebody
 * waits here.  Then rl_lease_block notes that its lease is to be looked at
 * again soon; rl_leases_unblock gives each of these once, in their order,
 * until NULL.
 * RL_DUE_NOTHING: the same, but the units that somebody waits for have come,
 * or are kept for others a moment.
 */
typedef enum {
  RL_NOT_DUE = 0,
  RL_DUE,
  RL_DUE_LATER,
  RL_DUE_NOTHING
} rl_due_e;

rl_due_e rl_lease_is_due(const rl_lease_t *lease, uint64_t now_us) RL_NOEXCEPT;
void rl_lease_block(rl_lease_t *lease, uint64_t now_us) RL_NOEXCEPT;
rl_lease_t *rl_leases_unblock(rl_leases_t *leases) RL_NOEXCEPT;

/*
 * Redis has lost a shard's counts, or of RL_SHARDS all: until they were told,
 * the next request of each row says all that was used of the bucket.
 * rl_leases_untold goes on with this process's part in that: leases of rows
 * that are to be sent now, n at the most; of *looks at rows that many are left
 * then.  Whose request is lost is met again; each process goes through all, as
 * another may be killed, and leaves out what others have sent.
 * rl_leases_have_told: this process has met none any more.
 */
void rl_leases_lose(rl_leases_t *leases, uint32_t shard) RL_NOEXCEPT;
size_t rl_leases_untold(rl_leases_t *leases, uint32_t shard, uint64_t now_us,
                        uint32_t *looks, rl_lease_t **untold,
                        size_t n) RL_NOEXCEPT;
int rl_leases_have_told(const rl_leases_t *leases,
                        uint32_t shard) RL_NOEXCEPT;

/*
 * rl_lease_send writes a lease's request into buf and how long Redis is to
 * keep the bucket into *ttl_ms; returns its length, or 0: another process has
 * sent one, or there is no room for the row.  rtt_us: how long a reply
 * usually takes, life_ms: for how long units are to be held that are waited
 * for, slack_ms: how late the request may come.  wall_ms is the guess at
 * Redis's time while its clock is not known.  exiting: nobody will read the
 * reply, and nothing is kept.  closed: nothing is asked for at all, while
 * others tell what they have used.
 * rl_lease_lost: there will be no reply.
 * rl_lease_hand_over: the same, as this process ends, while others go on with
 * the row: who uses it next renews what is in hand.  True if it is not in use,
 * and had better be given back.
 * rl_lease_end: the next request is the row's last, and what is used of the
 * bucket later will be another row's; true if Redis has the row and had better
 * be told.
 */
#define RL_LEASE_REQUEST_LEN 240
typedef struct {
  uint64_t now_us;
  uint64_t wall_ms;
  uint32_t rtt_us;
  uint32_t life_ms;
  uint16_t slack_ms;
  uint8_t exiting;
  uint8_t closed;
} rl_lease_send_t;

size_t rl_lease_send(rl_lease_t *lease, const rl_clock_t *clock,
                     const rl_lease_send_t *send, unsigned char *buf,
                     uint64_t *ttl_ms) RL_NOEXCEPT;
void rl_lease_lost(rl_lease_t *lease) RL_NOEXCEPT;
int rl_lease_hand_over(rl_lease_t *lease, uint64_t now_us) RL_NOEXCEPT;
int rl_lease_end(rl_lease_t *lease, uint64_t now_us) RL_NOEXCEPT;

/* What a reply, of RL_LEASE_REPLY_LEN bytes, has changed. */
#define RL_LEASE_REPLY_LEN 64
typedef enum {
  RL_LEASE_TOLD = 0,    /* who waits may try again */
  RL_LEASE_AGAIN,       /* it has to be sent again */
  RL_LEASE_YOUNG,       /* Redis is new, and gives nothing yet */
  RL_LEASE_CLOCK_SET    /* Redis's clock was set; to be sent again */
} rl_lease_reply_e;

/*
 * *generation: the name that the shard's counts have, where Redis said it,
 * else 0.
 */
rl_lease_reply_e rl_lease_reply(rl_lease_t *lease, rl_clock_t *clock,
                                const unsigned char *reply, uint64_t now_us,
                                uint64_t *generation) RL_NOEXCEPT;

/* Whether others wait for what the last reply has said. */
int rl_lease_wakes(const rl_lease_t *lease) RL_NOEXCEPT;

/*
 * Names in Redis, behind a prefix: a bucket's, of RL_SHARED_KEY_LEN bytes, and
 * its shard's, of RL_SHARD_KEY_LEN.  Shards have a hash tag, so that in a
 * cluster the two are in one slot, rl_hash_slot() of the whole name.
 */
#define RL_SHARDS 256u
#define RL_SHARED_KEY_LEN 18u
#define RL_SHARD_KEY_LEN 7u
uint32_t rl_lease_shard(const rl_lease_t *lease) RL_NOEXCEPT;
void rl_lease_key(const rl_lease_t *lease, unsigned char *buf) RL_NOEXCEPT;
void rl_shard_key(uint32_t shard, unsigned char *buf) RL_NOEXCEPT;
uint32_t rl_hash_slot(rl_str_t key) RL_NOEXCEPT;

/* The same of an item's bucket, for who has no lease of it and only looks. */
uint32_t rl_item_shard(const rl_item_t *item) RL_NOEXCEPT;
void rl_item_key(const rl_item_t *item, unsigned char *buf) RL_NOEXCEPT;

/*
 * What Redis has under that name, as its clock shows now_ms: units that count,
 * units held by leases, and the machines that have a row.  Units of a lease
 * that has ended count from then on.  RL_ERROR: those bytes are no bucket of
 * the item's algorithm.
 */
typedef struct {
  uint64_t used_units;
  uint64_t held_units;
  uint32_t rows;
} rl_shared_bucket_t;
int rl_shared_bucket(const rl_item_t *item, const unsigned char *value,
                     size_t len, uint64_t now_ms,
                     rl_shared_bucket_t *out) RL_NOEXCEPT;

/* What a shard says of itself: see rows.lua. */
#define RL_SHARD_REPLY_LEN 20
typedef struct {
  uint64_t opens_ms; /* until it opens; 0: it is open */
  uint64_t name;
} rl_shard_t;
void rl_shard_reply(const unsigned char *reply, rl_shard_t *out) RL_NOEXCEPT;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* RATELIMIT_ABI_SHARED_H_ */
