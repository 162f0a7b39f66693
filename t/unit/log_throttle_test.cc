// Throttling the log of refusals that repeat.

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "arena.h"
#include "ratelimit/statistics/counters.h"
#include "ratelimit/table/zone.h"

namespace ratelimit {
namespace {

class LogThrottle : public testing::Test {
 protected:
  // -1: no line is due; else how many it stands for besides its own.
  int due(uint64_t key_id, uint64_t now_ms) {
    const rl_time_t now = at(now_ms);
    uint32_t suppressed = 0;
    return rl_log_throttle(arena_.zone(), key_id, &now, &suppressed)
               ? static_cast<int>(suppressed)
               : -1;
  }

  Arena arena_{64 * 1024};
};

TEST_F(LogThrottle, LogsAKeyOnceASecondWithTheNumberSuppressed) {
  EXPECT_EQ(0, due(7, 10000));
  for (uint64_t ms = 10001; ms < 11000; ms += 100) {
    EXPECT_EQ(-1, due(7, ms));
  }
  EXPECT_EQ(10, due(7, 11000));
  EXPECT_EQ(-1, due(7, 11001));
  EXPECT_EQ(1, due(7, 15000));
  EXPECT_EQ(0, due(7, 16000));
}

TEST_F(LogThrottle, KeepsKeysApart) {
  EXPECT_EQ(0, due(7, 10000));
  EXPECT_EQ(0, due(uint64_t{1} << 63, 10000));
  EXPECT_EQ(0, due(8, 10000));
  EXPECT_EQ(-1, due(7, 10000));
}

TEST_F(LogThrottle, AClockThatIsBehindIsTheSameSecond) {
  EXPECT_EQ(0, due(7, 11000));
  EXPECT_EQ(-1, due(7, 10990));
  EXPECT_EQ(-1, due(7, 11010));
  EXPECT_EQ(2, due(7, 12000));
}

TEST_F(LogThrottle, SecondsMayWrapAround) {
  const uint64_t wrap_ms = (uint64_t{1} << 20) * 1000;
  EXPECT_EQ(0, due(7, wrap_ms - 1000));
  EXPECT_EQ(-1, due(7, wrap_ms - 1));
  EXPECT_EQ(1, due(7, wrap_ms));
  EXPECT_EQ(-1, due(7, wrap_ms + 1));
  EXPECT_EQ(1, due(7, wrap_ms + 1000));
}

TEST_F(LogThrottle, AFloodOfKeysGivesABoundedNumberOfLinesAndNoKeyTwo) {
  std::mt19937_64 random(1);
  for (uint64_t second = 10; second < 20; ++second) {
    std::multiset<uint64_t> lines;
    for (int i = 0; i < 20000; ++i) {
      const uint64_t key = (random() % 5000) * 0x9e3779b97f4a7c15u;
      if (due(key, second * 1000 + static_cast<uint64_t>(i) / 20) >= 0) {
        lines.insert(key);
      }
    }
    constexpr size_t kRoom = kThrottleSets * kThrottleWays;
    EXPECT_LE(kRoom * 4 / 5, lines.size());
    EXPECT_GE(kRoom, lines.size());
    const std::set<uint64_t> keys(lines.begin(), lines.end());
    EXPECT_EQ(keys.size(), lines.size());
  }
}

// Of two policies that count in memory of their own.
class Complaints : public LogThrottle {
 protected:
  Complaints() : memory_(rl_counters_size()) {
    rl_counters_create(memory_.get());
    rl_counters_renew(memory_.get());
    for (Policy* policy : {&one_, &two_}) {
      policy->get()->counters =
          rl_counters_find(memory_.get(), policy->get()->name, str("zone"), 1);
    }
  }

  int due_of(Policy* policy, rl_complaint_e what, uint64_t now_ms) {
    const rl_time_t now = at(now_ms);
    uint32_t suppressed = 0;
    return rl_complaint_throttle(policy->get(), what, &now, &suppressed)
               ? static_cast<int>(suppressed)
               : -1;
  }

  SharedMemory memory_;
  Policy one_{arena_.zone(), "one", 1, 60000};
  Policy two_{arena_.zone(), "two", 1, 60000};
};

TEST_F(Complaints, AreThrottledByPolicyAndKind) {
  for (Policy* policy : {&one_, &two_}) {
    for (int what = 0; what < RL_COMPLAINTS; ++what) {
      const auto kind = static_cast<rl_complaint_e>(what);
      EXPECT_EQ(0, due_of(policy, kind, 10000)) << what;
      EXPECT_EQ(-1, due_of(policy, kind, 10001)) << what;
      EXPECT_EQ(-1, due_of(policy, kind, 10999)) << what;
    }
  }
  EXPECT_EQ(2, due_of(&one_, RL_BAD_QUOTA, 11000));
  EXPECT_EQ(-1, due_of(&one_, RL_BAD_QUOTA, 11001));
  EXPECT_EQ(2, due_of(&one_, RL_BAD_COST, 20000));
}

TEST_F(Complaints, AreHeardInAFloodOfRefusals) {
  std::mt19937_64 random(1);
  for (uint64_t second = 10; second < 20; ++second) {
    for (int i = 0; i < 5000; ++i) {
      due(random(), second * 1000);
    }
    EXPECT_EQ(-1, due(random(), second * 1000)) << "there is no more room";
    EXPECT_EQ(0, due_of(&one_, RL_NO_PLACE, second * 1000 + 1));
  }
}

TEST_F(LogThrottle, ProcessesThrottleTogether) {
  constexpr int kProcesses = 4;
  constexpr uint64_t kSeconds = 200;
  constexpr uint64_t kRepeats = 50;
  SharedMemory shared(4096);
  auto* lines = shared.as<std::atomic<uint64_t>>();
  auto* left_out = lines + 1;
  auto* arrived = lines + 2;
  for (int p = 0; p < kProcesses; ++p) {
    if (fork() == 0) {
      for (uint64_t s = 0; s < kSeconds; ++s) {
        for (uint64_t i = 0; i < kRepeats; ++i) {
          const int n = due(7, (s + 1) * 1000 + i);
          if (n >= 0) {
            lines->fetch_add(1);
            left_out->fetch_add(static_cast<uint64_t>(n));
          }
        }
        // Nobody is ahead by more than this second.
        arrived->fetch_add(1);
        while (*arrived < kProcesses * (s + 1)) {
          sched_yield();
        }
      }
      _exit(0);
    }
  }
  while (wait(nullptr) > 0) {
  }
  const int last = due(7, (kSeconds + 10) * 1000);
  ASSERT_LE(0, last);
  EXPECT_EQ(kSeconds, lines->load());
  EXPECT_EQ(kProcesses * kSeconds * kRepeats,
            lines->load() + left_out->load() + static_cast<uint64_t>(last));
}

}  // namespace
}  // namespace ratelimit
