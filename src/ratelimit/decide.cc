// Deciding and looking: see ratelimit.h.
//
// Under the locks of all sets concerned every policy is asked first; only if
// the request is admitted is anything charged.  So a refused request costs
// nobody anything, no reservation has to be rolled back, and nobody is refused
// because of a reservation that is.

#include "counters.h"
#include "hash.h"
#include "seat.h"
#include "sliding_take.h"

namespace ratelimit {

namespace {

// Asks one policy; the item tells its standing as it is, uncharged, and the
// working copy of the bucket is in *image.  True: it admits the request.
inline bool ask(const Shape& shape, const rl_time_t& now, rl_item_t* item,
                Seat* seat, Bucket* image) {
  prepare(*item, shape, now, seat, image);
  const Standing standing =
      stand(*image, shape, item->cost_units, item->want_next != 0, now);
  const bool admitted = standing.admitted || item->cost_units == 0;
  item->admitted = admitted;
  item->charged = 0;
  item->receipt = 0;
  item->limit_units = shape.capacity_units;
  item->remaining_units = standing.remaining_units;
  item->next_ms = standing.next_ms;
  if (admitted) {
    item->retry_after_ms = 0;
    report_reset(standing.reset_ms, item);
  } else {
    item->retry_after_ms = standing.retry_after_ms;
    item->reset_ms = standing.retry_after_ms;
  }
  return admitted;
}

// Charges the admitted request's units to the working copy.
inline void charge_item(const Shape& shape, const rl_time_t& now,
                        rl_item_t* item, Bucket* image) {
  item->receipt = charge(image, shape, item->cost_units, now);
  item->charged = 1;
  if (item->want_next) {
    report(stand(*image, shape, 0, true, now), item);
  } else {
    item->remaining_units -= item->cost_units;
    report_reset(reset_ms(*image, shape, now), item);
  }
}

// A client that is being refused must not get rid of its bucket by making the
// zone full.  One bit, so nothing has to be done for a process that dies; and
// the only thing that a refusal writes, once.
inline void note_refusal(const Seat& seat, rl_item_t* item, Bucket* image) {
  if (seat.exists() && !image->throttled) {
    image->throttled = 1;
    seat.set->buckets[seat.index].throttled = 1;
  }
  if (item->dry_run) {
    item->remaining_units = 0;
  }
}

struct Votes {
  bool enforced;  // every item that is not in dry run admits
  bool all;       // every item admits
};

Votes ask_all(const rl_time_t& now, rl_item_t* items, size_t n, Seat* seats,
              Bucket* images) {
  Votes votes = {true, true};
  for (size_t i = 0; i < n; ++i) {
    if (!ask(shape_of(items[i]), now, &items[i], &seats[i], &images[i])) {
      votes.all = false;
      votes.enforced = votes.enforced && items[i].dry_run;
    }
  }
  return votes;
}

// Charges what is to be charged and makes it a journal target.  False: nothing
// has to be written.
bool settle_item(rl_item_t* items, Seat* seats, size_t n, size_t i,
                 const Votes& votes, const rl_time_t& now, Journal* journal) {
  rl_item_t* item = &items[i];
  Bucket* image = &journal->images[i];
  if (!item->admitted) {
    note_refusal(seats[i], item, image);
  }
  const bool charges = item->dry_run ? votes.all : votes.enforced;
  if (charges && item->cost_units > 0) {
    charge_item(shape_of(*item), now, item, image);
  } else if (!seats[i].rewritten) {
    set_no_target(journal, i);
    return false;
  }
  set_target(items, seats, n, i, now.mono_ms, journal);
  return true;
}

rl_verdict_e decide_many(rl_process_t* process, rl_item_t* items, size_t n,
                         const rl_time_t& now) {
  Seat seats[RL_MAX_ITEMS];
  Locks locks(process);
  if (!take_seats(items, n, &locks, seats)) {
    return RL_BUSY;
  }
  Journal* journal = journal_of(process);
  const Votes votes = ask_all(now, items, n, seats, journal->images);
  bool writes = false;
  for (size_t i = 0; i < n; ++i) {
    writes |= settle_item(items, seats, n, i, votes, now, journal);
  }
  if (writes) {
    commit(process, seats, n);
  }
  locks.release_all();
  return votes.enforced ? RL_ADMITTED : RL_REFUSED;
}

// take() for an item's bucket, or a new one where it has none.  The default
// algorithm's is inlined.
RATELIMIT_ALWAYS_INLINE bool take_from(const rl_item_t& item,
                                       const Bucket* stored,
                                       const rl_time_t& now, Bucket* image,
                                       Taken* taken) {
  if (stored != nullptr) {
    *image = *stored;
  } else {
    open(image, shape_of(item), now);
    image->key = item.bucket.lo;
  }
  if (item.policy->algorithm == RL_SLIDING) {
    note_charge(image, item.capacity_units);
    return sliding_take(image, item.quota.units, item.quota.window_ms,
                        item.cost_units, now.mono_ms, taken);
  }
  Taken other;  // its address goes away, and so it alone is in memory
  const bool took = take(image, shape_of(item), item.cost_units, now, &other);
  *taken = other;
  return took;
}

// The bucket's set and place where its primary set, which is locked, is
// crowded and does not hold it: that of its secondary set, locked instead.
// False: it is not there, or somebody has that lock; nothing is locked.
[[gnu::noinline]] bool find_in_secondary(const rl_process_t* process,
                                         const rl_item_t& item, Set** set,
                                         uint32_t* index) {
  Set* secondary = secondary_set(item);
  bool found = false;
  if (secondary != *set && try_lock(process, secondary)) {
    *index = find(*secondary, item.bucket.lo, tag_of(item.bucket));
    found = *index != kNone;
    if (!found) unlock(secondary);
  }
  unlock(*set);
  *set = secondary;
  return found;
}

// Decides by one policy what most requests are, under one lock: its bucket is
// there or there is room for one in its primary set, and take() admits.
// False: that is not so, and nothing was done.
RATELIMIT_ALWAYS_INLINE bool take_one(const rl_process_t* process,
                                      rl_item_t* item, const rl_time_t& now) {
  const rl_zone_t* zone = item->policy->zone;
  const uint8_t tag = tag_of(item->bucket);
  Set* set = primary_set(*item);
  if (item->cost_units == 0 || item->want_next || !try_lock(process, set)) {
    return false;
  }
  uint32_t index = find(*set, item->bucket.lo, tag);
  bool is_new = false;
  if (index == kNone) {
    if (!is_crowded(*set)) {
      is_new = true;
      index = static_cast<uint32_t>(__builtin_ctz(~set->occupied));
    } else if (!find_in_secondary(process, *item, &set, &index)) {
      return false;
    }
  }
  Journal* journal = journal_of(process);
  Bucket* image = &journal->images[0];
  Taken taken;
  if (!take_from(*item, is_new ? nullptr : &set->buckets[index], now, image,
                 &taken)) {
    unlock(set);
    return false;
  }
  journal->targets[0] = {zone->id, index_of(zone, set), index, tag};
  Slot* slot = slot_of(process);
  begin_commit(slot, 1);
  set->buckets[index] = *image;
  if (is_new) {
    mark(set, index, tag);
  }
  end_commit(slot);
  unlock(set);

  item->admitted = 1;
  item->charged = 1;
  item->limit_units = item->capacity_units;
  item->remaining_units = taken.remaining_units;
  item->retry_after_ms = 0;
  item->next_ms = 0;
  item->receipt = taken.receipt;
  report_reset(taken.reset_ms, item);
  return true;
}

bool may_decide(const rl_process_t* process, size_t n) {
  return process->registry != nullptr && n <= RL_MAX_ITEMS;
}

// What take_one left.
[[gnu::noinline, gnu::cold]] rl_verdict_e decide_and_count(
    rl_process_t* process, rl_item_t* item, const rl_time_t& now) {
  if (!may_decide(process, 1)) {
    return RL_BUSY;
  }
  const rl_verdict_e verdict = decide_many(process, item, 1, now);
  if (verdict != RL_BUSY) {
    rl_count_decision(process, item, 1, verdict, &now);
  }
  return verdict;
}

}  // namespace

}  // namespace ratelimit

