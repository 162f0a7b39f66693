// Giving places back: see ratelimit.h.  Most often the bucket's first holder
// is this process, and one store does it.

#include "ratelimit/algorithm/charge_place.h"
#include "ratelimit/decide/locate.h"

namespace ratelimit {

namespace {

[[gnu::noinline]] rl_verdict_e refund_other(rl_process_t* process,
                                            rl_item_t* item,
                                            const BucketRef& ref,
                                            const rl_time_t& now) {
  release_all(process, &ref, 1);
  return rl_refund(process, item, 1, &now);
}

RATELIMIT_ALWAYS_INLINE rl_verdict_e release_one(rl_process_t* process,
                                                 rl_item_t* item,
                                                 const rl_time_t& now) {
  BucketRef ref;
  if (!lock_buckets(process, item, 1, now.mono_ms, &ref)) return RL_TIMEOUT;
  if (!ref.exists() ||
      !concurrent_release(ref.bucket, process, changes_of(process),
                          item->cost_units, item->charge_id)) {
    return refund_other(process, item, ref, now);
  }
  release_all(process, &ref, 1);
  item->charged = 0;
  return RL_ADMITTED;
}

}  // namespace

}  // namespace ratelimit

rl_verdict_e rl_release(rl_process_t* process, rl_item_t* items, size_t n,
                        const rl_time_t* now) noexcept {
  if (process->process_table == nullptr) return RL_TIMEOUT;
  for (size_t i = 0; i < n; ++i) {
    rl_item_t* item = &items[i];
    if (item->charged && item->policy->algorithm == RL_CONCURRENT &&
        ratelimit::release_one(process, item, *now) == RL_TIMEOUT) {
      return RL_TIMEOUT;
    }
  }
  return RL_ADMITTED;
}
