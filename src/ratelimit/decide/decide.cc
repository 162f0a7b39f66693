// Deciding and looking: see ratelimit.h.
//
// Under the locks of all sets concerned every policy is asked first; only if
// the request is admitted is anything charged.  So a refused request costs
// nobody anything, no reservation has to be rolled back, and nobody is refused
// because of a reservation that is.
//
// Most requests are admitted.  So each bucket is charged as it is asked, into
// the redo log, which changes nothing yet; what follows where one refuses is
// in refuse.cc.

#include "ratelimit/algorithm/charge_hot_words.h"
#include "ratelimit/algorithm/charge_place.h"
#include "ratelimit/base/bytes.h"
#include "ratelimit/decide/decision.h"
#include "ratelimit/key/hash.h"
#include "ratelimit/statistics/counters.h"

namespace ratelimit {

namespace {

// Calls what is rarely done.  Of one check it gets copies: so no address of
// the check's own goes away, and these stay in registers on the usual way.
template <typename Result, typename Call>
RATELIMIT_ALWAYS_INLINE Result out_of_line(Decision d, const Call& call) {
  if (d.n != 1) return call(d);
  BucketRef ref = d.refs[0];
  Change change = d.changes[0];
  const Result result = call(
      {d.process, d.items, 1, d.now, &ref, &change, d.tries, d.max_wait_ms});
  d.refs[0] = ref;
  d.changes[0] = change;
  return result;
}

[[gnu::noinline]] ChargeResult charge_other_hot_words(
    const rl_process_t* process, const rl_item_t& item, const Bucket& stored,
    const rl_time_t& now, HotWords* hot_words, Charged* charged) {
  if (item.policy->algorithm == RL_CONCURRENT) {
    return concurrent_charge_hot_words(stored, process, changes_of(process),
                                       item.quota.units, limit_code_of(item),
                                       item.cost_units, hot_words, charged);
  }
  return charge_hot_words(stored, shape_of(process, item), limit_code_of(item),
                          item.cost_units, now, hot_words, charged);
}

// What most requests do.
RATELIMIT_ALWAYS_INLINE ChargeResult charge_stored(
    const rl_process_t* process, const rl_item_t& item, const Bucket& stored,
    const rl_time_t& now, HotWords* hot_words, Charged* charged) {
  if (__builtin_expect(item.policy->algorithm == RL_SLIDING &&
                           stored.sliding.remainder == 1,
                       1)) {
    return sliding_hot_words<false>(
        stored, item.quota.units, item.quota.window_ms, limit_code_of(item),
        item.cost_units, now.mono_ms, hot_words, charged);
  }
  // Their addresses go away, and so they alone are in memory.
  Charged other;
  HotWords other_hot_words;
  const ChargeResult result = charge_other_hot_words(
      process, item, stored, now, &other_hot_words, &other);
  *charged = other;
  *hot_words = other_hot_words;
  return result;
}

// Takes a free place for a new bucket, where nobody finds it before it is
// marked; none if the sets are crowded, as what has to go is chosen last.
// True: the bucket is there, and its hot words are all that its first charge
// changes.
[[gnu::noinline]] bool open_in_free_place(Decision d, size_t i) {
  const rl_item_t& item = d.items[i];
  BucketRef* ref = &d.refs[i];
  const uint32_t kept = d.n == 1 ? 0 : kept_of(ref->set, d.refs, i);
  const uint32_t taken = ref->set->occupied | kept;
  if (item.cost_units > item.capacity_units || taken >> kCrowded != 0) {
    return false;
  }
  note_use(item.policy->zone, ref->set);
  ref->bucket = &ref->set->buckets[__builtin_ctz(~taken)];
  ref->is_new = true;
  if (item.policy->algorithm == RL_CALENDAR) {
    return false;
  }
  if (item.policy->algorithm == RL_SLIDING) {
    sliding_open(ref->bucket, item.bucket.lo, item.quota.units,
                 item.quota.window_ms, 0, d.now.mono_ms);
  } else {
    ref->bucket->key = item.bucket.lo;
    open(ref->bucket, shape_of(d.process, item), d.now);
  }
  return true;
}

// try_charge() of what is stored, into *image; of a new bucket where there is
// none.
inline ChargeResult try_charge_copy(const rl_process_t* process,
                                    const rl_item_t& item,
                                    const BucketRef& ref, const rl_time_t& now,
                                    Bucket* image, Charged* charged) {
  const unsigned code = limit_code_of(item);
  if (item.policy->algorithm == RL_SLIDING) {
    const Bucket* from = ref.bucket;
    if (!ref.is_stored()) {
      sliding_open(image, item.bucket.lo, item.quota.units,
                   item.quota.window_ms, 0, now.mono_ms);
      from = image;
    }
    if (from->sliding.remainder == 1) {
      return sliding_try_charge_into<false>(
          *from, item.quota.units, item.quota.window_ms, code, item.cost_units,
          now.mono_ms, image, charged);
    }
  }
  const Shape shape = shape_of(process, item);
  prepare_copy(item, shape, now, ref, image);
  return try_charge(image, shape, code, item.cost_units, now, charged);
}

// Charges a bucket that has no place yet, or of which more changes than its
// hot words.
[[gnu::noinline]] bool charge_whole(Decision d, size_t i) {
  rl_item_t* item = &d.items[i];
  BucketRef* ref = &d.refs[i];
  Bucket* image = d.image(i);
  Charged charged;
  const ChargeResult result =
      item->cost_units == 0
          ? ChargeResult::kUndecided
          : try_charge_copy(d.process, *item, *ref, d.now, image, &charged);
  d.changes[i] = Change::kWhole;
  if (__builtin_expect(result == ChargeResult::kAdmitted, 1)) {
    fill_charged(charged, item);
    return true;
  }
  const Shape shape = shape_of(d.process, *item);
  if (result == ChargeResult::kRefused ||
      !ask(shape, d.now, item, ref, image)) {
    return false;
  }
  if (item->cost_units > 0) {
    charge_copy(shape, d.now, item, image);
  } else if (!ref->rewritten) {
    d.changes[i] = Change::kNothing;
  }
  return true;
}

// True: the policy admits the request, and its bucket is charged: in
// *hot_words or in the redo log.
RATELIMIT_ALWAYS_INLINE bool try_charge(Decision d, size_t i,
                                        HotWords* hot_words) {
  rl_item_t* item = &d.items[i];
  const auto open = [i](Decision rare) { return open_in_free_place(rare, i); };
  const auto whole = [i](Decision rare) { return charge_whole(rare, i); };
  if (__builtin_expect(item->cost_units == 0, 0)) {
    return out_of_line<bool>(d, whole);
  }
  // A crowded set is not locked alone.
  if (__builtin_expect(d.refs[i].bucket == nullptr, 0) &&
      ((d.refs[i].other != nullptr && is_crowded(*d.refs[i].set)) ||
       !out_of_line<bool>(d, open))) {
    return out_of_line<bool>(d, whole);
  }
  Charged charged;
  const ChargeResult result = charge_stored(
      d.process, *item, *d.refs[i].bucket, d.now, hot_words, &charged);
  if (__builtin_expect(result != ChargeResult::kAdmitted, 0)) {
    return result == ChargeResult::kUndecided && out_of_line<bool>(d, whole);
  }
  d.changes[i] = Change::kHotWords;
  fill_charged(charged, item);
  return true;
}

// Where image i of the redo log goes.
RATELIMIT_ALWAYS_INLINE Target target_of_change(Decision d, size_t i) {
  const rl_item_t& item = d.items[i];
  BucketRef* ref = &d.refs[i];
  if (__builtin_expect(d.changes[i] == Change::kHotWords, 1)) {
    const uint32_t mark = ref->is_new ? kUnmarked | tag_of(item.bucket) : 0u;
    return target_of(item.policy->zone, ref->bucket, kHotWordsAlone | mark);
  }
  if (d.changes[i] == Change::kNothing) return {0, 0, 0};
  if (!ref->exists()) place_new(d.items, d.refs, d.n, i, d.now.mono_ms);
  return target_of(item, *ref);
}

// Writes several changes, or one that is more than a store: all of them or
// none, whenever the process is killed.
RATELIMIT_ALWAYS_INLINE void commit_changes(Decision d) {
  RedoLog* redo_log = redo_log_of(d.process);
  for (size_t i = 0; i < d.n; ++i) {
    redo_log->targets[i] = target_of_change(d, i);
  }
  commit(d.process, d.refs, d.n);
}

// The hot words are one store; a new bucket is there once it is marked, which
// is one store as well.
RATELIMIT_ALWAYS_INLINE void commit_hot_words(const HotWords& hot_words,
                                              Decision d) {
  const BucketRef& ref = d.refs[0];
  store_hot_words(hot_words, ref.bucket);
  if (__builtin_expect(ref.is_new, 0)) {
    mark(ref.set, static_cast<uint32_t>(ref.bucket - ref.set->buckets),
         tag_of(d.items[0].bucket));
  }
}

// What is done with the locked buckets of every decision.
RATELIMIT_ALWAYS_INLINE rl_verdict_e decide(Decision d) {
  HotWords hot_words = {};
  for (size_t i = 0; i < d.n; ++i) {
    if (__builtin_expect(!try_charge(d, i, &hot_words), 0)) {
      return out_of_line<rl_verdict_e>(
          d, [i](Decision rare) { return conclude_refused(rare, i); });
    }
    if (d.changes[i] == Change::kHotWords &&
        (d.n != 1 || !kHotWordsAreOneStore)) {
      set_hot_words(hot_words, d.image(i));
    }
  }
  if (d.n != 1) {
    commit_changes(d);
  } else if (kHotWordsAreOneStore && d.changes[0] == Change::kHotWords) {
    commit_hot_words(hot_words, d);
  } else if (d.changes[0] != Change::kNothing) {
    out_of_line<bool>(d, commit_whole);
  }
  fill_all_next(d);
  release_all(d.process, d.refs, d.n);
  for (size_t i = 0; i < d.n; ++i) {
    count_admitted(d.process, d.items[i], d.now.mono_ms);
  }
  return RL_ADMITTED;
}

RATELIMIT_ALWAYS_INLINE rl_verdict_e decide_one(const rl_process_t* process,
                                                rl_item_t* item,
                                                const rl_time_t& now) {
  BucketRef ref;
  Change change = Change::kNothing;
  if (!lock_buckets(process, item, 1, now.mono_ms, &ref)) return RL_TIMEOUT;
  return decide({process, item, 1, now, &ref, &change, false, 0});
}

[[gnu::noinline]] rl_verdict_e decide_several(const rl_process_t* process,
                                              rl_item_t* items, size_t n,
                                              const rl_time_t& now,
                                              bool tries) {
  BucketRef refs[RL_MAX_ITEMS];
  Change changes[RL_MAX_ITEMS];
  if (!lock_buckets(process, items, n, now.mono_ms, refs)) return RL_TIMEOUT;
  changes[0] = Change::kNothing;
  return decide({process, items, n, now, refs, changes, tries, 0});
}

}  // namespace

rl_verdict_e decide_ahead(const rl_process_t* process, rl_item_t* item,
                          const rl_time_t& now, uint64_t max_wait_ms,
                          BucketRef ref) {
  Change change = Change::kNothing;
  return decide({process, item, 1, now, &ref, &change, true, max_wait_ms});
}

bool commit_whole(Decision d) {
  commit_changes(d);
  return true;
}

void fill_next(const rl_process_t* process, rl_item_t* item,
               const Bucket& bucket, const rl_time_t& now) {
  if (item->charged) {
    item->next_ms = next_ms(bucket, shape_of(process, *item), now);
  }
}

}  // namespace ratelimit

