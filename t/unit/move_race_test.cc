// A zone whose size changes at any moment of what others do.

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "crash_util.h"
#include "move_view.h"
#include "ratelimit/table/lock.h"
#include "ratelimit/table/zone.h"

namespace ratelimit {
namespace {

// What somebody does when the move begins, after whatever instruction of it.
// make() prepares it, check() tells whether it had its effect.
using Act = std::function<int()>;

void begin_after_any_instruction(
    const std::function<Act(View*)>& make,
    const std::function<bool(View*, const Policy&, int)>& check) {
  // Each run is as long as its number, so the short test leaves some out.
#ifdef __SANITIZE_ADDRESS__
  const size_t stride = 397;
#else
  const size_t stride = times(1) > 1 ? 1 : 17;
#endif
  bool done = false;
  size_t steps = 0;
  for (; !done; steps += stride) {
    const Arena arena = memories(5 * 2048, 9 * 2048);
    View view(arena);
    View actor(arena);
    ASSERT_EQ(RL_OK, view.claim());
    const Policy policy(view.zone(), "p", 10, kHour);
    ASSERT_EQ(RL_ADMITTED, view.decide(policy.item("k", 9)));
    const Act act = make(&actor);
    SharedMemory memory(4096);
    int* result = memory.as<int>();
    Stepped stepped([&] { actor.join(); }, [&] { *result = act(); });
    if (!kCanStep || !stepped.usable()) {
      GTEST_SKIP() << "no ptrace here";
    }
    for (size_t i = 0; i < steps && !done; ++i) {
      done = !stepped.step();
    }
    // If it holds the lock for beginning, that has to be later.
    const bool began = view.begin_as_told() == RL_OK;
    while (!done && stepped.step()) {
    }
    if (!began) {
      ASSERT_EQ(RL_OK, view.begin_as_told());
    }
    ASSERT_TRUE(check(&view, policy, *result)) << "instruction " << steps;
  }
  std::printf("%zu instructions\n", steps);
  ASSERT_LT(150u, steps);
}

// Of several policies the first may have been looked up already.
TEST(MoveRace, MayBeginAfterAnyInstructionOfADecision) {
  std::unique_ptr<Policy> one;
  std::unique_ptr<Policy> two;
  begin_after_any_instruction(
      [&](View* actor) -> Act {
        one = std::make_unique<Policy>(actor->zone(), "p", 10, kHour);
        two = std::make_unique<Policy>(actor->zone(), "q", 10, kHour);
        const std::vector<rl_item_t> items = {one->item("k", 5),
                                              two->item("k")};
        return [=] {
          std::vector<rl_item_t> own = items;
          const rl_time_t now = at(1000);
          return rl_decide(actor->process(), own.data(), own.size(), &now);
        };
      },
      [](View* view, const Policy& policy, int verdict) {
        return verdict == RL_REFUSED && view->remaining(policy.item("k")) == 1;
      });
}

TEST(MoveRace, MayBeginAfterAnyInstructionThatSetsAOverride) {
  begin_after_any_instruction(
      [](View* actor) -> Act {
        return [=] {
          const rl_override_t override = {
              RL_OVERRIDE_ZONE, 0, RL_OVERRIDE_SCALE, 50000, 0, {}};
          const rl_time_t now = at(1000);
          return rl_override_set(actor->process(), actor->zone(), &override,
                                 &now);
        };
      },
      [](View* view, const Policy&, int result) {
        rl_override_t overrides[RL_MAX_OVERRIDES];
        const rl_time_t now = at(1000);
        return result == RL_OK && view->move(UINT32_MAX) == 0 &&
               rl_overrides(view->zone(), &now, overrides) == 1;
      });
}

// Whatever is asked while the zone moves, and whoever asks, a zone that does
// not move says the same.
class Twins {
 public:
  Twins(uint64_t seed, size_t from, size_t to)
      : random_(seed), arena_(memories(from, to)), still_(2 * kMiB) {
    process_ = still_.join();
    for (int i = 0; i < 3; ++i) {
      views_.push_back(std::make_unique<View>(arena_));
    }
    for (int i = 0; i < kPolicies; ++i) {
      const std::string name(1, static_cast<char>('a' + i));
      const auto algorithm = static_cast<rl_algorithm_e>(i);
      mine_.push_back(std::make_unique<Policy>(still_.zone(), name, 5 + 3 * i,
                                               60000, algorithm));
      for (const auto& view : views_) {
        theirs_.push_back(std::make_unique<Policy>(
            view->zone(), name, 5 + 3 * i, 60000, algorithm));
      }
    }
  }

