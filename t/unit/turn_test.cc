// Turns of requests that are refused at once, in simulated time.

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "arena.h"
#include "ratelimit/table/zone.h"

namespace {

constexpr uint64_t kWindow = 2000;
constexpr uint64_t kTurn = 3000;  // whole seconds above it
constexpr uint64_t kMaxTurns = 8;

class Turn : public testing::Test {
 protected:
  // 0: admitted; else how long it is told to wait, in turn.
  uint64_t ask(rl_item_t item, uint64_t now_ms) {
    const rl_time_t now = at(now_ms);
    if (rl_decide(&process_, &item, 1, &now) == RL_ADMITTED) return 0;
    truth_ms_ = item.retry_after_ms;
    rl_take_turn(&process_, &item, &now);
    EXPECT_LE(truth_ms_, item.retry_after_ms);
    const uint64_t window_ms = item.quota.window_ms;
    EXPECT_GE(truth_ms_ + kMaxTurns * (window_ms + window_ms / 256 + 1100),
              item.retry_after_ms);
    EXPECT_EQ(item.retry_after_ms, item.reset_ms);
    EXPECT_FALSE(item.admitted);
    return item.retry_after_ms;
  }

  std::vector<uint64_t> ask_all(const rl_item_t& item, size_t n,
                                uint64_t now_ms) {
    std::vector<uint64_t> waits;
    for (size_t i = 0; i < n; ++i)
      waits.push_back(ask(item, now_ms));
    return waits;
  }

  // All ask at once, and whoever is refused again when it is told to, in whole
  // seconds, and up to 100 ms late.  Returns how many were refused more than
  // once.
  size_t late_herd(const rl_item_t& item, size_t n, uint64_t now_ms) {
    std::mt19937_64 random(n);
    return herd(item, n, now_ms, [&](uint64_t wait_ms) {
      return (wait_ms + 999) / 1000 * 1000 + random() % 100;
    });
  }

  size_t herd(
      const rl_item_t& item, size_t n, uint64_t now_ms,
      const std::function<uint64_t(uint64_t)>& slept = [](uint64_t wait_ms) {
        return wait_ms;
      }) {
    std::multiset<uint64_t> coming;
    size_t again = 0;
    for (const uint64_t wait : ask_all(item, n, now_ms)) {
      if (wait != 0) coming.insert(now_ms + slept(wait));
    }
    while (!coming.empty()) {
      const uint64_t moment = *coming.begin();
      coming.erase(coming.begin());
      const uint64_t wait = ask(item, moment);
      if (wait != 0) {
        ++again;
        coming.insert(moment + slept(wait));
      }
    }
    return again;
  }

  Arena arena_{64 * 1024, 2};
  rl_process_t process_ = arena_.join();
  uint64_t truth_ms_ = 0;
};

TEST_F(Turn, AsManyAreToldAWindowAsItHasUnits) {
  for (const rl_algorithm_e algorithm : {RL_FIXED, RL_SLIDING, RL_CALENDAR}) {
    const Policy policy{arena_.zone(), rl_algorithm_name(algorithm), 2,
                        kWindow, algorithm};
    const std::vector<uint64_t> waits = ask_all(policy.item("k"), 8, 10000);
    EXPECT_EQ((std::vector<uint64_t>{0, 0, kWindow, kWindow, kWindow + kTurn,
                                     kWindow + kTurn, kWindow + 2 * kTurn,
                                     kWindow + 2 * kTurn}),
              waits)
        << algorithm;
  }
}

TEST_F(Turn, OfGcraEachIsToldAUnitLater) {
  const Policy policy{arena_.zone(), "gcra", 4, kWindow, RL_GCRA};
  EXPECT_EQ((std::vector<uint64_t>{0, 0, 0, 0, 500, 1000, 1500, 2000, 2500}),
            ask_all(policy.item("k"), 9, 10000));
}

TEST_F(Turn, AllThatIsToldOfItIsTheSameMoment) {
  const Policy policy{arena_.zone(), "same", 1, kWindow};
  const rl_time_t now = at(10000);
  rl_item_t item = policy.item("k");
  item.want_next = 1;
  for (uint64_t turn = 0; turn < 4; ++turn) {
    rl_decide(&process_, &item, 1, &now);
    if (turn != 0) rl_take_turn(&process_, &item, &now);
    EXPECT_EQ(kWindow + (std::max(turn, uint64_t{1}) - 1) * kTurn,
              item.reset_ms);
    EXPECT_EQ(item.reset_ms, item.next_ms);
  }
}

TEST_F(Turn, OfSlidingWhenTheUnitsComeBackOneByOne) {
  const Policy policy{arena_.zone(), "sliding", 3, 256 * 16, RL_SLIDING};
  const rl_item_t item = policy.item("k");
  for (const uint64_t ms : {40960, 41960, 42960})
    EXPECT_EQ(0u, ask(item, ms));
  const std::vector<uint64_t> waits = ask_all(item, 6, 43000);
  EXPECT_LT(waits[0] + 500, waits[1]);
  EXPECT_LT(waits[1] + 500, waits[2]);
  EXPECT_EQ(42960u + 256 * 16, 43000 + waits[2]);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(waits[i] + 5000, waits[i + 3]);
  }
}

