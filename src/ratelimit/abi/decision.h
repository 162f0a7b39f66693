/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Deciding, looking, settling, refunding.
 * A chapter of ratelimit.h.
 */

#ifndef RATELIMIT_ABI_DECISION_H_
#define RATELIMIT_ABI_DECISION_H_

#include "ratelimit/abi/types.h"
#include "ratelimit/abi/policy.h"
#include "ratelimit/abi/zone.h"
#include "ratelimit/abi/key.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A policy: read-only after configuration. */
typedef struct {
  rl_str_t name;
  const rl_zone_t *zone;
  rl_hash_t secret;
  rl_algorithm_e algorithm;
  int32_t tz_ms; /* calendar */
  uint64_t capacity_units; /* gcra: the bucket's size; 0: its quota's, or it
                              varies */
  int hidden;    /* not shown in fields and bodies */
  uint64_t rendered_limit_units; /* rl_policy_render_quota's */
  uint32_t rendered_limit_code;
  rl_str_t rendered_limit_text;
  rl_str_t rendered_item_text;
  void *counters; /* what rl_counters_find returned */
  const rl_ban_t *ban; /* NULL: it does not ban */
} rl_policy_t;

/* An item's capacity_units, unless that varies. */
static inline uint64_t rl_capacity_units(const rl_policy_t *policy,
                                         const rl_quota_t *quota) {
  return policy->capacity_units != 0 && quota->units != 0
             ? policy->capacity_units
             : quota->units;
}

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
  uint64_t capacity_units; /* gcra: the bucket's size, at least 1 unless the
                              quota is 0; others: quota.units */
  uint64_t cost_units;     /* 0: look only */
  int dry_run;             /* its refusal refuses nothing */
  uint16_t want_next;      /* fill next_ms */
  uint16_t leased;         /* 0; made true where a lease decides instead of
                              rl_decide, charge_id is then when, see
                              shared.h */
  uint32_t waited_ms;      /* its request; only fields want it */
  uint64_t reset;          /* 0; of a policy that machines share and that was
                              reset: rl_policy_shared_reset */
  void *data;              /* the caller's own, left alone */

  int admitted;            /* by this policy alone */
  int charged;             /* how many charges of it are in the bucket now, to
                              cost_units together: 0, 1, or 2 once rl_settle
                              has charged more */
  uint64_t limit_units;    /* quota, or capacity for gcra */
  uint64_t remaining_units; /* after this request; 0: it refused, in dry run */
  uint64_t reset_ms;       /* admitted: until the whole quota is there again,
                              at most the window (gcra: until the bucket is
                              full); refused: retry_after_ms */
  uint64_t retry_after_ms; /* refused: until cost_units would be admitted, the
                              window where waiting cannot help; else 0 */
  uint64_t next_ms;        /* fixed, calendar: until the window's end; sliding,
                              gcra: until the next unit comes back (0: none is
                              out) */
  uint64_t charge_id;      /* names the window that was charged */
  uint64_t more_charge_id; /* charged is 2: that of the second charge, */
  uint64_t more_units;     /* and its part of cost_units */
  int banned;              /* of a policy that bans, by rl_decide_bans and
                              its like: RL_BANNED, RL_BAN_BEGINS,
                              RL_BAN_RESTARTS, or 0 */
} rl_item_t;

typedef enum {
  RL_ADMITTED = 0,
  RL_REFUSED = 1,        /* by a policy that is not in dry run */
  RL_TIMEOUT = 2,           /* a lock's living owner did not move: nothing was
                            decided or charged */
  RL_PENDING = 3         /* not to be had yet: nothing was decided or charged,
                            and the items can be asked again as they are, after
                            the first one's retry_after_ms at the latest */
} rl_verdict_e;

/*
 * Names the bucket of an item, whose policy, quota and capacity are filled:
 * that of the key, or, where `key` is NULL, of the key of `same`, a named item
 * of a policy of the same zone (or the item itself, where its bucket is that
 * of a key of several parts).  Then applies the overrides in force to its
 * quota, and makes capacity_units anew where there are any.  0: the policy
 * does not apply, its quota is unlimited; or, where it is not, the policy was
 * reset, and rl_empty_older has to be called before the item is of use.
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
 * As rl_decide, for who may try again: a refusal is not counted.  Once it
 * stays one rl_count_decision counts it.
 */
