// Where the buckets of a decision are, and what the answers say of them: what
// deciding, looking, refunding and settling have in common.

#ifndef RATELIMIT_SEAT_H_
#define RATELIMIT_SEAT_H_

#include <cstddef>
#include <cstdint>

#include "bucket.h"
#include "lock.h"
#include "ratelimit.h"
#include "registry.h"
#include "table.h"

namespace ratelimit {

// An item's bucket, valid while the locks are held.
struct Seat {
  Set* primary;
  Set* secondary;  // locked only where the primary set is crowded and does not
                   // hold the bucket
  Set* set;        // that holds it, or nullptr
  uint32_t index;
  bool rewritten;  // adapt() wants the bucket stored in any case

  bool exists() const { return set != nullptr; }
};

inline Shape shape_of(const rl_item_t& item) {
  return {item.policy->algorithm, item.quota.units,     item.capacity_units,
          item.quota.window_months, item.quota.window_ms, item.policy->tz_ms};
}

// Locks what the items' buckets need and finds them.  False: a living owner
// did not move, and nothing is held.
bool take_seats(const rl_item_t* items, size_t n, Locks* locks, Seat* seats);

// The item's bucket as it is now, or a new one.
inline void prepare(const rl_item_t& item, const Shape& shape,
                    const rl_time_t& now, Seat* seat, Bucket* bucket) {
  seat->rewritten = false;
  if (seat->exists()) {
    *bucket = seat->set->buckets[seat->index];
    seat->rewritten = adapt(bucket, shape, now);
  } else {
    open(bucket, shape, now);
    bucket->key = item.bucket.lo;
  }
}

// At most the window; but not for gcra, whose bucket of more units than the
// quota takes longer to fill.
inline void report_reset(uint64_t reset_ms, rl_item_t* item) {
  const bool clamp = reset_ms > item->quota.window_ms &&
                     item->policy->algorithm != RL_GCRA;
  item->reset_ms = clamp ? item->quota.window_ms : reset_ms;
}

// Fills in what is left of the quota.
inline void report(const Standing& standing, rl_item_t* item) {
  item->remaining_units = standing.remaining_units;
  item->next_ms = standing.next_ms;
  report_reset(standing.reset_ms, item);
}

// Finds a place for items[i]'s bucket, if it has none, and makes it target i
// of the journal.
void set_target(const rl_item_t* items, Seat* seats, size_t n, size_t i,
                uint64_t now_ms, Journal* journal);

inline void set_no_target(Journal* journal, size_t i) {
  journal->targets[i].index = kNone;
}

// Writes the images of all targets into their seats: all of them or none,
// whenever the process is killed.
void commit(const rl_process_t* process, const Seat* seats, size_t n);

}  // namespace ratelimit

#endif  // RATELIMIT_SEAT_H_
