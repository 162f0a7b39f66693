// Processes that are killed in the midst of a decision.
//
// What SIGKILL leaves in shared memory is what had been written before some
// instruction.  So a process is stepped through a decision one instruction at
// a time, and each state that its shared memory goes through is kept: these
// are all the states that a kill can leave, with no hook in the code under
// test.  Then each one is laid out again, and others go on with it.

#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "arena.h"
#include "crash_util.h"
#include "ratelimit/table/lock.h"
#include "ratelimit/table/process_table.h"
#include "ratelimit/table/zone.h"

namespace ratelimit {
namespace {

constexpr uint64_t kHour = 3600 * 1000;
constexpr size_t kZoneSize = 5 * 2048;  // three sets
constexpr uint32_t kQuota = 1000;

// More than one unit, so that these buckets are not those that have to go.
constexpr uint32_t kCost = 2;

// How full the table is before the decision that is killed.
enum class Scene { kBucketsExist, kBucketsAreNew, kBucketsDisplaceOthers };

class Crash : public testing::TestWithParam<Scene> {
 protected:
  // The three policies' items of the key that the killed process decides.
  std::vector<rl_item_t> items() const {
    return {one_.item("k", kCost), two_.item("k", kCost),
            three_.item("k", kCost)};
  }

  rl_verdict_e decide(rl_process_t* process, std::vector<rl_item_t> items) {
    return rl_decide(process, items.data(), items.size(), &now_);
  }

  // How many decisions the item's bucket has counted.
  uint32_t counted(rl_process_t* process, rl_item_t item) {
    EXPECT_NE(RL_TIMEOUT, rl_look(process, &item, 1, &now_));
    const uint64_t used = kQuota - item.remaining_units;
    EXPECT_EQ(0u, used % kCost);
    return used / kCost;
  }

  void set_scene(rl_process_t* process) {
    std::mt19937_64 random(1);
    if (GetParam() == Scene::kBucketsExist) {
      ASSERT_EQ(RL_ADMITTED, decide(process, items()));
    }
    if (GetParam() == Scene::kBucketsDisplaceOthers) {
      for (int i = 0; i < 400; ++i) {
        const rl_hash_t key = {random(), random()};
        decide(process, {one_.item_of(key), two_.item_of(key)});
      }
    }
  }

  // No lock is stuck, and all three policies counted the same: what was there,
  // what the survivors took, and the killed decision or not.
  void expect_sound(rl_process_t* survivor, uint32_t decided,
                    const std::string& where) {
    const uint32_t first = counted(survivor, items()[0]);
    const uint32_t before = GetParam() == Scene::kBucketsExist ? 1 : 0;
    EXPECT_LE(before + decided, first) << where;
    EXPECT_GE(before + decided + 1, first) << where;
    EXPECT_EQ(first, counted(survivor, items()[1])) << where;
    EXPECT_EQ(first, counted(survivor, items()[2])) << where;
    for (const rl_zone_t* zone : arena_.zones()) {
      for (uint32_t s = 0; s < zone->sets; ++s) {
        // One that nobody has asked for may still name the dead one.
        Locks locks(survivor);
        EXPECT_TRUE(locks.take(set_at(zone, s))) << where;
        locks.release_all();
      }
    }
    auto* process_table = static_cast<ProcessTable*>(arena_.process_table());
    for (const Slot& slot : process_table->slots) {
      EXPECT_EQ(0u, slot.pending) << where;
      // One that died after all its work was done may have left its claim.
      EXPECT_TRUE(slot.claim == 0 || is_dead(process_table, slot.claim, true))
          << where;
    }
  }

  // Lays a state out again, in which processes that have joined since have
  // joined as well: the first three slots are the survivor's, the victim's and
  // that of another.
  void lay_out(const Snapshot& state) {
    Slot* slot = &static_cast<ProcessTable*>(arena_.process_table())->slots[2];
    const uint64_t id = slot->id;
    state.restore();
    slot->id = id;
  }

  // Whoever joins now does not take the dead victim's place, which the states
  // that are laid out later need.
  void keep_victims_place() {
    Slot* slot = &static_cast<ProcessTable*>(arena_.process_table())->slots[1];
    ProcessId id = ProcessId::of(slot->id);
    id.pid = static_cast<uint32_t>(getpid());
    slot->id = id.word();
  }

  // The victim: it has joined and decided something else before, so that what
  // the dynamic linker does at first calls is not stepped through.
  void warm_up(rl_process_t* process) {
    *process = arena_.join();
    decide(process, {one_.item("warm", 0), two_.item("warm", 0),
                     three_.item("warm", 0)});
    rl_item_t item = one_.item("warm");
    rl_decide(process, &item, 1, &now_);
  }

