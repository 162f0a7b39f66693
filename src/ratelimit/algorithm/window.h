// The algorithms `fixed` and `calendar`: a count that starts anew with each
// window.  A window opens with the first charge after the last one's end.
//
// fixed: from there it lasts as long as the window.
// calendar: it is the one of the wall clock's grid (see calendar.h), but what
// is left of it is measured once, at the opening, and then passes on the
// monotonic clock: so a step of the wall clock neither empties an open window
// nor keeps anyone out for longer than a window.  (Differences of a second or
// less are no step but slewing and rounding; there the grid has its way.)
//
// A bucket with no unit in use has no window: a refund of everything closes
// it.

#ifndef RATELIMIT_ALGORITHM_WINDOW_H_
#define RATELIMIT_ALGORITHM_WINDOW_H_

#include "ratelimit/algorithm/bucket.h"

namespace ratelimit {

void window_open(Bucket* bucket, const Shape& shape) noexcept;

// A changed window keeps its start, if it has not ended yet, and gets a new
// end: start + window, or the end of the new grid's window that holds the
// start.
bool window_adapt(Bucket* bucket, const Shape& shape,
                  const rl_time_t& now) noexcept;

Evaluation window_evaluate(const Bucket& bucket, const Shape& shape,
                           uint64_t cost_units, const rl_time_t& now) noexcept;

uint64_t window_reset_ms(const Bucket& bucket, const rl_time_t& now) noexcept;

// The charge id is when the window was opened.
uint64_t window_charge(Bucket* bucket, const Shape& shape, uint64_t cost_units,
                       const rl_time_t& now) noexcept;

// As charge_hot_words().
ChargeResult window_charge_hot_words(const Bucket& stored, const Shape& shape,
                                     unsigned limit_code, uint64_t cost_units,
                                     const rl_time_t& now, HotWords* hot_words,
                                     Charged* charged) noexcept;

// As try_charge(), of a calendar window that is not open, which is more than
// the hot words.
ChargeResult calendar_try_charge(Bucket* bucket, const Shape& shape,
                                 unsigned limit_code, uint64_t cost_units,
                                 const rl_time_t& now,
                                 Charged* charged) noexcept;

void window_refund(Bucket* bucket, uint64_t units,
                   uint64_t charge_id) noexcept;

uint64_t window_idle_at_ms(const Bucket& bucket) noexcept;

}  // namespace ratelimit

#endif  // RATELIMIT_ALGORITHM_WINDOW_H_
