// Giving places back: see ratelimit.h.  Most often the bucket's first holder
// is this process, and one store does it.

#include "ratelimit/algorithm/concurrent.h"
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

rl_verdict_e release_one(rl_process_t* process, rl_item_t* item,
                         const rl_time_t& now) {
  BucketRef ref;
  if (process->process_table == nullptr ||
      !lock_buckets(process, item, 1, now.mono_ms, &ref)) {
    return RL_TIMEOUT;
  }
  HotWords hot_words;
  if (!kHotWordsAreOneStore || !ref.exists() ||
      !concurrent_refund_hot_words(*ref.bucket, shape_of(process, *item),
                                   item->cost_units, item->charge_id,
                                   &hot_words)) {
    return refund_other(process, item, ref, now);
  }
  store_hot_words(hot_words, ref.bucket);
  release_all(process, &ref, 1);
  item->charged = 0;
  return RL_ADMITTED;
}

}  // namespace

}  // namespace ratelimit

rl_verdict_e rl_release(rl_process_t* process, rl_item_t* items, size_t n,
                        const rl_time_t* now) noexcept {
  for (size_t i = 0; i < n; ++i) {
    rl_item_t* item = &items[i];
    if (item->charged && item->policy->algorithm == RL_CONCURRENT &&
        ratelimit::release_one(process, item, *now) == RL_TIMEOUT) {
      return RL_TIMEOUT;
    }
  }
  return RL_ADMITTED;
}
