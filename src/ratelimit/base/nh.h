// NH, the hash that UMAC is made of (Black, Halevi, Krawczyk, Krovetz and
// Rogaway, 1999), of words of 64 bits.
//
// Two texts of one length that differ have the same sum under one key in 2^64,
// whatever they are: that is proved, for keys drawn at random.  The second sum
// is under the same key moved on by a pair of words, which is as good as under
// another key, so both are the same under one key in 2^128.
//
// It is no hash to be shown to anybody, who could learn the key from it: what
// it makes of a long text has to go through a hash that can be shown.  Ten
// instructions a word of the text and not 35, which SipHash-2-4 takes.

#ifndef RATELIMIT_BASE_NH_H_
#define RATELIMIT_BASE_NH_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "ratelimit/base/bytes.h"

namespace ratelimit {

// Of a longer text each piece of this length is hashed by itself.
constexpr std::size_t kNhLen = 1024;

struct NhKey {
  std::uint64_t words[kNhLen / 8 + 2];
};

__extension__ typedef unsigned __int128 NhSum;

struct NhSums {
  NhSum first;
  NhSum second;
};

RATELIMIT_ALWAYS_INLINE void nh_add(const unsigned char bytes[16],
                                    const std::uint64_t key[4], NhSums* sums) {
  const std::uint64_t low = load_le64(bytes);
  const std::uint64_t high = load_le64(bytes + 8);
  sums->first += NhSum{low + key[0]} * (high + key[1]);
  sums->second += NhSum{low + key[2]} * (high + key[3]);
}

// Of at most kNhLen bytes, to which zeros are added up to a pair of words: the
// length is the caller's to hash.
inline NhSums nh(const NhKey& key, const unsigned char* bytes, std::size_t n) {
  NhSums sums = {};
  const std::uint64_t* words = key.words;
  for (; n >= 16; n -= 16, bytes += 16, words += 2) {
    nh_add(bytes, words, &sums);
  }
  if (n != 0) {
    unsigned char rest[16] = {};
    std::memcpy(rest, bytes, n);
    nh_add(rest, words, &sums);
  }
  return sums;
}

}  // namespace ratelimit

#endif  // RATELIMIT_BASE_NH_H_
