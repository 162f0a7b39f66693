// Buckets on their way from a zone's old memory into its new memory, while
// processes decide: see ratelimit.h and move.cc.

#ifndef RATELIMIT_MOVE_H_
#define RATELIMIT_MOVE_H_

#include <cstdint>

#include "ratelimit.h"
#include "zone.h"

namespace ratelimit {

// As bring_over, where there is a move.
bool bring_over_now(const rl_process_t* process, const rl_zone_t* zone,
                    uint64_t key, uint64_t now_ms);

// Makes sure that the key's bucket, if there is one, is in the memory that
// *zone, which is one of the process's, names afterwards.  False: a lock's
// living owner did not move.
inline bool bring_over(const rl_process_t* process, const rl_zone_t* zone,
                       uint64_t key, uint64_t now_ms) {
  return !is_moving(zone) || bring_over_now(process, zone, key, now_ms);
}

// A set was not to be had: it has moved, and its zone is to be looked up anew.
inline bool has_moved_on(const rl_zone_t* zone) {
  return zone->next != nullptr && is_moving(zone);
}

}  // namespace ratelimit

#endif  // RATELIMIT_MOVE_H_
