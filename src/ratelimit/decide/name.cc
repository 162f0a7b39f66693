// Which bucket a check is about, and under which quota: see ratelimit.h.

#include "ratelimit/base/bytes.h"
#include "ratelimit/key/hash.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/table/zone.h"

namespace ratelimit {
namespace {

// What few requests need, so that no other saves registers for it.
[[gnu::noinline]] int apply_overrides(rl_item_t* item, const rl_time_t* now) {
  rl_override_apply(item->policy, &item->bucket, now, &item->quota);
  item->capacity_units = rl_capacity_units(item->policy, &item->quota);
  return !item->quota.unlimited && rl_policy_reset_at(item->policy, now) == 0;
}

}  // namespace
}  // namespace ratelimit

int rl_check_name(rl_item_t* item, const rl_part_t* key, const rl_item_t* same,
                  const rl_time_t* now) noexcept {
  const rl_policy_t* policy = item->policy;
  const rl_hash_t& secret = policy->secret;
  rl_hash_t hash;
  if (__builtin_expect(key != nullptr, 1)) {
    hash = ratelimit::hash_of_key(*key);
  } else {
    const rl_hash_t& others = same->policy->secret;
    hash = {same->bucket.lo ^ others.lo, same->bucket.hi ^ others.hi};
  }
  item->bucket = {hash.lo ^ secret.lo, hash.hi ^ secret.hi};
  if (__builtin_expect(ratelimit::may_have_overrides(policy->zone), 0)) {
    return ratelimit::apply_overrides(item, now);
  }
  return 1;
}
