#include "seat.h"

#include "zone.h"

namespace ratelimit {

namespace {

// In order of addresses, each once: few, and mostly in order already.
size_t insert_sorted(Set** sets, size_t n, Set* set) {
  size_t at = n;
  while (at > 0 && sets[at - 1] > set) {
    --at;
  }
  if (at > 0 && sets[at - 1] == set) {
    return n;
  }
  for (size_t i = n; i > at; --i) {
    sets[i] = sets[i - 1];
  }
  sets[at] = set;
  return n + 1;
}

bool take_in_order(const Seat* seats, size_t n, bool secondaries,
                   Locks* locks) {
  Set* sets[2 * RL_MAX_ITEMS];
  size_t count = 0;
  for (size_t i = 0; i < n; ++i) {
    count = insert_sorted(sets, count, seats[i].primary);
    if (secondaries) {
      count = insert_sorted(sets, count, seats[i].secondary);
    }
  }
  for (size_t i = 0; i < count; ++i) {
    if (!locks->take(sets[i])) {
      locks->release_all();
      return false;
    }
  }
  return true;
}

// The primary set is locked.  False: the secondary one is needed, and somebody
// else has it.
bool locate(const rl_item_t& item, Locks* locks, Seat* seat) {
  const uint64_t key = item.bucket.lo;
  const uint8_t tag = tag_of(item.bucket);
  seat->set = seat->primary;
  seat->index = find(*seat->primary, key, tag);
  if (seat->index != kNone) {
    return true;
  }
  seat->set = nullptr;
  if (!is_crowded(*seat->primary)) {
    seat->secondary = seat->primary;
    return true;
  }
  if (!locks->try_take(seat->secondary)) {
    return false;
  }
  seat->index = find(*seat->secondary, key, tag);
  if (seat->index != kNone) {
    seat->set = seat->secondary;
  }
  return true;
}

bool locate_all(const rl_item_t* items, size_t n, Locks* locks, Seat* seats) {
  for (size_t i = 0; i < n; ++i) {
    if (!locate(items[i], locks, &seats[i])) {
      return false;
    }
  }
  return true;
}

void name_sets(const rl_item_t* items, size_t n, Seat* seats) {
  for (size_t i = 0; i < n; ++i) {
    const rl_zone_t* zone = items[i].policy->zone;
    const uint64_t key = items[i].bucket.lo;
    seats[i].primary = set_at(zone, primary_index(key, zone->sets));
    seats[i].secondary = set_at(zone, secondary_index(key, zone->sets));
  }
}

// The buckets of the set that belong to this decision, found or new.
uint32_t kept_of(const Set* set, const Seat* seats, size_t n) {
  uint32_t kept = 0;
  for (size_t i = 0; i < n; ++i) {
    if (seats[i].set == set && seats[i].index != kNone) {
      kept |= 1u << seats[i].index;
    }
  }
  return kept;
}

uint32_t index_of(const Set* set, const rl_zone_t* zone) {
  return static_cast<uint32_t>(set - set_at(zone, 0));
}

}  // namespace

bool take_seats(const rl_item_t* items, size_t n, Locks* locks, Seat* seats) {
  name_sets(items, n, seats);
  if (n == 1 ? !locks->take(seats[0].primary)
             : !take_in_order(seats, n, false, locks)) {
    return false;
  }
  if (locate_all(items, n, locks, seats)) {
    return true;
  }
  // A secondary set is taken, and waiting for it here could close a circle:
  // everything anew, in order.  Any item may need its secondary set by then.
  locks->release_all();
  name_sets(items, n, seats);
  return take_in_order(seats, n, true, locks) &&
         locate_all(items, n, locks, seats);
}

void set_target(const rl_item_t* items, Seat* seats, size_t n, size_t i,
                uint64_t now_ms, Journal* journal) {
  Seat* seat = &seats[i];
  const rl_zone_t* zone = items[i].policy->zone;
  if (!seat->exists()) {
    const uint32_t first = n == 1 ? 0 : kept_of(seat->primary, seats, n);
    const uint32_t second = n == 1 ? 0 : kept_of(seat->secondary, seats, n);
    const Place place =
        choose_place(seat->primary, first, seat->secondary, second, now_ms);
    count_eviction(zone, place);
    seat->set = place.set;
    seat->index = place.index;
  }
  journal->targets[i] = {zone->id, index_of(seat->set, zone), seat->index,
                         tag_of(items[i].bucket)};
}

void commit(const rl_process_t* process, const Seat* seats, size_t n) {
  const Journal* journal = journal_of(process);
  Slot* slot = slot_of(process);
  begin_commit(slot, static_cast<uint32_t>(n));
  for (size_t i = 0; i < n; ++i) {
    const Target& target = journal->targets[i];
    if (target.index != kNone) {
      store(seats[i].set, target.index, static_cast<uint8_t>(target.tag),
            journal->images[i]);
    }
  }
  end_commit(slot);
}

}  // namespace ratelimit
