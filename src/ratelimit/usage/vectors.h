// Looks for pairs of bytes by 64 places at a time.
//
// A table has 16 bytes, each at the place that its lower half says: so a
// processor looks 32 bytes up in one instruction, however many are listed.
//
// Inline, since a call costs as much as 50 bytes do.

#ifndef RATELIMIT_USAGE_VECTORS_H_
#define RATELIMIT_USAGE_VECTORS_H_

#include <cstddef>
#include <cstdint>

#include "ratelimit/base/text.h"
#include "ratelimit/ratelimit.h"

#if defined(__x86_64__) && !defined(RATELIMIT_NO_SIMD)
#define RATELIMIT_VECTORS [[gnu::target("avx2")]]
#include <immintrin.h>
#else
#define RATELIMIT_VECTORS
#endif

namespace ratelimit {

constexpr std::size_t kNever = static_cast<std::size_t>(-1);

// How far behind the first byte of a pair the second one stands.
constexpr std::size_t kSecond = 2;

constexpr std::size_t kPlaces = 64;

// Those that have a pair: a bit for each from "at" on.
struct Places {
  const Byte* at;
  std::uint64_t bits;
};

// The last 64 places of a text where a pair may be.
inline const Byte* last_places(rl_str_t text) {
  return text.data + (text.len - kSecond - kPlaces);
}

#if defined(__x86_64__) && !defined(RATELIMIT_NO_SIMD)

struct Tables {
  __m256i first;
  __m256i second;
};

RATELIMIT_VECTORS inline __m256i table_of(const unsigned char table[16]) {
  return _mm256_broadcastsi128_si256(
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
}

RATELIMIT_VECTORS inline __m256i listed(const Byte* at, __m256i table) {
  const __m256i bytes =
      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
  return _mm256_cmpeq_epi8(_mm256_shuffle_epi8(table, bytes), bytes);
}

RATELIMIT_VECTORS inline std::uint64_t bits_of(__m256i bytes) {
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(bytes));
}

RATELIMIT_VECTORS inline std::uint64_t pairs(const Byte* at,
                                             const Tables& tables) {
  constexpr std::size_t kVector = 32;
  const __m256i a = listed(at, tables.first);
  const __m256i b = listed(at + kVector, tables.first);
  const __m256i any = _mm256_or_si256(a, b);
  if (__builtin_expect(_mm256_testz_si256(any, any), 1)) return 0;
  const Byte* const behind = at + kSecond;
  return bits_of(_mm256_and_si256(a, listed(behind, tables.second))) |
         bits_of(_mm256_and_si256(b, listed(behind + kVector, tables.second)))
             << 32;
}

// The next 64 places that have a pair, or the last ones; the loop is unrolled.
RATELIMIT_VECTORS [[gnu::always_inline]] inline Places next_places(
    const rl_usage_search_t& search, const Byte* at, const Byte* last) {
  const Tables tables = {table_of(search.first), table_of(search.second)};
  std::uint64_t bits = 0;
  for (; at + kPlaces < last; at += 2 * kPlaces) {
    bits = pairs(at, tables);
    if (__builtin_expect(bits != 0, 0)) return {at, bits};
    bits = pairs(at + kPlaces, tables);
    if (__builtin_expect(bits != 0, 0)) return {at + kPlaces, bits};
  }
  if (at < last) bits = pairs(at, tables);
  if (bits != 0) return {at, bits};
  return {last, pairs(last, tables)};
}

// The length of a text from which on this is how it is searched.
inline std::size_t vectors_from() {
  return __builtin_cpu_supports("avx2") ? kPlaces + kSecond : kNever;
}

#else

inline Places next_places(const rl_usage_search_t&, const Byte*,
                          const Byte* last) {
  return {last, 0};
}

inline std::size_t vectors_from() {
  return kNever;
}

#endif

}  // namespace ratelimit

#endif  // RATELIMIT_USAGE_VECTORS_H_
