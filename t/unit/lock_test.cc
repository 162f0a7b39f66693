// Locks and the process table: that decisions of several processes are
// exact, that none waits for ever, and that slots are reused safely.  What
// happens to a process that is killed is in crash_test.cc.

#include "ratelimit/table/lock.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "arena.h"
#include "ratelimit/table/process_table.h"
#include "ratelimit/table/zone.h"

namespace ratelimit {
namespace {

constexpr uint64_t kHour = 3600 * 1000;

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start)
      .count();
}

// Runs body(i) in n processes, or in n threads where a sanitizer is to see all
// of them, each with a process record of its own.
void run_all(bool threads, int n, const std::function<void(int)>& body) {
  if (threads) {
    std::vector<std::thread> running;
    for (int i = 0; i < n; ++i) {
      running.emplace_back(body, i);
    }
    for (std::thread& thread : running) {
      thread.join();
    }
    return;
  }
  for (int i = 0; i < n; ++i) {
    if (fork() == 0) {
      body(i);
      _exit(testing::Test::HasFailure());
    }
  }
  int status = 0;
  while (wait(&status) > 0) {
    EXPECT_EQ(0, status);
  }
}

// Three policies in crossing orders.  One key of `small` and `middle` each has
// little, and `shared`, one bucket for all, has one unit more than all of
// `small` have together: it is never full, so it must never refuse, although
// its units are wanted by many requests that others refuse.  That is what
// reserving and rolling back gets wrong.
class Exactness : public testing::TestWithParam<bool> {
 protected:
  static constexpr uint32_t kKeys = 16;
  static constexpr uint32_t kSmall = 1000;
  static constexpr uint32_t kMiddle = 1200;
  static constexpr uint32_t kShared = kKeys * kSmall + 1;

  struct Tally {
    std::atomic<uint64_t> admitted[3][kKeys];
    std::atomic<uint64_t> refused[3][kKeys];  // by this one
    std::atomic<uint64_t> busy;
  };

  void worker(int self, uint64_t rounds) {
    rl_process_t process = arena_.join();
    std::mt19937_64 random(static_cast<uint64_t>(self));
    const rl_time_t now = at(1000000);
    const Policy* policies[] = {&small_, &middle_, &shared_};
    for (uint64_t round = 0; round < rounds; ++round) {
      const auto first = static_cast<unsigned>(random() % 3);
      rl_item_t items[3];
      unsigned which[3];
      uint32_t keys[3];
      for (unsigned i = 0; i < 3; ++i) {
        which[i] = self % 2 ? (first + i) % 3 : (first + 3 - i) % 3;
        keys[i] = which[i] == 2 ? 0 : static_cast<uint32_t>(random() % kKeys);
        items[i] = policies[which[i]]->item(std::to_string(keys[i]));
      }
      const rl_verdict_e verdict = rl_decide(&process, items, 3, &now);
      for (unsigned i = 0; i < 3; ++i) {
        if (verdict == RL_ADMITTED) {
          ++tally_->admitted[which[i]][keys[i]];
        } else if (verdict == RL_REFUSED && !items[i].admitted) {
          ++tally_->refused[which[i]][keys[i]];
        }
      }
      tally_->busy += verdict == RL_TIMEOUT;
    }
    rl_process_leave(&process);
  }

  uint32_t left(const Policy& policy, uint32_t key) {
    rl_process_t process = arena_.join();
    rl_item_t item = policy.item(std::to_string(key));
    const rl_time_t now = at(1000000);
    EXPECT_NE(RL_TIMEOUT, rl_look(&process, &item, 1, &now));
    rl_process_leave(&process);
    return item.remaining_units;
  }

  Arena arena_{64 * 1024, 2};
  SharedMemory memory_{sizeof(Tally)};
  Tally* tally_ = memory_.as<Tally>();
  const Policy small_{arena_.zone(0), "small", kSmall, kHour, RL_SLIDING};
  const Policy middle_{arena_.zone(1), "middle", kMiddle, kHour, RL_FIXED};
  const Policy shared_{arena_.zone(0), "shared", kShared, kHour, RL_GCRA};
};

