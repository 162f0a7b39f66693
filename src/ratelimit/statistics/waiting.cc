// How many requests wait for a policy now: see ratelimit.h.  Each process
// counts its own, under its lock word, so that what a killed one has left
// behind is known to be nobody's.

#include "ratelimit/statistics/counters.h"
#include "ratelimit/table/process_table.h"

namespace ratelimit {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

uint32_t owner_of(uint64_t entry) {
  return static_cast<uint32_t>(entry >> 32);
}

uint32_t requests_of(uint64_t entry) {
  return static_cast<uint32_t>(entry);
}

}  // namespace

}  // namespace ratelimit

void rl_count_waiting(const rl_process_t* process, const rl_policy_t* policy,
                      int more) noexcept {
  ratelimit::CounterRow* row = ratelimit::row_of(policy);
  if (row == nullptr || process->process_table == nullptr) return;
  std::atomic<uint64_t>* entry = &row->waiting[process->slot];
  const uint64_t stored = entry->load(ratelimit::kRelaxed);
  const bool is_own = ratelimit::owner_of(stored) == process->owner;
  uint32_t requests = is_own ? ratelimit::requests_of(stored) : 0;
  if (more > 0) {
    ++requests;
  } else if (requests > 0) {
    --requests;
  }
  entry->store(uint64_t{process->owner} << 32 | requests, ratelimit::kRelaxed);
}

uint64_t rl_waiting(const rl_process_t* process,
                    const rl_policy_t* policy) noexcept {
  const ratelimit::CounterRow* row = ratelimit::row_of(policy);
  if (row == nullptr || process == nullptr ||
      process->process_table == nullptr) {
    return 0;
  }
  const ratelimit::ProcessTable* table =
      ratelimit::process_table_of(process);
  uint64_t sum = 0;
  for (uint32_t slot = 0; slot < ratelimit::kProcesses; ++slot) {
    const uint64_t id = table->slots[slot].id.load(std::memory_order_acquire);
    if (ratelimit::ProcessId::of(id).generation == 0) break;  // none behind
    const uint64_t entry = row->waiting[slot].load(ratelimit::kRelaxed);
    if (ratelimit::requests_of(entry) == 0 ||
        ratelimit::is_dead(table, ratelimit::owner_of(entry), true)) {
      continue;
    }
    sum += ratelimit::requests_of(entry);
  }
  return sum;
}
