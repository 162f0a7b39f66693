// take() of the algorithm `sliding`, to be inlined where decisions are made:
// some 40 instructions a decision less.

#ifndef RATELIMIT_SLIDING_TAKE_H_
#define RATELIMIT_SLIDING_TAKE_H_

#include "bytes.h"
#include "slots.h"

namespace ratelimit {

// Whether the oldest slot holds anything whose tick is more than a window
// before now_tick, which is in the newest one.
inline bool oldest_expires(const SlidingState& s, int64_t now_tick) {
  const uint64_t offset = s.offsets >> (4 * (kOlder - 1));
  return static_cast<int64_t>(offset) < (now_tick & 15) &&
         (s.counts[kOlder] | offset) != 0;
}

inline void expire_oldest(SlidingState* s) {
  s->counts[kOlder] = 0;
  s->offsets &= (uint64_t{1} << (4 * (kOlder - 1))) - 1;
}

// Makes the slots those of now_tick, which is later than the stamp's slot.
[[gnu::noinline]] inline void renew_slots(Bucket* bucket, uint32_t units,
                                          int64_t now_tick) noexcept {
  const int64_t stamp = stamp_of(*bucket);
  const auto newer = static_cast<unsigned>((now_tick >> 4) - (stamp >> 4));
  if (now_tick - stamp > kTicks) {
    clear(bucket, units, now_tick);
  } else {
    // What is more than 17 sub-windows old falls off.
    if (newer != 0) {
      shift(&bucket->sliding, newer, static_cast<uint64_t>(stamp & 15));
      bucket->set_stamp(static_cast<uint64_t>(now_tick));
    }
    if (oldest_expires(bucket->sliding, now_tick)) {
      expire_oldest(&bucket->sliding);
    }
  }
}

// The first eight bytes of a SlidingState, the second word of a Head.
struct SlidingFront {
  uint32_t window_lo;
  uint16_t carry;
  uint16_t newest;
};
static_assert(offsetof(SlidingState, counts) == offsetof(SlidingFront, newest),
              "as there");

// As add() of sliding.cc; false: the newest slot's count would overflow.
// kBlocks: units are counted in blocks.
template <bool kBlocks>
RATELIMIT_ALWAYS_INLINE bool add_units(SlidingFront* front,
                                       uint32_t added_units) {
  uint64_t blocks = added_units;
  if (kBlocks) {
    const unsigned exponent =
        31u - static_cast<unsigned>(__builtin_clz(front->carry | 1u));
    const uint32_t mask = mask_of(exponent);
    const uint32_t rest = (front->carry & mask) + added_units;
    front->carry = static_cast<uint16_t>(mask + 1 + (rest & mask));
    blocks = rest >> exponent;
  }
  blocks += front->newest;
  front->newest = static_cast<uint16_t>(blocks);
  return blocks <= kMaxCount;
}

template <bool kBlocks>
RATELIMIT_ALWAYS_INLINE Took
sliding_take_in(const Bucket& stored, unsigned limit_code, uint32_t units,
                uint64_t window_ms, uint32_t cost_units, uint64_t now_ms,
                Bucket* image, Head* head, Taken* taken) noexcept {
  const int64_t tick = tick_of(now_ms, window_ms);
  const int64_t stamp = stamp_of(stored);
  if (stored.window_ms() != window_ms || tick < stamp) {
    return Took::kUnusual;
  }
  const Bucket* from = &stored;
  Took took = Took::kHeadOnly;
  if ((tick >> 4) != (stamp >> 4) || oldest_expires(stored.sliding, tick)) {
    copy(stored, image);
    renew_slots(image, units, tick);
    if ((image->sliding.carry != 1) != kBlocks) return Took::kUnusual;
    from = image;
    took = Took::kAdmitted;
  }
  const uint64_t held =
      kBlocks ? used_of(from->sliding) : blocks_of(from->sliding);
  const uint64_t used = held + cost_units;
  if (__builtin_expect(used > units, 0)) {
    return Took::kRefused;
  }
  SlidingFront front;
  std::memcpy(&front, &from->sliding, sizeof(front));
  if (!add_units<kBlocks>(&front, cost_units)) {
    return Took::kUnusual;
  }
  head->words[0] =
      charged_word(*from, static_cast<uint64_t>(tick), limit_code);
  std::memcpy(&head->words[1], &front, sizeof(front));
  taken->remaining_units = units - static_cast<uint32_t>(used);
  taken->reset_ms = leave_ms(tick, window_ms) - now_ms;
  taken->receipt = now_ms;
  if (took == Took::kAdmitted) {
    set_head(*head, image);
  }
  return took;
}

// Of quotas above kMaxCount, mostly.
Took sliding_take_blocks(const Bucket& stored, unsigned limit_code,
                         uint32_t units, uint64_t window_ms,
                         uint32_t cost_units, uint64_t now_ms, Bucket* image,
                         Head* head, Taken* taken) noexcept;

// take() of a stored bucket: it comes out charged in *image, or, as kHeadOnly,
// only its head in *head.  Each word of that is put together in a register:
// what is written in parts and read as a whole has to go through the cache
// first.
RATELIMIT_ALWAYS_INLINE Took sliding_take(const Bucket& stored,
                                          unsigned limit_code, uint32_t units,
                                          uint64_t window_ms,
                                          uint32_t cost_units, uint64_t now_ms,
                                          Bucket* image, Head* head,
                                          Taken* taken) noexcept {
  if (__builtin_expect(stored.sliding.carry != 1, 0)) {
    // Their addresses go away, and so they alone are in memory.
    Taken other;
    Head other_head;
    const Took took =
        sliding_take_blocks(stored, limit_code, units, window_ms, cost_units,
                            now_ms, image, &other_head, &other);
    *taken = other;
    *head = other_head;
    return took;
  }
  return sliding_take_in<false>(stored, limit_code, units, window_ms,
                                cost_units, now_ms, image, head, taken);
}

}  // namespace ratelimit

#endif  // RATELIMIT_SLIDING_TAKE_H_