TEST_P(Exactness, NoneTooManyNoneFalselyRefusedNoneChargedInVain) {
  const uint64_t rounds = times(kThreadSanitizer ? 20000
                                : GetParam()     ? 50000
                                                 : 500000);
  run_all(GetParam(), 4, [&](int self) { worker(self, rounds); });
  uint64_t admitted[3] = {};
  for (unsigned p = 0; p < 3; ++p) {
    const Policy* policies[] = {&small_, &middle_, &shared_};
    const uint64_t quotas[] = {kSmall, kMiddle, kShared};
    for (uint32_t k = 0; k < (p == 2 ? 1 : kKeys); ++k) {
      const uint64_t took = tally_->admitted[p][k];
      admitted[p] += took;
      EXPECT_EQ(quotas[p] - took, left(*policies[p], k))
          << "policy " << p << " key " << k;
      if (tally_->refused[p][k] > 0) {
        EXPECT_EQ(0u, left(*policies[p], k)) << "policy " << p << " key " << k;
      }
    }
  }
  EXPECT_EQ(0u, tally_->refused[2][0]) << "refused though never full";
  EXPECT_EQ(uint64_t{kKeys} * kSmall, admitted[0]);
  EXPECT_EQ(admitted[0], admitted[1]);
  EXPECT_EQ(admitted[0], admitted[2]);
  // An owner that other programs keep from running for 50 ms makes some busy.
  EXPECT_GE(4 * rounds / 20, tally_->busy);
}

INSTANTIATE_TEST_SUITE_P(Processes, Exactness, testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Threads, Exactness, testing::Values(true));

// A zone so full that most decisions need both sets of their keys, in orders
// that would close circles if anybody waited out of order.
TEST(Locks, CrowdedSetsAndManyPoliciesNeverStop) {
  Arena arena(6 * 2048);
  SharedMemory memory(4096);
  auto* done = memory.as<std::atomic<uint64_t>>();
  const uint64_t rounds = times(20000);
  run_all(false, 4, [&](int self) {
    rl_process_t process = arena.join();
    const Policy policy(arena.zone(), "p", 1000000, kHour);
    std::mt19937_64 random(static_cast<uint64_t>(self));
    for (uint64_t round = 0; round < rounds; ++round) {
      rl_item_t items[8];
      for (rl_item_t& item : items) {
        item = policy.item_of({random(), random()});
      }
      const rl_time_t now = at(1000 + round);
      if (rl_decide(&process, items, 8, &now) == RL_ADMITTED) {
        ++*done;
      }
    }
    rl_process_leave(&process);
  });
  // As above; but most come through.
  EXPECT_LE(4 * rounds * 9 / 10, *done);
  for (uint32_t s = 0; s < arena.zone()->sets; ++s) {
    EXPECT_EQ(0u, set_at(arena.zone(), s)->lock);
  }
}

