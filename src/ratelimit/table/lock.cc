#include "ratelimit/table/lock.h"

#include <time.h>

#include "ratelimit/table/process_table.h"
#include "ratelimit/table/zone.h"

namespace ratelimit {

namespace {

// Some two microseconds in all, many times what an owner that runs needs.
// The first wait lasts some decisions, each next one twice as long, as in
// nginx's own locks: so the owner comes to several decisions before lock and
// bucket move to the other processor's cache, and both get more done.
constexpr int kMinSpins = 16;
constexpr int kMaxSpins = 64;

// How long a waiter lets others run then: some 90 microseconds, with what the
// kernel adds.  It sleeps, since sched_yield() does not do what it says: with
// four processes on two cores waiters that yielded to each other kept the
// preempted owner from running for more than 50 ms, ten times in a second.
constexpr long kSleepNs = 20 * 1000;

// The longest wait for a living owner.  One that was preempted between two
// locks was seen to hold others up for 5 to 9 ms on two busy cores; what is
// not back after this long is stopped (by a debugger, a frozen container), and
// a worker that went on waiting would stop with it, and all its connections.
constexpr int64_t kDeadlineNs = 50 * 1000 * 1000;

// The only look at a clock in the core: the caller's time stands still while
// it waits here, so it cannot bound the wait.
int64_t clock_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("isb");
#endif
}

void count_recovery(const rl_process_t* process, const Set* set) {
  for (size_t i = 0; i < process->nzones; ++i) {
    const rl_zone_t* zone = process->zones[i];
    const rl_zone_t* const memories[] = {zone, zone->next, zone->older};
    for (const rl_zone_t* memory : memories) {
      if (memory != nullptr && set >= set_at(memory, 0) &&
          set < set_at(memory, memory->sets)) {
        add(&header_of(memory)->lock_recoveries, 1);
        return;
      }
    }
  }
}

// True: the owner is dead, its work is finished, and the lock is ours.
bool take_from_dead(const rl_process_t* process, std::atomic<uint32_t>* lock,
                    uint32_t owner, bool thorough) {
  return is_dead(process_table_of(process), owner, thorough) &&
         finish_commit_of_dead(process, owner) &&
         lock->compare_exchange_strong(owner, process->owner,
                                       std::memory_order_acquire,
                                       std::memory_order_relaxed);
}

// Waits as long as a running owner needs.  False: it does not run.
bool spin_for_lock(const rl_process_t* process, std::atomic<uint32_t>* lock) {
  for (int spins = kMinSpins; spins <= kMaxSpins; spins *= 2) {
    for (int i = 0; i < spins; ++i) {
      pause();
    }
    uint32_t word = 0;
    if (lock->load(std::memory_order_relaxed) == 0 &&
        lock->compare_exchange_strong(word, process->owner,
                                      std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool lock_soon(const rl_process_t* process, Set* set) {
  if (spin_for_lock(process, &set->lock)) {
    return true;
  }
  const uint32_t owner = set->lock.load(std::memory_order_relaxed);
  if (owner == 0 || owner == kMoved ||
      !take_from_dead(process, &set->lock, owner, true)) {
    return false;
  }
  count_recovery(process, set);
  return true;
}

bool Deadline::wait() {
  const int64_t now_ns = clock_ns();
  if (give_up_at_ns_ == 0) {
    give_up_at_ns_ = now_ns + kDeadlineNs;
  } else if (now_ns >= give_up_at_ns_) {
    return false;
  }
  const timespec pause_time = {0, kSleepNs};
  nanosleep(&pause_time, nullptr);
  return true;
}

bool wait_for_word(const rl_process_t* process, std::atomic<uint32_t>* lock,
                   bool* from_dead) {
  Deadline deadline;
  for (unsigned round = 0;; ++round) {
    if (spin_for_lock(process, lock)) {
      return true;
    }
    const uint32_t owner = lock->load(std::memory_order_relaxed);
    if (owner == 0) {
      continue;
    }
    if (owner == kMoved) {
      return false;
    }
    // A killed owner whose pid is gone is noticed at once; a zombie, or one
    // whose pid was given to somebody else, is worth the time after a sleep.
    if (take_from_dead(process, lock, owner, round > 0)) {
      *from_dead = true;
      return true;
    }
    if (!deadline.wait()) {
      return false;
    }
  }
}

bool wait_for_lock(const rl_process_t* process, Set* set) {
  bool from_dead = false;
  if (!wait_for_word(process, &set->lock, &from_dead)) {
    return false;
  }
  if (from_dead) {
    count_recovery(process, set);
  }
  return true;
}

}  // namespace ratelimit