TEST_F(Turn, AHerdComesBackOnce) {
  for (const rl_algorithm_e algorithm :
       {RL_FIXED, RL_SLIDING, RL_CALENDAR, RL_GCRA}) {
    for (const uint64_t units : {1u, 5u, 600u}) {
      const Policy policy{arena_.zone(), rl_algorithm_name(algorithm), units,
                          kWindow, algorithm};
      const std::string key = std::to_string(units);
      EXPECT_EQ(0u, herd(policy.item(key), units * 8, 10000))
          << algorithm << " " << units;
    }
  }
}

TEST_F(Turn, AHerdThatComesLateInWholeSecondsDoesSoToo) {
  for (const rl_algorithm_e algorithm : {RL_FIXED, RL_SLIDING}) {
    for (const uint64_t window_ms : {900, 1000, 1999, 2000, 60000, 3600000}) {
      const Policy policy{arena_.zone(), rl_algorithm_name(algorithm), 7,
                          window_ms, algorithm};
      const std::string key = std::to_string(window_ms);
      EXPECT_EQ(0u, late_herd(policy.item(key), 7 * 8, 10000000))
          << algorithm << " " << window_ms;
    }
  }
}

TEST_F(Turn, CostsWeighAndAreNotSplitBetweenWindows) {
  const Policy policy{arena_.zone(), "cost", 10, kWindow};
  EXPECT_EQ(0u, ask(policy.item("k", 10), 10000));
  EXPECT_EQ(kWindow, ask(policy.item("k", 6), 10000));
  EXPECT_EQ(kWindow + kTurn, ask(policy.item("k", 6), 10000));
  EXPECT_EQ(kWindow + kTurn, ask(policy.item("k", 4), 10000));
  EXPECT_EQ(kWindow + 2 * kTurn, ask(policy.item("k", 1), 10000));
}

TEST_F(Turn, BeyondTheLastWindowAllAreToldTheSame) {
  const Policy fixed{arena_.zone(), "fixed", 3, kWindow};
  const std::vector<uint64_t> waits = ask_all(fixed.item("k"), 1000, 10000);
  const uint64_t last = kWindow + (kMaxTurns - 1) * kTurn;
  EXPECT_EQ(last, waits[3 * kMaxTurns]);
  EXPECT_EQ(last, waits[999]);
  const Policy gcra{arena_.zone(), "gcra", 4, kWindow, RL_GCRA};
  EXPECT_EQ(kMaxTurns * kWindow, ask_all(gcra.item("k"), 1000, 10000).back());
}

TEST_F(Turn, ThoseOfAWindowThatBeganStandBehindThoseWhoWait) {
  const Policy policy{arena_.zone(), "late", 2, kWindow};
  const rl_item_t item = policy.item("k");
  ask_all(item, 7, 10000);  // 2 now, 2 at 12000, 2 at 15000, 1 at 18000
  EXPECT_EQ(0u, ask(item, 12010));  // some milliseconds late
  EXPECT_EQ(0u, ask(item, 12020));
  EXPECT_LT(18000u, 12030 + ask(item, 12030));
}

