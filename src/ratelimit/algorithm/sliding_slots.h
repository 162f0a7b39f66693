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
constexpr unsigned kMaxNarrow = 15;  // its bit in remainder is the highest
constexpr unsigned kMaxExponent = 35;

// A tick times a window is 256 times a time; see leave_ms.
static_assert(RL_MAX_WINDOW_MS < (uint64_t{1} << 62) / (kTicks + 16) &&
                  uint64_t{1} << 40 < (uint64_t{1} << 62) / kTicks,
              "ticks times windows fit 63 bits");
static_assert(RL_MAX_UNITS <= kMaxCount << (kMaxExponent - 1),
              "a slot has room for twice a quota");
static_assert(kSlots * (kMaxCount + 1) << kMaxExponent < uint64_t{1} << 60,
              "sums fit");

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

inline uint64_t sliding_window_ms(const Bucket& bucket) {
  return bucket.with_hi(bucket.sliding.window_lo);
}

// Of the last charge.
inline int64_t last_tick(const Bucket& bucket) {
  return tick_of(bucket.stamp, sliding_window_ms(bucket));
}

inline uint64_t mask_of(unsigned exponent) {
  return (uint64_t{1} << exponent) - 1;
}

// The units that do not fill a block stand below a marker bit, which tells the
// exponent: in `remainder`; or, as in blocks of more than 2^15 units they have
// no room there, in `offsets`, with one bit for each older sub-window above
// them in place of four: whether the last charge was in its last tick, or
// there was none.  Such a bucket is called wide.
constexpr unsigned kUsedAt = 64 - kOlder;
static_assert(kMaxExponent < kUsedAt, "below these bits");

inline bool is_wide(const SlidingState& s) {
  return s.remainder == 0;
}

inline unsigned narrow_exponent(uint16_t remainder) {
  // `| 1` is for memory that someone else has overwritten.
  return 31u - static_cast<unsigned>(__builtin_clz(remainder | 1u));
}

inline uint64_t marked_rest(const SlidingState& s) {
  return is_wide(s) ? s.offsets & mask_of(kUsedAt) : s.remainder;
}

inline unsigned exponent_of(const SlidingState& s) {
  if (!is_wide(s)) return narrow_exponent(s.remainder);
  const auto exponent =
      63u - static_cast<unsigned>(__builtin_clzll(marked_rest(s) | 1u));
  return exponent < kMaxExponent ? exponent : kMaxExponent;
}

inline uint64_t rest_of(const SlidingState& s) {
  return marked_rest(s) & mask_of(exponent_of(s));
}

// Of counts that are in blocks of this exponent.
void set_rest(SlidingState* s, unsigned exponent, uint64_t rest) noexcept;

// Of an empty bucket.
inline void begin_rest(SlidingState* s, unsigned exponent) {
  const uint64_t marked = uint64_t{1} << exponent;
  if (exponent <= kMaxNarrow) {
    s->remainder = static_cast<uint16_t>(marked);
    s->offsets = 0;
  } else {
    s->remainder = 0;
    s->offsets = marked;
  }
}

// The tick of an older sub-window's last charge, in it.
inline uint64_t offset_of(const SlidingState& s, unsigned slot) {
  return is_wide(s) ? 15 * (s.offsets >> (kUsedAt + slot - 1) & 1)
                    : s.offsets >> (4 * (slot - 1)) & 15;
}

// Those from `first` on are emptied.
inline void drop_offsets(SlidingState* s, unsigned first) {
  s->offsets &=
      is_wide(*s) ? mask_of(kUsedAt + first - 1) : mask_of(4 * (first - 1));
}

// What is stored can have been written by a process of this version.
inline bool has_sound_rest(const SlidingState& s) {
  const uint64_t exponent_bits = marked_rest(s) >> (kMaxNarrow + 1);
  return is_wide(s) == (exponent_bits != 0) &&
         exponent_bits >> (kMaxExponent - kMaxNarrow) == 0;
}

// The least exponent that makes `units` fit a slot.
inline unsigned exponent_for(uint64_t units) {
  if (units <= kMaxCount) return 0;
  const unsigned low =
      48u - static_cast<unsigned>(__builtin_clzll(units));  // bits above 16
  return units > kMaxCount << low ? low + 1 : low;
}

// The tick of a slot's last charge; slot 0 is the newest.
inline int64_t slot_tick(const Bucket& bucket, unsigned slot) {
  const int64_t last = last_tick(bucket);
  if (slot == 0) return last;
  return ((last >> 4) - slot) * 16 +
         static_cast<int64_t>(offset_of(bucket.sliding, slot));
}

// The first millisecond at which a slot's units are gone: of the newest a
// window after the last charge.
inline uint64_t slot_leave_ms(const Bucket& bucket, unsigned slot) {
  const uint64_t window_ms = sliding_window_ms(bucket);
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

// Of a bucket that is not wide.
inline uint64_t narrow_used_of(const SlidingState& s) {
  const unsigned exponent = narrow_exponent(s.remainder);
  return (blocks_of(s) << exponent) + (s.remainder & mask_of(exponent));
}

inline uint64_t used_of(const SlidingState& s) {
  const uint64_t blocks = blocks_of(s);
  if (s.remainder == 1) return blocks;
  return (blocks << exponent_of(s)) + rest_of(s);
}

// Empties all slots; stamp_ms stands for the last charge's time.
void clear(Bucket* bucket, uint64_t quota_units, uint64_t stamp_ms) noexcept;

// Makes room for `newer` newer slots, 1 to 16, in a bucket that is not wide;
// what was in the newest had its last charge at `offset`.
void advance_slots(SlidingState* s, unsigned newer, uint64_t offset) noexcept;

// The same of a wide one.
void advance_wide_slots(SlidingState* s, unsigned newer) noexcept;

// Adds units to the newest slot where its count would overflow.
void add_raising(SlidingState* s, uint64_t added_units,
                 uint64_t quota_units) noexcept;

// A quota that was cut may do with smaller blocks.
void lower_exponent(SlidingState* s, uint64_t quota_units) noexcept;

// Another clock: ages stay, and the last charge was at stamp_ms.
void rebase(Bucket* bucket, uint64_t quota_units, uint64_t stamp_ms) noexcept;

// Takes the bucket from its own window to the shape's.
void change_window(Bucket* bucket, const Shape& shape,
                   uint64_t now_ms) noexcept;

}  // namespace ratelimit

#endif  // RATELIMIT_ALGORITHM_SLIDING_SLOTS_H_
