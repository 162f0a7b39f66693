// The process table: who may own locks, and who of them is dead.
//
// A lock word names its owner: a slot of the table and its generation, so
// that the word of a process that is gone never names a later one.

#ifndef RATELIMIT_TABLE_PROCESS_TABLE_H_
#define RATELIMIT_TABLE_PROCESS_TABLE_H_

#include <atomic>
#include <cstdint>

#include "ratelimit/ratelimit.h"
#include "ratelimit/table/redo_log.h"

namespace ratelimit {

// Workers that a reload has told to leave stay as long as a request of theirs
// does, and there may be many reloads meanwhile: what bounds them is nginx's
// limit on the processes of a master, 1,024.  Of the redo logs, 40 MB, memory
// backs those that were used, since the lowest place is taken; an owner word
// has 20 bits left, for a million processes in each place.
constexpr uint32_t kProcesses = RL_MAX_PROCESSES;
constexpr uint32_t kProcessBits = 12;
static_assert(kProcesses == 1u << kProcessBits, "an owner word's lowest bits");

// Who has the slot, in one word, so that there is no moment at which only half
// of it is true: generation, a part of the process's start time (pids are
// reused) and the pid, 0 where the slot is free.
struct ProcessId {
  static constexpr unsigned kPidBits = 22;  // Linux's greatest pid_max is 2^22
  static constexpr unsigned kStartBits = 22;
  static constexpr unsigned kGenerationBits = 32 - kProcessBits;
  static_assert(kPidBits + kStartBits + kGenerationBits == 64, "one word");

  uint32_t generation;  // 0: neither this slot nor one behind was ever used
  uint32_t start;       // 0: not known
  uint32_t pid;

  static ProcessId of(uint64_t word) {
    return {static_cast<uint32_t>(word >> (kPidBits + kStartBits)),
            static_cast<uint32_t>(word >> kPidBits) & ((1u << kStartBits) - 1),
            static_cast<uint32_t>(word) & ((1u << kPidBits) - 1)};
  }

  uint64_t word() const {
    return uint64_t{generation} << (kPidBits + kStartBits) |
           uint64_t{start} << kPidBits | pid;
  }
};

struct alignas(64) Slot {
  std::atomic<uint64_t> id;
  std::atomic<uint32_t> pending;  // targets that must be written, all of them
  std::atomic<uint32_t> claim;    // owner word of who writes them for the dead
  std::atomic<uint32_t> since;  // of ProcessTable::changes, its process's own
};

struct ProcessTable {
  alignas(64) uint64_t magic;
  uint32_t version;
  std::atomic<uint32_t> changes;  // joinings, leavings and deaths so far
  Slot slots[kProcesses];
  RedoLog redo_logs[kProcesses];
};

inline ProcessTable* process_table_of(const rl_process_t* process) {
  return static_cast<ProcessTable*>(process->process_table);
}

inline uint32_t changes_of(const rl_process_t* process) {
  return process_table_of(process)->changes.load(std::memory_order_acquire);
}

inline Slot* slot_of(const rl_process_t* process) {
  return &process_table_of(process)->slots[process->slot];
}

inline void begin_commit(Slot* slot, uint32_t targets) {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  slot->pending.store(targets, std::memory_order_release);
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

inline void end_commit(Slot* slot) {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  slot->pending.store(0, std::memory_order_release);
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

// Whether the owner's process is gone.  The thorough way reads /proc, some 10
// microseconds, and also finds out a zombie, which answers kill(pid, 0) until
// its parent has waited for it, and a stranger that was given the pid.
bool is_dead(const ProcessTable* process_table, uint32_t owner, bool thorough);

// Finishes what the dead owner has left half written in the zones that the
// process knows.  False: another living process is about it.  True: the
// owner's locks in these zones may be taken.
bool finish_commit_of_dead(const rl_process_t* process, uint32_t owner);

}  // namespace ratelimit

#endif  // RATELIMIT_TABLE_PROCESS_TABLE_H_
