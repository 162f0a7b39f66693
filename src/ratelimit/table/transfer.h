// Active buckets on their way from one zone's memory into another: of another
// size, or after a restart.

#ifndef RATELIMIT_TABLE_TRANSFER_H_
#define RATELIMIT_TABLE_TRANSFER_H_

#include <cstdint>

#include "ratelimit/algorithm/bucket.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/table/table.h"

namespace ratelimit {

// What a set held at one moment.
struct SetCopy {
  uint32_t occupied;
  uint8_t tags[32];
  Bucket buckets[kBucketsPerSet];

  bool is_active(uint32_t i, uint64_t now_ms) const {
    return (occupied >> i & 1) != 0 && idle_at_ms(buckets[i]) > now_ms;
  }
};

void copy_set(const rl_process_t* process, Set* set, SetCopy* copy);

// The place for a active bucket in one of its two sets.  False: there is none,
// as all that are there have a better right to theirs.
bool place_carried(const rl_zone_t* zone, Set* first, Set* second,
                   const Bucket& bucket, uint64_t now_ms, Place* place);

// Into a zone that nobody uses yet.  Returns how many more active buckets
// there are: 1, or 0 where one had to go.
uint64_t insert(const rl_zone_t* zone, const Bucket& bucket, uint8_t tag,
                uint64_t now_ms);

}  // namespace ratelimit

#endif  // RATELIMIT_TABLE_TRANSFER_H_
