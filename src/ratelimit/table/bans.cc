// Which keys are banned, found by walking through a zone: see ratelimit.h.

#include <algorithm>

#include "ratelimit/algorithm/ban.h"
#include "ratelimit/table/lock.h"
#include "ratelimit/table/process_table.h"
#include "ratelimit/table/resize.h"
#include "ratelimit/table/zone.h"

namespace ratelimit {

namespace {

static_assert(RL_MAX_BANNED_OF_SET == kBucketsPerSet, "all of a set");

// The memory that the walk is in.  Buckets only move on from the older one: a
// walk through that, and then through the new one, meets all of them.
const rl_zone_t* memory_of_walk(const rl_zone_t* zone, rl_bans_walk_t* walk) {
  const bool moves = zone->older != nullptr && is_moving(zone);
  if (walk->memory == zone->id) return zone;
  const rl_zone_t* memory = moves ? zone->older : zone;
  if (walk->memory != memory->id) {
    walk->memory = memory->id;
    walk->set = 0;
  }
  return memory;
}

// Read without the lock, for a lock that nobody needs: a ban that comes at
// this moment comes behind the walk.
__attribute__((no_sanitize("thread"))) bool may_have_bans(const Set& set) {
  for (uint32_t i = 0; i < kBucketsPerSet && set.occupied >> i & 1; ++i) {
    if (set.buckets[i].algorithm == RL_BAN) return true;
  }
  return false;
}

size_t banned_of(const Set& set, uint64_t now_ms, rl_banned_key_t* out) {
  size_t n = 0;
  for (uint32_t i = 0; i < kBucketsPerSet && set.occupied >> i & 1; ++i) {
    const Bucket& bucket = set.buckets[i];
    if (bucket.algorithm != RL_BAN || ban_left_ms(bucket, now_ms) == 0) {
      continue;
    }
    out[n++] = {bucket.ban.policy_id,
                bucket.key ^ kBanLo,
                bucket.stamp,
                bucket.ban.until_ms,
                bucket.ban.forget_ms,
                bucket.ban.level,
                static_cast<uint8_t>(set.tags[i] ^ kBanHi)};
  }
  return n;
}

}  // namespace

}  // namespace ratelimit

rl_banned_t* rl_find_banned(rl_banned_t* banned, size_t n,
                            uint64_t policy_id) noexcept {
  rl_banned_t* const end = banned + n;
  rl_banned_t* const found = std::lower_bound(
      banned, end, policy_id,
      [](const rl_banned_t& of, uint64_t id) { return of.policy_id < id; });
  return found != end && found->policy_id == policy_id ? found : nullptr;
}

int rl_next_banned(rl_process_t* process, const rl_zone_t* zone,
                   rl_bans_walk_t* walk, const rl_time_t* now,
                   rl_banned_key_t out[RL_MAX_BANNED_OF_SET],
                   size_t* n) noexcept {
  *n = 0;
  ratelimit::go_on(process);
  const rl_zone_t* memory = ratelimit::memory_of_walk(zone, walk);
  walk->set = ratelimit::next_used(memory, walk->set);
  if (walk->set >= memory->sets) {
    if (memory == zone) return 0;
    walk->memory = zone->id;
    walk->set = 0;
    return 1;
  }
  ratelimit::Set* set = ratelimit::set_at(memory, walk->set);
  if (ratelimit::may_have_bans(*set)) {
    ratelimit::Locks locks(process);
    if (locks.take(set)) {
      *n = ratelimit::banned_of(*set, now->mono_ms, out);
      locks.release_all();
    } else if (!ratelimit::has_moved(*set)) {
      return RL_ERROR;
    }
  }
  ++walk->set;
  return 1;
}
