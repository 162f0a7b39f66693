// The hash of a key of one part: by AES where the processor has it and the key
// is of usual length, else by SipHash-1-3, as that of several parts always is.
// The two have keys of their own, and each key has its one hash.

#ifndef RATELIMIT_HASH_H_
#define RATELIMIT_HASH_H_

#include <cstdint>

#include "aes_hash.h"
#include "bytes.h"
#include "zone.h"

namespace ratelimit {

// Another key than that of several parts, so that most keys need no length in
// front of them: 22 instructions less.
constexpr uint64_t kOnePartDomain = 0x6f6e657061727401u;

rl_hash_t sip_hash_of_key(const rl_zone_t* zone, const rl_part_t& part);

// As rl_part_hash.
inline rl_hash_t hash_of_key(const rl_zone_t* zone, const rl_part_t& part) {
#ifdef RATELIMIT_AES_NI
  const ZoneHeader* header = header_of(zone);
  if (header->uses_aes && part.tag_len + part.text.len <= kMaxAesLen) {
    return aes_hash(header->aes_key, part);
  }
#endif
  return sip_hash_of_key(zone, part);
}

}  // namespace ratelimit

#endif  // RATELIMIT_HASH_H_
