// take() of the algorithm `sliding`, to be inlined where decisions are made:
// some 40 instructions a decision less.

#ifndef RATELIMIT_SLIDING_TAKE_H_
#define RATELIMIT_SLIDING_TAKE_H_

#include "bytes.h"
#include "slots.h"

namespace ratelimit {

// Empties the oldest slot where its tick is more than a window before
// now_tick, which is in the newest one.
inline void expire_oldest(SlidingState* s, int64_t now_tick) {
  constexpr unsigned kOffset = 4 * (kOlder - 1);
  if (static_cast<int64_t>(s->offsets >> kOffset) < (now_tick & 15)) {
    s->counts[kOlder] = 0;
    s->offsets &= (uint64_t{1} << kOffset) - 1;
  }
}

RATELIMIT_ALWAYS_INLINE Took sliding_take(Bucket* bucket, uint32_t units,
                                          uint64_t window_ms,
                                          uint32_t cost_units,
                                          uint64_t now_ms,
                                          Taken* taken) noexcept {
  SlidingState& s = bucket->sliding;
  const int64_t tick = tick_of(now_ms, window_ms);
  const int64_t stamp = stamp_of(*bucket);
  const int64_t newer = (tick >> 4) - (stamp >> 4);
  if (bucket->window_ms() != window_ms || tick < stamp || s.carry != 1) {
    return Took::kUnusual;
  }
  if (newer == 0) {
    expire_oldest(&s, tick);
  } else if (tick - stamp > kTicks) {
    clear(bucket, units, tick);
  } else {
    // What is more than 17 sub-windows old falls off.
    shift(&s, static_cast<unsigned>(newer), static_cast<uint64_t>(stamp & 15));
    expire_oldest(&s, tick);
  }
  const uint64_t used = blocks_of(s) + cost_units;
  if (__builtin_expect(used > units, 0)) {
    // While the newest slot is the same, so is its last charge's tick.
    if (newer != 0) bucket->set_stamp(static_cast<uint64_t>(tick));
    return Took::kRefused;
  }
  if (used > kMaxCount || s.carry != 1) {
    return Took::kUnusual;
  }
  bucket->set_stamp(static_cast<uint64_t>(tick));
  s.counts[0] = static_cast<uint16_t>(s.counts[0] + cost_units);
  taken->remaining_units = units - static_cast<uint32_t>(used);
  taken->reset_ms = leave_ms(tick, window_ms) - now_ms;
  taken->receipt = now_ms;
  return Took::kAdmitted;
}

}  // namespace ratelimit

#endif  // RATELIMIT_SLIDING_TAKE_H_
