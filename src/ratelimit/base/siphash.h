// SipHash (Aumasson and Bernstein, 2012) with a 128-bit result, fed piece by
// piece, so that a key of any length and in any number of parts is hashed
// where it lies.
//
// The limiter uses SipHash-1-3, which Rust and Python use for their tables: a
// keyed hash, so that nobody who does not know the zone's secret can make two
// keys collide.  Measured for a 24-byte key: 1-3 takes some 220 instructions,
// 2-4 some 310, XXH3 100, but that one promises nothing against chosen keys.
// PMAC with the processor's AES takes 100 less and more time, 31 ns and not 18
// for 20 bytes, since its last block waits for the others.  Half of the result
// is enough to find a bucket by, see finish_key(): 110 for the 16-byte text of
// a key whose tag is hashed beforehand.

#ifndef RATELIMIT_BASE_SIPHASH_H_
#define RATELIMIT_BASE_SIPHASH_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "ratelimit/base/bytes.h"
#include "ratelimit/ratelimit.h"

namespace ratelimit {

// Inlined throughout, so that the state stays in registers: 230 instructions
// for a 24-byte key and its length, not 340.
template <int kCompressRounds, int kFinishRounds>
class SipHash {
 public:
  RATELIMIT_ALWAYS_INLINE SipHash(uint64_t k0, uint64_t k1)
      : v0_(k0 ^ 0x736f6d6570736575u),
        v1_(k1 ^ 0x646f72616e646f6du ^ 0xee),
        v2_(k0 ^ 0x6c7967656e657261u),
        v3_(k1 ^ 0x7465646279746573u) {}

  // Goes on from what prefix() returned.
  explicit RATELIMIT_ALWAYS_INLINE SipHash(const rl_hash_prefix_t& prefix)
      : v0_(prefix.v[0]), v1_(prefix.v[1]), v2_(prefix.v[2]), v3_(prefix.v[3]),
        length_(8) {}

  // The state after one word and nothing else, so that what many texts have in
  // front of them is hashed once.
  RATELIMIT_ALWAYS_INLINE rl_hash_prefix_t prefix(uint64_t word) {
    absorb(word);
    return {{v0_, v1_, v2_, v3_}};
  }

  // Eight bytes, the lowest first.
  RATELIMIT_ALWAYS_INLINE void add_word(uint64_t word) {
    length_ += 8;
    if (pending_bits_ == 0) {
      absorb(word);
    } else {
      absorb(pending_ | word << pending_bits_);
      pending_ = word >> (64 - pending_bits_);
    }
  }

  RATELIMIT_ALWAYS_INLINE void add(const unsigned char* bytes, size_t n) {
    const unsigned char* const end = bytes + n;
    length_ += n;
    if (pending_bits_ == 0) {
      for (; end - bytes >= 8; bytes += 8) {
        absorb(load_le64(bytes));
      }
    } else {
      for (; end - bytes >= 8; bytes += 8) {
        const uint64_t word = load_le64(bytes);
        absorb(pending_ | word << pending_bits_);
        pending_ = word >> (64 - pending_bits_);
      }
    }
    const unsigned rest = n & 7;
    if (rest > 0) {
      // The last eight bytes of all, or else those that are there.
      add_tail(n >= 8 ? load_le64(end - 8) >> (64 - 8 * rest)
                      : load_few(bytes, rest),
               rest);
    }
  }

  // As lo of finish(); hi is another sum of the state that gave lo.  Both are
  // even and independent over keys that nobody chose for their hash, which the
  // secret keeps everybody from; but only lo may be shown to anybody.
  RATELIMIT_ALWAYS_INLINE rl_hash_t finish_key() {
    absorb(pending_ | length_ << 56);
    v2_ ^= 0xee;
    rounds<kFinishRounds>();
    const uint64_t half = v1_ ^ v2_;
    return {v0_ ^ v3_ ^ half, half};
  }

  RATELIMIT_ALWAYS_INLINE rl_hash_t finish() {
    rl_hash_t hash;
    hash.lo = finish_key().lo;
    v1_ ^= 0xdd;
    rounds<kFinishRounds>();
    hash.hi = v0_ ^ v1_ ^ v2_ ^ v3_;
    return hash;
  }

 private:
  static RATELIMIT_ALWAYS_INLINE uint64_t rotate(uint64_t word, int bits) {
    return word << bits | word >> (64 - bits);
  }

  template <int kRounds>
  RATELIMIT_ALWAYS_INLINE void rounds() {
    v0_ += v1_;
    v2_ += v3_;
    v1_ = rotate(v1_, 13) ^ v0_;
    v3_ = rotate(v3_, 16) ^ v2_;
    v0_ = rotate(v0_, 32);
    v2_ += v1_;
    v0_ += v3_;
    v1_ = rotate(v1_, 17) ^ v2_;
    v3_ = rotate(v3_, 21) ^ v0_;
    v2_ = rotate(v2_, 32);
    if constexpr (kRounds > 1) {
      rounds<kRounds - 1>();
    }
  }

  RATELIMIT_ALWAYS_INLINE void absorb(uint64_t word) {
    v3_ ^= word;
    rounds<kCompressRounds>();
    v0_ ^= word;
  }

  // One to seven bytes.
  RATELIMIT_ALWAYS_INLINE void add_tail(uint64_t word, unsigned n) {
    const unsigned bits = pending_bits_ + 8 * n;
    pending_ |= word << pending_bits_;
    if (bits < 64) {
      pending_bits_ = bits;
      return;
    }
    absorb(pending_);
    // Shifted twice, since a shift by 64 would be undefined.
    pending_ = word >> (63 - pending_bits_) >> 1;
    pending_bits_ = bits - 64;
  }

  uint64_t v0_, v1_, v2_, v3_;
  uint64_t pending_ = 0;       // bytes that do not fill a word yet
  unsigned pending_bits_ = 0;  // how many bits of it are taken: 0, 8 .. 56
  uint64_t length_ = 0;        // bytes fed, of which the lowest 8 bits count
};

using SipHash13 = SipHash<1, 3>;

}  // namespace ratelimit

#endif  // RATELIMIT_BASE_SIPHASH_H_
