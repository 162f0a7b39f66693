// The hash of a key of one part, to be inlined where decisions are made.

#ifndef RATELIMIT_HASH_H_
#define RATELIMIT_HASH_H_

#include <cstdint>

#include "siphash.h"
#include "zone.h"

namespace ratelimit {

// Another key than that of several parts, so that most keys need no length in
// front of them: 22 instructions less.
constexpr uint64_t kOnePartDomain = 0x6f6e657061727401u;

// As rl_part_hash.
RATELIMIT_ALWAYS_INLINE rl_hash_t hash_of_key(const rl_zone_t* zone,
                                              const rl_part_t& part) {
  const ZoneHeader* header = header_of(zone);
  SipHash13 hash(header->seed[0] ^ kOnePartDomain, header->seed[1]);
  hash.start_with(part.tag, static_cast<unsigned>(part.tag_len));
  hash.add(part.text.data, part.text.len);
  return hash.finish();
}

}  // namespace ratelimit

#endif  // RATELIMIT_HASH_H_