rl_verdict_e rl_try(rl_process_t *process, rl_item_t *items, size_t n,
                    const rl_time_t *now) RL_NOEXCEPT;

/*
 * As rl_try, of one item of RL_GCRA: what would be refused is charged ahead of
 * its time where it need not wait for longer than max_wait_ms, behind all that
 * was charged or reserved before, by whatever process.  RL_PENDING: it was,
 * and is to be let in after retry_after_ms; it is not counted yet.
 * rl_use_reserved lets it in when its time has come, and counts it; it tells
 * nothing remaining, and the reset as if nobody had reserved behind it.
 * rl_return_reserved is for one that will not: its units come back if nothing
 * was charged behind them; else they stay spent, as those who wait behind them
 * keep their times.  1: they came back.
 */
rl_verdict_e rl_try_or_reserve(rl_process_t *process, rl_item_t *item,
                               uint64_t max_wait_ms, const rl_time_t *now)
    RL_NOEXCEPT;
void rl_use_reserved(rl_process_t *process, rl_item_t *item,
                     const rl_time_t *now) RL_NOEXCEPT;
int rl_return_reserved(rl_process_t *process, rl_item_t *item,
                       const rl_time_t *now) RL_NOEXCEPT;

/*
 * As rl_decide, with policies that ban: a banned key is refused until its ban
 * ends, whatever units are back, and so many refusals begin one.  A banned
 * item tells nothing remaining, and the ban's end as its reset and
 * retry_after_ms.  What costs 0 is not refused, and not counted.
 * rl_look_bans makes of an item that rl_look has filled what it is under a
 * ban.
 * rl_banned_until: 1 and the monotonic time, or 0 and 0 where the key is not
 * banned; key_id is its bucket's lo.
 * rl_lift_ban: 1, or 0 where nothing of a ban is known of the key.  It is as
 * if there never had been one.  RL_ERROR as of rl_reset.
 */
#define RL_BANNED 1
#define RL_BAN_BEGINS 2
#define RL_BAN_RESTARTS 3 /* it ends in another second than it did */
rl_verdict_e rl_decide_bans(rl_process_t *process, rl_item_t *items, size_t n,
                            const rl_time_t *now) RL_NOEXCEPT;
rl_verdict_e rl_look_bans(rl_process_t *process, rl_item_t *item,
                          const rl_time_t *now) RL_NOEXCEPT;
int rl_banned_until(rl_process_t *process, const rl_policy_t *policy,
                    uint64_t key_id, const rl_time_t *now,
                    uint64_t *until_ms) RL_NOEXCEPT;
int rl_lift_ban(rl_process_t *process, const rl_policy_t *policy,
                uint64_t key_id, const rl_time_t *now) RL_NOEXCEPT;

/*
 * The parts of rl_decide_bans, for who decides by other means.
 * rl_ask_bans: before; RL_REFUSED: some are banned, be it in dry run.
 * rl_note_refusals: after, where it was decided.
 * rl_begin_ban: as if that was a refused item's last refusal before a ban.
 */
rl_verdict_e rl_ask_bans(rl_process_t *process, rl_item_t *items, size_t n,
                         const rl_time_t *now) RL_NOEXCEPT;
void rl_note_refusals(rl_process_t *process, rl_item_t *items, size_t n,
                      const rl_time_t *now) RL_NOEXCEPT;
void rl_begin_ban(rl_process_t *process, rl_item_t *item,
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
                       uint64_t final_units, const rl_time_t *now) RL_NOEXCEPT;

/*
 * Gives back what charged items of RL_CONCURRENT hold, when their request
 * ends.  RL_TIMEOUT: those that still say that they are charged are left to
 * do.
 */
rl_verdict_e rl_release(rl_process_t *process, rl_item_t *items, size_t n,
                        const rl_time_t *now) RL_NOEXCEPT;

/*
 * The one to report where only one can be: the refusing one that takes longest
 * to admit again, else the one with the smallest remaining / cost, ties to the
 * longest reset.  Never a hidden one, nor one for which skip[i] is true (skip
 * may be NULL).  NULL: none.
 */
const rl_item_t *rl_most_restrictive(const rl_item_t *items, size_t n,
                                     const unsigned char *skip) RL_NOEXCEPT;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* RATELIMIT_ABI_DECISION_H_ */
