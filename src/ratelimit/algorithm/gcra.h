// The algorithm `gcra`: a steady rate with a bucket of capacity_units (leaky
// or token bucket, whichever way one looks at it).
//
// Stored is the debt in units times window_ms, so that it drains by exactly
// the quota's units a millisecond: 7/3s is 7 in 3 s, not 2.333 in one.  A cost
// is admitted if the debt with it does not exceed the capacity; the limit told
// is the capacity, and the whole of it is there again when the debt is 0.
//
// Debt only ends by draining or by a refund.  A smaller capacity, or a quota
// of 0, says what is admitted and not what is owed; a smaller rate is the
// debt's once a request was admitted under it, a larger one at once, so that
// a refused client's waiting time comes true.  Hence, whatever quotas a key's
// requests have had, and in whatever order, no more was admitted in a time t
// than the greatest capacity + the greatest rate * t.

#ifndef RATELIMIT_ALGORITHM_GCRA_H_
#define RATELIMIT_ALGORITHM_GCRA_H_

#include "ratelimit/algorithm/bucket.h"

namespace ratelimit {

void gcra_open(Bucket* bucket, const Shape& shape,
               const rl_time_t& now) noexcept;

// For a clock that has started anew: as if the debt had been such then.
void gcra_set_stamp(Bucket* bucket, uint64_t stamp) noexcept;

// Until now the debt drained by the quota that it was stored with.
bool gcra_adapt(Bucket* bucket, const Shape& shape,
                const rl_time_t& now) noexcept;

Evaluation gcra_evaluate(const Bucket& bucket, const Shape& shape,
                         uint64_t cost_units, bool want_next,
                         const rl_time_t& now) noexcept;

uint64_t gcra_reset_ms(const Bucket& bucket, const rl_time_t& now) noexcept;

// The charge id is where the units stand among all that drain, oldest first.
uint64_t gcra_charge(Bucket* bucket, const Shape& shape,
                     uint64_t cost_units) noexcept;

// Whether so much can be charged: there is a greatest debt, at which it stays.
bool gcra_has_room(const Bucket& bucket, uint64_t cost_units) noexcept;

// As charge_hot_words().
ChargeResult gcra_charge_hot_words(const Bucket& stored, const Shape& shape,
                                   unsigned limit_code, uint64_t cost_units,
                                   const rl_time_t& now, HotWords* hot_words,
                                   Charged* charged) noexcept;

// Takes a charge back after which nothing was charged: as if it had not been,
// while a refund keeps the place of what it gives back.  False: it is not the
// last one.
bool gcra_take_back_last(Bucket* bucket, uint64_t charged_units,
                         uint64_t charge_id) noexcept;

// Of charged_units those that have not drained.
void gcra_refund(Bucket* bucket, uint64_t charged_units, uint64_t units,
                 uint64_t charge_id) noexcept;

uint64_t gcra_idle_at_ms(const Bucket& bucket) noexcept;

// Units of debt at now_ms, rounded up.
uint64_t gcra_used_units(const Bucket& bucket, uint64_t now_ms) noexcept;

}  // namespace ratelimit

#endif  // RATELIMIT_ALGORITHM_GCRA_H_