  void run(int steps) {
    const int begin = static_cast<int>(random_() % steps);
    for (int step = 0; step < steps; ++step) {
      const size_t who = random_() % views_.size();
      if (step == begin) views_[who]->begin(now_ms_);
      if (random_() % 8 == 0) {
        views_[who]->move(static_cast<uint32_t>(random_() % 3), now_ms_);
      }
      if (random_() % 4 == 0) now_ms_ += random_() % 2000;
      ask(who);
      if (testing::Test::HasFailure()) {
        FAIL() << "step " << step << ", which began at " << begin;
      }
    }
  }

 private:
  static constexpr int kPolicies = 4;

  std::vector<rl_item_t> items(uint32_t which, const std::string& key,
                               uint64_t cost, const View* view, size_t who) {
    std::vector<rl_item_t> list;
    for (size_t i = 0; i < kPolicies; ++i) {
      if ((which >> i & 1) != 0) {
        const Policy& policy =
            view == nullptr ? *mine_[i] : *theirs_[i * views_.size() + who];
        list.push_back(policy.item(key, cost));
      }
    }
    return list;
  }

  void ask(size_t who) {
    View* view = views_[who].get();
    const auto which = static_cast<uint32_t>(1 + random_() % 15);
    const std::string key = std::to_string(random_() % 150);
    const auto cost = static_cast<uint32_t>(random_() % 3);
    std::vector<rl_item_t> mine = items(which, key, cost, nullptr, who);
    std::vector<rl_item_t> theirs = items(which, key, cost, view, who);
    const rl_time_t now = at(now_ms_);
    const bool looks = random_() % 4 == 0;
    const auto call = looks ? rl_look : rl_decide;
    ASSERT_EQ(call(&process_, mine.data(), mine.size(), &now),
              call(view->process(), theirs.data(), theirs.size(), &now));
    if (!looks && random_() % 4 == 0) {
      ASSERT_EQ(
          rl_refund(&process_, mine.data(), mine.size(), &now),
          rl_refund(view->process(), theirs.data(), theirs.size(), &now));
    } else if (!looks && random_() % 4 == 0) {
      const auto final_units = static_cast<uint32_t>(random_() % 4);
      ASSERT_EQ(rl_settle(&process_, &mine[0], final_units, &now),
                rl_settle(view->process(), &theirs[0], final_units, &now));
    }
    for (size_t i = 0; i < mine.size(); ++i) {
      ASSERT_EQ(mine[i].admitted, theirs[i].admitted);
      ASSERT_EQ(mine[i].charged, theirs[i].charged);
      ASSERT_EQ(mine[i].remaining_units, theirs[i].remaining_units);
      ASSERT_EQ(mine[i].reset_ms, theirs[i].reset_ms);
      ASSERT_EQ(mine[i].retry_after_ms, theirs[i].retry_after_ms);
      // gcra's tells one bucket from another, and an idle one is not moved.
      if (mine[i].policy->algorithm == RL_GCRA) continue;
      ASSERT_EQ(mine[i].charge_id, theirs[i].charge_id);
    }
  }