rl_verdict_e rl_decide(rl_process_t* process, rl_item_t* items, size_t n,
                       const rl_time_t* now) noexcept {
  if (!ratelimit::may_decide(process, n)) {
    return RL_BUSY;
  }
  return n == 1 && ratelimit::take_one(process, items, *now)
             ? RL_ADMITTED
             : ratelimit::decide_many(process, items, n, *now);
}

rl_verdict_e rl_decide_key(rl_process_t* process, rl_item_t* item,
                           const rl_part_t* part,
                           const rl_time_t* now) noexcept {
  const rl_policy_t* policy = item->policy;
  const rl_hash_t hash = ratelimit::hash_of_key(policy->zone, *part);
  item->bucket.lo = hash.lo ^ policy->secret.lo;
  item->bucket.hi = hash.hi ^ policy->secret.hi;
  if (__builtin_expect(ratelimit::has_levers(policy->zone), 0)) {
    rl_lever_apply(policy, &item->bucket, now, &item->quota);
    if (item->quota.unlimited) {
      return RL_BYPASSED;
    }
  }
  item->capacity_units = item->quota.units;
  if (process->registry != nullptr &&
      ratelimit::take_one(process, item, *now)) {
    ratelimit::count_admitted(process, *item, now->mono_ms);
    return RL_ADMITTED;
  }
  return ratelimit::decide_and_count(process, item, *now);
}

rl_verdict_e rl_look(rl_process_t* process, rl_item_t* items, size_t n,
                     const rl_time_t* now) noexcept {
  if (!ratelimit::may_decide(process, n)) {
    return RL_BUSY;
  }
  ratelimit::Seat seats[RL_MAX_ITEMS];
  ratelimit::Locks locks(process);
  if (!ratelimit::take_seats(items, n, &locks, seats)) {
    return RL_BUSY;
  }
  const ratelimit::Votes votes = ratelimit::ask_all(
      *now, items, n, seats, ratelimit::journal_of(process)->images);
  locks.release_all();
  return votes.enforced ? RL_ADMITTED : RL_REFUSED;
}
