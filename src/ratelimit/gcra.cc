#include "gcra.h"

namespace ratelimit {
namespace {

__extension__ typedef unsigned __int128 uint128_t;

// Debt is at most UINT32_MAX units, 67 bits times a window.  Where a sum of
// times would not fit, it is this: longer than any clock runs.
constexpr uint64_t kNever = uint64_t{1} << 62;

static_assert(RL_MAX_WINDOW_MS < uint64_t{1} << 35 &&
                  RL_MAX_UNITS < uint64_t{1} << 30,
              "debt (67 bits) times a window, and an elapsed time (40 bits) "
              "times a quota, fit 128 bits");

uint128_t debt_of(const Bucket& bucket) {
  return uint128_t{bucket.gcra.debt_hi} << 64 | bucket.gcra.debt_lo;
}

void set_debt(Bucket* bucket, uint128_t debt) {
  bucket->gcra.debt_lo = static_cast<uint64_t>(debt);
  bucket->gcra.debt_hi = static_cast<uint64_t>(debt >> 64);
}

uint128_t times(uint64_t a, uint64_t b) {
  return uint128_t{a} * b;
}

// a / b, saturating at kNever.  Dividing 128 bits is a long loop, and what is
// divided here hardly ever has more than 64.
uint64_t divide(uint128_t a, uint64_t b) {
  if (__builtin_expect(a >> 64 == 0, 1)) {
    const uint64_t quotient = static_cast<uint64_t>(a) / b;
    return quotient < kNever ? quotient : kNever;
  }
  const uint128_t quotient = a / b;
  return quotient < kNever ? static_cast<uint64_t>(quotient) : kNever;
}

uint64_t divide_up(uint128_t a, uint64_t b) {
  return divide(a + b - 1, b);
}

// How long `debt` takes to drain, counted from now.
uint64_t drain_ms(const Bucket& bucket, const Shape& shape, uint128_t debt,
                  const rl_time_t& now) {
  if (debt == 0) return 0;
  if (shape.units == 0) return shape.window_ms;  // never: nothing is admitted
  return bucket.stamp - now.mono_ms + divide_up(debt, shape.units);
}

void drain(Bucket* bucket, uint64_t now_ms) {
  const uint128_t debt = debt_of(*bucket);
  if (debt != 0) {
    const uint128_t drained =
        times(now_ms - bucket->stamp, bucket->gcra.units);
    set_debt(bucket, debt > drained ? debt - drained : 0);
  }
  bucket->set_stamp(now_ms);
}

bool is_shape(const Bucket& bucket, const Shape& shape) {
  return shape.window_ms == bucket.with_hi(bucket.gcra.window_lo) &&
         shape.units == bucket.gcra.units &&
         shape.capacity_units == bucket.gcra.capacity_units;
}

void change_shape(Bucket* bucket, const Shape& shape) {
  const uint64_t old_ms = bucket->window_ms();
  uint128_t debt = debt_of(*bucket);
  if (debt != 0 && shape.window_ms != old_ms) {
    debt = (debt * shape.window_ms + old_ms - 1) / old_ms;
  }
  const uint128_t most = times(shape.capacity_units, shape.window_ms);
  set_debt(bucket, debt < most ? debt : most);
  bucket->set_window_ms(shape.window_ms);
  bucket->gcra.units = shape.units;
  bucket->gcra.capacity_units = shape.capacity_units;
}

}  // namespace

void gcra_open(Bucket* bucket, const Shape& shape,
               const rl_time_t& now) noexcept {
  bucket->set_stamp(now.mono_ms);
  bucket->gcra.units = shape.units;
  bucket->gcra.capacity_units = shape.capacity_units;
}

bool gcra_adapt(Bucket* bucket, const Shape& shape,
                const rl_time_t& now) noexcept {
  bool rewritten = false;
  if (now.mono_ms >= bucket->stamp) {
    drain(bucket, now.mono_ms);
  } else if (bucket->stamp - now.mono_ms > kClockStepMs) {
    bucket->set_stamp(now.mono_ms);
    rewritten = true;
  }
  if (__builtin_expect(!is_shape(*bucket, shape), 0)) {
    change_shape(bucket, shape);
    rewritten = true;
  }
  return rewritten;
}

Standing gcra_stand(const Bucket& bucket, const Shape& shape,
                    uint32_t cost_units, bool want_next,
                    const rl_time_t& now) noexcept {
  const uint128_t debt = debt_of(bucket);
  const uint128_t most = times(shape.capacity_units, shape.window_ms);
  Standing standing = {};
  if (shape.units == 0 || debt >= most) {
    standing.remaining_units = 0;
  } else if (debt == 0) {
    standing.remaining_units = shape.capacity_units;
  } else {
    standing.remaining_units =
        static_cast<uint32_t>(divide(most - debt, shape.window_ms));
  }
  standing.admitted = cost_units <= standing.remaining_units;
  standing.reset_ms = drain_ms(bucket, shape, debt, now);
  if (!standing.admitted) {
    // What has to drain, where draining helps.
    const uint128_t with_cost = debt + times(cost_units, shape.window_ms);
    standing.retry_after_ms =
        shape.units == 0 || cost_units > shape.capacity_units
            ? shape.window_ms
            : drain_ms(bucket, shape, with_cost - most, now);
  }
  if (want_next && debt != 0) {
    const uint64_t next = uint64_t{standing.remaining_units} + 1;
    const uint128_t with_next = debt + times(next, shape.window_ms);
    standing.next_ms = next > shape.capacity_units
                           ? standing.reset_ms
                           : drain_ms(bucket, shape, with_next - most, now);
  }
  return standing;
}

uint64_t gcra_reset_ms(const Bucket& bucket, const Shape& shape,
                       const rl_time_t& now) noexcept {
  return drain_ms(bucket, shape, debt_of(bucket), now);
}

uint64_t gcra_charge(Bucket* bucket, const Shape& shape, uint32_t cost_units,
                     const rl_time_t& now) noexcept {
  uint128_t debt = debt_of(*bucket) + times(cost_units, shape.window_ms);
  const uint128_t most = times(UINT32_MAX, shape.window_ms);
  if (debt > most) debt = most;
  set_debt(bucket, debt);
  return shape.units == 0 ? kNever
                          : now.mono_ms + drain_ms(*bucket, shape, debt, now);
}

Took gcra_charge_head(const Bucket& stored, const Shape& shape,
                      unsigned limit_code, uint32_t cost_units,
                      const rl_time_t& now, Head* head,
                      Taken* taken) noexcept {
  if (!is_shape(stored, shape) || stored.stamp > now.mono_ms ||
      stored.gcra.debt_hi != 0 ||
      times(shape.capacity_units, shape.window_ms) >> 63 != 0 ||
      shape.units == 0 || cost_units > shape.capacity_units) {
    return Took::kUnusual;
  }
  const uint128_t drained =
      times(now.mono_ms - stored.stamp, stored.gcra.units);
  uint64_t debt = stored.gcra.debt_lo;
  debt = debt > drained ? debt - static_cast<uint64_t>(drained) : 0;
  const uint64_t room = shape.capacity_units * shape.window_ms;
  const uint64_t cost = cost_units * shape.window_ms;  // not above room
  if (debt > room - cost) {
    return Took::kRefused;
  }
  debt += cost;
  head->words[0] = charged_word(stored, now.mono_ms, limit_code);
  head->words[1] = debt;
  taken->remaining_units =
      static_cast<uint32_t>((room - debt) / shape.window_ms);
  taken->reset_ms = divide_up(debt, shape.units);
  taken->receipt = now.mono_ms + taken->reset_ms;
  return Took::kAdmitted;
}

void gcra_refund(Bucket* bucket, const Shape& shape, uint32_t units,
                 uint64_t receipt, const rl_time_t& now) noexcept {
  if (receipt <= now.mono_ms) return;
  const uint128_t debt = debt_of(*bucket);
  uint128_t back = times(units, shape.window_ms);
  if (shape.units != 0) {
    const uint128_t there = times(receipt - now.mono_ms, shape.units);
    if (back > there) back = there;
  }
  set_debt(bucket, back < debt ? debt - back : 0);
}

uint64_t gcra_idle_at_ms(const Bucket& bucket) noexcept {
  const uint128_t debt = debt_of(bucket);
  if (debt == 0) return 0;
  const uint64_t units = bucket.gcra.units;
  return bucket.stamp +
         (units == 0 ? bucket.window_ms() : divide_up(debt, units));
}

uint64_t gcra_used_units(const Bucket& bucket, uint64_t now_ms) noexcept {
  Bucket copy = bucket;
  if (now_ms > copy.stamp) drain(&copy, now_ms);
  return divide_up(debt_of(copy), copy.window_ms());
}

}  // namespace ratelimit
