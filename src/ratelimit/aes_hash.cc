#include "aes_hash.h"

#ifdef RATELIMIT_AES_NI

#include <immintrin.h>

#include "bytes.h"

// The rest of the module runs on any x86-64.
#define RATELIMIT_AES __attribute__((target("aes")))

namespace ratelimit {
namespace {

RATELIMIT_AES RATELIMIT_ALWAYS_INLINE __m128i encrypt(const AesKey& key,
                                                      __m128i block) {
  // Told that they may be elsewhere each time, the compiler reads round keys
  // where they are used and not beforehand: 11 instructions less.
  const auto* rounds = reinterpret_cast<const __m128i*>(key.rounds);
  __asm__("" : "+r"(rounds));
  block = _mm_xor_si128(block, rounds[0]);
#pragma GCC unroll 9
  for (int i = 1; i < 10; ++i) {
    block = _mm_aesenc_si128(block, rounds[i]);
  }
  return _mm_aesenclast_si128(block, rounds[10]);
}

RATELIMIT_ALWAYS_INLINE __m128i block_of(uint64_t low, uint64_t high) {
  return _mm_set_epi64x(static_cast<long long>(high),
                        static_cast<long long>(low));
}

// The last `n` bytes, 1 to 15, of what ends at `end`.
RATELIMIT_ALWAYS_INLINE __m128i load_rest(const unsigned char* end, size_t n) {
  const auto few = static_cast<unsigned>(n);
  if (few < 8) {
    return block_of(load_few(end - n, few), 0);
  }
  // Shifted twice, since a shift by 64 would be undefined.
  return block_of(load_le64(end - n),
                  load_le64(end - 8) >> 8 >> (8 * (15 - few)));
}

// A round key of the one before it (FIPS 197, figure 11); `assist` is what
// the processor has made of that one for this round.
RATELIMIT_ALWAYS_INLINE __m128i next_round(__m128i last, __m128i assist) {
  last = _mm_xor_si128(last, _mm_slli_si128(last, 4));
  last = _mm_xor_si128(last, _mm_slli_si128(last, 8));
  return _mm_xor_si128(last, _mm_shuffle_epi32(assist, 0xff));
}

}  // namespace

bool has_aes() noexcept {
  return __builtin_cpu_supports("aes") != 0;
}

RATELIMIT_AES void expand_aes_key(AesKey* key) noexcept {
  auto* rounds = reinterpret_cast<__m128i*>(key->rounds);
#define RATELIMIT_AES_ROUND(i, constant) \
  rounds[i] = next_round(rounds[(i)-1],  \
                         _mm_aeskeygenassist_si128(rounds[(i)-1], constant))
  RATELIMIT_AES_ROUND(1, 0x01);
  RATELIMIT_AES_ROUND(2, 0x02);
  RATELIMIT_AES_ROUND(3, 0x04);
  RATELIMIT_AES_ROUND(4, 0x08);
  RATELIMIT_AES_ROUND(5, 0x10);
  RATELIMIT_AES_ROUND(6, 0x20);
  RATELIMIT_AES_ROUND(7, 0x40);
  RATELIMIT_AES_ROUND(8, 0x80);
  RATELIMIT_AES_ROUND(9, 0x1b);
  RATELIMIT_AES_ROUND(10, 0x36);
#undef RATELIMIT_AES_ROUND
}

RATELIMIT_AES rl_hash_t aes_hash(const AesKey& key,
                                 const rl_part_t& part) noexcept {
  const unsigned char* at = part.text.data;
  const size_t n = part.text.len;
  const unsigned char* const end = at + n;
  const size_t first = 8 - part.tag_len;  // of the text, in the first block
  uint64_t head = part.tag;
  if (n >= 8) {
    head |= load_le64(at) << (8 * part.tag_len);
  } else if (n > 0) {
    head |= load_few(at, static_cast<unsigned>(n)) << (8 * part.tag_len);
  }
  __m128i last = block_of(part.tag_len + n, head);
  __m128i sum = _mm_setzero_si128();
  if (n > first) {
    const auto* mask = reinterpret_cast<const __m128i*>(key.masks);
    at += first;
    sum = encrypt(key, _mm_xor_si128(last, *mask++));
    for (; end - at > 16; at += 16) {
      const __m128i text =
          _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
      sum = _mm_xor_si128(sum, encrypt(key, _mm_xor_si128(text, *mask++)));
    }
    last = end - at == 16
               ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(at))
               : load_rest(end, static_cast<size_t>(end - at));
  }
  const __m128i hash = encrypt(key, _mm_xor_si128(sum, last));
  return {static_cast<uint64_t>(_mm_cvtsi128_si64(hash)),
          static_cast<uint64_t>(
              _mm_cvtsi128_si64(_mm_unpackhi_epi64(hash, hash)))};
}

}  // namespace ratelimit

#else

namespace ratelimit {

bool has_aes() noexcept {
  return false;
}

}  // namespace ratelimit

#endif
