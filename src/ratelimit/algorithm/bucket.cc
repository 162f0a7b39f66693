#include "ratelimit/algorithm/bucket.h"

#include <algorithm>
#include <cstring>

#include "ratelimit/algorithm/ban.h"
#include "ratelimit/algorithm/charge_hot_words.h"
#include "ratelimit/algorithm/charge_place.h"
#include "ratelimit/algorithm/concurrent.h"
#include "ratelimit/algorithm/gcra.h"
#include "ratelimit/algorithm/holders.h"
#include "ratelimit/algorithm/sliding.h"
#include "ratelimit/algorithm/window.h"

namespace ratelimit {
namespace {

uint64_t used_units(const Bucket& bucket, uint64_t now_ms) {
  switch (bucket.algorithm) {
    case RL_SLIDING:
      return sliding_used_units(bucket, now_ms);
    case RL_GCRA:
      return gcra_used_units(bucket, now_ms);
    case RL_CONCURRENT:
      return concurrent_used_units(bucket);
    default:
      return now_ms < window_idle_at_ms(bucket) ? bucket.window.used_units : 0;
  }
}

}  // namespace

void open(Bucket* bucket, const Shape& shape, const rl_time_t& now) noexcept {
  const unsigned code = encode_limit(shape.capacity_units);
  if (shape.algorithm == RL_SLIDING) {
    sliding_open(bucket, bucket->key, shape.units, shape.window_ms, code,
                 now.mono_ms);
    return;
  }
  if (shape.algorithm == RL_CONCURRENT) {
    start(bucket, bucket->key, RL_CONCURRENT, 0, now.mono_ms, code);
    concurrent_open(bucket, shape);
    return;
  }
  start(bucket, bucket->key, shape.algorithm, shape.window_ms, 0, code);
  if (shape.algorithm == RL_GCRA) {
    gcra_open(bucket, shape, now);
  } else {
    window_open(bucket, shape);
  }
}

Shape kept_shape(const Bucket& bucket, const Shape& shape) noexcept {
  Shape kept = shape;
  if (shape.algorithm == RL_CONCURRENT) return kept;
  kept.window_ms = bucket.window_ms();
  if (shape.algorithm == RL_GCRA) kept.units = bucket.gcra.units;
  if (shape.algorithm == RL_CALENDAR) {
    kept.window_months = bucket.window.months;
    kept.tz_ms = bucket.window.tz_ms;
  }
  return kept;
}

bool adapt(Bucket* bucket, const Shape& shape, const rl_time_t& now) noexcept {
  switch (shape.algorithm) {
    case RL_SLIDING:
      return sliding_adapt(bucket, shape, now);
    case RL_GCRA:
      return gcra_adapt(bucket, shape, now);
    case RL_CONCURRENT:
      concurrent_adapt(bucket, shape);
      return false;
    default:
      return window_adapt(bucket, shape, now);
  }
}

Evaluation evaluate(const Bucket& bucket, const Shape& shape,
                    uint64_t cost_units, bool want_next,
                    const rl_time_t& now) noexcept {
  switch (shape.algorithm) {
    case RL_SLIDING:
      return sliding_evaluate(bucket, shape, cost_units, want_next, now);
    case RL_GCRA:
      return gcra_evaluate(bucket, shape, cost_units, want_next, now);
    case RL_CONCURRENT:
      return concurrent_evaluate(bucket, shape, cost_units);
    default:
      return window_evaluate(bucket, shape, cost_units, now);
  }
}

uint64_t reset_ms(const Bucket& bucket, const Shape& shape,
                  const rl_time_t& now) noexcept {
  switch (shape.algorithm) {
    case RL_SLIDING:
      return sliding_reset_ms(bucket, now);
    case RL_GCRA:
      return gcra_reset_ms(bucket, now);
    case RL_CONCURRENT:
      return 0;
    default:
      return window_reset_ms(bucket, now);
  }
}

uint64_t charge(Bucket* bucket, const Shape& shape, uint64_t cost_units,
                const rl_time_t& now) noexcept {
  if (cost_units == 0) return 0;  // nothing that a refund could take back
  bucket->note_charge(encode_limit(shape.capacity_units));
  switch (shape.algorithm) {
    case RL_SLIDING:
      return sliding_charge(bucket, shape, cost_units, now);
    case RL_GCRA:
      return gcra_charge(bucket, shape, cost_units);
    case RL_CONCURRENT:
      return concurrent_charge(bucket, shape, cost_units);
    default:
      return window_charge(bucket, shape, cost_units, now);
  }
}

ChargeResult try_charge(Bucket* bucket, const Shape& shape,
                        unsigned limit_code, uint64_t cost_units,
                        const rl_time_t& now, Charged* charged) noexcept {
  HotWords hot_words;
  const ChargeResult result = charge_hot_words(
      *bucket, shape, limit_code, cost_units, now, &hot_words, charged);
  if (result == ChargeResult::kAdmitted) set_hot_words(hot_words, bucket);
  if (result != ChargeResult::kUndecided) return result;
  switch (shape.algorithm) {
    case RL_SLIDING:
      return sliding_try_charge(bucket, shape, limit_code, cost_units, now,
                                charged);
    case RL_CALENDAR:
      return calendar_try_charge(bucket, shape, limit_code, cost_units, now,
                                 charged);
    case RL_CONCURRENT:
      return concurrent_try_charge(bucket, shape, limit_code, cost_units,
                                   charged);
    default:
      return ChargeResult::kUndecided;
  }
}

uint64_t next_ms(const Bucket& bucket, const Shape& shape,
                 const rl_time_t& now) noexcept {
  switch (shape.algorithm) {
    case RL_SLIDING:
      return sliding_next_ms(bucket, now);
    case RL_GCRA:
      return gcra_evaluate(bucket, shape, 0, true, now).next_ms;
    case RL_CONCURRENT:
      return 0;
    default:
      return window_reset_ms(bucket, now);
  }
}

void refund(Bucket* bucket, const Shape& shape, uint64_t charged_units,
            uint64_t units, uint64_t charge_id) noexcept {
  if (units == 0) return;
  switch (shape.algorithm) {
    case RL_SLIDING:
      return sliding_refund(bucket, shape, units, charge_id);
    case RL_GCRA:
      return gcra_refund(bucket, charged_units, units, charge_id);
    case RL_CONCURRENT:
      return concurrent_refund(bucket, shape, units, charge_id);
    default:
      return window_refund(bucket, units, charge_id);
  }
}

uint64_t idle_at_ms(const Bucket& bucket) noexcept {
  switch (bucket.algorithm) {
    case RL_SLIDING:
      return sliding_idle_at_ms(bucket);
    case RL_GCRA:
      return gcra_idle_at_ms(bucket);
    case RL_CONCURRENT:
      return concurrent_used_units(bucket) == 0 ? 0 : UINT64_MAX;
    case RL_BAN:
      return ban_idle_at_ms(bucket);
    default:
      return window_idle_at_ms(bucket);
  }
}

uint32_t debt_share(const Bucket& bucket, uint64_t now_ms) noexcept {
  constexpr uint64_t kWhole = 65536;
  if (bucket.algorithm == RL_BAN) return ban_debt_share(bucket, now_ms);
  static_assert(kMaxHeldUnits <= UINT64_MAX / (kWhole / 16),
                "used units times a 16th of the whole fit 64 bits");
  const uint64_t used = std::min(used_units(bucket, now_ms), kMaxHeldUnits);
  if (used == 0) return 0;
  const uint64_t limit = decode_limit(bucket.limit_code);
  uint64_t share = kWhole;
  if (used >> 48 != 0) {
    share = ((used - 1) / 16) * kWhole / std::max<uint64_t>(limit / 16, 1);
  } else if (limit != 0) {
    share = (used - 1) * kWhole / limit;
  }
  if (share < kWhole && bucket.throttled) share = kWhole;
  return share < UINT32_MAX ? static_cast<uint32_t>(share) : UINT32_MAX;
}

}  // namespace ratelimit
