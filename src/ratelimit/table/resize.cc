// A zone whose size changes while processes decide: see ratelimit.h.
//
// A bucket is in the old memory until its set has moved, then in the new one;
// at every moment one lock tells where.  A set moves under its lock: its
// active buckets are written into the new memory, then the lock is left closed
// for ever, as kMoved.
//
//  - Who knows only the old memory decides there as ever.  A set that is not
//    to be had because it has moved sends a process on to the new memory.
//  - Who has gone on moves both sets that may hold a key, if nobody has yet,
//    before looking for it in the new memory.  So nobody looks there for a
//    bucket that the old memory still has.
//
// Who moves a set holds its lock and takes those of the new memory, without
// waiting for them: it starts anew instead.  So no circle of waiting processes
// can arise.  A process may be killed at any step: a set is whole in the old
// memory until it has moved, and whoever moves it once more does so over what
// was written before, which nobody has looked at.
//
// The lock of the old memory's first set guards the beginning itself, and the
// overrides, which go along: see rl_zone_begin_move.

#include "ratelimit/table/resize.h"

#include "ratelimit/table/transfer.h"
#include "ratelimit/table/lock.h"
#include "ratelimit/table/process_table.h"

namespace ratelimit {

namespace {

// Where the bucket is already, else where carried buckets go, if it is active.
// False: nowhere.
bool place_moved(const rl_zone_t* zone, Set* first, Set* second,
                 const Bucket& bucket, uint8_t tag, uint64_t now_ms,
                 Place* place) {
  Set* const sets[] = {first, second};
  for (Set* set : sets) {
    const uint32_t index = find(*set, bucket.key, tag);
    if (index != kNone) {
      *place = {set, index, false, false, 0, 0};
      return true;
    }
  }
  return idle_at_ms(bucket) > now_ms &&
         place_carried(zone, first, second, bucket, now_ms, place);
}

// By way of the redo log, as everything that must not be half written.
void put(const rl_process_t* process, const rl_zone_t* zone,
         const Place& place, const Bucket& bucket, uint8_t tag) {
  Bucket* to = &place.set->buckets[place.index];
  RedoLog* redo_log = redo_log_of(process);
  redo_log->images[0] = bucket;
  redo_log->targets[0] = target_of(zone, to, tag);
  Slot* slot = slot_of(process);
  begin_commit(slot, 1);
  write(bucket, redo_log->targets[0], place.set, to);
  end_commit(slot);
}

bool move_bucket(const rl_process_t* process, const rl_zone_t* zone,
                 const Bucket& bucket, uint8_t tag, uint64_t now_ms) {
  Set* first = set_at(zone, primary_index(bucket.key, zone->sets));
  Set* second = set_at(zone, secondary_index(bucket.key, zone->sets));
  Locks locks(process);
  const bool taken = locks.take_soon(first) && locks.take_soon(second);
  Place place;
  if (taken && place_moved(zone, first, second, bucket, tag, now_ms, &place)) {
    put(process, zone, place, bucket, tag);
  }
  locks.release_all();
  return taken;
}

// False: a living process has a lock that is needed, perhaps for a moment.
bool move_set(const rl_process_t* process, const rl_zone_t* zone,
              uint32_t index, uint64_t now_ms) {
  Set* set = set_at(zone->older, index);
  Locks locks(process);
  if (has_moved(*set) || !locks.take_soon(set)) {
    return has_moved(*set);
  }
  // What has become idle since an earlier attempt must not come back.
  const bool again = set->half_moved != 0;
  set->half_moved = 1;
  for (uint32_t i = 0; i < kBucketsPerSet && set->occupied >> i & 1; ++i) {
    const Bucket& bucket = set->buckets[i];
    if ((again || idle_at_ms(bucket) > now_ms) &&
        !move_bucket(process, zone, bucket, set->tags[i], now_ms)) {
      locks.release_all();
      return false;
    }
  }
  set->lock.store(kMoved, std::memory_order_release);
  return true;
}

bool move_set_patiently(const rl_process_t* process, const rl_zone_t* zone,
                        uint32_t index, uint64_t now_ms) {
  Deadline deadline;
  while (!move_set(process, zone, index, now_ms)) {
    if (!deadline.wait()) {
      return false;
    }
  }
  return true;
}

}  // namespace

void go_on(const rl_process_t* process) {
  for (size_t i = 0; i < process->nzones; ++i) {
    rl_zone_t* zone = process->zones[i];
    if (has_moved_on(zone)) {
      *zone = *zone->next;
    }
  }
}

bool bring_over_now(const rl_process_t* process, const rl_zone_t* zone,
                    uint64_t key, uint64_t now_ms) {
  const uint32_t sets = zone->older->sets;
  return move_set_patiently(process, zone, primary_index(key, sets), now_ms) &&
         move_set_patiently(process, zone, secondary_index(key, sets), now_ms);
}

}  // namespace ratelimit

