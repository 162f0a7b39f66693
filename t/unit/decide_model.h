// What decisions are held against: every policy is asked on a copy of its
// bucket, and charged on that copy; no bucket has a way of its own.

#ifndef RATELIMIT_T_UNIT_DECIDE_MODEL_H_
#define RATELIMIT_T_UNIT_DECIDE_MODEL_H_

#include "ratelimit/decide/locate.h"

namespace ratelimit {

// Asks one policy; the item tells its standing as it is, uncharged, and the
// working copy of the bucket is in *image.  True: it admits the request.
inline bool ask(const Shape& shape, const rl_time_t& now, rl_item_t* item,
                BucketRef* ref, Bucket* image) {
  prepare(*item, shape, now, ref, image);
  fill_result(
      evaluate(*image, shape, item->cost_units, item->want_next != 0, now),
      item);
  return item->admitted != 0;
}

// Charges the admitted request's units to the working copy.
inline void charge_item(const Shape& shape, const rl_time_t& now,
                        rl_item_t* item, Bucket* image) {
  item->charge_id = charge(image, shape, item->cost_units, now);
  item->charged = 1;
  if (item->want_next) {
    fill_remaining(evaluate(*image, shape, 0, true, now), item);
  } else {
    item->remaining_units -= item->cost_units;
    fill_reset(reset_ms(*image, shape, now), item);
  }
}

inline void refuse(const BucketRef& ref, rl_item_t* item, Bucket* image) {
  if (ref.exists()) {
    note_refusal(ref.bucket);
    image->throttled = 1;
  }
  if (item->dry_run) {
    item->remaining_units = 0;
  }
}

struct Votes {
  bool enforced;  // every item that is not in dry run admits
  bool all;       // every item admits
};

inline Votes ask_all(const rl_process_t* process, const rl_time_t& now,
                     rl_item_t* items, size_t n, BucketRef* refs,
                     Bucket* images) {
  Votes votes = {true, true};
  for (size_t i = 0; i < n; ++i) {
    if (!ask(shape_of(process, items[i]), now, &items[i], &refs[i],
             &images[i])) {
      votes.all = false;
      votes.enforced = votes.enforced && items[i].dry_run;
    }
  }
  return votes;
}

// Charges what is to be charged and makes it a redo log target.  False:
// nothing has to be written.
inline bool settle_item(const rl_process_t* process, rl_item_t* items,
                        BucketRef* refs, size_t n, size_t i,
                        const Votes& votes, const rl_time_t& now,
                        RedoLog* redo_log) {
  rl_item_t* item = &items[i];
  Bucket* image = &redo_log->images[i];
  if (!item->admitted) {
    refuse(refs[i], item, image);
  }
  const bool charges = item->dry_run ? votes.all : votes.enforced;
  if (charges && item->cost_units > 0) {
    charge_item(shape_of(process, *item), now, item, image);
  } else if (!refs[i].rewritten) {
    redo_log->targets[i] = {0, 0, 0};
    return false;
  }
  if (!refs[i].exists()) place_new(items, refs, n, i, now.mono_ms);
  redo_log->targets[i] = target_of(*item, refs[i]);
  return true;
}

inline rl_verdict_e decide_plainly(rl_process_t* process, rl_item_t* items,
                                   size_t n, const rl_time_t& now) {
  BucketRef refs[RL_MAX_ITEMS];
  if (!lock_in_order(process, items, n, now.mono_ms, refs)) {
    return RL_TIMEOUT;
  }
  RedoLog* redo_log = redo_log_of(process);
  const Votes votes = ask_all(process, now, items, n, refs, redo_log->images);
  // Where all admit, whose primary set has room takes a place there before
  // the others look for theirs.
  for (size_t i = 0; votes.all && i < n; ++i) {
    const uint32_t taken =
        refs[i].set->occupied | kept_of(refs[i].set, refs, i);
    if (items[i].cost_units > 0 && !refs[i].exists() &&
        taken >> kCrowded == 0) {
      place_new(items, refs, n, i, now.mono_ms);
    }
  }
  bool writes = false;
  for (size_t i = 0; i < n; ++i) {
    writes |= settle_item(process, items, refs, n, i, votes, now, redo_log);
  }
  if (writes) {
    commit(process, refs, n);
  }
  release_all(process, refs, n);
  return votes.enforced ? RL_ADMITTED : RL_REFUSED;
}

}  // namespace ratelimit

#endif  // RATELIMIT_T_UNIT_DECIDE_MODEL_H_
