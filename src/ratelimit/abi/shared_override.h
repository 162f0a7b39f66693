/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Overrides of a zone that several machines share: what Redis has of them and
 * what each machine knows.
 * A chapter of ratelimit.h.
 *
 * Both are the same thing: a map from what an override is for to the last one
 * that was written, each with a version.  The later version wins, so that two
 * such maps can be merged in any order and as often as one likes, and a Redis
 * that has lost its map gets it back from whoever knows more.  What was
 * cleared stays, as a tombstone, lest it come back from a machine that was
 * away; where there are too many the oldest ones go, and the horizon says up
 * to which version the map has all there is.
 */

#ifndef RATELIMIT_ABI_SHARED_OVERRIDE_H_
#define RATELIMIT_ABI_SHARED_OVERRIDE_H_

#include "ratelimit/abi/decision.h"
#include "ratelimit/abi/override.h"
#include "ratelimit/abi/shared.h"
#include "ratelimit/abi/types.h"
#include "ratelimit/abi/zone.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Those in force, marks of policies' resets among them, and as many that are
 * over or cleared as there is room for, and resets of keys, which each machine
 * heeds once.
 */
#define RL_SHARED_OVERRIDES 64u

typedef struct {
  uint64_t version;
  rl_override_t override; /* until_ms: since 1970, by Redis's clock.
                             RL_OVERRIDE_CLEARED: a tombstone */
} rl_shared_override_t;

typedef struct {
  uint64_t version; /* of the whole; 0: of nothing that Redis has */
  uint64_t horizon; /* of an older version nothing is missing here */
  uint32_t n;
  rl_shared_override_t overrides[RL_SHARED_OVERRIDES]; /* by version */
} rl_shared_overrides_t;

/*
 * What it is called in Redis, behind the prefix: in the slot of shard 0,
 * hashed under the zone's secret.
 */
#define RL_SHARED_OVERRIDES_KEY_LEN 30u
void rl_shared_overrides_key(const rl_zone_t *zone, rl_str_t zone_name,
                             unsigned char *buf) RL_NOEXCEPT;

/*
 * Its bytes.  rl_shared_overrides_read: RL_ERROR, these are none.
 * rl_shared_overrides_write returns how many it wrote.
 */
#define RL_SHARED_OVERRIDE_LEN 72u
#define RL_SHARED_OVERRIDES_LEN                                        \
  (16u + RL_SHARED_OVERRIDES * RL_SHARED_OVERRIDE_LEN)
int rl_shared_overrides_read(const unsigned char *bytes, size_t len,
                             rl_shared_overrides_t *out) RL_NOEXCEPT;
size_t rl_shared_overrides_write(const rl_shared_overrides_t *overrides,
                                 unsigned char *buf) RL_NOEXCEPT;

/*
 * The version of what is written next: later than all in `overrides`, by the
 * clock if that is set well, and nobody else's (random, of 16 bits).
 */
uint64_t rl_shared_overrides_next(const rl_shared_overrides_t *overrides,
                                  uint64_t server_ms,
                                  uint16_t random) RL_NOEXCEPT;

/*
 * What both have.  Returns true if that is more than theirs; else out has
 * their version.
 */
int rl_shared_overrides_merge(const rl_shared_overrides_t *ours,
                              const rl_shared_overrides_t *theirs,
                              uint64_t server_ms,
                              rl_shared_overrides_t *out) RL_NOEXCEPT;

/*
 * RL_ERROR: RL_MAX_OVERRIDES are in force.  A reset, whose until_ms is when
 * what was charged before counts no more, is given its value here.
 */
int rl_shared_overrides_set(rl_shared_overrides_t *overrides,
                            const rl_override_t *override, uint64_t version,
                            uint64_t server_ms) RL_NOEXCEPT;

/*
 * What a zone that had those `from` needs to have those `to`: overrides to set
 * or, RL_OVERRIDE_CLEARED, to clear.  Returns how many it wrote to out.
 */
#define RL_SHARED_CHANGES (2u * RL_SHARED_OVERRIDES)
size_t rl_shared_overrides_changes(const rl_shared_overrides_t *from,
                                   const rl_shared_overrides_t *to,
                                   rl_override_t *out) RL_NOEXCEPT;

/*
 * A reset of a key, as one of them: the item's bucket was emptied in Redis
 * when its clock showed at_ms.  rl_shared_reset_bucket: the bucket's lo.
 * rl_leases_reset: what this machine used of it before that, and has not told
 * yet, is forgotten, as is that it was refused, and what could be taken back.
 * Redis's clock showed server_ms after this machine's had shown asked_us.
 * RL_TIMEOUT: the row is not to be had.
 * rl_leases_bucket: finds bucket.hi by this machine's row of an item of which
 * no more is known than bucket.lo; false: it has none.
 */
void rl_shared_reset(const rl_item_t *item, uint64_t at_ms,
                     rl_override_t *out) RL_NOEXCEPT;
uint64_t rl_shared_reset_bucket(const rl_override_t *reset) RL_NOEXCEPT;
int rl_leases_reset(rl_leases_t *leases, const rl_override_t *reset,
                    uint64_t server_ms, uint64_t asked_us,
                    uint64_t now_us) RL_NOEXCEPT;
int rl_leases_bucket(const rl_leases_t *leases, rl_item_t *item) RL_NOEXCEPT;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* RATELIMIT_ABI_SHARED_OVERRIDE_H_ */
