// Where the buckets of a decision are, and what the answers say of them: what
// deciding, looking, refunding and settling have in common.

#ifndef RATELIMIT_DECIDE_LOCATE_H_
#define RATELIMIT_DECIDE_LOCATE_H_

#include <cstddef>
#include <cstdint>

#include "ratelimit/algorithm/bucket.h"
#include "ratelimit/base/bytes.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/table/lock.h"
#include "ratelimit/table/process_table.h"
#include "ratelimit/table/table.h"
#include "ratelimit/table/zone.h"

namespace ratelimit {

// Where a check's bucket is, or will be; valid while the locks are held.
struct BucketRef {
  Set* set;        // locked; holds the bucket, or is its primary set
  Set* other;      // its other set, where that is locked as well, or nullptr
  Bucket* bucket;  // nullptr: there is none
  bool is_new;     // in a free place, and not marked yet
  bool rewritten;  // adapt() wants the bucket stored in any case

  bool exists() const { return bucket != nullptr; }
  bool is_stored() const { return exists() && !is_new; }
};

inline Shape shape_of(const rl_process_t* process, const rl_item_t& item) {
  return {item.policy->algorithm,
          item.quota.units,
          item.capacity_units,
          item.quota.window_months,
          item.quota.window_ms,
          item.policy->tz_ms,
          process};
}

inline Set* primary_set(const rl_item_t& item) {
  const rl_zone_t* zone = item.policy->zone;
  return set_at(zone, primary_index(item.bucket.lo, zone->sets));
}

inline Set* secondary_set(const rl_item_t& item) {
  const rl_zone_t* zone = item.policy->zone;
  return set_at(zone, secondary_index(item.bucket.lo, zone->sets));
}

inline Bucket* find_in(const rl_item_t& item, Set* set) {
  return const_cast<Bucket*>(
      find_bucket(*set, item.bucket.lo, tag_of(item.bucket)));
}

// Two checks may have one set.
inline void release(const rl_process_t* process, Set* set) {
  if (set->lock.load(std::memory_order_relaxed) == process->owner) {
    unlock(set);
  }
}

// What lock_buckets has locked.
RATELIMIT_ALWAYS_INLINE void release_all(const rl_process_t* process,
                                         const BucketRef* refs, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    if (n == 1) {
      unlock(refs[i].set);
    } else {
      release(process, refs[i].set);
    }
    if (__builtin_expect(refs[i].other != nullptr, 0)) {
      release(process, refs[i].other);
    }
  }
}

// Locks both sets of every check, in the order of their addresses, and finds
// the buckets; waits for locks and moves what a resize has yet to move.
// False: a living owner did not move, and nothing is held.
bool lock_in_order(const rl_process_t* process, const rl_item_t* items,
                   size_t n, uint64_t now_ms, BucketRef* refs);

// Of one check the address of its reference does not go away, so that it can
// stay in registers.
RATELIMIT_ALWAYS_INLINE bool lock_again(const rl_process_t* process,
                                        const rl_item_t* items, size_t n,
                                        uint64_t now_ms, BucketRef* refs) {
  if (n != 1) return lock_in_order(process, items, n, now_ms, refs);
  BucketRef ref;
  const bool locked = lock_in_order(process, items, 1, now_ms, &ref);
  if (locked) refs[0] = ref;
  return locked;
}

// Locks the check's primary set, if nobody else has it and that is enough.
RATELIMIT_ALWAYS_INLINE bool try_lock_bucket(const rl_process_t* process,
                                             const rl_item_t& item,
                                             BucketRef* ref) {
  Set* set = primary_set(item);
  ref->set = set;
  ref->other = nullptr;
  ref->bucket = nullptr;
  ref->is_new = false;
  if (__builtin_expect(is_moving(item.policy->zone), 0)) return false;
  uint32_t word = 0;
  if (__builtin_expect(!set->lock.compare_exchange_strong(
                           word, process->owner, std::memory_order_acquire,
                           std::memory_order_relaxed),
                       0) &&
      word != process->owner) {
    return false;
  }
  ref->bucket = find_in(item, set);
  return __builtin_expect(ref->bucket != nullptr, 1) || !is_crowded(*set);
}