using ratelimit::header_of;
using ratelimit::ZoneHeader;

void rl_zone_expect(rl_zone_t* zone, rl_zone_t* next,
                    rl_zone_t* older) noexcept {
  ZoneHeader* header = header_of(next);
  header->seed[0] = header_of(zone)->seed[0];
  header->seed[1] = header_of(zone)->seed[1];
  *older = *zone;
  older->next = nullptr;
  older->older = nullptr;
  next->next = nullptr;
  next->older = older;
  zone->next = next;
  zone->older = nullptr;
}

int rl_zone_claim(rl_process_t* process, const rl_zone_t* zone) noexcept {
  // Who does not give the lock away is stopped, and nobody begins meanwhile.
  ratelimit::Locks locks(process);
  locks.take(ratelimit::set_at(zone, 0));
  const bool begun = ratelimit::is_moving(zone);
  if (!begun) {
    header_of(zone)->next_id.store(zone->next->id);
  }
  locks.release_all();
  return begun ? RL_ERROR : RL_OK;
}

int rl_zone_begin_move(rl_process_t* process, const rl_zone_t* zone,
                       const rl_time_t* now) noexcept {
  const rl_zone_t* next = zone->next;
  ratelimit::Locks locks(process);
  if (next == nullptr || !locks.take(ratelimit::set_at(zone, 0))) {
    return RL_ERROR;
  }
  const bool begins = !ratelimit::is_moving(zone) &&
                      header_of(zone)->next_id.load() == next->id;
  if (begins) {
    rl_override_t overrides[RL_MAX_OVERRIDES];
    const size_t noverrides = rl_overrides(zone, now, overrides);
    for (size_t i = 0; i < noverrides; ++i) {
      rl_override_set(nullptr, next, &overrides[i], now);
    }
    // In this order: who goes on finds the new memory waiting for the old
    // one's buckets.
    ratelimit::set_moving(next);
    ratelimit::set_moving(zone);
  }
  locks.release_all();
  return begins ? RL_OK : RL_ERROR;
}

int rl_zone_move(rl_process_t* process, const rl_zone_t* zone, uint32_t sets,
                 const rl_time_t* now) noexcept {
  if (!ratelimit::is_moving(zone)) {
    return 0;
  }
  ratelimit::go_on(process);
  const rl_zone_t* older = zone->older;
  if (older == nullptr) {
    return 0;
  }
  std::atomic<uint32_t>* moved = &header_of(zone)->moved_sets;
  uint32_t next = moved->load(std::memory_order_acquire);
  while (next < older->sets) {
    if (sets-- == 0) {
      return 1;
    }
    if (!ratelimit::move_set(process, zone, next, now->mono_ms)) {
      return RL_ERROR;
    }
    // Somebody else may have been faster, then next is what there is to do.
    if (moved->compare_exchange_strong(next, next + 1)) {
      ++next;
    }
  }
  ratelimit::clear_moving(zone);
  return 0;
}
