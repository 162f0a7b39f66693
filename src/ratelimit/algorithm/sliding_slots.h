// The 17 slots of a sliding bucket (see sliding.h): reading them, and
// rebuilding them in the rare case that more than time has passed.

#ifndef RATELIMIT_ALGORITHM_SLIDING_SLOTS_H_
#define RATELIMIT_ALGORITHM_SLIDING_SLOTS_H_

#include <cstring>

#include "ratelimit/algorithm/bucket.h"
#include "ratelimit/base/simd.h"

namespace ratelimit {

constexpr unsigned kSlots = 17;  // sub-windows that may hold live units
constexpr unsigned kOlder = kSlots - 1;
constexpr int64_t kTicks = 256;  // of a window
constexpr uint64_t kMaxCount = 65535;
constexpr unsigned kMaxExponent = 15;  // its bit in remainder is the highest

// A tick times a window is 256 times a time; see leave_ms.
static_assert(RL_MAX_WINDOW_MS < (uint64_t{1} << 62) / (kTicks + 16) &&
                  uint64_t{1} << 40 < (uint64_t{1} << 62) / kTicks,
              "ticks times windows fit 63 bits");
static_assert(RL_MAX_UNITS <= kMaxCount << kMaxExponent,
              "a quota fits a slot");

// Ticks are signed: soon after the clock's start the older sub-windows lie
// before it.
inline int64_t tick_of(uint64_t time_ms, uint64_t window_ms) {
  return static_cast<int64_t>(time_ms * kTicks / window_ms);
}

// The first millisecond at which units of an older slot, charged at tick
// `tick`, are gone.
inline uint64_t leave_ms(int64_t tick, uint64_t window_ms) {
  return (static_cast<uint64_t>(tick + kTicks + 1) * window_ms + kTicks - 1) /
         kTicks;
}

// Of the last charge.
inline int64_t last_tick(const Bucket& bucket) {
  return tick_of(bucket.stamp, bucket.window_ms());
}

inline unsigned exponent_of(const SlidingState& s) {
  // `| 1` is for memory that someone else has overwritten.
  return 31u - static_cast<unsigned>(__builtin_clz(s.remainder | 1u));
}

inline uint32_t mask_of(unsigned exponent) {
  return (1u << exponent) - 1;
}

// The least exponent that makes `units` fit a slot.
inline unsigned exponent_for(uint32_t units) {
  if (units <= kMaxCount) return 0;
  const unsigned low =
      16u - static_cast<unsigned>(__builtin_clz(units));  // bits above 16
  return units > kMaxCount << low ? low + 1 : low;
}

// The tick of a slot's last charge; slot 0 is the newest.
inline int64_t slot_tick(const Bucket& bucket, unsigned slot) {
  const int64_t last = last_tick(bucket);
  if (slot == 0) return last;
  const uint64_t offset = bucket.sliding.offsets >> (4 * (slot - 1)) & 15;
  return ((last >> 4) - slot) * 16 + static_cast<int64_t>(offset);
}

// The first millisecond at which a slot's units are gone: of the newest a
// window after the last charge.
inline uint64_t slot_leave_ms(const Bucket& bucket, unsigned slot) {
  const uint64_t window_ms = bucket.window_ms();
  return slot == 0 ? bucket.stamp + window_ms
                   : leave_ms(slot_tick(bucket, slot), window_ms);
}

// Sum of all slots' blocks.
inline uint64_t blocks_of(const SlidingState& s) {
#ifdef RATELIMIT_SSE2
  // A third of the instructions.  Pairs are multiplied by one and added, but
  // as signed numbers: hence the bias.
  const __m128i bias = _mm_set1_epi16(INT16_MIN);
  const __m128i one = _mm_set1_epi16(1);
  const auto* p = reinterpret_cast<const __m128i*>(s.counts + 1);
  const __m128i low = _mm_xor_si128(_mm_loadu_si128(p), bias);
  const __m128i high = _mm_xor_si128(_mm_loadu_si128(p + 1), bias);
  __m128i sum =
      _mm_add_epi32(_mm_madd_epi16(low, one), _mm_madd_epi16(high, one));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1));
  const int biased = _mm_cvtsi128_si32(sum) + int{kOlder} * -INT16_MIN;
  return static_cast<unsigned>(biased) + s.counts[0];
#else
  // Four at a time, in lanes of 32 bits.
  constexpr uint64_t kLanes = 0x0000ffff0000ffff;
  uint64_t words[kOlder / 4];
  std::memcpy(words, s.counts + 1, sizeof(words));
  uint64_t sum = 0;
  for (const uint64_t word : words) {
    sum += (word & kLanes) + (word >> 16 & kLanes);
  }
  return (sum & 0xffffffff) + (sum >> 32) + s.counts[0];
#endif
}

// Bit i: slot i + 1 holds blocks.
inline uint32_t older_in_use(const SlidingState& s) {
#ifdef RATELIMIT_SSE2
  const __m128i zero = _mm_setzero_si128();
  const auto* p = reinterpret_cast<const __m128i*>(s.counts + 1);
  const __m128i low = _mm_cmpeq_epi16(_mm_loadu_si128(p), zero);
  const __m128i high = _mm_cmpeq_epi16(_mm_loadu_si128(p + 1), zero);
  const int empty = _mm_movemask_epi8(_mm_packs_epi16(low, high));
  return static_cast<uint32_t>(empty) ^ ((1u << kOlder) - 1);
#else
  uint32_t used = 0;
  for (unsigned i = 0; i < kOlder; i++) {
    used |= static_cast<uint32_t>(s.counts[i + 1] != 0) << i;
  }
  return used;
#endif
}

// Of what older_in_use() says, which is not 0.
inline unsigned oldest_slot(uint32_t in_use) {
  return 32u - static_cast<unsigned>(__builtin_clz(in_use));
}

inline unsigned newest_slot(uint32_t in_use) {
  return 1u + static_cast<unsigned>(__builtin_ctz(in_use));
}

inline uint64_t used_of(const SlidingState& s) {
  const uint64_t blocks = blocks_of(s);
  if (s.remainder == 1) return blocks;
  const unsigned exponent = exponent_of(s);
  return (blocks << exponent) + (s.remainder & mask_of(exponent));
}

// Empties all slots; stamp_ms stands for the last charge's time.
void clear(Bucket* bucket, uint32_t quota_units, uint64_t stamp_ms) noexcept;

// Makes room for `newer` newer slots, 1 to 16; what was in the newest had its
// last charge at `offset`.
void advance_slots(SlidingState* s, unsigned newer, uint64_t offset) noexcept;

// Adds units to the newest slot where its count would overflow.
void add_raising(SlidingState* s, uint64_t added_units,
                 uint32_t quota_units) noexcept;

// A quota that was cut may do with smaller blocks.
void lower_exponent(SlidingState* s, uint32_t quota_units) noexcept;

// Another clock: ages stay, and the last charge was at stamp_ms.
void rebase(Bucket* bucket, uint32_t quota_units, uint64_t stamp_ms) noexcept;

// Takes the bucket from its own window to the shape's.
void change_window(Bucket* bucket, const Shape& shape,
                   uint64_t now_ms) noexcept;

}  // namespace ratelimit

#endif  // RATELIMIT_ALGORITHM_SLIDING_SLOTS_H_
