// What most charges are: nothing but the bucket's hot words change.  To be
// inlined where decisions are made, the default algorithm's at least: some 40
// instructions a decision less.

#ifndef RATELIMIT_ALGORITHM_CHARGE_HOT_WORDS_H_
#define RATELIMIT_ALGORITHM_CHARGE_HOT_WORDS_H_

#include "ratelimit/algorithm/charge_place.h"
#include "ratelimit/algorithm/gcra.h"
#include "ratelimit/algorithm/holders.h"
#include "ratelimit/algorithm/sliding.h"
#include "ratelimit/algorithm/sliding_slots.h"
#include "ratelimit/algorithm/window.h"
#include "ratelimit/base/bytes.h"

namespace ratelimit {

// open(), of that algorithm.
inline void sliding_open(Bucket* bucket, uint64_t key, uint64_t quota_units,
                         uint64_t window_ms, unsigned limit_code,
                         uint64_t now_ms) noexcept {
  start(bucket, key, RL_SLIDING, window_ms, now_ms, limit_code);
  begin_rest(&bucket->sliding, exponent_for(quota_units));
}

// Whether the oldest slot holds anything whose tick is more than a window
// before now_tick, which is in the newest one.
inline bool oldest_expires(const SlidingState& s, int64_t now_tick) {
  const uint64_t offset = s.offsets >> (4 * (kOlder - 1));
  return static_cast<int64_t>(offset) < (now_tick & 15) &&
         (s.counts[kOlder] | offset) != 0;
}

// Makes the slots those of now_ms, which is not before the last charge, in a
// bucket that is not wide; the stamp is the caller's.
inline void renew_slots(Bucket* bucket, uint64_t quota_units,
                        uint64_t now_ms) noexcept {
  const uint64_t window_ms = sliding_window_ms(*bucket);
  if (now_ms - bucket->stamp >= window_ms) {
    return clear(bucket, quota_units, now_ms);
  }
  const int64_t now_tick = tick_of(now_ms, window_ms);
  const int64_t last = last_tick(*bucket);
  const auto newer = static_cast<unsigned>((now_tick >> 4) - (last >> 4));
  if (newer != 0) {
    // What is more than 17 sub-windows old falls off.
    advance_slots(&bucket->sliding, newer, static_cast<uint64_t>(last & 15));
  }
  if (oldest_expires(bucket->sliding, now_tick)) {
    bucket->sliding.counts[kOlder] = 0;
    bucket->sliding.offsets &= (uint64_t{1} << (4 * (kOlder - 1))) - 1;
  }
}

// The first eight bytes of a SlidingState, the second word of a HotWords.
struct SlidingFront {
  uint32_t window_lo;
  uint16_t remainder;
  uint16_t newest;
};
static_assert(offsetof(SlidingState, counts) == offsetof(SlidingFront, newest),
              "as there");

// As add() of sliding.cc; false: the newest slot's count would overflow.
// kBlocks: units are counted in blocks, which are not wide.
template <bool kBlocks>
RATELIMIT_ALWAYS_INLINE bool add_units(SlidingFront* front,
                                       uint64_t added_units) {
  uint64_t blocks = added_units;
  if (kBlocks) {
    const unsigned exponent = narrow_exponent(front->remainder);
    const uint64_t mask = mask_of(exponent);
    const uint64_t rest = (front->remainder & mask) + added_units;
    front->remainder = static_cast<uint16_t>(mask + 1 + (rest & mask));
    blocks = rest >> exponent;
  }
  blocks += front->newest;
  front->newest = static_cast<uint16_t>(blocks);
  return blocks <= kMaxCount;
}

// The hot words of `from`, whose slots are those of now_ms, once it is
// charged.
//  Each word is put together in a register: what is written in parts
// and read as a whole has to go through the cache first.
template <bool kBlocks>
RATELIMIT_ALWAYS_INLINE ChargeResult
sliding_charge_at(const Bucket& from, uint64_t quota_units, uint64_t window_ms,
                  unsigned limit_code, uint64_t cost_units, uint64_t now_ms,
                  HotWords* hot_words, Charged* charged) noexcept {
  const uint64_t held =
      kBlocks ? narrow_used_of(from.sliding) : blocks_of(from.sliding);
  const uint64_t used = held + cost_units;
  if (__builtin_expect(used > quota_units, 0)) {
    return ChargeResult::kRefused;
  }
  SlidingFront front;
  std::memcpy(&front, &from.sliding, sizeof(front));
  if (!add_units<kBlocks>(&front, cost_units)) {
    return ChargeResult::kUndecided;
  }
  hot_words->words[0] = charged_word(from, now_ms, limit_code);
  std::memcpy(&hot_words->words[1], &front, sizeof(front));
  charged->remaining_units = quota_units - used;
  charged->reset_ms = window_ms;
  charged->charge_id = now_ms;
  return ChargeResult::kAdmitted;
}

// Whether a stored bucket is of this window, and as it was at its last charge,
// which adapt() would leave as it is.
RATELIMIT_ALWAYS_INLINE bool sliding_is_current(const Bucket& stored,
                                                uint64_t window_ms,
                                                uint64_t now_ms) noexcept {
  const int64_t tick = tick_of(now_ms, window_ms);
  return stored.with_hi(stored.sliding.window_lo) == window_ms &&
         now_ms >= stored.stamp &&
         (tick >> 4) == (tick_of(stored.stamp, window_ms) >> 4) &&
         !oldest_expires(stored.sliding, tick);
}

// What try_charge() would make of a stored bucket, as its hot words alone;
// kUndecided as well if more than that would change.
template <bool kBlocks>
RATELIMIT_ALWAYS_INLINE ChargeResult sliding_hot_words(
    const Bucket& stored, uint64_t quota_units, uint64_t window_ms,
    unsigned limit_code, uint64_t cost_units, uint64_t now_ms,
    HotWords* hot_words, Charged* charged) noexcept {
  if (!sliding_is_current(stored, window_ms, now_ms)) {
    return ChargeResult::kUndecided;
  }
  return sliding_charge_at<kBlocks>(stored, quota_units, window_ms, limit_code,
                                    cost_units, now_ms, hot_words, charged);
}

// try_charge() of a stored bucket into *image, which it may be itself.
template <bool kBlocks>
RATELIMIT_ALWAYS_INLINE ChargeResult sliding_try_charge_into(
    const Bucket& stored, uint64_t quota_units, uint64_t window_ms,
    unsigned limit_code, uint64_t cost_units, uint64_t now_ms, Bucket* image,
    Charged* charged) noexcept {
  if (stored.with_hi(stored.sliding.window_lo) != window_ms ||
      now_ms < stored.stamp) {
    return ChargeResult::kUndecided;
  }
  copy(stored, image);
  renew_slots(image, quota_units, now_ms);
  const uint16_t remainder = image->sliding.remainder;
  if (kBlocks ? remainder <= 1 : remainder != 1) {
    return ChargeResult::kUndecided;
  }
  HotWords hot_words;
  const ChargeResult result =
      sliding_charge_at<kBlocks>(*image, quota_units, window_ms, limit_code,
                                 cost_units, now_ms, &hot_words, charged);
  if (result == ChargeResult::kAdmitted) set_hot_words(hot_words, image);
  return result;
}

// The same of any bucket.
RATELIMIT_ALWAYS_INLINE ChargeResult
charge_hot_words(const Bucket& stored, const Shape& shape, unsigned limit_code,
                 uint64_t cost_units, const rl_time_t& now,
                 HotWords* hot_words, Charged* charged) noexcept {
  switch (shape.algorithm) {
    case RL_SLIDING:
      return sliding_charge_hot_words(stored, shape, limit_code, cost_units,
                                      now, hot_words, charged);
    case RL_GCRA:
      return gcra_charge_hot_words(stored, shape, limit_code, cost_units, now,
                                   hot_words, charged);
    case RL_CONCURRENT:
      return concurrent_charge_hot_words(
          stored, shape.process, process_changes(shape.process), shape.units,
          limit_code, cost_units, hot_words, charged);
    default:
      return window_charge_hot_words(stored, shape, limit_code, cost_units,
                                     now, hot_words, charged);
  }
}

}  // namespace ratelimit

#endif  // RATELIMIT_ALGORITHM_CHARGE_HOT_WORDS_H_
