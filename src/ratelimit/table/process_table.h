// The process table, and the redo logs that make a decision all or nothing
// even where its process is killed in the midst of it.
//
// A lock word names its owner: a slot of the table and its generation, so
// that the word of a process that is gone never names a later one.
//
// How a decision is written.  Its new buckets are prepared in the process's
// redo log, under the locks of their sets; then
//
//   targets and images complete -> `pending` = n -> images copied into the
//   table -> `pending` = 0 -> locks released
//
// A process that dies before `pending` is set has changed nothing.  One that
// dies after it has decided: whoever comes upon one of its locks copies all
// images again, which does no harm however far the dead one came, sets
// `pending` to 0, and only then are the locks taken from it.  (The images are
// what is to be, not what was: the working copies of a decision, so that no
// bucket is copied for the redo log's sake; 16 instructions a policy less than
// saving the old ones.)
//
// A decision that changes one bucket, and that in one instruction, needs no
// redo log: see store_hot_words(); nor does one that makes one new bucket,
// which is not there before it is marked, see mark().  Of several policies the
// redo log has hot words and marks as well, rather than whole buckets, where
// these do.
//
// Only the compiler has to be kept from reordering these steps: a process that
// the kernel has declared dead has left its processor, and with that all that
// it had written is visible to everybody.

#ifndef RATELIMIT_TABLE_PROCESS_TABLE_H_
#define RATELIMIT_TABLE_PROCESS_TABLE_H_

#include <atomic>
#include <cstdint>

#include "ratelimit/algorithm/bucket.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/table/table.h"
#include "ratelimit/table/zone.h"

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

// Where an image goes.
struct Target {
  uint32_t zone_id;
  uint32_t line;  // of 64 bytes, of the zone's sets; 0: nowhere
  uint32_t tag;   // and the bits below
};

// The image is but the hot words of a bucket that is there but for them; and
// that is still to be marked.
constexpr uint32_t kHotWordsAlone = 1u << 8;
constexpr uint32_t kUnmarked = 1u << 9;

constexpr uint32_t kLinesPerSet = sizeof(Set) / sizeof(Bucket);

// Lines of sets' headers are nobody's, the first of which is 0.
inline bool is_nowhere(const Target& target) {
  return target.line % kLinesPerSet == 0;
}

inline Target target_of(const rl_zone_t* zone, const Bucket* bucket,
                        uint32_t tag) {
  const auto offset =
      static_cast<size_t>(reinterpret_cast<const unsigned char*>(bucket) -
                          static_cast<const unsigned char*>(zone->memory));
  return {zone->id, static_cast<uint32_t>((offset - sizeof(ZoneHeader)) / 64),
          tag};
}

// Writes an image into its bucket, a place of the set; doing it twice does no
// harm.
inline void write(const Bucket& image, const Target& target, Set* set,
                  Bucket* bucket) {
  if ((target.tag & kHotWordsAlone) != 0) {
    store_hot_words(hot_words_of(image), bucket);
    if ((target.tag & kUnmarked) == 0) return;
  } else {
    copy(image, bucket);
  }
  mark(set, static_cast<uint32_t>(bucket - set->buckets),
       static_cast<uint8_t>(target.tag));
}

struct alignas(64) RedoLog {
  Bucket images[RL_MAX_ITEMS];
  Target targets[RL_MAX_ITEMS];
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

inline RedoLog* redo_log_of(const rl_process_t* process) {
  return static_cast<RedoLog*>(process->redo_log);
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
