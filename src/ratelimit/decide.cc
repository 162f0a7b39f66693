// Deciding the short way: see ratelimit.h.
//
// Most requests find their buckets where they should be, nobody at them and
// units left.  Then all that has to be known of a bucket comes out of one pass
// over it, take(), and locks need not be taken in any order, since none is
// waited for.  Whatever else there is goes the long way, from the start:
// nothing has been changed until everything is known.

#include "decide.h"

#include "counters.h"
#include "hash.h"
#include "seat.h"
#include "sliding_take.h"

namespace ratelimit {

namespace {

// Who has more policies than this has other worries than 300 instructions.
constexpr size_t kShortItems = 8;

// A bucket's place in a set that is locked.
struct Held {
  Set* set;  // nullptr: nothing is held
  uint32_t index;
  uint32_t is_new;  // the place is free, and a new bucket may take it

  Bucket* bucket() const { return &set->buckets[index]; }
};

// Where the primary set, which is locked, is crowded and does not hold the
// bucket: its place in the secondary set, and that set locked instead.
// Nothing if it is not there, or somebody has that lock.
[[gnu::noinline]] Held hold_secondary(const rl_process_t* process,
                                      const rl_item_t& item, Set* primary) {
  Held held = {secondary_set(item), kNone, false};
  if (held.set != primary && try_lock(process, held.set)) {
    held.index = find(*held.set, item.bucket.lo, tag_of(item.bucket));
    if (held.index == kNone) unlock(held.set);
  }
  unlock(primary);
  if (held.index == kNone) held.set = nullptr;
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
    return {nullptr, 0, false};
  }
  const uint32_t index = find(*set, item.bucket.lo, tag_of(item.bucket));
  if (index != kNone) {
    return {set, index, false};
  }
  if (!is_crowded(*set)) {
    return {set, static_cast<uint32_t>(__builtin_ctz(~set->occupied)), true};
  }
  return hold_secondary(process, item, set);
}

// take() on a copy, and note_charge().  The default algorithm's is inlined.
RATELIMIT_ALWAYS_INLINE Took take_copy(const rl_item_t& item, const Held& held,
                                       const rl_time_t& now, Bucket* image,
                                       Head* head, Taken* taken) {
  const Bucket* from = held.bucket();
  if (held.is_new) {
    open(image, shape_of(item), now);
    image->key = item.bucket.lo;
    from = image;
  }
  const rl_policy_t* policy = item.policy;
  const unsigned limit_code = item.capacity_units == policy->usual_limit_units
                                  ? policy->usual_limit_code
                                  : encode_limit(item.capacity_units);
  Took took;
  if (policy->algorithm == RL_SLIDING) {
    took = sliding_take(*from, limit_code, item.quota.units,
                        item.quota.window_ms, item.cost_units, now.mono_ms,
                        image, head, taken);
  } else {
    copy(*from, image);
    image->note_charge(limit_code);
    Taken other;  // its address goes away, and so it alone is in memory
    took = take(image, shape_of(item), item.cost_units, now, &other);
    *taken = other;
    *head = head_of(*image);
  }
  if (took == Took::kHeadOnly && held.is_new) {
    set_head(*head, image);
    return Took::kAdmitted;
  }
  return took;
}

inline void tell_admitted(const Taken& taken, rl_item_t* item) {
  item->admitted = 1;
  item->charged = 1;
  item->limit_units = item->capacity_units;
  item->remaining_units = taken.remaining_units;
  item->retry_after_ms = 0;
  item->receipt = taken.receipt;
  report_reset(taken.reset_ms, item);
}

// Of the bucket as it is when all is written.
inline void tell_next(const Held& held, const rl_time_t& now,
                      rl_item_t* item) {
  item->next_ms =
      item->want_next ? next_ms(*held.bucket(), shape_of(*item), now) : 0;
}

// Makes the charged bucket, or its head, what the journal is to write.
inline void note(const rl_item_t& item, Held held, Took took, Head head,
                 Journal* journal, size_t i) {
  const rl_zone_t* zone = item.policy->zone;
  Target* target = &journal->targets[i];
  *target = {zone->id, index_of(zone, held.set), held.index,
             tag_of(item.bucket)};
  if (took == Took::kHeadOnly) {
    target->tag |= kHeadAlone;
    set_head(head, &journal->images[i]);
  }
}

// By value, as in refuse(): what has an address is in memory all the time.
[[gnu::noinline]] void write_one(const rl_process_t* process,
                                 const rl_item_t& item, Held held, Took took,
                                 Head head) {
  Journal* journal = journal_of(process);
  note(item, held, took, head, journal, 0);
  Slot* slot = slot_of(process);
  begin_commit(slot, 1);
  write(journal->images[0], journal->targets[0], held.set);
  end_commit(slot);
}

// A refusal that take() has found; false: the long way has to tell.
[[gnu::noinline]] bool refuse(const rl_process_t* process, Held held,
                              const rl_time_t& now, Bucket* image,
                              rl_item_t* item) {
  const bool tells = !item->dry_run;
  if (tells) {
    const Shape shape = shape_of(*item);
    if (held.is_new) {
      open(image, shape, now);
    } else {
      note_refusal(held.bucket());
      copy(*held.bucket(), image);
      adapt(image, shape, now);
    }
    tell(stand(*image, shape, item->cost_units, item->want_next != 0, now),
         item);
  }
  unlock(held.set);
  if (tells) {
    count_refused(process, *item, now.mono_ms);
  }
  return tells;
}

// RL_BUSY here and below: nothing was done, the long way is left.
RATELIMIT_ALWAYS_INLINE rl_verdict_e take_one(const rl_process_t* process,
                                              rl_item_t* item,
                                              const rl_time_t& now) {
  if (item->cost_units == 0) {
    return RL_BUSY;
  }
  const Held held = hold(process, *item, true);
  if (held.set == nullptr) {
    return RL_BUSY;
  }
  Bucket* image = &journal_of(process)->images[0];
  Head head;
  Taken taken;
  const Took took = take_copy(*item, held, now, image, &head, &taken);
  if (__builtin_expect(took == Took::kHeadOnly && kHeadIsOneStore, 1)) {
    store_head(head, held.bucket());
  } else if (took == Took::kAdmitted || took == Took::kHeadOnly) {
    write_one(process, *item, held, took, head);
  } else if (took == Took::kRefused) {
    return refuse(process, held, now, image, item) ? RL_REFUSED : RL_BUSY;
  } else {
    unlock(held.set);
    return RL_BUSY;
  }
  tell_next(held, now, item);
  unlock(held.set);
  tell_admitted(taken, item);
  count_admitted(process, *item, now.mono_ms);
  return RL_ADMITTED;
}

// Whether all admit; *held tells how many sets are locked.
inline bool take_each(const rl_process_t* process, rl_item_t* items, size_t n,
                      const rl_time_t& now, Held* places, size_t* held) {
  Journal* journal = journal_of(process);
  for (size_t i = 0; i < n; ++i) {
    rl_item_t* item = &items[i];
    if (item->cost_units == 0) {
      return false;
    }
    const Held place = hold(process, *item, false);
    if (place.set == nullptr) {
      return false;
    }
    places[i] = place;
    *held = i + 1;
    Head head;
    Taken taken;
    const Took took =
        take_copy(*item, place, now, &journal->images[i], &head, &taken);
    if (took != Took::kAdmitted && took != Took::kHeadOnly) {
      return false;
    }
    note(*item, place, took, head, journal, i);
    tell_admitted(taken, item);
  }
  return true;
}

rl_verdict_e take_all(const rl_process_t* process, rl_item_t* items, size_t n,
                      const rl_time_t& now) {
  Held places[kShortItems];
  size_t held = 0;
  const bool admitted = take_each(process, items, n, now, places, &held);
  if (admitted) {
    const Journal* journal = journal_of(process);
    Slot* slot = slot_of(process);
    begin_commit(slot, static_cast<uint32_t>(n));
    for (size_t i = 0; i < n; ++i) {
      write(journal->images[i], journal->targets[i], places[i].set);
    }
    end_commit(slot);
    for (size_t i = 0; i < n; ++i) {
      tell_next(places[i], now, &items[i]);
    }
  }
  while (held > 0) {
    unlock(places[--held].set);
  }
  if (!admitted) {
    return RL_BUSY;
  }
  for (size_t i = 0; i < n; ++i) {
    count_admitted(process, items[i], now.mono_ms);
  }
  return RL_ADMITTED;
}

[[gnu::noinline, gnu::cold]] rl_verdict_e decide_and_count(
    rl_process_t* process, rl_item_t* items, size_t n, const rl_time_t& now) {
  if (process->registry == nullptr || n > RL_MAX_ITEMS) {
    return RL_BUSY;
  }
  const rl_verdict_e verdict = decide_in_full(process, items, n, now);
  if (verdict != RL_BUSY) {
    count_decision(process, items, n, verdict, now.mono_ms);
  }
  return verdict;
}

// False: its zone has a lever, for whatever, or is moving.
RATELIMIT_ALWAYS_INLINE bool find_bucket(rl_item_t* items,
                                         const rl_part_t& part, size_t i) {
  rl_item_t* item = &items[i];
  const rl_policy_t* policy = item->policy;
  rl_hash_t hash;
  if (item->same_key_as == 0) {
    hash = hash_of_key(part);
  } else {
    const rl_item_t& other = items[item->same_key_as - 1];
    hash = {other.bucket.lo ^ other.policy->secret.lo,
            other.bucket.hi ^ other.policy->secret.hi};
  }
  item->bucket = {hash.lo ^ policy->secret.lo, hash.hi ^ policy->secret.hi};
  item->capacity_units = item->quota.units;
  return !has_detours(policy->zone);
}

// Of zones that are not about to move, or that have not been a moment ago.
inline rl_verdict_e decide_shortly(rl_process_t* process, rl_item_t* items,
                                   size_t n, const rl_time_t& now) {
  rl_verdict_e verdict = RL_BUSY;
  if (process->registry != nullptr && n <= kShortItems) {
    verdict = n == 1 ? take_one(process, items, now)
                     : take_all(process, items, n, now);
  }
  return verdict != RL_BUSY ? verdict
                            : decide_and_count(process, items, n, now);
}

bool any_is_moving(const rl_item_t* items, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    if (is_moving(items[i].policy->zone)) return true;
  }
  return false;
}

