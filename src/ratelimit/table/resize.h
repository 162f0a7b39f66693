// Buckets on their way from a zone's old memory into its new memory, while
// processes decide: see ratelimit.h and move.cc.

#ifndef RATELIMIT_TABLE_RESIZE_H_
#define RATELIMIT_TABLE_RESIZE_H_

#include <cstdint>

#include "ratelimit/ratelimit.h"
#include "ratelimit/table/zone.h"

namespace ratelimit {

// The zone has begun to move, and this view of it is of the old memory.
inline bool has_moved_on(const rl_zone_t* zone) {
  return zone->next != nullptr && is_moving(zone);
}

// Every view of the process that is so becomes one of the new memory.  Only
// where nothing has been looked up yet: once in an attempt at a decision, and
// before its first lock.
void go_on(const rl_process_t* process);

// As bring_over, where there is a move.
bool bring_over_now(const rl_process_t* process, const rl_zone_t* zone,
                    uint64_t key, uint64_t now_ms);

// Makes sure that a view of new memory finds the key's bucket there, if there
// is one.  False: a lock's living owner did not move.
inline bool bring_over(const rl_process_t* process, const rl_zone_t* zone,
                       uint64_t key, uint64_t now_ms) {
  return zone->older == nullptr || !is_moving(zone) ||
         bring_over_now(process, zone, key, now_ms);
}

}  // namespace ratelimit

#endif  // RATELIMIT_TABLE_RESIZE_H_
