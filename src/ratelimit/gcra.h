// The algorithm `gcra`: a steady rate with a bucket of capacity_units (leaky
// or token bucket, whichever way one looks at it).
//
// Stored is the debt in units times window_ms, so that it drains by exactly
// the quota's units a millisecond: 7/3s is 7 in 3 s, not 2.333 in one.  A cost
// is admitted if the debt with it does not exceed the capacity; the limit told
// is the capacity, and the whole of it is there again when the debt is 0.

#ifndef RATELIMIT_GCRA_H_
#define RATELIMIT_GCRA_H_

#include "bucket.h"

namespace ratelimit {

void gcra_open(Bucket* bucket, const Shape& shape,
               const rl_time_t& now) noexcept;

// Until now the debt drained by the quota that it was stored with.  In units
// (rounded up) it outlives a change, but not above a changed capacity.
bool gcra_adapt(Bucket* bucket, const Shape& shape,
                const rl_time_t& now) noexcept;

Standing gcra_stand(const Bucket& bucket, const Shape& shape,
                    uint32_t cost_units, bool want_next,
                    const rl_time_t& now) noexcept;

uint64_t gcra_reset_ms(const Bucket& bucket, const Shape& shape,
                       const rl_time_t& now) noexcept;

// The receipt is the millisecond in which the units will have drained, those
// charged before them draining first.
uint64_t gcra_charge(Bucket* bucket, const Shape& shape, uint32_t cost_units,
                     const rl_time_t& now) noexcept;

// As charge_head().
Took gcra_charge_head(const Bucket& stored, const Shape& shape,
                      unsigned limit_code, uint32_t cost_units,
                      const rl_time_t& now, Head* head,
                      Taken* taken) noexcept;

void gcra_refund(Bucket* bucket, const Shape& shape, uint32_t units,
                 uint64_t receipt, const rl_time_t& now) noexcept;

uint64_t gcra_idle_at_ms(const Bucket& bucket) noexcept;

// Units of debt at now_ms, rounded up.
uint64_t gcra_used_units(const Bucket& bucket, uint64_t now_ms) noexcept;

}  // namespace ratelimit

#endif  // RATELIMIT_GCRA_H_
