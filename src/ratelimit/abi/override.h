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
 * room.  rl_override_clear: RL_ERROR if there is none.  Both: RL_TIMEOUT as of
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

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* RATELIMIT_ABI_OVERRIDE_H_ */