// Apart, so that one key's decision needs no registers for the loop.
[[gnu::noinline]] rl_verdict_e decide_some_keys(rl_process_t* process,
                                                rl_item_t* items,
                                                const rl_part_t* parts,
                                                size_t n,
                                                const rl_time_t& now) {
  for (size_t i = 0; i < n; ++i) {
    if (!find_bucket(items, parts[i], i)) {
      return RL_LEVERED;
    }
  }
  return decide_shortly(process, items, n, now);
}

}  // namespace

}  // namespace ratelimit

rl_verdict_e rl_decide(rl_process_t* process, rl_item_t* items, size_t n,
                       const rl_time_t* now) noexcept {
  return ratelimit::any_is_moving(items, n)
             ? ratelimit::decide_and_count(process, items, n, *now)
             : ratelimit::decide_shortly(process, items, n, *now);
}

rl_verdict_e rl_decide_keys(rl_process_t* process, rl_item_t* items,
                            const rl_part_t* parts, size_t n,
                            const rl_time_t* now) noexcept {
  if (n == 1) {
    if (!ratelimit::find_bucket(items, parts[0], 0)) {
      return RL_LEVERED;
    }
    // As rl_decide, of which a call is spared.
    const rl_verdict_e verdict =
        process->registry != nullptr
            ? ratelimit::take_one(process, items, *now)
            : RL_BUSY;
    return verdict != RL_BUSY
               ? verdict
               : ratelimit::decide_and_count(process, items, n, *now);
  }
  return ratelimit::decide_some_keys(process, items, parts, n, *now);
}