  std::mt19937_64 random_;
  Arena arena_;
  Arena still_;
  rl_process_t process_;
  std::vector<std::unique_ptr<View>> views_;
  std::vector<std::unique_ptr<Policy>> mine_;
  std::vector<std::unique_ptr<Policy>> theirs_;
  uint64_t now_ms_ = 1000000;
};

TEST(MoveRace, IsNotSeenByWhoeverAsks) {
  for (uint64_t seed = 1; seed <= times(60); ++seed) {
    SCOPED_TRACE(seed);
    // 1,085 buckets at most: crowded, but nothing has to go.
    const bool grows = seed % 2 != 0;
    Twins twins(seed, grows ? 90 * 1024 : kMiB, grows ? kMiB : 128 * 1024);
    twins.run(3000);
    if (HasFailure()) break;
  }
}

// Processes that go on at different moments, while others move.
TEST(MoveRace, UnderLoadEveryQuotaIsUsedExactly) {
  constexpr uint32_t kProcesses = 3;
  constexpr uint32_t kKeys = 300;
  constexpr uint32_t kQuota = 20;
  constexpr uint32_t kTurns = 15000;
  struct Shared {
    std::atomic<uint32_t> ready;
    std::atomic<uint32_t> turns;
    std::atomic<uint32_t> admitted[2][kKeys];
    std::atomic<uint32_t> busy;
  };
  uint32_t moved_under_load = 0;
  for (uint64_t round = 0; round < times(20); ++round) {
    const bool grows = round % 2 != 0;
    const Arena arena = memories(grows ? kSmall : kMiB, grows ? kMiB : kSmall);
    SharedMemory memory(sizeof(Shared));
    auto* shared = memory.as<Shared>();
    View mover(arena);
    std::vector<pid_t> children;
    for (uint32_t c = 0; c < kProcesses; ++c) {
      children.push_back(fork());
      if (children.back() == 0) {
        View view(arena);
        const Policy one(view.zone(), "one", kQuota, kHour, RL_SLIDING);
        const Policy two(view.zone(), "two", 2 * kQuota, kHour, RL_FIXED);
        std::mt19937_64 random(round * 8 + c);
        ++shared->ready;
        while (shared->ready < kProcesses) {
        }
        for (uint32_t turn = 0; turn < kTurns; ++turn) {
          const uint32_t key = random() % kKeys;
          const std::string text = std::to_string(key);
          rl_item_t items[2] = {one.item(text), two.item(text)};
          // Either all of both, or "two" alone.
          const size_t skip = random() % 2;
          const rl_time_t now = at(1000);
          const rl_verdict_e verdict =
              rl_decide(view.process(), items + skip, 2 - skip, &now);
          if (verdict == RL_TIMEOUT) ++shared->busy;
          if (verdict == RL_ADMITTED) {
            if (skip == 0) ++shared->admitted[0][key];
            ++shared->admitted[1][key];
          }
          ++shared->turns;
        }
        _exit(0);
      }
    }
    while (shared->turns < kTurns * kProcesses / 8) {
    }
    mover.begin();
    while (mover.move(1) != 0) {
    }
    moved_under_load += shared->turns < kTurns * kProcesses;
    for (const pid_t child : children) {
      int status;
      waitpid(child, &status, 0);
      ASSERT_EQ(0, status);
    }
    // Where the kernel lets an owner wait for longer than the others do.
    ASSERT_GT(kTurns * kProcesses / 1000, shared->busy);
    const Policy one(mover.zone(), "one", kQuota, kHour, RL_SLIDING);
    const Policy two(mover.zone(), "two", 2 * kQuota, kHour, RL_FIXED);
    for (uint32_t key = 0; key < kKeys; ++key) {
      const std::string text = std::to_string(key);
      ASSERT_EQ(kQuota - shared->admitted[0][key],
                mover.remaining(one.item(text)));
      ASSERT_EQ(2 * kQuota - shared->admitted[1][key],
                mover.remaining(two.item(text)));
    }
  }
  EXPECT_LT(0u, moved_under_load);
}

// A process that is killed at any instruction of a decision that moves two
// sets: the next one decides, and finds every bucket as it was.
TEST(MoveRace, AfterAnyInstructionSomebodyElseGoesOn) {
  const Arena arena = memories(5 * 2048, 9 * 2048);
  View survivor(arena);
  const Policy policy(survivor.zone(), "p", 1000, kHour);
  constexpr int kKeys = 60;
  for (int i = 0; i < kKeys; ++i) {
    survivor.decide(policy.item(std::to_string(i), 2));
  }
  survivor.begin();
  View victim(arena);
  const Policy its(victim.zone(), "p", 1000, kHour);
  Stepped stepped([&] { victim.join(); },
                  [&] { victim.decide(its.item("k", 2)); });
  if (!kCanStep || !stepped.usable()) {
    GTEST_SKIP() << "no ptrace here";
  }
  size_t steps;
  const std::vector<Snapshot> states = states_of(arena, &stepped, &steps);
  stepped.kill_and_reap();
  std::printf("%zu instructions, %zu states\n", steps, states.size());
  ASSERT_LT(100u, states.size());
  for (size_t i = 0; i < states.size(); ++i) {
    SCOPED_TRACE(i);
    states[i].restore();
    View next(arena);
    const Policy again(next.zone(), "p", 1000, kHour);
    // In the order of which one bucket at least is asked for in a set that the
    // dead one had half moved.
    for (int key = 0; key < kKeys; ++key) {
      ASSERT_EQ(998u, next.remaining(again.item(std::to_string(key))));
    }
    ASSERT_EQ(RL_ADMITTED, next.decide(again.item("k", 2)));
    const uint32_t left = next.remaining(again.item("k"));
    ASSERT_TRUE(left == 998 || left == 996) << left;
    ASSERT_EQ(0, next.move(UINT32_MAX));
    ASSERT_EQ(kKeys + 1u, next.stats().active);
  }
}

}  // namespace
}  // namespace ratelimit
