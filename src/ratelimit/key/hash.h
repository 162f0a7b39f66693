// The hash of a key of one part, to be inlined where decisions are made.

#ifndef RATELIMIT_KEY_HASH_H_
#define RATELIMIT_KEY_HASH_H_

#include <cstdint>

#include "ratelimit/base/siphash.h"

namespace ratelimit {

// Another key than that of several parts, so that most keys need no length in
// front of them: 22 instructions less.
constexpr uint64_t kOnePartDomain = 0x6f6e657061727401u;

// As rl_part_hash.
RATELIMIT_ALWAYS_INLINE rl_hash_t hash_of_key(const rl_part_t& part) {
  SipHash13 hash(*part.hash_prefix);
  hash.add(part.text.data, part.text.len);
  return hash.finish_key();
}

}  // namespace ratelimit

#endif  // RATELIMIT_KEY_HASH_H_
