// Where the buckets of a decision are that goes the short way: locks need not
// be taken in any order, since none is waited for while others are held.

#ifndef RATELIMIT_DECIDE_HELD_H_
#define RATELIMIT_DECIDE_HELD_H_

#include "ratelimit/base/bytes.h"
#include "ratelimit/decide/locate.h"

namespace ratelimit {

// A bucket in a set that is locked.
struct Held {
  Set* set;        // nullptr: nothing is held
  Bucket* bucket;  // nullptr: it is not there, but a free place for it is
};

inline Bucket* find_item(const rl_item_t& item, Set* set) {
  return const_cast<Bucket*>(
      find_bucket(*set, item.bucket.lo, tag_of(item.bucket)));
}

// Where the primary set, which is locked, is crowded and does not hold the
// bucket: the secondary set, locked instead.  Nothing if it is not there, or
// somebody has that lock.
[[gnu::noinline]] inline Held hold_secondary(const rl_process_t* process,
                                      const rl_item_t& item, Set* primary) {
  Held held = {secondary_set(item), nullptr};
  if (held.set != primary && try_lock(process, held.set)) {
    held.bucket = find_item(item, held.set);
    if (held.bucket == nullptr) unlock(held.set);
  }
  unlock(primary);
  if (held.bucket == nullptr) held.set = nullptr;
  return held;
}

// Nothing if there is no room for a new bucket without a choice, or somebody
// has the lock: one that holds no other (`alone`) may wait a moment for it,
// but several are only waited for in their order.
RATELIMIT_ALWAYS_INLINE Held hold(const rl_process_t* process,
                                  const rl_item_t& item, bool alone) {
  Set* set = primary_set(item);
  if (__builtin_expect(!try_lock(process, set), 0) &&
      !(alone && spin_for_lock(process, set))) {
    return {nullptr, nullptr};
  }
  Bucket* bucket = find_item(item, set);
  if (__builtin_expect(bucket == nullptr, 0) && is_crowded(*set)) {
    return hold_secondary(process, item, set);
  }
  return {set, bucket};
}

// Where the set, which is not crowded, takes a new bucket.
inline Bucket* free_place(Set* set) {
  return &set->buckets[__builtin_ctz(~set->occupied)];
}

}  // namespace ratelimit

#endif  // RATELIMIT_DECIDE_HELD_H_
