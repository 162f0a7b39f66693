// Where the buckets of a decision are, and what the answers say of them: what
// deciding, looking, refunding and settling have in common.

#ifndef RATELIMIT_DECIDE_LOCATE_H_
#define RATELIMIT_DECIDE_LOCATE_H_

#include <cstddef>
#include <cstdint>

#include "ratelimit/algorithm/bucket.h"
#include "ratelimit/table/lock.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/table/process_table.h"
#include "ratelimit/table/table.h"
#include "ratelimit/table/zone.h"

namespace ratelimit {

// An item's bucket, valid while the locks are held.
struct Seat {
  Set* primary;
  Set* secondary;  // locked as well, and another than the primary set, only
                   // where that one is crowded and does not hold the bucket
  Set* set;        // that holds it, or nullptr
  uint32_t index;
  bool rewritten;  // adapt() wants the bucket stored in any case

  bool exists() const { return set != nullptr; }
};

inline Shape shape_of(const rl_item_t& item) {
  return {item.policy->algorithm, item.quota.units,     item.capacity_units,
          item.quota.window_months, item.quota.window_ms, item.policy->tz_ms};
}

inline Set* primary_set(const rl_item_t& item) {
  const rl_zone_t* zone = item.policy->zone;
  return set_at(zone, primary_index(item.bucket.lo, zone->sets));
}

inline Set* secondary_set(const rl_item_t& item) {
  const rl_zone_t* zone = item.policy->zone;
  return set_at(zone, secondary_index(item.bucket.lo, zone->sets));
}

// Locks what the items' buckets need and finds them.  False: a living owner
// did not move, and nothing is held.
bool take_seats(const rl_item_t* items, size_t n, uint64_t now_ms,
                Locks* locks, Seat* seats);

// Looks where the primary set, which is locked and crowded, does not hold the
// bucket.  False: somebody else has the secondary set.
bool locate_in_secondary(const rl_item_t& item, Locks* locks, Seat* seat);

// The primary set is locked; as locate_in_secondary.
inline bool locate(const rl_item_t& item, Locks* locks, Seat* seat) {
  seat->set = seat->primary;
  seat->secondary = seat->primary;
  seat->index = find(*seat->primary, item.bucket.lo, tag_of(item.bucket));
  if (seat->index != kNone) {
    return true;
  }
  seat->set = nullptr;
  return !is_crowded(*seat->primary) ||
         locate_in_secondary(item, locks, seat);
}

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

// Answers the item's question: the bucket as it stands, uncharged.
inline void tell(const Standing& standing, rl_item_t* item) {
  item->admitted = standing.admitted || item->cost_units == 0;
  item->charged = 0;
  item->receipt = 0;
  item->limit_units = item->capacity_units;
  item->remaining_units = standing.remaining_units;
  item->next_ms = standing.next_ms;
  if (item->admitted) {
    item->retry_after_ms = 0;
    report_reset(standing.reset_ms, item);
  } else {
    item->retry_after_ms = standing.retry_after_ms;
    item->reset_ms = standing.retry_after_ms;
  }
}

// Fills in what is left of the quota.
inline void report(const Standing& standing, rl_item_t* item) {
  item->remaining_units = standing.remaining_units;
  item->next_ms = standing.next_ms;
  report_reset(standing.reset_ms, item);
}

// A client that is being refused must not get rid of its bucket by making the
// zone full.  One bit, so nothing has to be done for a process that dies; and
// the only thing that a refusal writes, once.
inline void note_refusal(Bucket* stored) {
  if (!stored->throttled) {
    stored->throttled = 1;
  }
}

// Finds a place for items[i]'s bucket, which has none.
void place_new(const rl_item_t* items, Seat* seats, size_t n, size_t i,
               uint64_t now_ms);

inline void set_no_target(Journal* journal, size_t i) {
  journal->targets[i].line = 0;
}

// Makes the item's bucket, placed if it has to be, target i of the journal;
// nowhere if there is no room for it.
inline void set_target(const rl_item_t* items, Seat* seats, size_t n, size_t i,
                       uint64_t now_ms, Journal* journal) {
  if (!seats[i].exists()) {
    place_new(items, seats, n, i, now_ms);
  }
  if (seats[i].index == kNone) {
    return set_no_target(journal, i);
  }
  journal->targets[i] = target_of(items[i].policy->zone,
                                  &seats[i].set->buckets[seats[i].index],
                                  tag_of(items[i].bucket));
}

// Writes the images of all targets into their seats: all of them or none,
// whenever the process is killed.
inline void commit(const rl_process_t* process, const Seat* seats, size_t n) {
  const Journal* journal = journal_of(process);
  Slot* slot = slot_of(process);
  begin_commit(slot, static_cast<uint32_t>(n));
  for (size_t i = 0; i < n; ++i) {
    const Target& target = journal->targets[i];
    if (!is_nowhere(target)) {
      Set* set = seats[i].set;
      write(journal->images[i], target, set, &set->buckets[seats[i].index]);
    }
  }
  end_commit(slot);
}

}  // namespace ratelimit

#endif  // RATELIMIT_DECIDE_LOCATE_H_