  const rl_time_t now_ = at(1000000);
  Arena arena_{kZoneSize, 2};
  const Policy one_{arena_.zone(0), "one", kQuota, kHour, RL_SLIDING};
  const Policy two_{arena_.zone(1), "two", kQuota, kHour, RL_FIXED};
  const Policy three_{arena_.zone(0), "three", kQuota, kHour, RL_GCRA};
  size_t steps_ = 0;
};

TEST_P(Crash, AfterAnyInstructionOneSurvivorGoesOn) {
  rl_process_t survivor = arena_.join();
  set_scene(&survivor);
  rl_process_t process = {};
  Stepped victim([&] { warm_up(&process); },
                 [&] { decide(&process, items()); });
  if (!kCanStep || !victim.usable()) {
    GTEST_SKIP() << "no ptrace here";
  }
  const std::vector<Snapshot> states = states_of(arena_, &victim, &steps_);
  // Before it is waited for, and after.
  for (const bool reaped : {false, true}) {
    reaped ? victim.kill_and_reap() : victim.make_zombie();
    double slowest_us = 0;
    for (size_t i = 0; i < states.size(); ++i) {
      states[i].restore();
      const auto start = std::chrono::steady_clock::now();
      ASSERT_EQ(RL_ADMITTED, decide(&survivor, items())) << "state " << i;
      const std::chrono::duration<double, std::micro> took =
          std::chrono::steady_clock::now() - start;
      slowest_us = std::max(slowest_us, took.count());
      expect_sound(&survivor, 1, "state " + std::to_string(i));
    }
    std::printf(
        "%zu instructions, %zu states; %s: next decision within %.0f "
        "us\n",
        steps_, states.size(), reaped ? "gone" : "zombie", slowest_us);
  }
}

// Of one policy, whose bucket is mostly written without the redo log.
TEST_P(Crash, AfterAnyInstructionOfOnePolicysDecision) {
  rl_process_t survivor = arena_.join();
  set_scene(&survivor);
  const std::vector<rl_item_t> all = items();
  for (size_t policy = 0; policy < all.size(); ++policy) {
    const rl_item_t item = all[policy];
    const uint32_t before = counted(&survivor, item);
    const Snapshot scene(arena_);
    rl_process_t process = {};
    Stepped victim([&] { warm_up(&process); },
                   [&] { decide(&process, {item}); });
    if (!kCanStep || !victim.usable()) {
      GTEST_SKIP() << "no ptrace here";
    }
    const std::vector<Snapshot> states = states_of(arena_, &victim, &steps_);
    victim.kill_and_reap();
    bool undone = false;
    bool done = false;
    for (size_t i = 0; i < states.size(); ++i) {
      SCOPED_TRACE(i);
      states[i].restore();
      ASSERT_EQ(RL_ADMITTED, decide(&survivor, {item}));
      const uint32_t after = counted(&survivor, item) - before;
      ASSERT_TRUE(after == 1 || after == 2) << after;
      undone = undone || after == 1;
      done = done || after == 2;
      EXPECT_FALSE(done && after == 1) << "what was charged is gone";
    }
    EXPECT_TRUE(undone && done);
    scene.restore();
  }
}

// Two that find the dead one's locks at the same moment, in crossing orders.
TEST_P(Crash, AfterAnyInstructionTwoSurvivorsGoOn) {
  rl_process_t survivor = arena_.join();
  set_scene(&survivor);
  rl_process_t process = {};
  Stepped victim([&] { warm_up(&process); },
                 [&] { decide(&process, items()); });
  if (!kCanStep || !victim.usable()) {
    GTEST_SKIP() << "no ptrace here";
  }
  const std::vector<Snapshot> states = states_of(arena_, &victim, &steps_);
  victim.kill_and_reap();

  // The second one joins once and then works off the states in step.
  constexpr uint32_t kRounds = 20;
  SharedMemory memory(4096);
  auto* turn = memory.as<std::atomic<size_t>>();
  auto* done = turn + 1;
  const auto go_on = [&](rl_process_t* own, bool backwards) {
    for (uint32_t i = 0; i < kRounds; ++i) {
      std::vector<rl_item_t> wanted = items();
      if (backwards) {
        std::reverse(wanted.begin(), wanted.end());
      }
      while (decide(own, wanted) == RL_TIMEOUT) {
      }
    }
  };
  rl_process_t second = {};
  keep_victims_place();
  const pid_t child = fork();
  if (child == 0) {
    second = arena_.join();
    *done = 1;
    for (size_t i = 1; i <= states.size(); ++i) {
      while (*turn < i) {
      }
      go_on(&second, true);
      *done = i + 1;
    }
    _exit(0);
  }
  while (*done < 1) {
  }
  for (size_t i = 0; i < states.size(); ++i) {
    lay_out(states[i]);
    *turn = i + 1;
    go_on(&survivor, false);
    while (*done < i + 2) {
    }
    expect_sound(&survivor, 2 * kRounds, "state " + std::to_string(i));
  }
  waitpid(child, nullptr, 0);
}

// A reload's master, or a worker of a later configuration, knows some of the
// dead one's zones only: what it cannot finish is left to the others.
TEST_P(Crash, WhatOneCannotFinishIsLeftToThoseWhoCan) {
  rl_process_t survivor = arena_.join();
  rl_process_t partial = {};
  ASSERT_EQ(RL_OK, rl_process_join(&partial, arena_.process_table(),
                                   arena_.zones().data(), 1));
  set_scene(&survivor);
  rl_process_t process = {};
  Stepped victim([&] { warm_up(&process); },
                 [&] { decide(&process, items()); });
  if (!kCanStep || !victim.usable()) {
    GTEST_SKIP() << "no ptrace here";
  }
  const std::vector<Snapshot> states = states_of(arena_, &victim, &steps_);
  victim.kill_and_reap();
  for (size_t i = 0; i < states.size(); ++i) {
    const std::string where = "state " + std::to_string(i);
    states[i].restore();
    ASSERT_EQ(RL_ADMITTED, decide(&partial, {items()[0]})) << where;
    ASSERT_EQ(RL_ADMITTED, decide(&survivor, {items()[1]})) << where;
    ASSERT_EQ(RL_ADMITTED, decide(&partial, {items()[2]})) << where;
    expect_sound(&survivor, 1, where);
  }
}

// One that is slow at finishing the dead one's work: were another to finish it
// meanwhile and go on, the slow one would undo what that one decided.
TEST_P(Crash, OnlyOneFinishesTheWorkOfTheDead) {
  rl_process_t survivor = arena_.join();
  set_scene(&survivor);
  rl_process_t process = {};
  Stepped victim([&] { warm_up(&process); },
                 [&] { decide(&process, items()); });
  if (!kCanStep || !victim.usable()) {
    GTEST_SKIP() << "no ptrace here";
  }
  const std::vector<Snapshot> states = states_of(arena_, &victim, &steps_);
  victim.kill_and_reap();
  Slot* slot = &process_table_of(&survivor)->slots[1];  // the victim's
  size_t begun = 0;  // all is still to be written
  while (states[begun].restore(), slot->pending == 0) {
    ASSERT_LT(++begun, states.size());
  }
  const uint32_t before = GetParam() == Scene::kBucketsExist ? 1 : 0;
  for (const int meddle_at : {1, 3, 8}) {
    states[0].restore();  // the third slot is free
    keep_victims_place();
    rl_process_t helper = {};
    Stepped recovering([&] { warm_up(&helper); },
                       [&] { decide(&helper, items()); });
    ASSERT_TRUE(recovering.usable());
    lay_out(states[begun]);
    Snapshot last(arena_);
    uint32_t admitted = 2;  // the victim's, the helper's
    int writes = 0;
    while (recovering.step()) {
      if (slot->claim != 0 && !last.is_current() && ++writes == meddle_at) {
        admitted += decide(&survivor, items()) == RL_ADMITTED;
      }
      last = Snapshot(arena_);
    }
    EXPECT_LE(3, writes);
    recovering.kill_and_reap();
    expect_sound(&survivor, admitted - 1, "a slow one");
    EXPECT_EQ(before + admitted, counted(&survivor, items()[0]));
  }
}

// The one that finishes the dead one's work is killed as well.
TEST_P(Crash, AfterAnyInstructionOfTheRecoveryAnotherGoesOn) {
  rl_process_t survivor = arena_.join();
  set_scene(&survivor);
  rl_process_t process = {};
  Stepped victim([&] { warm_up(&process); },
                 [&] { decide(&process, items()); });
  if (!kCanStep || !victim.usable()) {
    GTEST_SKIP() << "no ptrace here";
  }
  const std::vector<Snapshot> states = states_of(arena_, &victim, &steps_);
  victim.kill_and_reap();
  size_t second_states = 0;
  // Every state from the first lock to the last; the recovery is the same for
  // many of them, so a few each time.
  const size_t stride = std::max<size_t>(1, states.size() / times(5));
  for (size_t i = stride / 2; i < states.size(); i += stride) {
    states[i].restore();  // the third slot is free
    keep_victims_place();
    rl_process_t helper = {};
    Stepped recovering([&] { warm_up(&helper); },
                       [&] { decide(&helper, items()); });
    ASSERT_TRUE(recovering.usable());
    lay_out(states[i]);
    size_t more_steps;
    const std::vector<Snapshot> later =
        states_of(arena_, &recovering, &more_steps);
    recovering.kill_and_reap();
    second_states += later.size();
    for (size_t j = 0; j < later.size(); ++j) {
      lay_out(later[j]);
      const std::string where =
          "state " + std::to_string(i) + ", then " + std::to_string(j);
      ASSERT_EQ(RL_ADMITTED, decide(&survivor, items())) << where;
      const uint32_t total = counted(&survivor, items()[0]);
      const uint32_t before = GetParam() == Scene::kBucketsExist ? 1 : 0;
      // Both killed decisions may count, or either, or none.
      EXPECT_LE(before + 1, total) << where;
      EXPECT_GE(before + 3, total) << where;
      expect_sound(&survivor, std::max(total, before + 1) - before - 1, where);
    }
  }
  std::printf("%zu states of a recovery\n", second_states);
}

std::string name_of(const testing::TestParamInfo<Scene>& info) {
  switch (info.param) {
    case Scene::kBucketsExist:
      return "BucketsExist";
    case Scene::kBucketsAreNew:
      return "BucketsAreNew";
    default:
      return "BucketsDisplaceOthers";
  }
}

INSTANTIATE_TEST_SUITE_P(Scenes, Crash,
                         testing::Values(Scene::kBucketsExist,
                                         Scene::kBucketsAreNew,
                                         Scene::kBucketsDisplaceOthers),
                         name_of);

// Without ptrace: workers that are killed at random moments while others go on
// and new ones take their places.
TEST(CrashAtRandom, CountsStayEqualAndNoLockStays) {
  Arena arena(kZoneSize, 2);
  const Policy one(arena.zone(0), "one", 1000000000 - 1, kHour, RL_FIXED);
  const Policy two(arena.zone(1), "two", 1000000000 - 1, kHour, RL_FIXED);
  const Policy three(arena.zone(0), "three", 1000000000 - 1, kHour, RL_FIXED);
  SharedMemory memory(4096);
  auto* admitted = memory.as<std::atomic<uint64_t>>();
  const rl_time_t now = at(1000000);
  const auto work = [&](unsigned order) {
    rl_process_t process = arena.join();
    const Policy* policies[] = {&one, &two, &three};
    for (;;) {
      rl_item_t items[3];
      for (unsigned i = 0; i < 3; ++i) {
        items[i] = policies[(order + i) % 3]->item("k");
      }
      if (rl_decide(&process, items, 3, &now) == RL_ADMITTED) {
        ++*admitted;
      }
    }
  };
  std::mt19937_64 random(1);
  const uint64_t kills = times(150);
  std::vector<pid_t> workers(3);
  unsigned order = 0;
  const auto start_worker = [&](pid_t* pid) {
    ++order;
    *pid = fork();
    if (*pid == 0) {
      work(order);
    }
  };
  for (pid_t& pid : workers) {
    start_worker(&pid);
  }
  for (uint64_t i = 0; i < kills; ++i) {
    // In the midst of their work, however fast they are.
    const uint64_t enough = *admitted + random() % 4000;
    while (*admitted < enough) {
      sched_yield();
    }
    pid_t& pid = workers[random() % workers.size()];
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    start_worker(&pid);
  }
  for (const pid_t pid : workers) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  rl_process_t process = arena.join();
  uint64_t counted[3];
  size_t i = 0;
  for (const Policy* policy : {&one, &two, &three}) {
    rl_item_t item = policy->item("k", 0);
    ASSERT_EQ(RL_ADMITTED, rl_look(&process, &item, 1, &now));
    counted[i++] = item.quota.units - item.remaining_units;
  }
  EXPECT_EQ(counted[0], counted[1]);
  EXPECT_EQ(counted[0], counted[2]);
  // A killed decision may have counted without its process saying so.
  EXPECT_LE(*admitted, counted[0]);
  EXPECT_GE(*admitted + kills + workers.size(), counted[0]);
  for (const rl_zone_t* zone : arena.zones()) {
    for (uint32_t s = 0; s < zone->sets; ++s) {
      Locks locks(&process);
      EXPECT_TRUE(locks.take(set_at(zone, s)));
      locks.release_all();
    }
  }
}

}  // namespace
}  // namespace ratelimit
