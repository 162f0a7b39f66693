// The algorithm `sliding`: never more than the quota in any interval as long
// as the window.
//
// The window is cut into 256 ticks and 16 sub-windows of 16 ticks; tick t
// begins at t * window / 256 of the monotonic clock, so there is no drift. For
// each of the last 17 sub-windows a bucket holds how many units were charged
// in it and when the last one was: of the newest sub-window to the
// millisecond, of an older one in which of its ticks.  The newest one's units
// all leave a window after the last charge; an older one's, whose last charge
// was in tick m, when tick m + 257 begins.  Hence
//   - none leaves before an exact log of timestamps would let it go: no
//     interval of window length, its end left out, ever holds more than the
//     quota;
//   - none leaves more than window/16 + 1 ms after it;
//   - the whole quota is back exactly a window after the last charge, so a
//     burst is told the window and not a tick more;
//   - 17 sub-windows suffice: the 18th is at least 257 ticks old.
// When the newest sub-window becomes an older one its units leave later by up
// to window/256 + 1 ms, never earlier; and none that is older than the last
// charge leaves after that charge does.
//
// Counts have 16 bits.  Above 65,535 units they are in blocks of 2^exponent
// units, the exponent being the least that makes the quota fit, and what does
// not fill a block is kept in `remainder` and flows into the next newer
// charge. So the total is always exact, and of any past less than one block is
// counted as newer than it is: at most quota / 2^15 units leave late, and none
// early. The exponent rises when a count overflows and falls when a cut quota
// lets it; each rise after a fall, and each refund of less than whole blocks,
// may move less than one block more.
//
// Of a quota of more than 65,535 * 2^15 units the remainder takes more than 16
// bits.  It has the place of the older sub-windows' ticks then, of which one
// bit each is left, and each of them leaves as if its last charge was in its
// last tick: within the bound of window/16 + 1 ms, as ever.
//
// What else was weighed, for the 48 bytes that a cache line has left:
//
//   scheme                         bytes  late by at most     units off, late
//   17 x 16 bit, shared exponent      48  window/16           quota/2^15
//   merged pairs (exponential
//     histogram)                      48  window/4            0
//   10 x 32 bit                       48  window/9            0
//   17 x 32 bit                       80  window/16           0
//   two counters, weighted (Kong,
//     Cloudflare)                     12  not bounded, and early as well
//   exact log of timestamps    8 * quota  0                   0
//
// 80 bytes would be an entry of 96 and a third fewer keys in a zone.  Exact
// and strict for a quota of 10^9 cannot be had in 48 bytes at all: 16 bursts
// of which any number of units may be need 434 bits before any time is stored.

#ifndef RATELIMIT_ALGORITHM_SLIDING_H_
#define RATELIMIT_ALGORITHM_SLIDING_H_

#include "ratelimit/algorithm/bucket.h"

namespace ratelimit {

// What has not left by a changed window stays in use: each sub-window's units
// become ones charged when the last of them was, to within a 256th of the old
// window.  None leaves before the new window lets it; each leaves at most
// (old window + new window)/16 + 1 ms late.
bool sliding_adapt(Bucket* bucket, const Shape& shape,
                   const rl_time_t& now) noexcept;

Evaluation sliding_evaluate(const Bucket& bucket, const Shape& shape,
                            uint64_t cost_units, bool want_next,
                            const rl_time_t& now) noexcept;

uint64_t sliding_reset_ms(const Bucket& bucket, const rl_time_t& now) noexcept;

// Of a bucket that is not in debt.
uint64_t sliding_next_ms(const Bucket& bucket, const rl_time_t& now) noexcept;

// The charge id is the time that the units count as charged at.
uint64_t sliding_charge(Bucket* bucket, const Shape& shape,
                        uint64_t cost_units, const rl_time_t& now) noexcept;

// As try_charge() and charge_hot_words().
ChargeResult sliding_try_charge(Bucket* bucket, const Shape& shape,
                                unsigned limit_code, uint64_t cost_units,
                                const rl_time_t& now,
                                Charged* charged) noexcept;
ChargeResult sliding_charge_hot_words(const Bucket& stored, const Shape& shape,
                                      unsigned limit_code, uint64_t cost_units,
                                      const rl_time_t& now,
                                      HotWords* hot_words,
                                      Charged* charged) noexcept;

void sliding_refund(Bucket* bucket, const Shape& shape, uint64_t units,
                    uint64_t charge_id) noexcept;

uint64_t sliding_idle_at_ms(const Bucket& bucket) noexcept;

// Units that count at now_ms.
uint64_t sliding_used_units(const Bucket& bucket, uint64_t now_ms) noexcept;

}  // namespace ratelimit

#endif  // RATELIMIT_ALGORITHM_SLIDING_H_
