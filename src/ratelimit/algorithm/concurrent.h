// The algorithm `concurrent`: units in use at a time.  What is charged is held
// by the process that charges it, until that gives it back or is gone: a
// process that is killed leaves nothing behind that somebody would have to
// find, as what it held is not counted any more.
//
// A unit in use is stored under the slot of its process.  `checked` says up to
// which change of the process table the slots are known to have had the same
// processes ever since, so most charges look at nothing else.

#ifndef RATELIMIT_ALGORITHM_CONCURRENT_H_
#define RATELIMIT_ALGORITHM_CONCURRENT_H_

#include "ratelimit/algorithm/bucket.h"

namespace ratelimit {

// Of all holders, those included that are gone and not noticed yet.
uint32_t concurrent_used_units(const Bucket& bucket) noexcept;

void concurrent_open(Bucket* bucket, const Shape& shape) noexcept;

// Forgets holders that are gone.
void concurrent_adapt(Bucket* bucket, const Shape& shape) noexcept;

// Looks for processes that have died, which charges do only where these are in
// the way.  Not admitted though units remain: the bucket has no room for one
// more holder.
Evaluation concurrent_evaluate(const Bucket& bucket, const Shape& shape,
                               uint64_t cost_units) noexcept;

// The charge id is when the bucket was made: what is given back to one that
// was lost since, or reset, is not there.
uint64_t concurrent_charge(Bucket* bucket, const Shape& shape,
                           uint64_t cost_units) noexcept;

// As try_charge(), where the process is not the first holder.
ChargeResult concurrent_try_charge(Bucket* bucket, const Shape& shape,
                                   unsigned limit_code, uint64_t cost_units,
                                   Charged* charged) noexcept;

void concurrent_refund(Bucket* bucket, const Shape& shape, uint64_t units,
                       uint64_t charge_id) noexcept;

}  // namespace ratelimit

#endif  // RATELIMIT_ALGORITHM_CONCURRENT_H_
