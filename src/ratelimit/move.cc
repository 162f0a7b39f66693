// A zone whose size changes while processes decide: see ratelimit.h.
//
// A bucket is in the old memory until its set has moved, then in the new one;
// at every moment one lock tells where.  A set moves under its lock: its live
// buckets are written into the new memory, then the lock is left closed for
// ever, as kMoved.
//
//  - Who knows only the old memory decides there as ever.  A set that is not
//    to be had because it has moved sends a process on to the new memory.
//  - Who has gone on moves both sets that may hold a key, if nobody has yet,
//    before looking for it in the new memory.  So nobody looks there for a
//    bucket that the old memory still has.
//
// Old locks are taken before new ones and never the other way, so no circle
// of waiting processes can arise.  A process may be killed at any step: a set
// is whole in the old memory until it has moved, and whoever takes its lock
// over moves it once more, over what the dead one wrote, which nobody has
// looked at.

#include "move.h"

#include "carry.h"
#include "lock.h"
#include "registry.h"

namespace ratelimit {

namespace {

// Every zone of the process that has begun to move is the new memory from now
// on, in whatever place it is named.
void go_on(const rl_process_t* process) {
  for (size_t i = 0; i < process->nzones; ++i) {
    rl_zone_t* zone = process->zones[i];
    if (has_moved_on(zone)) {
      *zone = *zone->next;
    }
  }
}

// Where the bucket is already, else where carried buckets go.  False: it has
// to go itself.
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
  return place_carried(zone, first, second, bucket, now_ms, place);
}

// By way of the journal, as everything that must not be half written.
void put(const rl_process_t* process, const rl_zone_t* zone,
         const Place& place, const Bucket& bucket, uint8_t tag) {
  Journal* journal = journal_of(process);
  journal->images[0] = bucket;
  journal->targets[0] = {zone->id, index_of(zone, place.set), place.index,
                         tag};
  Slot* slot = slot_of(process);
  begin_commit(slot, 1);
  write(bucket, journal->targets[0], place.set);
  end_commit(slot);
}

bool move_bucket(const rl_process_t* process, const rl_zone_t* zone,
                 const Bucket& bucket, uint8_t tag, uint64_t now_ms) {
  Set* first = set_at(zone, primary_index(bucket.key, zone->sets));
  Set* second = set_at(zone, secondary_index(bucket.key, zone->sets));
  Locks locks(process);
  if (!locks.take(first < second ? first : second) ||
      !locks.take(first < second ? second : first)) {
    locks.release_all();
    return false;
  }
  Place place;
  if (place_moved(zone, first, second, bucket, tag, now_ms, &place)) {
    put(process, zone, place, bucket, tag);
  }
  locks.release_all();
  return true;
}

// False: a living owner did not move.
bool move_set(const rl_process_t* process, const rl_zone_t* zone,
              uint32_t index, uint64_t now_ms) {
  Set* set = set_at(zone->older, index);
  Locks locks(process);
  if (has_moved(*set) || !locks.take(set)) {
    return has_moved(*set);
  }
  for (uint32_t i = 0; i < kBucketsPerSet && set->occupied >> i & 1; ++i) {
    const Bucket& bucket = set->buckets[i];
    if (idle_at_ms(bucket) > now_ms &&
        !move_bucket(process, zone, bucket, set->tags[i], now_ms)) {
      locks.release_all();
      return false;
    }
  }
  set->lock.store(kMoved, std::memory_order_release);
  return true;
}

}  // namespace

bool bring_over_now(const rl_process_t* process, const rl_zone_t* zone,
                    uint64_t key, uint64_t now_ms) {
  go_on(process);
  const rl_zone_t* older = zone->older;
  return older == nullptr ||
         (move_set(process, zone, primary_index(key, older->sets), now_ms) &&
          move_set(process, zone, secondary_index(key, older->sets), now_ms));
}

}  // namespace ratelimit

using ratelimit::header_of;
using ratelimit::ZoneHeader;

void rl_zone_succeed(rl_zone_t* zone, rl_zone_t* next,
                     rl_zone_t* older) noexcept {
  ZoneHeader* header = header_of(next);
  header->seed[0] = header_of(zone)->seed[0];
  header->seed[1] = header_of(zone)->seed[1];
  header_of(zone)->next_id.store(next->id, std::memory_order_release);
  rl_zone_expect(zone, next, older);
}

void rl_zone_expect(rl_zone_t* zone, rl_zone_t* next,
                    rl_zone_t* older) noexcept {
  *older = *zone;
  older->next = nullptr;
  older->older = nullptr;
  next->next = nullptr;
  next->older = older;
  zone->next = next;
  zone->older = nullptr;
}

int rl_zone_begin_move(const rl_zone_t* zone, const rl_time_t* now) noexcept {
  const rl_zone_t* next = zone->next;
  if (next == nullptr || ratelimit::is_moving(zone) ||
      header_of(zone)->next_id.load(std::memory_order_acquire) != next->id) {
    return RL_ERROR;
  }
  rl_lever_t levers[RL_MAX_LEVERS];
  const size_t nlevers = rl_levers(zone, now, levers);
  for (size_t i = 0; i < nlevers; ++i) {
    rl_lever_set(next, &levers[i], now);
  }
  // In this order: who goes on finds the new memory waiting for the old one's
  // buckets.
  ratelimit::set_moving(next);
  ratelimit::set_moving(zone);
  return RL_OK;
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
    if (sets-- == 0 ||
        !ratelimit::move_set(process, zone, next, now->mono_ms)) {
      return 1;
    }
    // Somebody else may have been faster, then next is what there is to do.
    if (moved->compare_exchange_strong(next, next + 1)) {
      ++next;
    }
  }
  ratelimit::clear_moving(zone);
  return 0;
}
