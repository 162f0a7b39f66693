// What `concurrent` has to know of the processes that hold places: see
// table/process_table.cc, which answers.

#ifndef RATELIMIT_ALGORITHM_HOLDERS_H_
#define RATELIMIT_ALGORITHM_HOLDERS_H_

#include <cstdint>

#include "ratelimit/ratelimit.h"

namespace ratelimit {

// Grows whenever a slot of the process table gets, or loses, its process.
uint32_t process_changes(const rl_process_t* process);

// Whether the slot has lost, since then, the process that it had.
bool has_changed_hands(const rl_process_t* process, uint32_t slot,
                       uint32_t since);

// Whether the slot's process has died, and nobody has noticed yet.
bool has_died(const rl_process_t* process, uint32_t slot);

}  // namespace ratelimit

#endif  // RATELIMIT_ALGORITHM_HOLDERS_H_
