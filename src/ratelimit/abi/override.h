/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Overrides that an operator sets at run time.
 * A chapter of ratelimit.h.
 */

#ifndef RATELIMIT_ABI_OVERRIDE_H_
#define RATELIMIT_ABI_OVERRIDE_H_

#include "ratelimit/abi/types.h"
#include "ratelimit/abi/policy.h"
#include "ratelimit/abi/zone.h"
#include "ratelimit/abi/decision.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What an operator sets at run time, kept in the zone's memory: at most
 * RL_MAX_OVERRIDES of them, an override for a zone, a policy or one key of a
 * policy.
 */
#define RL_MAX_OVERRIDES 40u
#define RL_OVERRIDE_POLICY_LEN 32 /* a policy of a longer name can have none */

typedef enum {
  RL_OVERRIDE_CLEARED = 0,   /* of shared ones: there is none any more */
  RL_OVERRIDE_SCALE = 1,     /* value: thousandths of a percent */
  RL_OVERRIDE_UNITS = 2,     /* value: the units of the quota */
  RL_OVERRIDE_UNLIMITED = 3, /* the policy does not apply */
  RL_OVERRIDE_RESET = 4,     /* a mark of rl_policy_reset: key_id is when */
  RL_OVERRIDE_KEY_RESET = 5  /* of shared ones: a key was reset */
} rl_override_kind_e;

typedef struct {
  uint64_t id;       /* RL_OVERRIDE_ZONE, a policy's secret.lo, a bucket.lo */
  uint64_t until_ms; /* monotonic; 0: until it is cleared */
  rl_override_kind_e kind;
  uint64_t value;    /* RL_OVERRIDE_RESET: 0, or of a shared policy which it
                        was */
  uint64_t key_id;   /* rl_key_id of a key, else 0; with policy it says whose
                        the override is, also when that policy is gone */
  char policy[RL_OVERRIDE_POLICY_LEN]; /* zeros fill it up, all of a zone's */
} rl_override_t;

#define RL_OVERRIDE_ZONE 1u

/*
 * rl_override_set replaces the override of that id.  RL_ERROR: there is no
 * room.  rl_override_clear: RL_ERROR if there is none.  Both: RL_TIMEOUT as of
 * decisions; process may be NULL where nobody else uses the zone.
 * rl_overrides lists those in force into out[RL_MAX_OVERRIDES], marks of
 * resets as well, returns how many.
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

/*
 * Resets a policy: what its buckets were charged before now counts no more,
 * bans are lifted.  No bucket is touched: a mark is set, and whoever comes
 * upon a bucket that was last charged before it empties it.  So the mark has
 * to stay until none of them has units in use, which it does: for longer than
 * any of them may.  RL_ERROR: the zone has no room for it.  RL_TIMEOUT: as of
 * decisions.  Not for RL_CONCURRENT, whose units are held.
 * now must be the clock's own time and no older one, or who has charged later
 * than it, by a newer one, seems not to have been before.
 * rl_policy_reset_until says when that really is, of the mark at at_ms;
 * RL_ERROR: it is not the last one any more.
 * rl_policy_reset_at: the mark in force, a monotonic time; 0: there is none.
 * rl_empty_older: of the item's bucket, and of its ban's.
 * rl_policy_shared_mark: the mark as one of those that machines share, which
 * know it by when it is over: until_ms is for how long it counts, value and
 * key_id are yet to come.  quota is NULL where it varies.
 * rl_policy_shared_reset: which reset a mark in force is; 0: there is none.
 * rl_scan_policy: raises *until_ms to when the last of the buckets in these
 * sets that may be the policy's has no units in use any more; UINT64_MAX where
 * the zone is changing its size.  Goes on as rl_zone_scan.
 */
int rl_policy_reset(rl_process_t *process, const rl_policy_t *policy,
                    const rl_time_t *now) RL_NOEXCEPT;
int rl_policy_reset_until(rl_process_t *process, const rl_policy_t *policy,
                          uint64_t at_ms, uint64_t until_ms,
                          const rl_time_t *now) RL_NOEXCEPT;
uint64_t rl_policy_reset_at(const rl_policy_t *policy,
                            const rl_time_t *now) RL_NOEXCEPT;
void rl_empty_older(rl_process_t *process, const rl_item_t *item,
                    const rl_time_t *now) RL_NOEXCEPT;
void rl_policy_shared_mark(const rl_policy_t *policy, const rl_quota_t *quota,
                           rl_override_t *out) RL_NOEXCEPT;
uint64_t rl_policy_shared_reset(const rl_policy_t *policy,
                                const rl_time_t *now) RL_NOEXCEPT;
uint32_t rl_scan_policy(const rl_policy_t *policy, uint32_t first,
                        uint32_t sets, uint64_t *until_ms) RL_NOEXCEPT;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* RATELIMIT_ABI_OVERRIDE_H_ */
