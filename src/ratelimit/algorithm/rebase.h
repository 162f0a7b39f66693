// Buckets that come from another clock or out of a file.

#ifndef RATELIMIT_ALGORITHM_REBASE_H_
#define RATELIMIT_ALGORITHM_REBASE_H_

#include <cstdint>

#include "ratelimit/algorithm/bucket.h"

namespace ratelimit {

// Whether the fields are such as the algorithms write: no division by zero,
// no product that does not fit.
bool is_sound(const Bucket& bucket) noexcept;

// Moves all times by delta_ms, so that what was so long ago on one clock is as
// long ago on another.  Sliding's move by whole ticks, rounded up: units leave
// at most window/256 later than they would have.
void rebase_clock(Bucket* bucket, int64_t delta_ms) noexcept;

}  // namespace ratelimit

#endif  // RATELIMIT_ALGORITHM_REBASE_H_
