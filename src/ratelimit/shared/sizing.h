// How many units a lease asks for, and for how long.
//
// A lease borrows where its use in a lease's life is worth it: four units, or
// two if it borrows already.  Near the end of a quota Redis gives no more than
// what waits (rows.lua), so that borrowing does not pay any more, and stops.
// How much is borrowed changes nothing in what is admitted altogether.

#ifndef RATELIMIT_SHARED_SIZING_H_
#define RATELIMIT_SHARED_SIZING_H_

#include <cstdint>

#include "ratelimit/ratelimit.h"
#include "ratelimit/shared/lease.h"
#include "ratelimit/shared/wire.h"

namespace ratelimit {

// A request's need, waits, want, keep and spans.  Units that are not kept are
// gone.
void size_request(rl_lease_s* lease, const rl_lease_send_t& send,
                  WireRequest* out) noexcept;

// What a reply has given: when it is to be renewed.
void size_reply(rl_lease_s* lease, uint64_t now_us) noexcept;

// Whether a lease that nobody waits for is to be renewed or given back.
bool is_renewed(const rl_lease_s& lease, uint64_t now_us) noexcept;

// The longest lease of a window: what a ring may readmit late.
uint64_t longest_ms(const rl_lease_s& lease,
                    const rl_lease_send_t& send) noexcept;

}  // namespace ratelimit

#endif  // RATELIMIT_SHARED_SIZING_H_