// Locks the sets that the checks need and finds their buckets.  Primary sets
// are tried in any order, since none is waited for; where one is not to be had
// at once, or not enough, all is let go and begun anew in order.
RATELIMIT_ALWAYS_INLINE bool lock_buckets(const rl_process_t* process,
                                          const rl_item_t* items, size_t n,
                                          uint64_t now_ms, BucketRef* refs) {
  for (size_t i = 0; i < n; ++i) {
    if (__builtin_expect(!try_lock_bucket(process, items[i], &refs[i]), 0)) {
      for (size_t k = 0; k <= i; ++k) {
        release(process, refs[k].set);
      }
      return lock_again(process, items, n, now_ms, refs);
    }
  }
  return true;
}

// For who comes back to a bucket after a while: a reset of its policy
// meanwhile must not be undone by a charge that makes it look new.
inline void heed_reset(rl_process_t* process, const rl_item_t& item,
                       const rl_time_t& now) {
  if (__builtin_expect(may_have_overrides(item.policy->zone), 0)) {
    rl_empty_older(process, &item, &now);
  }
}

// A copy of the item's bucket as it is stored, or a new one.
inline void prepare_copy(const rl_item_t& item, const Shape& shape,
                         const rl_time_t& now, const BucketRef& ref,
                         Bucket* bucket) {
  if (ref.is_stored()) {
    copy(*ref.bucket, bucket);
  } else {
    open(bucket, shape, now);
    bucket->key = item.bucket.lo;
  }
}

// As it is now.
inline void prepare(const rl_item_t& item, const Shape& shape,
                    const rl_time_t& now, BucketRef* ref, Bucket* bucket) {
  prepare_copy(item, shape, now, *ref, bucket);
  ref->rewritten = ref->is_stored() && adapt(bucket, shape, now);
}

// At most the window; but not for gcra, whose bucket of more units than the
// quota takes longer to fill.
inline void fill_reset(uint64_t reset_ms, rl_item_t* item) {
  const bool clamp =
      reset_ms > item->quota.window_ms && item->policy->algorithm != RL_GCRA;
  item->reset_ms = clamp ? item->quota.window_ms : reset_ms;
}

// Answers the item's question: the bucket as it stands, uncharged.
inline void fill_result(const Evaluation& evaluation, rl_item_t* item) {
  item->admitted = evaluation.admitted || item->cost_units == 0;
  item->charged = 0;
  item->charge_id = 0;
  item->limit_units = item->capacity_units;
  item->remaining_units = evaluation.remaining_units;
  item->next_ms = evaluation.next_ms;
  if (item->admitted) {
    item->retry_after_ms = 0;
    fill_reset(evaluation.reset_ms, item);
  } else {
    item->retry_after_ms = evaluation.retry_after_ms;
    item->reset_ms = evaluation.retry_after_ms;
  }
}

// Fills in what is left of the quota.
inline void fill_remaining(const Evaluation& evaluation, rl_item_t* item) {
  item->remaining_units = evaluation.remaining_units;
  item->next_ms = evaluation.next_ms;
  fill_reset(evaluation.reset_ms, item);
}

// A client that is being refused must not get rid of its bucket by making the
// zone full.  One bit, so nothing has to be done for a process that dies; and
// the only thing that a refusal writes, once.
inline void note_refusal(Bucket* stored) {
  if (!stored->throttled) {
    stored->throttled = 1;
  }
}

// The buckets of the set that the refs have, new ones as well.
uint32_t kept_of(const Set* set, const BucketRef* refs, size_t n);

// Finds a place for items[i]'s bucket, which has none; it spares those that
// other items have.
void place_new(const rl_item_t* items, BucketRef* refs, size_t n, size_t i,
               uint64_t now_ms);

// Where the item's image in the redo log is to go; nowhere if there is
// no room for it.
inline Target target_of(const rl_item_t& item, const BucketRef& ref) {
  if (!ref.exists()) return {0, 0, 0};
  return target_of(item.policy->zone, ref.bucket, tag_of(item.bucket));
}

// Writes the images of all targets into their buckets: all of them or none,
// whenever the process is killed.
RATELIMIT_ALWAYS_INLINE void commit(const rl_process_t* process,
                                    const BucketRef* refs, size_t n) {
  const RedoLog* redo_log = redo_log_of(process);
  Slot* slot = slot_of(process);
  begin_commit(slot, static_cast<uint32_t>(n));
  for (size_t i = 0; i < n; ++i) {
    const Target& target = redo_log->targets[i];
    if (!is_nowhere(target)) {
      write(redo_log->images[i], target, refs[i].set, refs[i].bucket);
    }
  }
  end_commit(slot);
}

}  // namespace ratelimit

#endif  // RATELIMIT_DECIDE_LOCATE_H_
