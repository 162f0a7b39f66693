// A decision while it is made: see decide.cc, and refuse.cc for one that
// refuses.

#ifndef RATELIMIT_DECIDE_DECISION_H_
#define RATELIMIT_DECIDE_DECISION_H_

#include "ratelimit/decide/locate.h"

namespace ratelimit {

// What is to be written of a bucket; a whole one is in the redo log.
enum class Change : uint8_t { kNothing, kHotWords, kWhole };

// What a decision works on.  Handed on by value, so that most of it can stay
// in registers, and by out_of_line() where it leaves the usual way.
struct Decision {
  const rl_process_t* process;
  rl_item_t* items;
  size_t n;
  const rl_time_t& now;
  BucketRef* refs;
  Change* changes;
  bool tries;            // a refusal is not counted
  uint64_t max_wait_ms;  // for units that are reserved ahead; 0: none are

  Bucket* image(size_t i) const { return &redo_log_of(process)->images[i]; }
};

inline unsigned limit_code_of(const rl_item_t& item) {
  const rl_policy_t* policy = item.policy;
  return __builtin_expect(item.capacity_units == policy->rendered_limit_units,
                          1)
             ? policy->rendered_limit_code
             : encode_limit(item.capacity_units);
}

inline void fill_charged(const Charged& charged, rl_item_t* item) {
  item->admitted = 1;
  item->charged = 1;
  item->limit_units = item->capacity_units;
  item->remaining_units = charged.remaining_units;
  item->retry_after_ms = 0;
  item->next_ms = 0;
  item->charge_id = charged.charge_id;
  fill_reset(charged.reset_ms, item);
}

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
inline void charge_copy(const Shape& shape, const rl_time_t& now,
                        rl_item_t* item, Bucket* image) {
  item->charge_id = charge(image, shape, item->cost_units, now);
  item->charged = 1;
  item->remaining_units -= item->cost_units;
  fill_reset(reset_ms(*image, shape, now), item);
}

// Writes all changes, by way of the redo log.  True, as out_of_line() wants.
bool commit_whole(Decision d);

// Of a bucket, or of what is in the redo log where there was no place.
void fill_next(const rl_process_t* process, rl_item_t* item,
               const Bucket& bucket, const rl_time_t& now);

RATELIMIT_ALWAYS_INLINE void fill_all_next(Decision d) {
  for (size_t i = 0; i < d.n; ++i) {
    if (__builtin_expect(d.items[i].want_next, 0)) {
      const BucketRef& ref = d.refs[i];
      fill_next(d.process, &d.items[i],
                ref.exists() ? *ref.bucket : *d.image(i), d.now);
    }
  }
}

// Decides one item, whose bucket is locked, and reserves its units where they
// are not there.
[[gnu::noinline]] rl_verdict_e decide_ahead(const rl_process_t* process,
                                            rl_item_t* item,
                                            const rl_time_t& now,
                                            uint64_t max_wait_ms,
                                            BucketRef ref);

// Where the one at `refusing` refuses, those before it being charged: nobody
// is charged for a refused request.
rl_verdict_e conclude_refused(Decision d, size_t refusing);

}  // namespace ratelimit

#endif  // RATELIMIT_DECIDE_DECISION_H_