// One text, three copies of it: without loops one check costs 70 instructions
// less, and with nothing to reserve 60.
rl_verdict_e rl_decide(rl_process_t* process, rl_item_t* items, size_t n,
                       const rl_time_t* now) noexcept {
  if (process->process_table == nullptr) return RL_TIMEOUT;
  if (__builtin_expect(n == 1, 1)) {
    return ratelimit::decide_one(process, items, *now);
  }
  if (n == 0 || n > RL_MAX_ITEMS) return RL_TIMEOUT;
  return ratelimit::decide_several(process, items, n, *now, false);
}

rl_verdict_e rl_try(rl_process_t* process, rl_item_t* items, size_t n,
                    const rl_time_t* now) noexcept {
  if (process->process_table == nullptr || n == 0 || n > RL_MAX_ITEMS) {
    return RL_TIMEOUT;
  }
  return ratelimit::decide_several(process, items, n, *now, true);
}

rl_verdict_e rl_look(rl_process_t* process, rl_item_t* items, size_t n,
                     const rl_time_t* now) noexcept {
  if (process->process_table == nullptr || n == 0 || n > RL_MAX_ITEMS) {
    return RL_TIMEOUT;
  }
  ratelimit::BucketRef refs[RL_MAX_ITEMS];
  if (!ratelimit::lock_buckets(process, items, n, now->mono_ms, refs)) {
    return RL_TIMEOUT;
  }
  bool admitted = true;
  for (size_t i = 0; i < n; ++i) {
    ratelimit::Bucket image;
    if (ratelimit::ask(ratelimit::shape_of(process, items[i]), *now, &items[i],
                       &refs[i], &image)) {
      continue;
    }
    // As where it is decided: of what would be refused nothing remains.
    if (items[i].dry_run) items[i].remaining_units = 0;
    admitted &= items[i].dry_run != 0;
  }
  ratelimit::release_all(process, refs, n);
  return admitted ? RL_ADMITTED : RL_REFUSED;
}