TEST_F(Turn, TurnsThatNobodyTookAreOver) {
  for (const rl_algorithm_e algorithm : {RL_FIXED, RL_SLIDING, RL_GCRA}) {
    const Policy policy{arena_.zone(), rl_algorithm_name(algorithm), 2,
                        kWindow, algorithm};
    const rl_item_t item = policy.item("k");
    ask_all(item, 30, 10000);
    const uint64_t later = 10000 + (kMaxTurns + 1) * kTurn;
    EXPECT_EQ(0u, ask(item, later));
    EXPECT_EQ(0u, ask(item, later));
    ask(item, later);
    const uint64_t unit = algorithm == RL_GCRA ? kWindow / 2 : kWindow;
    EXPECT_EQ(unit, truth_ms_);
    EXPECT_LE(unit, ask(item, later));
  }
}

TEST_F(Turn, KeysAndPoliciesHaveTurnsOfTheirOwn) {
  const Policy one{arena_.zone(), "one", 1, kWindow};
  const Policy two{arena_.zone(), "two", 1, kWindow};
  ask_all(one.item("k"), 5, 10000);
  for (const rl_item_t& item : {one.item("l"), two.item("k")}) {
    EXPECT_EQ((std::vector<uint64_t>{0, kWindow, kWindow + kTurn}),
              ask_all(item, 3, 10000));
  }
}

TEST_F(Turn, WhereWaitingCannotHelpNothingChanges) {
  const Policy none{arena_.zone(), "none", 0, kWindow};
  const Policy few{arena_.zone(), "few", 3, kWindow};
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(kWindow, ask(none.item("k"), 10000));
    EXPECT_EQ(kWindow, ask(few.item("k", 4), 10000));
  }
}

TEST_F(Turn, MoreKeysThanThereIsRoomForAreToldTheTruthAtLeast) {
  const Policy policy{arena_.zone(), "many", 1, kWindow};
  for (uint64_t ms = 10000; ms < 10100; ++ms) {
    for (int key = 0; key < 300; ++key) {
      ask(policy.item(std::to_string(key)), ms);
    }
  }
}

// ask() holds that no turn is early and none beyond the bound.
TEST_F(Turn, NoneIsEarlyOverRandomHistories) {
  std::mt19937_64 random(1);
  const auto below = [&](uint64_t n) { return random() % n; };
  for (uint64_t run = 0; run < times(300); ++run) {
    const auto algorithm = static_cast<rl_algorithm_e>(below(4));
    const uint64_t units =
        below(4) == 0 ? RL_MAX_UNITS : static_cast<uint32_t>(1 + below(50));
    const uint64_t window_ms =
        below(4) == 0 ? 1 + below(RL_MAX_WINDOW_MS) : 1 + below(60000);
    const Policy policy{arena_.zone(), "random" + std::to_string(run), units,
                        window_ms, algorithm};
    uint64_t now_ms = 1 + below(uint64_t{1} << 39);
    for (int i = 0; i < 200; ++i) {
      const auto cost = static_cast<uint32_t>(below(3) == 0 ? 1 + below(units)
                                                            : 1 + units / 8);
      rl_item_t item = policy.item("k", cost);
      if (algorithm == RL_GCRA && below(2) == 0) {
        item.capacity_units = static_cast<uint32_t>(1 + below(RL_MAX_UNITS));
      }
      const uint64_t wait_ms = ask(item, now_ms);
      now_ms += below(8) == 0 ? wait_ms : below(1 + window_ms / 20);
      now_ms = std::min(now_ms, (uint64_t{1} << 40) - 1);
    }
  }
}

TEST_F(Turn, ProcessesShareThem) {
  const Policy policy{arena_.zone(), "shared", 1, kWindow};
  constexpr int kChildren = 4;
  ask(policy.item("k"), 10000);
  for (int i = 0; i < kChildren; ++i) {
    if (fork() == 0) {
      process_ = arena_.join();
      ask(policy.item("k"), 10000);
      rl_process_leave(&process_);
      _exit(HasFailure() ? 1 : 0);
    }
  }
  for (int i = 0; i < kChildren; ++i) {
    int status;
    wait(&status);
    EXPECT_EQ(0, status);
  }
  EXPECT_EQ(kWindow + kChildren * kTurn, ask(policy.item("k"), 10000));
}

}  // namespace
