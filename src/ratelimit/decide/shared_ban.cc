// Bans that machines share, in this machine's zone: see abi/shared_ban.h.

#include <algorithm>
#include <cstring>

#include "ratelimit/algorithm/ban.h"
#include "ratelimit/decide/ban_name.h"
#include "ratelimit/decide/locate.h"

namespace ratelimit {

namespace {

// What was on its way from one clock to the other: a ban that ends so little
// later is the same one.
constexpr uint64_t kSameMs = 500;

rl_item_t item_of(const rl_policy_t& policy, const rl_hash_t& bucket) {
  rl_item_t item = {};
  item.policy = &policy;
  item.bucket = bucket;
  return ban_of(item);
}

// A lift is of what began before it.
bool is_lifted_by(const Bucket& bucket, const rl_shared_ban_t& lift,
                  uint64_t now_ms) {
  return ban_left_ms(bucket, now_ms) == 0 || bucket.stamp <= lift.since_ms;
}

void make(const rl_policy_t& policy, const rl_item_t& item,
          const rl_shared_ban_t& ban, uint64_t window_ms, Bucket* image) {
  ban_open(image, item.bucket.lo, window_ms);
  image->set_stamp(ban.since_ms);
  if (ban.until_ms == 0) return;
  image->ban.policy_id = policy.secret.lo;
  image->ban.until_ms = ban.until_ms;
  image->ban.forget_ms = ban.forget_ms;
  image->ban.level = static_cast<uint8_t>(ban.level);
}

// Whether the ban changes what the bucket says; a reset of the policy has
// made void what is older.
bool changes(const BucketRef& ref, const rl_shared_ban_t& ban,
             uint64_t reset_at_ms, uint64_t now_ms) {
  const bool counts = ref.is_stored() && ref.bucket->stamp >= reset_at_ms;
  if (ban.until_ms == 0) {
    return counts && is_lifted_by(*ref.bucket, ban, now_ms);
  }
  if (ban.forget_ms <= now_ms || ban.since_ms < reset_at_ms) return false;
  return !counts || ban.until_ms > ref.bucket->ban.until_ms + kSameMs;
}

}  // namespace

}  // namespace ratelimit

int rl_ban_of(rl_process_t* process, const rl_policy_t* policy,
              rl_hash_t bucket, const rl_time_t* now,
              rl_shared_ban_t* out) noexcept {
  const rl_item_t item = ratelimit::item_of(*policy, bucket);
  ratelimit::BucketRef ref;
  if (process->process_table == nullptr ||
      !ratelimit::lock_buckets(process, &item, 1, now->mono_ms, &ref)) {
    return RL_ERROR;
  }
  const bool banned = ref.is_stored() &&
                      ratelimit::ban_left_ms(*ref.bucket, now->mono_ms) != 0 &&
                      ref.bucket->stamp >= rl_policy_reset_at(policy, now);
  if (banned) {
    const ratelimit::BanState& state = ref.bucket->ban;
    *out = {bucket,         policy->secret.lo, ref.bucket->stamp,
            state.until_ms, state.forget_ms,   state.level};
  }
  ratelimit::release_all(process, &ref, 1);
  return banned;
}

int rl_take_ban(rl_process_t* process, const rl_policy_t* policy,
                const rl_shared_ban_t* ban, const rl_time_t* now) noexcept {
  const rl_item_t item = ratelimit::item_of(*policy, ban->bucket);
  const uint64_t reset_at_ms = rl_policy_reset_at(policy, now);
  ratelimit::BucketRef ref;
  if (process->process_table == nullptr ||
      !ratelimit::lock_buckets(process, &item, 1, now->mono_ms, &ref)) {
    return RL_ERROR;
  }
  const bool taken = ratelimit::changes(ref, *ban, reset_at_ms, now->mono_ms);
  if (taken) {
    ratelimit::make(*policy, item, *ban,
                    ref.exists() ? ref.bucket->window_ms() : 0,
                    &ratelimit::redo_log_of(process)->images[0]);
    if (!ref.exists()) {
      ratelimit::place_new(&item, &ref, 1, 0, now->mono_ms);
    }
    ratelimit::redo_log_of(process)->targets[0] =
        ratelimit::target_of(item, ref);
    ratelimit::commit(process, &ref, 1);
  }
  ratelimit::release_all(process, &ref, 1);
  return taken;
}
