#include "ratelimit/algorithm/sliding.h"

#include <cstring>

#include "ratelimit/algorithm/charge_hot_words.h"
#include "ratelimit/algorithm/sliding_slots.h"

namespace ratelimit {
namespace {

[[gnu::noinline]] void add_blocks(SlidingState* s, uint64_t added_units,
                                  uint64_t quota_units) {
  const unsigned exponent = exponent_of(*s);
  const uint64_t rest = rest_of(*s) + added_units;
  const uint64_t blocks = s->counts[0] + (rest >> exponent);
  if (blocks > kMaxCount) return add_raising(s, added_units, quota_units);
  s->counts[0] = static_cast<uint16_t>(blocks);
  set_rest(s, exponent, rest & mask_of(exponent));
}

// Adds units to the newest slot.
inline void add(SlidingState* s, uint64_t added_units, uint64_t quota_units) {
  const uint64_t count = s->counts[0] + added_units;
  if (s->remainder != 1 || count > kMaxCount) {
    return add_blocks(s, added_units, quota_units);
  }
  s->counts[0] = static_cast<uint16_t>(count);
}

// Empties the slots from `first` on, which is not the newest.
[[gnu::noinline]] void drop(SlidingState* s, unsigned first) {
  // 17 slots to keep, then 17 to drop: a window on this is a mask.
  static constexpr uint16_t kKeep[2 * kSlots] = {
      0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff,
      0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff};
  uint64_t words[kOlder / 4];
  uint64_t keep[kOlder / 4];
  std::memcpy(words, s->counts + 1, sizeof(words));
  std::memcpy(keep, kKeep + kSlots + 1 - first, sizeof(keep));
  for (unsigned i = 0; i < kOlder / 4; i++) {
    words[i] &= keep[i];
  }
  std::memcpy(s->counts + 1, words, sizeof(words));
  // No offset tells a slot that was emptied here from one whose units have
  // flowed on; see sliding_refund.
  drop_offsets(s, first);
}

// Empties the slots whose tick is more than a window before now_tick, which is
// less than a window after the last charge.
inline void expire(Bucket* bucket, int64_t now_tick) {
  // Only the slot that lies 16 sub-windows back can be either; all newer ones
  // are live.
  SlidingState& s = bucket->sliding;
  const auto newer =
      static_cast<unsigned>((now_tick >> 4) - (last_tick(*bucket) >> 4));
  const unsigned last = kOlder - newer;
  const bool live =
      last == 0 || static_cast<int64_t>(offset_of(s, last)) >= (now_tick & 15);
  const unsigned first = live ? last + 1 : last;
  // Most often nothing is there to go.
  const bool is_empty = first == kOlder && s.counts[kOlder] == 0 &&
                        s.offsets >> (4 * (kOlder - 1)) == 0;
  if (first < kSlots && !is_empty) drop(&s, first);
}

// Makes now_ms, which is not before the stamp, the last charge's time.
inline void advance(Bucket* bucket, uint64_t quota_units, uint64_t now_ms) {
  const int64_t last = last_tick(*bucket);
  const int64_t newer =
      (tick_of(now_ms, sliding_window_ms(*bucket)) >> 4) - (last >> 4);
  bucket->set_stamp(now_ms);
  if (newer == 0) return;
  if (__builtin_expect(newer > kOlder, 0)) {
    return clear(bucket, quota_units, now_ms);
  }
  if (is_wide(bucket->sliding)) {
    return advance_wide_slots(&bucket->sliding, static_cast<unsigned>(newer));
  }
  advance_slots(&bucket->sliding, static_cast<unsigned>(newer),
                static_cast<uint64_t>(last & 15));
}

// Larger ones than the quota needs, as it does once it was cut, or than the
// quick path can do with.
inline bool has_large_blocks(const SlidingState& s, uint64_t quota_units) {
  return is_wide(s) ||
         narrow_exponent(s.remainder) > exponent_for(quota_units);
}

// When the oldest `units`, at least 1 and at most all, have left.
uint64_t left_ms(const Bucket& bucket, uint64_t units) {
  const SlidingState& s = bucket.sliding;
  const unsigned exponent = exponent_of(s);
  unsigned slot = 0;
  for (uint32_t in_use = older_in_use(s); in_use != 0;
       in_use ^= 1u << (slot - 1), slot = 0) {
    slot = oldest_slot(in_use);
    const uint64_t held = uint64_t{s.counts[slot]} << exponent;
    if (held >= units) break;
    units -= held;
  }
  return slot_leave_ms(bucket, slot);
}

bool newest_empty(const SlidingState& s) {
  const uint64_t marked = marked_rest(s);
  return s.counts[0] == 0 && (marked & (marked - 1)) == 0;
}

// When all units have left; 0: there is none.
uint64_t all_left_ms(const Bucket& bucket) {
  unsigned slot = 0;
  // The newest slot is empty before the first charge and after a refund only.
  if (newest_empty(bucket.sliding)) {
    const uint32_t in_use = older_in_use(bucket.sliding);
    if (in_use == 0) return 0;
    slot = newest_slot(in_use);
  }
  return slot_leave_ms(bucket, slot);
}

// adapt where more has happened than that time has passed.
// (Inlined, it would make the callers save registers and reserve a frame.)
[[gnu::noinline, gnu::cold]] bool adapt_changed(Bucket* bucket,
                                                const Shape& shape,
                                                const rl_time_t& now) {
  const uint64_t window_ms = sliding_window_ms(*bucket);
  uint64_t now_ms = now.mono_ms;
  bool rewritten = false;
  if (now_ms < bucket->stamp) {
    if (bucket->stamp - now_ms > kNewClockMs) {
      rebase(bucket, shape.units, now_ms);
      rewritten = true;
    } else {
      now_ms = bucket->stamp;
    }
  }
  if (now_ms - bucket->stamp >= window_ms) {
    clear(bucket, shape.units, now_ms);
  } else {
    expire(bucket, tick_of(now_ms, window_ms));
    lower_exponent(&bucket->sliding, shape.units);
  }
  if (window_ms != shape.window_ms) {
    change_window(bucket, shape, now_ms);
    // A shorter one forgets: that is for a charge to make true.
    rewritten |= shape.window_ms > window_ms;
  }
  return rewritten;
}

// stand where not only the newest slot has to be looked at.
[[gnu::noinline]] Evaluation evaluate_slots(
    const Bucket& bucket, const Shape& shape, uint64_t cost_units,
    bool want_next, const rl_time_t& now, uint64_t used) {
  const uint64_t quota = shape.units;
  Evaluation evaluation = {};
  evaluation.remaining_units = used < quota ? quota - used : 0;
  evaluation.admitted = cost_units <= evaluation.remaining_units;
  evaluation.reset_ms = used == 0 ? 0 : all_left_ms(bucket) - now.mono_ms;
  if (!evaluation.admitted) {
    evaluation.retry_after_ms =
        cost_units > quota
            ? shape.window_ms
            : left_ms(bucket, used + cost_units - quota) - now.mono_ms;
  }
  if (want_next && used > 0) {
    // In debt more than one unit has to leave before one is there to be used.
    uint64_t excess = used < quota ? 1 : used - quota + 1;
    if (excess > used) excess = used;
    evaluation.next_ms = left_ms(bucket, excess) - now.mono_ms;
  }
  return evaluation;
}

}  // namespace

bool sliding_adapt(Bucket* bucket, const Shape& shape,
                   const rl_time_t& now) noexcept {
  const uint64_t now_ms = now.mono_ms;
  if (__builtin_expect(sliding_window_ms(*bucket) != shape.window_ms ||
                           now_ms < bucket->stamp,
                       0)) {
    return adapt_changed(bucket, shape, now);
  }
  if (now_ms - bucket->stamp >= shape.window_ms) {
    clear(bucket, shape.units, now_ms);
  } else {
    expire(bucket, tick_of(now_ms, shape.window_ms));
    if (bucket->sliding.remainder != 1) {
      lower_exponent(&bucket->sliding, shape.units);
    }
  }
  return false;
}

Evaluation sliding_evaluate(const Bucket& bucket, const Shape& shape,
                            uint64_t cost_units, bool want_next,
                            const rl_time_t& now) noexcept {
  const uint64_t used = used_of(bucket.sliding);
  if (used + cost_units > shape.units || newest_empty(bucket.sliding) ||
      want_next) {
    return evaluate_slots(bucket, shape, cost_units, want_next, now, used);
  }
  return {true, shape.units - used, slot_leave_ms(bucket, 0) - now.mono_ms, 0,
          0};
}

uint64_t sliding_reset_ms(const Bucket& bucket,
                          const rl_time_t& now) noexcept {
  const uint64_t end_ms = all_left_ms(bucket);
  return end_ms == 0 ? 0 : end_ms - now.mono_ms;
}

uint64_t sliding_next_ms(const Bucket& bucket, const rl_time_t& now) noexcept {
  const uint32_t in_use = older_in_use(bucket.sliding);
  if (in_use == 0 && newest_empty(bucket.sliding)) return 0;
  const unsigned oldest = in_use == 0 ? 0 : oldest_slot(in_use);
  return slot_leave_ms(bucket, oldest) - now.mono_ms;
}

uint64_t sliding_charge(Bucket* bucket, const Shape& shape,
                        uint64_t cost_units, const rl_time_t& now) noexcept {
  uint64_t charged_ms = now.mono_ms;
  if (__builtin_expect(charged_ms < bucket->stamp, 0)) {
    charged_ms = bucket->stamp;
  } else {
    advance(bucket, shape.units, charged_ms);
  }
  add(&bucket->sliding, cost_units, shape.units);
  return charged_ms;
}

ChargeResult sliding_try_charge(Bucket* bucket, const Shape& shape,
                                unsigned limit_code, uint64_t cost_units,
                                const rl_time_t& now,
                                Charged* charged) noexcept {
  if (bucket->sliding.remainder == 1) {
    return sliding_try_charge_into<false>(
        *bucket, shape.units, shape.window_ms, limit_code, cost_units,
        now.mono_ms, bucket, charged);
  }
  return has_large_blocks(bucket->sliding, shape.units)
             ? ChargeResult::kUndecided
             : sliding_try_charge_into<true>(
                   *bucket, shape.units, shape.window_ms, limit_code,
                   cost_units, now.mono_ms, bucket, charged);
}

ChargeResult sliding_charge_hot_words(const Bucket& stored, const Shape& shape,
                                      unsigned limit_code, uint64_t cost_units,
                                      const rl_time_t& now,
                                      HotWords* hot_words,
                                      Charged* charged) noexcept {
  if (stored.sliding.remainder == 1) {
    return sliding_hot_words<false>(stored, shape.units, shape.window_ms,
                                    limit_code, cost_units, now.mono_ms,
                                    hot_words, charged);
  }
  return has_large_blocks(stored.sliding, shape.units)
             ? ChargeResult::kUndecided
             : sliding_hot_words<true>(stored, shape.units, shape.window_ms,
                                       limit_code, cost_units, now.mono_ms,
                                       hot_words, charged);
}

void sliding_refund(Bucket* bucket, const Shape& shape, uint64_t units,
                    uint64_t charge_id) noexcept {
  SlidingState& s = bucket->sliding;
  const int64_t age =
      (last_tick(*bucket) >> 4) - (tick_of(charge_id, shape.window_ms) >> 4);
  if (age < 0 || age > kOlder) return;
  auto slot = static_cast<unsigned>(age);
  // Gone.  (Or charged in a sub-window's first tick, and all has flowed on:
  // that is kept.)
  if (slot > 0 && s.counts[slot] == 0 &&
      (slot_tick(*bucket, slot) & 15) == 0) {
    return;
  }
  // With blocks, units of this slot may have flowed on into newer ones, and
  // what is left of a block that is taken flows on as well.  Taking from the
  // next newer slot that holds any, never from one beyond it, lets no unit
  // that was charged there leave early.  Without blocks what is missing here
  // is another bucket's, which was evicted since.
  const unsigned exponent = exponent_of(s);
  const uint64_t mask = mask_of(exponent);
  uint64_t want = units;
  for (; slot > 0; slot--) {
    uint64_t blocks = (want + mask) >> exponent;
    if (blocks > s.counts[slot]) blocks = s.counts[slot];
    s.counts[slot] = static_cast<uint16_t>(s.counts[slot] - blocks);
    const uint64_t taken = blocks << exponent;
    if (taken >= want) {
      add(&s, taken - want, shape.units);
      return;
    }
    if (exponent == 0) return;
    want -= taken;
  }
  uint64_t held = (uint64_t{s.counts[0]} << exponent) + rest_of(s);
  held -= want < held ? want : held;
  s.counts[0] = static_cast<uint16_t>(held >> exponent);
  set_rest(&s, exponent, held & mask);
}

uint64_t sliding_idle_at_ms(const Bucket& bucket) noexcept {
  return all_left_ms(bucket);
}

uint64_t sliding_used_units(const Bucket& bucket, uint64_t now_ms) noexcept {
  const uint64_t window_ms = sliding_window_ms(bucket);
  if (now_ms >= bucket.stamp + window_ms) return 0;
  if (now_ms <= bucket.stamp ||
      sliding_is_current(bucket, window_ms, now_ms)) {
    return used_of(bucket.sliding);
  }
  Bucket copy = bucket;
  expire(&copy, tick_of(now_ms, window_ms));
  return used_of(copy.sliding);
}

}  // namespace ratelimit
