// The hash of usual keys where the processor has instructions for AES: a half
// of SipHash's instructions, and of its time as much for 16 bytes and two
// thirds for 96 (core_bench).
//
// The sum of E(block[i] ^ mask[i]) over a key's blocks, E being AES-128 under
// a secret key and the masks secret as well: what PMAC (Black and Rogaway,
// 2002) makes its tag of.  Two keys that were chosen without a look at hashes
// are hashed alike with a probability of about 2^-128, and no client sees a
// hash; nor can a key be told from what an operator sees.  The blocks do not
// wait for each other, as those of CBC-MAC do: with that, hashing took twice
// the time that it takes with SipHash.

#ifndef RATELIMIT_AES_HASH_H_
#define RATELIMIT_AES_HASH_H_

#include <cstddef>
#include <cstdint>

#include "ratelimit.h"

// RATELIMIT_NO_SIMD builds what machines without it run, for a test of it.
#if defined(__x86_64__) && !defined(RATELIMIT_NO_SIMD)
#define RATELIMIT_AES_NI 1
#endif

namespace ratelimit {

// API keys and most tokens are shorter than this; longer ones are SipHash's.
constexpr size_t kMaxAesLen = 104;
constexpr size_t kAesMasks = (kMaxAesLen - 8) / 16;
static_assert(8 + 16 * kAesMasks == kMaxAesLen, "the last mask is used up");

struct alignas(16) AesKey {
  unsigned char rounds[11][16];  // AES-128's round keys (FIPS 197, 5.2)
  uint64_t masks[kAesMasks][2];  // of the second block and so on
};

// Whether this processor can.  Else none of the others may be called.
bool has_aes() noexcept;

// Makes the round keys of rounds[0].
void expand_aes_key(AesKey* key) noexcept;

// Of the part's bytes, at most kMaxAesLen, tag and text as one: whichever of
// them are told as the tag.  The first block is the length in 8 bytes and the
// first 8 bytes, the rest follow in blocks of 16, zeros fill the last.
rl_hash_t aes_hash(const AesKey& key, const rl_part_t& part) noexcept;

}  // namespace ratelimit

#endif  // RATELIMIT_AES_HASH_H_
