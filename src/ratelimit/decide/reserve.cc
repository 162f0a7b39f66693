// What becomes of units that were reserved ahead: see ratelimit.h.

#include "ratelimit/algorithm/gcra.h"
#include "ratelimit/decide/locate.h"
#include "ratelimit/statistics/counters.h"

namespace ratelimit {

namespace {

void write_bucket(const rl_process_t* process, const rl_item_t& item,
                  const BucketRef& ref) {
  redo_log_of(process)->targets[0] = target_of(item, ref);
  commit(process, &ref, 1);
}

}  // namespace

}  // namespace ratelimit

void rl_use_reserved(rl_process_t* process, rl_item_t* item,
                     const rl_time_t* now) noexcept {
  item->admitted = 1;
  item->retry_after_ms = 0;
  item->remaining_units = 0;
  ratelimit::BucketRef ref;
  if (process->process_table != nullptr &&
      ratelimit::lock_buckets(process, item, 1, now->mono_ms, &ref)) {
    const ratelimit::Shape shape = ratelimit::shape_of(process, *item);
    ratelimit::Bucket copy;
    ratelimit::prepare(*item, shape, *now, &ref, &copy);
    ratelimit::fill_remaining(
        ratelimit::evaluate(copy, shape, 0, item->want_next != 0, *now), item);
    ratelimit::release_all(process, &ref, 1);
  }
  ratelimit::count_decision(process, item, 1, RL_ADMITTED, now->mono_ms);
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
