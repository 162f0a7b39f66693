// Whether a text may have one of the names that are looked for.
//
// By 128 bytes at a time where the processor can; elsewhere, and in what is
// shorter, by memchr.

#include "ratelimit/usage/search.h"

#include <cstring>
#include <string_view>

#include "ratelimit/base/text.h"

#if defined(__x86_64__) && !defined(RATELIMIT_NO_SIMD)
#define RATELIMIT_AVX2 1
#include <immintrin.h>
#endif

namespace ratelimit {
namespace {

// English letters, the rarer first; what is not here is rarer still.
constexpr std::string_view kCommon = "zqxjk_vbpygwfmucdlrhsnioate";

}  // namespace

std::uint32_t rarest_byte(rl_str_t name) {
  std::uint32_t best = 0;
  std::size_t least = std::string_view::npos;
  for (std::uint32_t i = name.len > 1; i < name.len; i++) {
    const std::size_t at = kCommon.find(static_cast<char>(name.data[i])) + 1;
    if (at < least) {
      least = at;
      best = i;
    }
  }
  return best;
}

bool contains(rl_str_t text, const rl_usage_pointer_t& pointer) {
  const rl_str_t name = pointer.name;
  if (name.len == 0) return true;
  if (text.len < name.len) return false;
  const Byte* at = text.data + pointer.rare;
  const Byte* const end = at + (text.len - name.len) + 1;
  while (at < end) {
    at = static_cast<const Byte*>(
        std::memchr(at, name.data[pointer.rare],
                    static_cast<std::size_t>(end - at)));
    if (at == nullptr) return false;
    if (std::memcmp(at - pointer.rare, name.data, name.len) == 0) return true;
    at++;
  }
  return false;
}

bool has_escaped_letter(rl_str_t text) {
  const Byte* at = text.data;
  const Byte* const end = at + text.len;
  while (end - at >= 6) {
    at = static_cast<const Byte*>(
        std::memchr(at, '\\', static_cast<std::size_t>(end - at)));
    if (at == nullptr || end - at < 6) return false;
    if (at[1] == 'u' && at[2] == '0' && at[3] == '0' && at[4] >= '2' &&
        at[4] <= '7') {
      return true;
    }
    at += 2;
  }
  return false;
}

#if defined(RATELIMIT_AVX2)
namespace {

#define RATELIMIT_TARGET_AVX2 __attribute__((target("avx2")))

constexpr std::size_t kVector = 32;
constexpr std::size_t kBlock = 4 * kVector;

RATELIMIT_TARGET_AVX2 inline __m256i equal(const Byte* at, __m256i byte) {
  return _mm256_cmpeq_epi8(
      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)), byte);
}

RATELIMIT_TARGET_AVX2 inline __m256i equal_pair(const Byte* at, __m256i before,
                                                __m256i rare) {
  return _mm256_and_si256(equal(at, rare), equal(at - 1, before));
}

RATELIMIT_TARGET_AVX2 inline bool any(__m256i a, __m256i b, __m256i c,
                                      __m256i d) {
  const __m256i all =
      _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
  return !_mm256_testz_si256(all, all);
}

// The rare byte stands in this block, and behind the one before it.
RATELIMIT_TARGET_AVX2 inline bool has_pair(const Byte* at, __m256i before,
                                           __m256i rare) {
  return any(equal(at, rare), equal(at + kVector, rare),
             equal(at + 2 * kVector, rare), equal(at + 3 * kVector, rare)) &&
         any(equal_pair(at, before, rare),
             equal_pair(at + kVector, before, rare),
             equal_pair(at + 2 * kVector, before, rare),
             equal_pair(at + 3 * kVector, before, rare));
}

}  // namespace

std::size_t least_places() {
  return __builtin_cpu_supports("avx2") ? kBlock
                                        : static_cast<std::size_t>(-1);
}

RATELIMIT_TARGET_AVX2 const Byte* find_pair(const Byte* at, const Byte* last,
                                            const Byte* pair) {
  const __m256i before = _mm256_set1_epi8(static_cast<char>(pair[0]));
  const __m256i rare = _mm256_set1_epi8(static_cast<char>(pair[1]));
  for (; at < last; at += kBlock) {
    if (has_pair(at, before, rare)) return at;
  }
  return has_pair(last, before, rare) ? last : nullptr;
}

#else

std::size_t least_places() { return static_cast<std::size_t>(-1); }

const Byte* find_pair(const Byte* at, const Byte*, const Byte*) { return at; }

#endif

}  // namespace ratelimit
