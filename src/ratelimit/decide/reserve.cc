// Units that are reserved ahead, and what becomes of them: see ratelimit.h.
// Most often one store reserves them.

#include "ratelimit/algorithm/charge_debt.h"
#include "ratelimit/algorithm/gcra.h"
#include "ratelimit/decide/decision.h"
#include "ratelimit/statistics/counters.h"

namespace ratelimit {

namespace {

void write_bucket(const rl_process_t* process, const rl_item_t& item,
                  const BucketRef& ref) {
  redo_log_of(process)->targets[0] = target_of(item, ref);
  commit(process, &ref, 1);
}

// How long so many units take to drain, as they do of a full bucket: one is,
// when units that were charged ahead are due, if none came behind them.
inline uint64_t due_after_ms(const rl_item_t& item, uint64_t units) {
  return divide_up(times(units, item.quota.window_ms), item.quota.units);
}

// What most of those who may wait do, by one store; false: it takes more.
RATELIMIT_ALWAYS_INLINE bool charge_ahead(const rl_process_t* process,
                                          const BucketRef& ref,
                                          uint64_t max_wait_ms,
                                          const rl_time_t& now,
                                          rl_item_t* item) {
  HotWords hot_words;
  Charged charged;
  uint64_t wait_ms;
  if (!kHotWordsAreOneStore || !ref.exists() || item->dry_run ||
      item->cost_units == 0 ||
      gcra_charge_ahead(*ref.bucket, shape_of(process, *item),
                        limit_code_of(*item), item->cost_units, max_wait_ms,
                        now, &hot_words, &charged,
                        &wait_ms) != ChargeResult::kAdmitted) {
    return false;
  }
  store_hot_words(hot_words, ref.bucket);
  fill_charged(charged, item);
  if (wait_ms != 0) {
    item->admitted = 0;
    item->retry_after_ms = wait_ms;
  } else if (item->want_next) {
    fill_next(process, item, *ref.bucket, now);
  }
  return true;
}

}  // namespace

}  // namespace ratelimit

rl_verdict_e rl_try_or_reserve(rl_process_t* process, rl_item_t* item,
                               uint64_t max_wait_ms,
                               const rl_time_t* now) noexcept {
  ratelimit::BucketRef ref;
  if (process->process_table == nullptr ||
      item->policy->algorithm != RL_GCRA ||
      !ratelimit::lock_buckets(process, item, 1, now->mono_ms, &ref)) {
    return RL_TIMEOUT;
  }
  if (!ratelimit::charge_ahead(process, ref, max_wait_ms, *now, item)) {
    return ratelimit::decide_ahead(process, item, *now, max_wait_ms, ref);
  }
  ratelimit::release_all(process, &ref, 1);
  if (!item->admitted) return RL_PENDING;
  ratelimit::count_admitted(process, *item, now->mono_ms);
  return RL_ADMITTED;
}

void rl_use_reserved(rl_process_t* process, rl_item_t* item,
                     const rl_time_t* now) noexcept {
  item->admitted = 1;
  item->remaining_units = 0;
  item->retry_after_ms = 0;
  item->reset_ms = ratelimit::due_after_ms(*item, item->capacity_units);
  if (item->want_next) item->next_ms = ratelimit::due_after_ms(*item, 1);
  ratelimit::count_admitted(process, *item, now->mono_ms);
}

int rl_return_reserved(rl_process_t* process, rl_item_t* item,
                       const rl_time_t* now) noexcept {
  ratelimit::heed_reset(process, *item, *now);
  ratelimit::BucketRef ref;
  if (process->process_table == nullptr || !item->charged ||
      !ratelimit::lock_buckets(process, item, 1, now->mono_ms, &ref)) {
    return 0;
  }
  bool is_last = false;
  if (ref.exists()) {
    const ratelimit::Shape shape = ratelimit::kept_shape(
        *ref.bucket, ratelimit::shape_of(process, *item));
    ratelimit::Bucket* image = &ratelimit::redo_log_of(process)->images[0];
    ratelimit::prepare(*item, shape, *now, &ref, image);
    is_last = ratelimit::gcra_take_back_last(image, item->cost_units,
                                             item->charge_id);
    if (is_last) ratelimit::write_bucket(process, *item, ref);
  }
  ratelimit::release_all(process, &ref, 1);
  item->charged = 0;
  return is_last;
}
