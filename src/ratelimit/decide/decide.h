// The long way to decide, which every request can take.

#ifndef RATELIMIT_DECIDE_DECIDE_H_
#define RATELIMIT_DECIDE_DECIDE_H_

#include "ratelimit/ratelimit.h"

namespace ratelimit {

// rl_decide without counting what it decides; the process has joined, and n is
// at most RL_MAX_ITEMS.
rl_verdict_e decide_in_full(rl_process_t* process, rl_item_t* items, size_t n,
                            const rl_time_t& now);

}  // namespace ratelimit

#endif  // RATELIMIT_DECIDE_DECIDE_H_
