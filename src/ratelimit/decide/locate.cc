#include "ratelimit/decide/locate.h"

#include <utility>

#include "ratelimit/table/resize.h"

namespace ratelimit {

namespace {

// In order of addresses, each once: few, and mostly in order already.
RATELIMIT_ALWAYS_INLINE size_t insert_sorted(Set** sets, size_t n, Set* set) {
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

// False: as lock_in_order.
bool lock_candidates(const rl_process_t* process, const rl_item_t* items,
                     size_t n) {
  Set* sets[2 * RL_MAX_ITEMS];
  size_t count = 0;
  for (size_t i = 0; i < n; ++i) {
    count = insert_sorted(sets, count, primary_set(items[i]));
    count = insert_sorted(sets, count, secondary_set(items[i]));
  }
  for (size_t i = 0; i < count; ++i) {
    if (!try_lock(process, sets[i]) && !wait_for_lock(process, sets[i])) {
      while (i > 0) {
        unlock(sets[--i]);
      }
      return false;
    }
  }
  return true;
}

// Both sets are locked.
void find_in_both(const rl_item_t& item, BucketRef* ref) {
  *ref = {primary_set(item), secondary_set(item), nullptr, false, false};
  ref->bucket = find_in(item, ref->set);
  if (ref->bucket == nullptr && is_crowded(*ref->set)) {
    ref->bucket = find_in(item, ref->other);
    if (ref->bucket != nullptr) {
      std::swap(ref->set, ref->other);
    }
  }
}

bool bring_all_over(const rl_item_t* items, size_t n, uint64_t now_ms,
                    const rl_process_t* process) {
  for (size_t i = 0; i < n; ++i) {
    if (!bring_over(process, items[i].policy->zone, items[i].bucket.lo,
                    now_ms)) {
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

}  // namespace

bool lock_in_order(const rl_process_t* process, const rl_item_t* items,
                   size_t n, uint64_t now_ms, BucketRef* refs) {
  do {
    go_on(process);
    if (!bring_all_over(items, n, now_ms, process)) {
      return false;
    }
    if (lock_candidates(process, items, n)) {
      for (size_t i = 0; i < n; ++i) {
        find_in_both(items[i], &refs[i]);
      }
      return true;
    }
  } while (any_has_moved_on(items, n));
  return false;
}

uint32_t kept_of(const Set* set, const BucketRef* refs, size_t n) {
  uint32_t kept = 0;
  for (size_t i = 0; i < n; ++i) {
    if (refs[i].set == set && refs[i].exists()) {
      kept |= 1u << (refs[i].bucket - set->buckets);
    }
  }
  return kept;
}

void place_new(const rl_item_t* items, BucketRef* refs, size_t n, size_t i,
               uint64_t now_ms) {
  BucketRef* ref = &refs[i];
  Set* other = ref->other != nullptr ? ref->other : ref->set;
  const Place place = choose_place(ref->set, kept_of(ref->set, refs, n), other,
                                   kept_of(other, refs, n), now_ms);
  note_place(items[i].policy->zone, place);
  if (place.index == kNone) return;
  if (place.set != ref->set) std::swap(ref->set, ref->other);
  ref->bucket = &place.set->buckets[place.index];
}

}  // namespace ratelimit
