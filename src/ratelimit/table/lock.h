// The locks of a table's sets: spin locks that name their owner, taken in the
// order of their addresses, so that no circle of waiting processes can arise.
//
// A lock is held for some hundred instructions.  Its owner may be preempted
// meanwhile, then others wait for it and let it run; it may have been killed,
// then the first who notices finishes its work and takes its locks over.

#ifndef RATELIMIT_TABLE_LOCK_H_
#define RATELIMIT_TABLE_LOCK_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "ratelimit/ratelimit.h"
#include "ratelimit/table/table.h"

namespace ratelimit {

// Waits as long as a running owner needs, and takes it from a dead one.
// False: a living one has the lock, or its set has moved.
bool lock_soon(const rl_process_t* process, Set* set);

// Waits for the lock, as lock.cc says.  False: its living owner did not move,
// or its set did.
bool wait_for_lock(const rl_process_t* process, Set* set);

// The same of any lock that names its owner; *from_dead: who had it is dead.
bool wait_for_word(const rl_process_t* process, std::atomic<uint32_t>* lock,
                   bool* from_dead);

// False: somebody has the lock, perhaps this process.
inline bool try_lock(const rl_process_t* process, Set* set) {
  uint32_t word = 0;
  return set->lock.compare_exchange_strong(word, process->owner,
                                           std::memory_order_acquire,
                                           std::memory_order_relaxed);
}

inline void unlock(Set* set) {
  set->lock.store(0, std::memory_order_release);
}

// How long to wait for a living owner, all in all.
class Deadline {
 public:
  // Lets others run for a moment.  False: it was long enough.
  bool wait();

 private:
  int64_t give_up_at_ns_ = 0;
};

// What one decision holds.
class Locks {
 public:
  explicit Locks(const rl_process_t* process) : process_(process) {}
  Locks(const Locks&) = delete;
  Locks& operator=(const Locks&) = delete;

  const rl_process_t* process() const { return process_; }

  // Only in ascending order of addresses; taken twice is taken once.
  bool take(Set* set) {
    if (!try_take(set)) {
      if (!wait_for_lock(process_, set)) {
        return false;
      }
      held_[n_++] = set;
    }
    return true;
  }

  // In any order, since it does not wait.
  bool take_soon(Set* set) {
    if (!try_take(set)) {
      if (!lock_soon(process_, set)) {
        return false;
      }
      held_[n_++] = set;
    }
    return true;
  }

  // As take_soon, if nobody has it.
  bool try_take(Set* set) {
    uint32_t word = 0;
    if (set->lock.compare_exchange_strong(word, process_->owner,
                                          std::memory_order_acquire,
                                          std::memory_order_relaxed)) {
      held_[n_++] = set;
      return true;
    }
    return word == process_->owner;
  }

  void release_all() {
    while (n_ > 0) {
      unlock(held_[--n_]);
    }
  }

 private:
  const rl_process_t* process_;
  size_t n_ = 0;
  Set* held_[2 * RL_MAX_ITEMS];  // the two sets of every item
};

}  // namespace ratelimit

#endif  // RATELIMIT_TABLE_LOCK_H_
