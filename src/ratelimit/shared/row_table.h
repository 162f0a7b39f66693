// The rows of a zone: sets of seven, found by their buckets' names, each with
// a lock that names its owner as those of the zone do.
//
// A worker may be killed at any instruction.  Who comes upon its lock finds
// marked which row it was writing, and forgets that row: the bucket goes on
// under another row, with nothing in hand, as after an eviction.  What it held
// counts as used from its lease's end on.  So nothing need be written twice,
// and no half of a change is ever read.

#ifndef RATELIMIT_SHARED_ROW_TABLE_H_
#define RATELIMIT_SHARED_ROW_TABLE_H_

#include <atomic>
#include <cstdint>

#include "ratelimit/ratelimit.h"
#include "ratelimit/shared/row.h"

namespace ratelimit {

constexpr uint32_t kRowsPerSet = 7;

struct alignas(64) RowSet {
  std::atomic<uint32_t> lock;    // 0 or the owner's word
  std::atomic<uint32_t> writes;  // the row that is written, from 1 on; 0: none
  uint64_t tags[kRowsPerSet];    // of rows[i]; 0: there is none
  Row rows[kRowsPerSet];
};

struct alignas(64) RowTable {
  uint64_t magic;
  uint32_t version;
  uint32_t sets;
  std::atomic<uint64_t> next_id;
  std::atomic<uint32_t> configurations;  // that use it, so far
  std::atomic<uint32_t> begun;           // so many of them have processes
  std::atomic<uint32_t> epochs[RL_SHARDS];  // of the shards' counts in Redis
  std::atomic<uint32_t> users[RL_MAX_PROCESSES];  // owner words; 0: none
};

inline uint64_t row_tag(const rl_hash_t& name) {
  return name.lo | uint64_t{name.lo == 0};
}

inline uint32_t shard_of(const rl_hash_t& name) {
  return static_cast<uint32_t>(name.lo >> 56);
}

inline RowSet* row_sets(RowTable* table) {
  return reinterpret_cast<RowSet*>(table + 1);
}

inline const RowSet* row_sets(const RowTable* table) {
  return reinterpret_cast<const RowSet*>(table + 1);
}

inline RowSet* row_set_of(RowTable* table, const rl_hash_t& name) {
  return row_sets(table) + ((name.lo >> 32) * table->sets >> 32);
}

inline uint32_t epoch_of(const RowTable* table, const rl_hash_t& name) {
  return table->epochs[shard_of(name)].load(std::memory_order_relaxed);
}

inline bool has_to_tell(const RowTable* table, const Row& row) {
  return row.tells ||
         (row.told_sent_us != 0 && row.epoch != epoch_of(table, row.name));
}

// Bits that say which sets were ever used stand behind the sets.
// The first of those from `set` on; the number of sets: there is none.
uint32_t next_used(const RowTable* table, uint32_t set);

// Waits for the lock, and forgets what its dead owner was writing.  False: its
// living owner does not move.
bool wait_for_row_set(const rl_process_t* process, RowSet* set);

// A row under its lock.
class Entry {
 public:
  Entry(const rl_process_t* process, RowTable* table, const rl_hash_t& name)
      : table_(table), set_(row_set_of(table, name)), name_(name) {
    if (process->process_table == nullptr) return;
    uint32_t word = 0;
    locked_ =
        __builtin_expect(set_->lock.compare_exchange_strong(
                             word, process->owner, std::memory_order_acquire,
                             std::memory_order_relaxed),
                         1) ||
        wait_for_row_set(process, set_);
    if (locked_) find();
  }
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;
  ~Entry() {
    if (!locked_) return;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    set_->writes.store(0, std::memory_order_relaxed);
    set_->lock.store(0, std::memory_order_release);
  }

  bool locked() const { return locked_; }

  // nullptr: there is none.
  const Row* row() const { return row_; }

  // The same, of which something is changed from here on.
  Row* write() {
    if (row_ == nullptr) return nullptr;
    set_->writes.store(static_cast<uint32_t>(row_ - set_->rows) + 1,
                       std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return row_;
  }

  // Made if there is none, in a free place or for the row that was not used
  // for longest.  nullptr: requests of all are under way.
  Row* make(const Terms& terms, bool borrow, uint64_t now_us);

  // It will be another row.
  void forget();

  // The same, if it is from before that reset.
  void forget_older(uint64_t reset) {
    if (row_ != nullptr && row_->terms.reset < reset) forget();
  }

 private:
  void find() {
    const uint64_t tag = row_tag(name_);
    for (uint32_t i = 0; i < kRowsPerSet; ++i) {
      if (set_->tags[i] == tag && set_->rows[i].name.hi == name_.hi) {
        row_ = &set_->rows[i];
        return;
      }
    }
  }

  RowTable* table_;
  RowSet* set_;
  rl_hash_t name_;
  Row* row_ = nullptr;
  bool locked_ = false;
};

}  // namespace ratelimit

#endif  // RATELIMIT_SHARED_ROW_TABLE_H_
