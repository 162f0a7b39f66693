#include "ratelimit/decide/locate.h"

#include "ratelimit/table/resize.h"

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

// The items' primary sets, or both of them.  False: as take_seats.
bool take_in_order(const rl_item_t* items, const Seat* seats, size_t n,
                   bool secondaries, Locks* locks) {
  Set* sets[2 * RL_MAX_ITEMS];
  size_t count = 0;
  for (size_t i = 0; i < n; ++i) {
    count = insert_sorted(sets, count, seats[i].primary);
    if (secondaries) {
      count = insert_sorted(sets, count, secondary_set(items[i]));
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

bool locate_all(const rl_item_t* items, size_t n, Locks* locks, Seat* seats) {
  for (size_t i = 0; i < n; ++i) {
    if (!locate(items[i], locks, &seats[i])) {
      return false;
    }
  }
  return true;
}

// A secondary set is taken, and waiting for it while others are held could
// close a circle: everything anew, in order.  Any item may need its secondary
// set by then.
bool take_all_seats(const rl_item_t* items, size_t n, Locks* locks,
                    Seat* seats) {
  locks->release_all();
  return take_in_order(items, seats, n, true, locks) &&
         locate_all(items, n, locks, seats);
}

bool bring_all_over(const rl_item_t* items, size_t n, uint64_t now_ms,
                    const Locks* locks) {
  for (size_t i = 0; i < n; ++i) {
    if (!bring_over(locks->process(), items[i].policy->zone,
                    items[i].bucket.lo, now_ms)) {
      return false;
    }
  }
  return true;
}

bool any_has_moved_on(const rl_item_t* items, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    if (has_moved_on(items[i].policy->zone)) {
      return true;
    }
  }
  return false;
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

}  // namespace

bool locate_in_secondary(const rl_item_t& item, Locks* locks, Seat* seat) {
  seat->secondary = secondary_set(item);
  if (!locks->try_take(seat->secondary)) {
    return false;
  }
  seat->index =
      find(*seat->secondary, item.bucket.lo, tag_of(item.bucket));
  if (seat->index != kNone) {
    seat->set = seat->secondary;
  }
  return true;
}

bool take_seats(const rl_item_t* items, size_t n, uint64_t now_ms,
                Locks* locks, Seat* seats) {
  do {
    go_on(locks->process());
    if (!bring_all_over(items, n, now_ms, locks)) {
      return false;
    }
    for (size_t i = 0; i < n; ++i) {
      seats[i].primary = primary_set(items[i]);
    }
    if (take_in_order(items, seats, n, false, locks) &&
        (locate_all(items, n, locks, seats) ||
         take_all_seats(items, n, locks, seats))) {
      return true;
    }
  } while (any_has_moved_on(items, n));
  return false;
}

void place_new(const rl_item_t* items, Seat* seats, size_t n, size_t i,
               uint64_t now_ms) {
  Seat* seat = &seats[i];
  const uint32_t first = n == 1 ? 0 : kept_of(seat->primary, seats, n);
  const uint32_t second = n == 1 ? 0 : kept_of(seat->secondary, seats, n);
  const Place place =
      choose_place(seat->primary, first, seat->secondary, second, now_ms);
  count_eviction(items[i].policy->zone, place);
  seat->set = place.set;
  seat->index = place.index;
}

}  // namespace ratelimit
