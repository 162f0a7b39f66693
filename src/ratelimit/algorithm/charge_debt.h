// What most charges of `gcra` are, now or ahead of their time: nothing but the
// bucket's hot words change.  To be inlined where units are reserved.

#ifndef RATELIMIT_ALGORITHM_CHARGE_DEBT_H_
#define RATELIMIT_ALGORITHM_CHARGE_DEBT_H_

#include "ratelimit/algorithm/bucket.h"
#include "ratelimit/base/bytes.h"

namespace ratelimit {

__extension__ typedef unsigned __int128 uint128_t;

// Where a sum of times would not fit, it is this: longer than any clock runs.
constexpr uint64_t kNever = uint64_t{1} << 62;

// So that a place that is not this queue's is hardly taken for one.
constexpr unsigned kNarrowLengthBits = 56;

inline uint128_t times(uint64_t a, uint64_t b) {
  return uint128_t{a} * b;
}

// a / b, saturating at kNever.  Dividing 128 bits is a long loop, and what is
// divided here hardly ever has more than 64.
inline uint64_t divide(uint128_t a, uint64_t b) {
  if (__builtin_expect(a >> 64 == 0, 1)) {
    const uint64_t quotient = static_cast<uint64_t>(a) / b;
    return quotient < kNever ? quotient : kNever;
  }
  const uint128_t quotient = a / b;
  return quotient < kNever ? static_cast<uint64_t>(quotient) : kNever;
}

inline uint64_t divide_up(uint128_t a, uint64_t b) {
  return divide(a + b - 1, b);
}

inline uint64_t gcra_window_ms(const Bucket& bucket) {
  return bucket.with_hi(bucket.gcra.window_lo);
}

inline bool is_gcra_shape(const Bucket& bucket, const Shape& shape) {
  return shape.window_ms == gcra_window_ms(bucket) &&
         shape.units == bucket.gcra.units;
}

// As charge_hot_words(), and where units are not there for up to max_wait_ms,
// they are charged ahead of their time: kAdmitted, with how long to wait, and
// for so long to be told as refused.
RATELIMIT_ALWAYS_INLINE ChargeResult gcra_charge_ahead(
    const Bucket& stored, const Shape& shape, unsigned limit_code,
    uint64_t cost_units, uint64_t max_wait_ms, const rl_time_t& now,
    HotWords* hot_words, Charged* charged, uint64_t* wait_ms) noexcept {
  if (!is_gcra_shape(stored, shape) || stored.stamp > now.mono_ms ||
      stored.gcra.debt_hi != 0 ||
      times(shape.capacity_units, shape.window_ms) >> kNarrowLengthBits != 0 ||
      shape.units == 0 || cost_units > shape.capacity_units) {
    return ChargeResult::kUndecided;
  }
  const uint128_t drained =
      times(now.mono_ms - stored.stamp, stored.gcra.units);
  uint64_t debt = stored.gcra.debt_lo;
  debt = debt > drained ? debt - static_cast<uint64_t>(drained) : 0;
  const uint64_t room = shape.capacity_units * shape.window_ms;
  const uint64_t cost = cost_units * shape.window_ms;  // not above room
  *wait_ms = 0;
  if (debt > room - cost) {
    if (max_wait_ms == 0) return ChargeResult::kRefused;
    *wait_ms = divide_up(debt - (room - cost), shape.units);
    if (*wait_ms > max_wait_ms) return ChargeResult::kRefused;
    // Far from the greatest debt, and from where a queue has to be wide.
    if (debt + cost > kMaxHeldUnits) return ChargeResult::kUndecided;
  }
  charged->charge_id =
      now.mono_ms * stored.gcra.units + stored.gcra.origin + debt;
  debt += cost;
  hot_words->words[0] = charged_word(stored, now.mono_ms, limit_code);
  hot_words->words[1] = debt;
  if (*wait_ms != 0) {
    charged->remaining_units = 0;
    charged->reset_ms = *wait_ms;
  } else {
    charged->remaining_units = (room - debt) / shape.window_ms;
    charged->reset_ms = divide_up(debt, shape.units);
  }
  return ChargeResult::kAdmitted;
}
static_assert(kMaxHeldUnits >> kNarrowLengthBits == 0, "as said there");

}  // namespace ratelimit

#endif  // RATELIMIT_ALGORITHM_CHARGE_DEBT_H_
