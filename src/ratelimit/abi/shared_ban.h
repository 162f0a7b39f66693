/*
 * Copyright (C) ngx_http_ratelimit_module authors
 *
 * Bans of a zone that several machines share.
 * A chapter of ratelimit.h.
 *
 * Each machine has the bans in its own zone, where requests find them, counts
 * refusals there and begins bans by these alone.  Besides it tells Redis of
 * both: Redis sums up what all machines refuse, and says who begins a ban that
 * none could by itself; and it has a feed of bans that began, or were lifted,
 * which all machines read (see bans.lua).
 */

#ifndef RATELIMIT_ABI_SHARED_BAN_H_
#define RATELIMIT_ABI_SHARED_BAN_H_

#include "ratelimit/abi/decision.h"
#include "ratelimit/abi/policy.h"
#include "ratelimit/abi/types.h"
#include "ratelimit/abi/zone.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Its times are this machine's monotonic ones. */
typedef struct {
  rl_hash_t bucket;   /* the key's; hi may be known in its lowest byte only */
  uint64_t policy_id; /* rl_policy_t's secret.lo; 0: there is none */
  uint64_t since_ms;  /* it began, or was lifted */
  uint64_t until_ms;  /* 0: it is lifted */
  uint64_t forget_ms; /* the next one is a longer one until then */
  uint32_t level;     /* 0: the first of the ban's durations, ... */
} rl_shared_ban_t;

/*
 * rl_ban_of: that of a key, whose bucket is given.  1; 0: it is not banned, by
 * what this machine knows.
 * rl_take_ban: what Redis has holds here as well, if it says more than is
 * known: 1; else 0.  Of two bans the longer one counts.
 * RL_ERROR: a lock's living owner did not move.
 */
int rl_ban_of(rl_process_t *process, const rl_policy_t *policy,
              rl_hash_t bucket, const rl_time_t *now,
              rl_shared_ban_t *out) RL_NOEXCEPT;
int rl_take_ban(rl_process_t *process, const rl_policy_t *policy,
                const rl_shared_ban_t *ban, const rl_time_t *now) RL_NOEXCEPT;

/*
 * Names in Redis, behind the prefix, in the slot of shard 0: that of a key's
 * refusals and ban, of its bucket's lo; and that of the feed.
 */
#define RL_SHARED_BAN_KEY_LEN 24u
#define RL_SHARED_FEED_KEY "{00}bans"
void rl_shared_ban_key(uint64_t key_id, unsigned char *buf) RL_NOEXCEPT;

/* The head of a record, by which a key is told of. */
#define RL_SHARED_BAN_WHO_LEN 24u
void rl_shared_ban_who(rl_hash_t bucket, uint64_t policy_id,
                       unsigned char *buf) RL_NOEXCEPT;

/*
 * The replies.  RL_ERROR: these bytes are none.  A record that cannot be one
 * of this module's has the policy 0.
 * rl_shared_ban_reply: *begins: as many were refused as begin a ban.
 */
#define RL_SHARED_FEED_MAX 256u
typedef struct {
  uint64_t epoch; /* as bytes */
  uint64_t version;
  uint32_t n;
  rl_shared_ban_t bans[RL_SHARED_FEED_MAX];
} rl_shared_feed_t;

int rl_shared_ban_reply(const unsigned char *bytes, size_t len,
                        const rl_time_t *now, int *begins,
                        rl_shared_ban_t *ban) RL_NOEXCEPT;
int rl_shared_feed_reply(const unsigned char *bytes, size_t len,
                         const rl_time_t *now,
                         rl_shared_feed_t *out) RL_NOEXCEPT;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* RATELIMIT_ABI_SHARED_BAN_H_ */