TEST(Locks, OneOfADeadOwnerIsTakenOverAndCounted) {
  Arena arena(64 * 1024);
  const Policy policy(arena.zone(), "p", 10, kHour);
  const rl_item_t item = policy.item("k");
  Set* set =
      set_at(arena.zone(), primary_index(item.bucket.lo, arena.zone()->sets));
  const pid_t child = fork();
  if (child == 0) {
    rl_process_t process = arena.join();
    Locks locks(&process);
    locks.take(set);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(child, waitpid(child, &status, 0));
  ASSERT_NE(0u, set->lock);
  rl_process_t process = arena.join();
  const rl_time_t now = at(1000);
  rl_item_t items[] = {item};
  EXPECT_EQ(RL_ADMITTED, rl_decide(&process, items, 1, &now));
  rl_zone_stats_t stats;
  rl_zone_stats(arena.zone(), 0, &now, &stats);
  EXPECT_EQ(1u, stats.lock_recoveries);
  EXPECT_EQ(0u, set->lock);
}

TEST(Locks, AStoppedOwnerMakesOthersBusyNotWaitForEver) {
  Arena arena(64 * 1024);
  const Policy policy(arena.zone(), "p", 10, kHour);
  SharedMemory memory(4096);
  auto* taken = memory.as<std::atomic<int>>();
  rl_item_t item = policy.item("k");
  Set* set =
      set_at(arena.zone(), primary_index(item.bucket.lo, arena.zone()->sets));
  const pid_t child = fork();
  if (child == 0) {
    rl_process_t process = arena.join();
    Locks locks(&process);
    locks.take(set);
    *taken = 1;
    raise(SIGSTOP);
    locks.release_all();
    rl_process_leave(&process);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(child, waitpid(child, &status, WUNTRACED));
  ASSERT_TRUE(WIFSTOPPED(status));
  ASSERT_EQ(1, *taken);

  rl_process_t process = arena.join();
  const rl_time_t now = at(1000);
  const Policy other(arena.zone(), "q", 10, kHour);
  rl_item_t items[] = {other.item("k"), item};
  const Clock::time_point start = Clock::now();
  EXPECT_EQ(RL_TIMEOUT, rl_decide(&process, items, 2, &now));
  EXPECT_LE(49, ms_since(start));
  EXPECT_GE(2000, ms_since(start));
  // Nothing is held, nothing was charged.
  EXPECT_EQ(RL_ADMITTED, rl_look(&process, items, 1, &now));
  EXPECT_EQ(10u, items[0].remaining_units);

  kill(child, SIGCONT);
  ASSERT_EQ(child, waitpid(child, &status, 0));
  EXPECT_EQ(0, status);
  EXPECT_EQ(RL_ADMITTED, rl_decide(&process, items, 2, &now));
  EXPECT_EQ(9u, items[1].remaining_units);
}

// Makes the slots from `first` on this process's.
void fill(const Arena& arena, uint32_t first, uint32_t last = kProcesses) {
  auto* process_table = static_cast<ProcessTable*>(arena.process_table());
  const ProcessId id = {1, 0, static_cast<uint32_t>(getpid())};
  for (uint32_t i = first; i < last; ++i) {
    process_table->slots[i].id = id.word();
  }
}

TEST(ProcessTable, GivesEveryProcessASlotAndTakesItBack) {
  Arena arena(64 * 1024);
  std::vector<rl_process_t> joined;
  for (uint32_t i = 0; i < 10; ++i) {
    joined.push_back(arena.join());
    EXPECT_EQ(i, joined.back().slot);
  }
  fill(arena, 10);
  rl_process_t one_more = {};
  EXPECT_EQ(RL_ERROR, rl_process_join(&one_more, arena.process_table(),
                                      arena.zones().data(), 1));
  EXPECT_EQ(nullptr, one_more.process_table);
  const uint32_t old_owner = joined[7].owner;
  rl_process_leave(&joined[7]);
  EXPECT_EQ(nullptr, joined[7].process_table);
  one_more = arena.join();
  EXPECT_EQ(7u, one_more.slot);
  EXPECT_NE(old_owner, one_more.owner) << "a new generation";
}

// nginx's masters have 1,024 at most; what is said of workers that pile up
// over reloads is in t/system/undecided.sh.
TEST(ProcessTable, HasRoomForMoreProcessesThanTwoMastersHave) {
  Arena arena(64 * 1024);
  fill(arena, 0, 2 * 1024);
  const Policy policy(arena.zone(), "p", 10, kHour);
  const rl_time_t now = at(1000);
  rl_item_t items[] = {policy.item("k")};
  for (uint32_t i = 0; i < 3; ++i) {
    rl_process_t process = arena.join();
    EXPECT_EQ(2 * 1024 + i, process.slot);
    EXPECT_EQ(RL_ADMITTED, rl_decide(&process, items, 1, &now));
    EXPECT_EQ(9 - i, items[0].remaining_units);
  }
}

// The redo logs of all would be 40 MB.
TEST(ProcessTable, IsBackedByMemoryOnlyWhereItIsUsed) {
  Arena arena(64 * 1024);
  const Policy policy(arena.zone(), "p", 10, kHour);
  const rl_time_t now = at(1000);
  for (int i = 0; i < 8; ++i) {
    rl_process_t process = arena.join();
    rl_item_t item = policy.item("k");
    EXPECT_EQ(RL_ADMITTED, rl_decide(&process, &item, 1, &now));
  }
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> in_core(rl_process_table_size() / page);
  ASSERT_EQ(0, mincore(arena.process_table(), in_core.size() * page,
                       in_core.data()));
  const auto used = static_cast<size_t>(
      std::count_if(in_core.begin(), in_core.end(),
                    [](unsigned char flags) { return (flags & 1) != 0; }));
  EXPECT_LE(sizeof(Slot) * kProcesses / page, used);
  EXPECT_GE((sizeof(Slot) * kProcesses + 8 * sizeof(RedoLog)) / page + 3,
            used);
}

TEST(ProcessTable, JoiningAgainOnlyRenewsTheZones) {
  Arena arena(64 * 1024, 2);
  rl_process_t process = arena.join();
  const uint32_t owner = process.owner;
  ASSERT_EQ(RL_OK, rl_process_join(&process, arena.process_table(),
                                   arena.zones().data(), 1));
  EXPECT_EQ(owner, process.owner);
  EXPECT_EQ(1u, process.nzones);
}

TEST(ProcessTable, AForkOfAJoinedProcessJoinsForItself) {
  Arena arena(64 * 1024);
  rl_process_t process = arena.join();
  SharedMemory memory(4096);
  auto* owner = memory.as<std::atomic<uint32_t>>();
  if (fork() == 0) {
    // Leaving must not free the parent's slot either.
    rl_process_t copy = process;
    rl_process_leave(&copy);
    rl_process_join(&process, arena.process_table(), arena.zones().data(), 1);
    *owner = process.owner;
    _exit(0);
  }
  wait(nullptr);
  EXPECT_NE(process.owner, *owner);
  EXPECT_FALSE(is_dead(process_table_of(&process), process.owner, true));
  EXPECT_TRUE(is_dead(process_table_of(&process), *owner, false));
}

// A worker that crashes again and again does not use up the process table.
TEST(ProcessTable, SlotsOfTheDeadAreReusedAtOnce) {
  Arena arena(64 * 1024);
  const rl_process_t first = arena.join();
  SharedMemory memory(4096);
  auto* owner = memory.as<std::atomic<uint32_t>>();
  for (int i = 0; i < 3; ++i) {
    const uint32_t before = *owner;
    if (fork() == 0) {
      *owner = arena.join().owner;
      _exit(0);  // without leaving
    }
    wait(nullptr);
    EXPECT_EQ(1u, *owner & (kProcesses - 1));
    EXPECT_NE(before, *owner);
    EXPECT_TRUE(is_dead(process_table_of(&first), *owner, false));
  }
  EXPECT_EQ(1u, arena.join().slot);
}

// A zombie's, or one whose pid is a stranger's by now: /proc is read for them
// only where the process table would be full.
TEST(ProcessTable, SlotsOfThoseThatOnlyLookAliveAreReusedWhenNoneIsFree) {
  Arena arena(64 * 1024);
  const rl_process_t stranger = arena.join();
  ProcessId id = ProcessId::of(slot_of(&stranger)->id);
  id.start ^= 1;
  slot_of(&stranger)->id = id.word();
  EXPECT_EQ(1u, arena.join().slot);
  fill(arena, 2);
  EXPECT_EQ(0u, arena.join().slot);
}

// So nobody's unfinished commit is lost.
TEST(ProcessTable, ASlotWithAnUnfinishedCommitIsNotReused) {
  Arena arena(64 * 1024);
  rl_process_t dead = arena.join();
  Slot* slot = slot_of(&dead);
  slot->pending = 1;
  rl_process_leave(&dead);
  EXPECT_EQ(1u, arena.join().slot);
}

TEST(ProcessTable, KnowsAZombieAndAReusedPid) {
  Arena arena(64 * 1024);
  rl_process_t process = arena.join();
  SharedMemory memory(4096);
  auto* owner = memory.as<std::atomic<uint32_t>>();
  const pid_t child = fork();
  if (child == 0) {
    *owner = arena.join().owner;
    _exit(0);
  }
  siginfo_t info;
  ASSERT_EQ(0,
            waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT));
  const ProcessTable* process_table = process_table_of(&process);
  EXPECT_FALSE(is_dead(process_table, *owner, false))
      << "answers kill(pid, 0)";
  EXPECT_TRUE(is_dead(process_table, *owner, true));
  wait(nullptr);
  EXPECT_TRUE(is_dead(process_table, *owner, false));

  // Our own slot, were it that of somebody who had started at another time.
  Slot* slot = slot_of(&process);
  ProcessId id = ProcessId::of(slot->id);
  id.start ^= 1;
  slot->id = id.word();
  EXPECT_FALSE(is_dead(process_table, process.owner, false));
  EXPECT_TRUE(is_dead(process_table, process.owner, true));
}

TEST(ProcessTable, IsAttachedOnlyIfItIsOne) {
  Arena arena(64 * 1024);
  EXPECT_EQ(RL_OK, rl_process_table_attach(arena.process_table()));
  *static_cast<char*>(arena.process_table()) = 0;
  EXPECT_EQ(RL_ERROR, rl_process_table_attach(arena.process_table()));
}

}  // namespace
}  // namespace ratelimit
