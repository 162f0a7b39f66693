// Deciding the short way: see ratelimit.h.
//
// Most requests find their buckets where they should be, nobody at them and
// units left.  Then all that has to be known of a bucket comes out of one pass
// over it, and mostly its head is all that changes.  Whatever else there is
// goes the long way, from the start: nothing has been changed until everything
// is known.

#include "ratelimit/decide/decide.h"

#include "ratelimit/algorithm/charge_head.h"
#include "ratelimit/statistics/counters.h"
#include "ratelimit/key/hash.h"
#include "ratelimit/decide/held.h"
#include "ratelimit/decide/locate.h"

namespace ratelimit {

namespace {

// Who has more policies than this has other worries than 300 instructions.
constexpr size_t kShortItems = 8;

inline unsigned limit_code_of(const rl_item_t& item) {
  const rl_policy_t* policy = item.policy;
  return item.capacity_units == policy->usual_limit_units
             ? policy->usual_limit_code
             : encode_limit(item.capacity_units);
}

[[gnu::noinline]] Took take_other_head(const rl_item_t& item,
                                       const Bucket& stored,
                                       const rl_time_t& now, Head* head,
                                       Taken* taken) {
  return charge_head(stored, shape_of(item), limit_code_of(item),
                     item.cost_units, now, head, taken);
}

// What most requests do.
RATELIMIT_ALWAYS_INLINE Took take_head(const rl_item_t& item,
                                       const Bucket* stored,
                                       const rl_time_t& now, Head* head,
                                       Taken* taken) {
  if (stored == nullptr) {
    return Took::kUnusual;
  }
  if (__builtin_expect(item.policy->algorithm == RL_SLIDING &&
                           stored->sliding.carry == 1,
                       1)) {
    return sliding_head<false>(*stored, item.quota.units, item.quota.window_ms,
                               limit_code_of(item), item.cost_units,
                               now.mono_ms, head, taken);
  }
  // Their addresses go away, and so they alone are in memory.
  Taken other;
  Head other_head;
  const Took took = take_other_head(item, *stored, now, &other_head, &other);
  *taken = other;
  *head = other_head;
  return took;
}

inline void open_new(const rl_item_t& item, const Shape& shape,
                     const rl_time_t& now, Bucket* bucket) {
  open(bucket, shape, now);
  bucket->key = item.bucket.lo;
}

// take() of what is stored, into *image; of a new bucket where there is none.
inline Took take_whole(const rl_item_t& item, const Bucket* stored,
                       const rl_time_t& now, Bucket* image, Taken* taken) {
  const unsigned code = limit_code_of(item);
  if (stored != nullptr && item.policy->algorithm == RL_SLIDING &&
      stored->sliding.carry == 1) {
    Taken alone;  // its address does not go away
    const Took took = sliding_take_in<false>(
        *stored, item.quota.units, item.quota.window_ms, code, item.cost_units,
        now.mono_ms, image, &alone);
    *taken = alone;
    return took;
  }
  const Shape shape = shape_of(item);
  if (stored != nullptr) {
    copy(*stored, image);
  } else {
    open_new(item, shape, now, image);
  }
  return take(image, shape, code, item.cost_units, now, taken);
}

inline void tell_admitted(const Taken& taken, rl_item_t* item) {
  item->admitted = 1;
  item->charged = 1;
  item->limit_units = item->capacity_units;
  item->remaining_units = taken.remaining_units;
  item->retry_after_ms = 0;
  item->next_ms = 0;
  item->receipt = taken.receipt;
  report_reset(taken.reset_ms, item);
}

// Of the bucket as it is when all is written.
[[gnu::noinline]] void tell_next(const Bucket& bucket, const rl_time_t& now,
                                 rl_item_t* item) {
  item->next_ms = next_ms(bucket, shape_of(*item), now);
}

// A new bucket alone needs no journal: before it is marked it is not there,
// and that is one store.  This one is not marked yet.  Nothing if it refuses,
// or its first charge changes more than its head, as a calendar window's does.
[[gnu::noinline]] Bucket* open_in_place(const rl_item_t& item,
                                        const rl_time_t& now, Set* set) {
  if (item.cost_units > item.capacity_units ||
      item.policy->algorithm == RL_CALENDAR) {
    return nullptr;
  }
  Bucket* place = free_place(set);
  if (item.policy->algorithm == RL_SLIDING) {
    sliding_open(place, item.bucket.lo, item.quota.units, item.quota.window_ms,
                 0, now.mono_ms);
  } else {
    open_new(item, shape_of(item), now, place);
  }
  return place;
}

// The charged bucket becomes target and image i of the journal, *held tells
// where it goes.  One that refuses leaves them alone.
inline Took note_whole(const rl_process_t* process, const rl_time_t& now,
                       size_t i, rl_item_t* item, Held* held) {
  Journal* journal = journal_of(process);
  Taken taken;
  const Took took =
      take_whole(*item, held->bucket, now, &journal->images[i], &taken);
  if (took == Took::kAdmitted) {
    if (held->bucket == nullptr) held->bucket = free_place(held->set);
    journal->targets[i] =
        target_of(item->policy->zone, held->bucket, tag_of(item->bucket));
    tell_admitted(taken, item);
  }
  return took;
}

// A refusal that has been found; RL_BUSY, here and below: nothing was done,
// the long way is left.
[[gnu::noinline]] rl_verdict_e refuse(const rl_process_t* process, Held held,
                                      const rl_time_t& now, rl_item_t* item) {
  const bool tells = !item->dry_run;
  if (tells) {
    const Shape shape = shape_of(*item);
    Bucket bucket;
    if (held.bucket == nullptr) {
      open_new(*item, shape, now, &bucket);
    } else {
      note_refusal(held.bucket);
      copy(*held.bucket, &bucket);
      adapt(&bucket, shape, now);
    }
    tell(stand(bucket, shape, item->cost_units, item->want_next != 0, now),
         item);
  }
  unlock(held.set);
  if (tells) {
    count_refused(process, *item, now.mono_ms);
  }
  return tells ? RL_REFUSED : RL_BUSY;
}

inline void finish_one(const rl_process_t* process, const Held& held,
                       const rl_time_t& now, rl_item_t* item) {
  if (__builtin_expect(item->want_next, 0)) {
    tell_next(*held.bucket, now, item);
  }
  unlock(held.set);
  count_admitted(process, *item, now.mono_ms);
}

[[gnu::noinline]] rl_verdict_e take_one_whole(const rl_process_t* process,
                                              Held held, const rl_time_t& now,
                                              rl_item_t* item) {
  const Took took = note_whole(process, now, 0, item, &held);
  if (took == Took::kRefused) {
    return refuse(process, held, now, item);
  }
  if (took == Took::kUnusual) {
    unlock(held.set);
    return RL_BUSY;
  }
  const Journal* journal = journal_of(process);
  Slot* slot = slot_of(process);
  begin_commit(slot, 1);
  write(journal->images[0], journal->targets[0], held.set, held.bucket);
  end_commit(slot);
  finish_one(process, held, now, item);
  return RL_ADMITTED;
}

RATELIMIT_ALWAYS_INLINE rl_verdict_e take_one(const rl_process_t* process,
                                              rl_item_t* item,
                                              const rl_time_t& now) {
  if (process->registry == nullptr || item->cost_units == 0) {
    return RL_BUSY;
  }
  const Held held = hold(process, *item, true);
  if (held.set == nullptr) {
    return RL_BUSY;
  }
  Bucket* bucket = held.bucket;
  if (kHeadIsOneStore && __builtin_expect(bucket == nullptr, 0)) {
    bucket = open_in_place(*item, now, held.set);
  }
  Head head;
  Taken taken;
  const Took took = kHeadIsOneStore
                        ? take_head(*item, bucket, now, &head, &taken)
                        : Took::kUnusual;
  if (__builtin_expect(took != Took::kAdmitted, 0)) {
    return took == Took::kRefused ? refuse(process, held, now, item)
                                  : take_one_whole(process, held, now, item);
  }
  store_head(head, bucket);
  if (__builtin_expect(held.bucket == nullptr, 0)) {
    mark(held.set, static_cast<uint32_t>(bucket - held.set->buckets),
         tag_of(item->bucket));
  }
  tell_admitted(taken, item);
  finish_one(process, {held.set, bucket}, now, item);
  return RL_ADMITTED;
}

// How many items from the first one on could be held.
inline size_t hold_each(const rl_process_t* process, const rl_item_t* items,
                        size_t n, Held* places) {
  for (size_t i = 0; i < n; ++i) {
    if (items[i].cost_units == 0) {
      return i;
    }
    places[i] = hold(process, items[i], false);
    if (places[i].set == nullptr) {
      return i;
    }
  }
  return n;
}

[[gnu::noinline]] Took note_other(const rl_process_t* process,
                                  const rl_time_t& now, size_t i,
                                  rl_item_t* item, Held* held) {
  return note_whole(process, now, i, item, held);
}

// Whether all admit; then the journal says what is to be written.
inline bool note_each(const rl_process_t* process, const rl_time_t& now,
                      rl_item_t* items, size_t n, Held* places) {
  Journal* journal = journal_of(process);
  for (size_t i = 0; i < n; ++i) {
    rl_item_t* item = &items[i];
    Bucket* bucket = places[i].bucket;
    if (__builtin_expect(bucket == nullptr, 0)) {
      bucket = open_in_place(*item, now, places[i].set);
    }
    Head head;
    Taken taken;
    const Took took = take_head(*item, bucket, now, &head, &taken);
    if (took == Took::kAdmitted) {
      journal->targets[i] =
          target_of(item->policy->zone, bucket, kHeadAlone);
      if (__builtin_expect(bucket != places[i].bucket, 0)) {
        journal->targets[i].tag |= kUnmarked | tag_of(item->bucket);
        places[i].bucket = bucket;
      }
      set_head(head, &journal->images[i]);
      tell_admitted(taken, item);
    } else if (took == Took::kRefused ||
               note_other(process, now, i, item, &places[i]) !=
                   Took::kAdmitted) {
      return false;
    }
  }
  return true;
}

[[gnu::noinline]] rl_verdict_e take_all(const rl_process_t* process,
                                        rl_item_t* items, size_t n,
                                        const rl_time_t& now) {
  if (process->registry == nullptr || n > kShortItems) {
    return RL_BUSY;
  }
  Held places[kShortItems];
  const size_t held = hold_each(process, items, n, places);
  if (held < n || !note_each(process, now, items, n, places)) {
    for (size_t i = 0; i < held; ++i) {
      unlock(places[i].set);
    }
    return RL_BUSY;
  }
  const Journal* journal = journal_of(process);
  Slot* slot = slot_of(process);
  begin_commit(slot, static_cast<uint32_t>(n));
  for (size_t i = 0; i < n; ++i) {
    write(journal->images[i], journal->targets[i], places[i].set,
          places[i].bucket);
  }
  end_commit(slot);
  for (size_t i = 0; i < n; ++i) {
    finish_one(process, places[i], now, &items[i]);
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

// False: its zone has an override, for whatever, or is moving.
RATELIMIT_ALWAYS_INLINE bool name_bucket(const rl_hash_t& key,
                                         rl_item_t* item) {
  const rl_policy_t* policy = item->policy;
  item->bucket = {key.lo ^ policy->secret.lo, key.hi ^ policy->secret.hi};
  item->capacity_units = item->quota.units;
  return !may_have_overrides(policy->zone);
}

inline rl_hash_t key_of(const rl_item_t& named) {
  const rl_hash_t& secret = named.policy->secret;
  return {named.bucket.lo ^ secret.lo, named.bucket.hi ^ secret.hi};
}

inline rl_verdict_e or_in_full(rl_verdict_e verdict, rl_process_t* process,
                               rl_item_t* items, size_t n,
                               const rl_time_t& now) {
  return verdict != RL_BUSY ? verdict
                            : decide_and_count(process, items, n, now);
}

bool any_is_moving(const rl_item_t* items, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    if (is_moving(items[i].policy->zone)) return true;
  }
  return false;
}

// Each apart, so that one key's decision needs no registers for the loop.
[[gnu::noinline]] rl_verdict_e decide_key(rl_process_t* process,
                                          rl_item_t* item,
                                          const rl_part_t& part,
                                          const rl_time_t& now) {
  return name_bucket(hash_of_key(part), item)
             ? or_in_full(take_one(process, item, now), process, item, 1, now)
             : RL_OVERRIDDEN;
}

[[gnu::noinline]] rl_verdict_e decide_some_keys(rl_process_t* process,
                                                rl_item_t* items,
                                                const rl_part_t* parts,
                                                size_t n,
                                                const rl_time_t& now) {
  for (size_t i = 0; i < n; ++i) {
    const size_t same = items[i].same_key_as;
    if (!name_bucket(same == 0 ? hash_of_key(parts[i])
                               : key_of(items[same - 1]),
                     &items[i])) {
      return RL_OVERRIDDEN;
    }
  }
  return or_in_full(take_all(process, items, n, now), process, items, n, now);
}

}  // namespace

}  // namespace ratelimit

rl_verdict_e rl_decide(rl_process_t* process, rl_item_t* items, size_t n,
                       const rl_time_t* now) noexcept {
  // Zones that are not about to move, or that have not been a moment ago.
  rl_verdict_e verdict = RL_BUSY;
  if (!ratelimit::any_is_moving(items, n)) {
    verdict = n == 1 ? ratelimit::take_one(process, items, *now)
                     : ratelimit::take_all(process, items, n, *now);
  }
  return ratelimit::or_in_full(verdict, process, items, n, *now);
}

rl_verdict_e rl_decide_keys(rl_process_t* process, rl_item_t* items,
                            const rl_part_t* parts, size_t n,
                            const rl_time_t* now) noexcept {
  return n == 1
             ? ratelimit::decide_key(process, items, parts[0], *now)
             : ratelimit::decide_some_keys(process, items, parts, n, *now);
}
