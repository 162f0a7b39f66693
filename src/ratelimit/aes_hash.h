// The hash of usual keys where the processor has instructions for AES, in a
// half of SipHash's instructions.
//
// As PMAC (Black and Rogaway, 2002): E(sum of E(block[i] ^ mask[i]) ^ last
// block), E being AES-128 under a secret key and the masks secret as well.  The
// outer E matters: without it hashes would add up, and a client that is shown
// key ids could make a key that has somebody else's.  No message begins
// another, since each begins with its length.

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
  uint64_t masks[kAesMasks][2];  // of all blocks but the last
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
