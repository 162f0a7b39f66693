// What is done where a policy refuses.
//
// Those that were charged are in the redo log only, and stand as they did; the
// rest is asked how it stands.  If only dry runs refuse, the request goes on,
// and all that are enforced are charged.

#include "ratelimit/algorithm/charge_hot_words.h"
#include "ratelimit/algorithm/gcra.h"
#include "ratelimit/algorithm/sliding.h"
#include "ratelimit/decide/decision.h"
#include "ratelimit/statistics/counters.h"

namespace ratelimit {

namespace {

void note_refused(const BucketRef& ref, rl_item_t* item, Bucket* image) {
  if (ref.exists()) {
    note_refusal(ref.bucket);
    image->throttled = 1;
  }
  if (item->dry_run) {
    item->remaining_units = 0;
  }
}

// A free place that is not taken in the end must not be left between others.
inline void give_up_place(BucketRef* ref) {
  if (ref->is_new) {
    ref->is_new = false;
    ref->bucket = nullptr;
  }
}

// Asks one policy that is not charged.  A copy of its bucket is made only
// where that is not as it would be now.
RATELIMIT_ALWAYS_INLINE bool ask_uncharged(const Decision& d, size_t i) {
  rl_item_t* item = &d.items[i];
  BucketRef* ref = &d.refs[i];
  const Shape shape = shape_of(d.process, *item);
  give_up_place(ref);
  d.changes[i] = Change::kNothing;
  if (shape.algorithm == RL_SLIDING && ref->exists() &&
      ref->bucket->sliding.remainder == 1 &&
      sliding_is_current(*ref->bucket, shape.window_ms, d.now.mono_ms)) {
    ref->rewritten = false;
    fill_result(sliding_evaluate(*ref->bucket, shape, item->cost_units,
                                 item->want_next != 0, d.now),
                item);
    return item->admitted != 0;
  }
  const bool admits = ask(shape, d.now, item, ref, d.image(i));
  if (ref->rewritten) d.changes[i] = Change::kWhole;
  return admits;
}

// The item's charge, which is in the redo log only, is not to be: it stands as
// it did.
inline void give_up_charge(const Decision& d, size_t i) {
  rl_item_t* item = &d.items[i];
  const BucketRef& ref = d.refs[i];
  if (d.changes[i] != Change::kHotWords || ref.is_new || item->want_next ||
      item->policy->algorithm != RL_SLIDING) {
    ask_uncharged(d, i);
    return;
  }
  d.changes[i] = Change::kNothing;
  item->charged = 0;
  item->charge_id = 0;
  item->remaining_units += item->cost_units;
  fill_reset(sliding_reset_ms(*ref.bucket, d.now), item);
}

// Charges an item of a request that goes on though another one, in dry run,
// refuses it.
void charge_enforced(const Decision& d, size_t i) {
  rl_item_t* item = &d.items[i];
  if (!item->dry_run && item->cost_units > 0) {
    const Shape shape = shape_of(d.process, *item);
    prepare(*item, shape, d.now, &d.refs[i], d.image(i));
    charge_copy(shape, d.now, item, d.image(i));
    d.changes[i] = Change::kWhole;
  }
}

// Whether what is refused may have units that are yet to come back.
bool may_reserve(const Decision& d) {
  const rl_item_t& item = d.items[0];
  return d.max_wait_ms != 0 && item.quota.units != 0 &&
         item.cost_units <= item.capacity_units &&
         item.retry_after_ms <= d.max_wait_ms &&
         gcra_has_room(*d.image(0), item.cost_units);
}

void reserve(const Decision& d) {
  rl_item_t* item = &d.items[0];
  item->charge_id =
      charge(d.image(0), shape_of(d.process, *item), item->cost_units, d.now);
  item->charged = 1;
  d.changes[0] = Change::kWhole;
}

}  // namespace

rl_verdict_e conclude_refused(const Decision d, size_t refusing) {
  bool admitted = true;
  for (size_t i = refusing; i < d.n; ++i) {
    if (!ask_uncharged(d, i)) {
      note_refused(d.refs[i], &d.items[i], d.image(i));
      admitted = admitted && d.items[i].dry_run;
    }
  }
  bool writes = false;
  for (size_t i = 0; i < d.n; ++i) {
    // A new one's place may lie behind another that is given up.
    const bool stays =
        admitted && i < refusing && !d.items[i].dry_run && !d.refs[i].is_new;
    if (!stays) {
      if (i < refusing) give_up_charge(d, i);
      if (admitted) charge_enforced(d, i);
    }
    writes = writes || d.changes[i] != Change::kNothing;
  }
  const bool reserves = !admitted && may_reserve(d);
  if (reserves) reserve(d);
  if (writes || reserves) commit_whole(d);
  if (admitted) fill_all_next(d);
  release_all(d.process, d.refs, d.n);
  if (reserves) return RL_PENDING;
  const rl_verdict_e verdict = admitted ? RL_ADMITTED : RL_REFUSED;
  if (admitted || !d.tries) {
    count_decision(d.process, d.items, d.n, verdict, d.now.mono_ms);
  }
  return verdict;
}

}  // namespace ratelimit
