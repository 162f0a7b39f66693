// Giving units back and settling the final cost: see ratelimit.h.
//
// One item at a time, since none depends on another: after RL_TIMEOUT the
// items that were done say so, and only the others are left to do.

#include <algorithm>

#include "ratelimit/decide/locate.h"
#include "ratelimit/statistics/counters.h"

namespace ratelimit {

namespace {

// What left by the window that it was charged under is not there.  If a longer
// one has come since, it would be looked for among what others have charged.
void refund_unless_gone(const rl_item_t& item, const Shape& shape,
                        uint64_t charged_units, uint64_t units,
                        uint64_t charge_id, const rl_time_t& now,
                        Bucket* bucket) {
  if (item.policy->algorithm == RL_SLIDING &&
      now.mono_ms >= charge_id + item.quota.window_ms) {
    return;
  }
  refund(bucket, shape, charged_units, units, charge_id);
}

// What was charged last goes first, and each part to the window that it was
// charged to.
void take_back(const rl_item_t& item, const Shape& shape, uint64_t back,
               const rl_time_t& now, Bucket* bucket) {
  const uint64_t more = item.charged > 1 ? item.more_units : 0;
  const uint64_t of_more = std::min(back, more);
  refund_unless_gone(item, shape, more, of_more, item.more_charge_id, now,
                     bucket);
  refund_unless_gone(item, shape, item.cost_units - more, back - of_more,
                     item.charge_id, now, bucket);
}

void note_less(uint64_t back, rl_item_t* item) {
  if (item->charged > 1) item->more_units -= std::min(back, item->more_units);
}

void note_more(uint64_t more, uint64_t charge_id, rl_item_t* item) {
  if (!item->charged) {
    item->charge_id = charge_id;
    item->charged = 1;
    return;
  }
  item->more_units = more + (item->charged > 1 ? item->more_units : 0);
  item->more_charge_id = charge_id;
  item->charged = 2;
}

// Takes `back` units out of the bucket, or charges `more`.  A bucket that is
// gone has nothing to give back, but one can be made to be charged.
bool amend(rl_process_t* process, rl_item_t* item, uint64_t back,
           uint64_t more, const rl_time_t& now) {
  heed_reset(process, *item, now);
  BucketRef ref;
  if (process->process_table == nullptr ||
      !lock_buckets(process, item, 1, now.mono_ms, &ref)) {
    return false;
  }
  const Shape asked = shape_of(process, *item);
  const Shape shape =
      more > 0 || !ref.exists() ? asked : kept_shape(*ref.bucket, asked);
  RedoLog* redo_log = redo_log_of(process);
  Bucket* image = &redo_log->images[0];
  prepare(*item, shape, now, &ref, image);
  if (back > 0) {
    take_back(*item, shape, back, now, image);
    note_less(back, item);
  }
  if (more > 0) {
    note_more(more, charge(image, shape, more, now), item);
  }
  fill_remaining(evaluate(*image, shape, 0, item->want_next != 0, now), item);
  if (ref.exists() || more > 0) {
    if (!ref.exists()) place_new(item, &ref, 1, 0, now.mono_ms);
    redo_log->targets[0] = target_of(*item, ref);
    commit(process, &ref, 1);
  }
  release_all(process, &ref, 1);
  count_corrected(process, *item, back, more);
  return true;
}

}  // namespace

}  // namespace ratelimit

rl_verdict_e rl_refund(rl_process_t* process, rl_item_t* items, size_t n,
                       const rl_time_t* now) noexcept {
  for (size_t i = 0; i < n; ++i) {
    if (!items[i].charged) {
      continue;
    }
    if (!ratelimit::amend(process, &items[i], items[i].cost_units, 0, *now)) {
      return RL_TIMEOUT;
    }
    items[i].charged = 0;
  }
  return RL_ADMITTED;
}

rl_verdict_e rl_settle(rl_process_t* process, rl_item_t* item,
                       uint64_t final_units, const rl_time_t* now) noexcept {
  // In dry run with a policy that refused: enforced, there were no response.
  if (!item->charged && item->cost_units > 0) {
    return RL_ADMITTED;
  }
  const uint64_t reserved = item->cost_units;
  const uint64_t back = final_units < reserved ? reserved - final_units : 0;
  const uint64_t more = final_units > reserved ? final_units - reserved : 0;
  if (!ratelimit::amend(process, item, back, more, *now)) {
    return RL_TIMEOUT;
  }
  item->cost_units = final_units;
  if (final_units == 0) item->charged = 0;
  return RL_ADMITTED;
}
