#include "ratelimit/table/redo_log.h"

#include <atomic>

namespace ratelimit {

namespace {

const rl_zone_t* zone_of(const rl_process_t* process, const Target& target) {
  const uint32_t set = target.line / kLinesPerSet;
  for (size_t i = 0; i < process->nzones; ++i) {
    const rl_zone_t* zone = memory_of(process->zones[i], target.zone_id);
    if (zone != nullptr && set < zone->sets) {
      return zone;
    }
  }
  return nullptr;
}

void write_again(const Bucket& image, const Target& target,
                 const rl_zone_t* zone) {
  Set* set = set_at(zone, target.line / kLinesPerSet);
  write(image, target, set, &set->buckets[target.line % kLinesPerSet - 1]);
}

}  // namespace

bool replay(const rl_process_t* process, RedoLog* redo_log, uint32_t n) {
  bool all = true;
  for (uint32_t i = 0; i < n; ++i) {
    const Target& target = redo_log->targets[i];
    if (is_nowhere(target)) {
      continue;
    }
    const rl_zone_t* zone = zone_of(process, target);
    if (zone == nullptr) {
      all = false;
      continue;
    }
    write_again(redo_log->images[i], target, zone);
  }
  // Only now, when all are written, are they done: a process that dies here
  // has its claim taken over before anybody takes the dead one's locks.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  for (uint32_t i = 0; i < n && !all; ++i) {
    if (zone_of(process, redo_log->targets[i]) != nullptr) {
      redo_log->targets[i].line = 0;
    }
  }
  return all;
}

}  // namespace ratelimit
