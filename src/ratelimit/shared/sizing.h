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
void size_request(rl_lease_s* lease, Row* row, const rl_lease_send_t& send,
                  WireRequest* out);

// What a reply has given: when it is to be renewed.
void size_reply(Row* row, uint64_t now_us);

// Whether what was used since the last request makes it worth to be kept.
bool is_in_use(const Row& row);

// Whether a row that nobody waits for is to be renewed or given back.
bool is_renewed(const Row& row, uint64_t now_us);

// The longest lease of a window: what a ring may readmit late.
uint64_t longest_ms(const Row& row, const rl_lease_send_t& send);

}  // namespace ratelimit

#endif  // RATELIMIT_SHARED_SIZING_H_
