#include "ratelimit/algorithm/gcra.h"

#include "ratelimit/algorithm/charge_debt.h"

namespace ratelimit {
namespace {

static_assert(RL_MAX_WINDOW_MS < uint64_t{1} << 35 &&
                  RL_MAX_UNITS < uint64_t{1} << 50 &&
                  kMaxHeldUnits < uint64_t{1} << 52,
              "debt (87 bits) times a window, and an elapsed time (40 bits) "
              "times a quota, fit 128 bits, and debt leaves kWideQueue free");

bool is_wide(const Bucket& bucket) {
  return (bucket.gcra.debt_hi & kWideQueue) != 0;
}

uint128_t debt_of(const Bucket& bucket) {
  return uint128_t{bucket.gcra.debt_hi & ~kWideQueue} << 64 |
         bucket.gcra.debt_lo;
}

void set_debt(Bucket* bucket, uint128_t debt) {
  bucket->gcra.debt_lo = static_cast<uint64_t>(debt);
  bucket->gcra.debt_hi =
      (bucket->gcra.debt_hi & kWideQueue) | static_cast<uint32_t>(debt >> 64);
}

// How long `debt` takes to drain, counted from now.
uint64_t drain_ms(const Bucket& bucket, uint128_t debt, const rl_time_t& now) {
  if (debt == 0) return 0;
  if (bucket.gcra.units == 0)
    return gcra_window_ms(bucket);  // it does not drain
  return bucket.stamp - now.mono_ms + divide_up(debt, bucket.gcra.units);
}

// Charge ids.  What is charged stands in a queue, and what drains leaves it at
// its first units.  A place in the queue is told in units times window_ms, by
// a rule that lets the head move on without a store: it is at stamp * units +
// origin, and the tail, the place of the next charge, is as far behind it as
// there is debt.  Places wrap at 2^64, which takes 198 days at the greatest
// rate; only their distances are ever looked at.
//
// Where a rate, a capacity or a debt is larger than that allows, the queue is
// wide: places are in units, as whole units are all that is ever charged or
// given back, and that of the tail is stored, in place of the origin.  Once it
// is wide it stays so until there is no debt.
//
// A refund leaves a gap, which the head crosses in no time: it counts as
// crossed in the rule above, and apart from it one gap is stored that is not.
// Two of them become one, at the older one's place.  So a later refund of what
// was charged between them may find less than there was, but never more: none
// is given what another charge has in the bucket.
uint64_t tail_of(const Bucket& bucket) {
  if (is_wide(bucket)) return bucket.gcra.origin;
  return bucket.stamp * bucket.gcra.units + bucket.gcra.origin +
         bucket.gcra.debt_lo;
}

// Once debt, stamp or units have changed.
void set_tail(Bucket* bucket, uint64_t tail) {
  bucket->gcra.origin =
      is_wide(*bucket)
          ? tail
          : tail - bucket->stamp * bucket->gcra.units - bucket->gcra.debt_lo;
}

// What places are told in.
uint64_t step_of(const Bucket& bucket) {
  return is_wide(bucket) ? gcra_window_ms(bucket) : 1;
}

constexpr unsigned kNarrowUnitsBits = 30;

// Of a queue that has this rate and length.
bool has_to_be_wide(uint64_t units, uint128_t length) {
  return units >> kNarrowUnitsBits != 0 || length >> kNarrowLengthBits != 0;
}

// Earlier charge ids, which this bucket cannot place, are far from all others.
void begin_queue(Bucket* bucket, bool wide) {
  constexpr uint64_t kFar = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio
  bucket->gcra.origin = (bucket->gcra.origin + bucket->stamp + 1) * kFar;
  bucket->gcra.gap = 0;
  bucket->gcra.debt_hi =
      (bucket->gcra.debt_hi & ~kWideQueue) | (wide ? kWideQueue : 0);
}

// How far behind the head the tail is, with a gap between them.
uint128_t length_of(const Bucket& bucket, uint64_t tail) {
  const uint64_t step = step_of(bucket);
  const uint128_t debt = debt_of(bucket);
  const uint128_t length = debt + times(bucket.gcra.gap, step);
  return length > times(tail - bucket.gcra.gap_at, step) ? length : debt;
}

// Notes that `back` is gone which begins `distance` before the tail, where the
// head is not yet: so both are of whole units.
void add_gap(Bucket* bucket, uint64_t tail, uint128_t length,
             uint128_t distance, uint128_t back) {
  GcraState& g = bucket->gcra;
  if (length == debt_of(*bucket)) g.gap = 0;  // it was crossed, or is none
  if (is_wide(*bucket)) {
    back /= gcra_window_ms(*bucket);
    distance /= gcra_window_ms(*bucket);
  }
  const uint128_t gap = back + g.gap;
  if (gap >> 64 != 0 || distance >> 64 != 0) {
    g.gap = 0;  // as if it were crossed
    return;
  }
  if (g.gap == 0 || distance > tail - g.gap_at) {
    g.gap_at = tail - static_cast<uint64_t>(distance);
  }
  g.gap = static_cast<uint64_t>(gap);
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

bool is_faster(const Shape& shape, const Bucket& bucket) {
  return times(shape.units, gcra_window_ms(bucket)) >
         times(bucket.gcra.units, shape.window_ms);
}

// From now on the debt, in units (rounded up), drains by the shape's quota.
void adopt(Bucket* bucket, const Shape& shape) {
  const uint64_t old_ms = gcra_window_ms(*bucket);
  const uint64_t tail = tail_of(*bucket);
  bucket->gcra.units = shape.units;
  if (shape.window_ms != old_ms) {
    set_debt(bucket,
             (debt_of(*bucket) * shape.window_ms + old_ms - 1) / old_ms);
    bucket->set_window_ms(shape.window_ms);
  }
  const bool wide =
      is_wide(*bucket) || has_to_be_wide(shape.units, debt_of(*bucket));
  if (shape.window_ms == old_ms && wide == is_wide(*bucket)) {
    set_tail(bucket, tail);
  } else {
    begin_queue(bucket, wide);
  }
}

// Before `cost` is charged.
void fit_queue(Bucket* bucket, const Shape& shape, uint128_t cost) {
  const uint64_t window_ms = gcra_window_ms(*bucket);
  const uint128_t debt = debt_of(*bucket);
  const uint128_t most = times(shape.capacity_units, window_ms);
  const bool wide = has_to_be_wide(bucket->gcra.units,
                                   debt + cost > most ? debt + cost : most);
  if (wide != is_wide(*bucket) && (wide || debt == 0)) {
    begin_queue(bucket, wide);
  }
}

}  // namespace

void gcra_open(Bucket* bucket, const Shape& shape,
               const rl_time_t& now) noexcept {
  bucket->set_stamp(now.mono_ms);
  bucket->gcra.units = shape.units;
  begin_queue(bucket, has_to_be_wide(shape.units, times(shape.capacity_units,
                                                        shape.window_ms)));
}

void gcra_set_stamp(Bucket* bucket, uint64_t stamp) noexcept {
  const uint64_t tail = tail_of(*bucket);
  bucket->set_stamp(stamp);
  set_tail(bucket, tail);
}

bool gcra_adapt(Bucket* bucket, const Shape& shape,
                const rl_time_t& now) noexcept {
  bool rewritten = false;
  if (now.mono_ms >= bucket->stamp) {
    drain(bucket, now.mono_ms);
  } else if (bucket->stamp - now.mono_ms > kNewClockMs) {
    gcra_set_stamp(bucket, now.mono_ms);
    rewritten = true;
  }
  if (__builtin_expect(is_faster(shape, *bucket), 0)) {
    rewritten |= debt_of(*bucket) != 0;
    adopt(bucket, shape);
  }
  return rewritten;
}

Evaluation gcra_evaluate(const Bucket& bucket, const Shape& shape,
                         uint64_t cost_units, bool want_next,
                         const rl_time_t& now) noexcept {
  const uint64_t window_ms = gcra_window_ms(bucket);
  const uint128_t debt = debt_of(bucket);
  const uint128_t most = times(shape.capacity_units, window_ms);
  Evaluation evaluation = {};
  if (shape.units == 0 || debt >= most) {
    evaluation.remaining_units = 0;
  } else if (debt == 0) {
    evaluation.remaining_units = shape.capacity_units;
  } else {
    evaluation.remaining_units = divide(most - debt, window_ms);
  }
  evaluation.admitted = cost_units <= evaluation.remaining_units;
  evaluation.reset_ms = drain_ms(bucket, debt, now);
  if (!evaluation.admitted) {
    // What has to drain, where draining helps.
    const uint128_t with_cost = debt + times(cost_units, window_ms);
    evaluation.retry_after_ms =
        shape.units == 0 || cost_units > shape.capacity_units
            ? shape.window_ms
            : drain_ms(bucket, with_cost - most, now);
  }
  if (want_next && debt != 0) {
    const uint64_t next = evaluation.remaining_units + 1;
    const uint128_t with_next = debt + times(next, window_ms);
    evaluation.next_ms = next > shape.capacity_units
                             ? evaluation.reset_ms
                             : drain_ms(bucket, with_next - most, now);
  }
  return evaluation;
}

uint64_t gcra_reset_ms(const Bucket& bucket, const rl_time_t& now) noexcept {
  return drain_ms(bucket, debt_of(bucket), now);
}

uint64_t gcra_charge(Bucket* bucket, const Shape& shape,
                     uint64_t cost_units) noexcept {
  // By a quota of 0 nothing would drain ever again.
  if (shape.units != 0 && !is_gcra_shape(*bucket, shape)) adopt(bucket, shape);
  const uint128_t cost = times(cost_units, gcra_window_ms(*bucket));
  fit_queue(bucket, shape, cost);
  const uint64_t place = tail_of(*bucket);
  const uint128_t most = times(kMaxHeldUnits, gcra_window_ms(*bucket));
  const uint128_t debt = debt_of(*bucket) + cost;
  set_debt(bucket, debt < most ? debt : most);
  if (is_wide(*bucket)) set_tail(bucket, place + cost_units);
  return place;
}

bool gcra_has_room(const Bucket& bucket, uint64_t cost_units) noexcept {
  const uint64_t window_ms = gcra_window_ms(bucket);
  return debt_of(bucket) + times(cost_units, window_ms) <=
         times(kMaxHeldUnits, window_ms);
}

ChargeResult gcra_charge_hot_words(const Bucket& stored, const Shape& shape,
                                   unsigned limit_code, uint64_t cost_units,
                                   const rl_time_t& now, HotWords* hot_words,
                                   Charged* charged) noexcept {
  uint64_t wait_ms;
  return gcra_charge_ahead(stored, shape, limit_code, cost_units, 0, now,
                           hot_words, charged, &wait_ms);
}

bool gcra_take_back_last(Bucket* bucket, uint64_t charged_units,
                         uint64_t charge_id) noexcept {
  const uint128_t cost = times(charged_units, gcra_window_ms(*bucket));
  const uint128_t debt = debt_of(*bucket);
  if (times(tail_of(*bucket) - charge_id, step_of(*bucket)) != cost) {
    return false;
  }
  set_debt(bucket, debt > cost ? debt - cost : 0);
  if (is_wide(*bucket)) set_tail(bucket, charge_id);
  return true;
}

void gcra_refund(Bucket* bucket, uint64_t charged_units, uint64_t units,
                 uint64_t charge_id) noexcept {
  const uint64_t window_ms = gcra_window_ms(*bucket);
  const uint64_t tail = tail_of(*bucket);
  const uint128_t length = length_of(*bucket, tail);
  const uint128_t cost = times(charged_units, window_ms);
  const uint128_t since = times(tail - charge_id, step_of(*bucket));
  const uint128_t later = since > cost ? since - cost : 0;
  if (length <= later) return;  // it has drained
  uint128_t back = times(units, window_ms);
  if (back > cost) back = cost;
  if (back > length - later) back = length - later;
  const uint128_t debt = debt_of(*bucket);
  if (back > debt) back = debt;
  // At the head it needs no gap: the head is behind it as soon as it is gone,
  // and behind all gaps once nothing is left.
  if (back == debt) {
    bucket->gcra.gap = 0;
  } else if (later + back < length) {
    add_gap(bucket, tail, length, later + back, back);
  }
  set_debt(bucket, debt - back);
  set_tail(bucket, tail);
}

uint64_t gcra_idle_at_ms(const Bucket& bucket) noexcept {
  const uint128_t debt = debt_of(bucket);
  if (debt == 0) return 0;
  const uint64_t units = bucket.gcra.units;
  return bucket.stamp +
         (units == 0 ? gcra_window_ms(bucket) : divide_up(debt, units));
}

uint64_t gcra_used_units(const Bucket& bucket, uint64_t now_ms) noexcept {
  Bucket copy = bucket;
  if (now_ms > copy.stamp) drain(&copy, now_ms);
  return divide_up(debt_of(copy), gcra_window_ms(copy));
}

}  // namespace ratelimit
