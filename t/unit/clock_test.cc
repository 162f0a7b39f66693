// Clocks that step: the wall clock by a day, the monotonic one by what a
// suspended machine misses or a virtual one gains.  Through whole decisions,
// for every algorithm.

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "arena.h"
#include "ratelimit/ratelimit.h"

namespace {

constexpr rl_algorithm_e kAll[] = {RL_SLIDING, RL_FIXED, RL_CALENDAR, RL_GCRA};
constexpr int64_t kMinute = 60 * 1000;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kDay = 24 * kHour;
constexpr int64_t kSteps[] = {-365 * kDay, -kDay, -kHour, -1000, -1,        0,
                              1,           1000,  kHour,  kDay,  365 * kDay};

// Not at the start of an hour.
constexpr uint64_t kMono = uint64_t{400} * kDay;
constexpr uint64_t kWall = 1800000000000 + 7 * kMinute;

uint64_t plus(uint64_t ms, int64_t step) {
  return ms + static_cast<uint64_t>(step);
}

// A policy of 10 an hour and one key.
class Client {
 public:
  explicit Client(rl_algorithm_e algorithm)
      : policy_(arena_.zone(), "p", 10, kHour, algorithm) {}

  rl_item_t ask(const rl_time_t& now, uint64_t cost = 1) {
    rl_item_t item = policy_.item("client", cost);
    rl_decide(&process_, &item, 1, &now);
    return item;
  }
  bool admits(const rl_time_t& now) { return ask(now).admitted != 0; }

  // What is admitted of 20 requests.
  int burst(const rl_time_t& now) {
    int n = 0;
    for (int i = 0; i < 20; ++i) {
      n += admits(now);
    }
    return n;
  }

 private:
  Arena arena_{64 * 1024};
  rl_process_t process_ = arena_.join();
  const Policy policy_;
};

TEST(Clock, AStepOfTheWallClockGivesNothingAndTakesNothing) {
  for (const rl_algorithm_e algorithm : kAll) {
    for (const int64_t step : kSteps) {
      SCOPED_TRACE(std::string(rl_algorithm_name(algorithm)) + ", step of " +
                   std::to_string(step) + " ms");
      Client client(algorithm);
      ASSERT_EQ(10, client.burst({kMono, kWall}));
      const uint64_t told = client.ask({kMono, kWall}).retry_after_ms;
      ASSERT_GT(told, 0u);

      const uint64_t wall = plus(kWall, step);
      EXPECT_EQ(0, client.burst({kMono, wall}));
      EXPECT_EQ(0, client.burst({kMono + told / 2, wall + told / 2}));
      // The calendar's wall clock has the last word within a second.
      const uint64_t slack = algorithm == RL_CALENDAR ? 1000 : 0;
      EXPECT_FALSE(
          client.admits({kMono + told - slack - 1, wall + told - slack - 1}));
      EXPECT_TRUE(client.admits({kMono + told + slack, wall + told + slack}));
    }
  }
}

// Where the wall clock has no say, nothing differs whatever it does; calendar
// opens one window more for a step, at most.
TEST(Clock, AWanderingWallClockChangesNoDecision) {
  for (const rl_algorithm_e algorithm : kAll) {
    std::mt19937_64 random(7);
    for (uint64_t run = 0; run < times(20); ++run) {
      Client steady(algorithm);
      Client wandering(algorithm);
      uint64_t mono = kMono;
      int64_t away = 0;
      int admitted = 0;
      int steps = 0;
      for (int i = 0; i < 2000; ++i) {
        mono += random() % (2 * kMinute);
        if (random() % 200 == 0) {
          away = static_cast<int64_t>(random() % (2 * kDay)) - kDay;
          steps++;
        }
        const rl_time_t even = {mono, kWall + (mono - kMono)};
        const rl_time_t odd = {mono, plus(even.wall_ms, away)};
        const bool expected = steady.admits(even);
        const bool got = wandering.admits(odd);
        admitted += got;
        if (algorithm != RL_CALENDAR) {
          ASSERT_EQ(expected, got);
        }
      }
      const auto hours = static_cast<int>((mono - kMono) / kHour);
      EXPECT_LE(admitted, 10 * (hours + 2 + steps));
    }
  }
}

// CLOCK_MONOTONIC stands still while a machine is suspended; the wall clock
// does not.  Nobody's wait is shortened.
TEST(Clock, TheTimeOfASuspendedMachineDoesNotCount) {
  for (const rl_algorithm_e algorithm : kAll) {
    SCOPED_TRACE(rl_algorithm_name(algorithm));
    Client client(algorithm);
    ASSERT_EQ(10, client.burst({kMono, kWall}));
    EXPECT_EQ(0, client.burst({kMono + 5, kWall + 8 * kHour}));
    EXPECT_EQ(0, client.burst({kMono + kMinute, kWall + 8 * kHour + kMinute}));
    // At last a whole quota, not more.
    EXPECT_EQ(10, client.burst({kMono + 2 * kHour, kWall + 10 * kHour}));
  }
}

// A jump ahead is time gone by: one quota, whatever it was.
TEST(Clock, AJumpOfTheMonotonicClockGivesOneQuota) {
  for (const rl_algorithm_e algorithm : kAll) {
    for (const int64_t jump : {2 * kHour, kDay, 300 * kDay, 10000 * kDay}) {
      SCOPED_TRACE(rl_algorithm_name(algorithm));
      Client client(algorithm);
      ASSERT_EQ(10, client.burst({kMono, kWall}));
      EXPECT_EQ(10, client.burst({plus(kMono, jump), plus(kWall, jump)}));
      EXPECT_EQ(0, client.burst({plus(kMono, jump), plus(kWall, jump)}));
    }
  }
}

// Two workers whose cached times differ, asked in turn: what one admits the
// other knows of.
TEST(Clock, WorkersBehindOneAnotherShareOneQuota) {
  for (const rl_algorithm_e algorithm : kAll) {
    for (const uint64_t behind : {1, 5, 60, 900}) {
      SCOPED_TRACE(rl_algorithm_name(algorithm));
      Client client(algorithm);
      int admitted = 0;
      for (uint64_t i = 0; i < 40; ++i) {
        const uint64_t late = i % 2 * behind;
        admitted += client.admits({kMono + i - late, kWall + i - late});
      }
      EXPECT_EQ(10, admitted);
    }
  }
}

// A worker that was stopped in the midst of a turn goes on with the time of
// then, for some requests; those of the others hold.
TEST(Clock, AWorkerThatWasStoppedGivesNothingBack) {
  for (const rl_algorithm_e algorithm : kAll) {
    for (const int64_t stopped : {2000, 60000, 20 * 60000}) {
      SCOPED_TRACE(rl_algorithm_name(algorithm));
      const rl_time_t now = {kMono + 40 * kMinute, kWall + 40 * kMinute};
      const rl_time_t then = {plus(now.mono_ms, -stopped),
                              plus(now.wall_ms, -stopped)};
      Client client(algorithm);
      ASSERT_EQ(10, client.burst(now));
      EXPECT_EQ(0, client.burst(then));
      EXPECT_EQ(0, client.burst(now));
      EXPECT_EQ(
          client.ask(now).retry_after_ms + static_cast<uint64_t>(stopped),
          client.ask(then).retry_after_ms);
    }
  }
}

}  // namespace
