// Places of requests in flight, against a list of who holds how many.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "arena.h"
#include "crash_util.h"
#include "ratelimit/ratelimit.h"

namespace ratelimit {
namespace {

class Concurrent : public testing::Test {
 protected:
  rl_item_t take(rl_process_t* process, const Policy& policy,
                 const std::string& key = "k", uint32_t cost = 1) {
    rl_item_t item = policy.item(key, cost);
    EXPECT_NE(RL_TIMEOUT, rl_decide(process, &item, 1, &now_));
    return item;
  }

  void release(rl_process_t* process, rl_item_t item) {
    EXPECT_EQ(RL_ADMITTED, rl_release(process, &item, 1, &now_));
    EXPECT_FALSE(item.charged);
  }

  uint32_t remaining(rl_process_t* process, const Policy& policy,
                     const std::string& key = "k") {
    rl_item_t item = policy.item(key, 0);
    EXPECT_NE(RL_TIMEOUT, rl_look(process, &item, 1, &now_));
    return item.remaining_units;
  }

  static Policy places(const rl_zone_t* zone, uint32_t units) {
    return {zone, "p" + std::to_string(units), units, RL_PLACE_MS,
            RL_CONCURRENT};
  }

  rl_time_t now_ = at(1000000);
  Arena arena_{256 * 1024};
  rl_process_t process_ = arena_.join();
  const Policy two_{arena_.zone(), "two", 2, RL_PLACE_MS, RL_CONCURRENT};
  const Policy ten_{arena_.zone(), "ten", 10, RL_PLACE_MS, RL_CONCURRENT};
  const Policy many_{arena_.zone(), "many", RL_MAX_PLACES, RL_PLACE_MS,
                     RL_CONCURRENT};
};

TEST_F(Concurrent, CountsDownRefusesAndCountsUp) {
  const rl_item_t first = take(&process_, two_);
  EXPECT_EQ(1u, first.remaining_units);
  const rl_item_t second = take(&process_, two_);
  EXPECT_TRUE(second.admitted);
  EXPECT_EQ(0u, second.remaining_units);
  now_ = at(1000000 + 86400000);  // no time gives them back
  const rl_item_t third = take(&process_, two_);
  EXPECT_FALSE(third.admitted);
  EXPECT_EQ(1000u, third.retry_after_ms);
  EXPECT_EQ(0u, third.next_ms);
  release(&process_, first);
  EXPECT_TRUE(take(&process_, two_).admitted);
  EXPECT_FALSE(take(&process_, two_).admitted);
}

TEST_F(Concurrent, GivenBackOnce) {
  rl_item_t first = take(&process_, two_);
  take(&process_, two_);
  release(&process_, first);
  first.charged = 0;
  release(&process_, first);
  EXPECT_EQ(1u, remaining(&process_, two_));
}

TEST_F(Concurrent, LimitOfNoneAndCostAbove) {
  const Policy none(arena_.zone(), "none", 0, RL_PLACE_MS, RL_CONCURRENT);
  EXPECT_FALSE(take(&process_, none).admitted);
  const rl_item_t large = take(&process_, two_, "k", 3);
  EXPECT_FALSE(large.admitted);
  EXPECT_EQ(1000u, large.retry_after_ms);
  EXPECT_TRUE(take(&process_, two_, "k", 0).admitted);
  EXPECT_TRUE(take(&process_, many_, "k", RL_MAX_PLACES).admitted);
  EXPECT_FALSE(take(&process_, many_).admitted);
}

// Of a bucket that was reset, or evicted, nothing is there to come back.
TEST_F(Concurrent, WhatALostBucketHeldDoesNotComeBackToTheNext) {
  const rl_item_t first = take(&process_, two_);
  EXPECT_EQ(1, rl_reset(&process_, arena_.zone(), first.bucket.lo, &now_));
  EXPECT_EQ(2u, remaining(&process_, two_));
  now_.mono_ms += 5;
  EXPECT_EQ(1, rl_reset(&process_, arena_.zone(), first.bucket.lo, &now_));
  take(&process_, two_);
  release(&process_, first);
  EXPECT_EQ(1u, remaining(&process_, two_));
}

// All or none with another policy, and in dry run.
TEST_F(Concurrent, TogetherWithAQuota) {
  const Policy quota(arena_.zone(), "quota", 1, 60000, RL_SLIDING);
  for (const bool admitted : {true, false}) {
    rl_item_t items[] = {ten_.item("k"), quota.item("k")};
    EXPECT_EQ(admitted ? RL_ADMITTED : RL_REFUSED,
              rl_decide(&process_, items, 2, &now_));
    EXPECT_EQ(admitted, items[0].charged != 0);
    EXPECT_EQ(9u, remaining(&process_, ten_));
  }
  rl_item_t items[] = {ten_.item("k"), quota.item("k")};
  items[1].dry_run = 1;
  EXPECT_EQ(RL_ADMITTED, rl_decide(&process_, items, 2, &now_));
  EXPECT_EQ(8u, remaining(&process_, ten_));
  EXPECT_EQ(RL_ADMITTED, rl_release(&process_, items, 2, &now_));
  EXPECT_EQ(9u, remaining(&process_, ten_));
}

TEST_F(Concurrent, AProcessThatLeavesHoldsNothing) {
  rl_process_t other = arena_.join();
  take(&other, two_);
  take(&other, two_);
  EXPECT_FALSE(take(&process_, two_).admitted);
  rl_process_leave(&other);
  EXPECT_EQ(2u, remaining(&process_, two_));
  rl_process_t next = arena_.join();  // in its place
  const rl_item_t item = take(&next, two_);
  EXPECT_EQ(1u, remaining(&process_, two_));
  release(&next, item);
  EXPECT_EQ(2u, remaining(&process_, two_));
}

// Free as soon as the killed process was waited for, by whom it was not.
TEST_F(Concurrent, AKilledProcessHoldsNothing) {
  int ready[2];
  ASSERT_EQ(0, pipe(ready));
  for (const bool replaced : {false, true}) {
    const pid_t child = fork();
    if (child == 0) {
      rl_process_t own = arena_.join();
      take(&own, two_);
      take(&own, two_);
      char c = take(&own, ten_).admitted ? 'y' : 'n';
      _exit(::write(ready[1], &c, 1) == 1 && ::pause() != 0 ? 1 : 0);
    }
    char c = 0;
    ASSERT_EQ(1, ::read(ready[0], &c, 1));
    EXPECT_EQ('y', c);
    EXPECT_FALSE(take(&process_, two_).admitted);
    EXPECT_EQ(9u, remaining(&process_, ten_));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    if (replaced) {
      rl_process_t next = arena_.join();
      EXPECT_EQ(10u, remaining(&process_, ten_));
      EXPECT_EQ(2u, remaining(&next, two_));
      rl_process_leave(&next);
    }
    const rl_item_t item = take(&process_, two_);
    EXPECT_TRUE(item.admitted);
    EXPECT_EQ(1u, item.remaining_units);
    release(&process_, item);
    EXPECT_EQ(2u, remaining(&process_, two_));
  }
}

// A bucket names 11 processes of any slots, or 42 or 84 that lie together.
TEST_F(Concurrent, RoomForHolders) {
  std::vector<rl_process_t> others;
  for (size_t i = 1; i < 84; ++i) {
    others.push_back(arena_.join());
    for (int j = 0; j < 15; ++j) {
      EXPECT_TRUE(take(&others.back(), many_).admitted) << i << " " << j;
    }
  }
  take(&process_, many_);
  EXPECT_EQ(RL_MAX_PLACES - 83 * 15 - 1, remaining(&process_, many_));
  rl_process_t last = arena_.join();
  const rl_item_t item = take(&last, many_);
  EXPECT_FALSE(item.admitted);
  EXPECT_LT(0u, item.remaining_units);
  EXPECT_EQ(1000u, item.retry_after_ms);
  EXPECT_FALSE(take(&others[5], many_).admitted);  // its 16th
  EXPECT_TRUE(take(&process_, many_).admitted);
  for (size_t i = 42; i-- > 0;) {
    rl_process_leave(&others.back());
    others.pop_back();
  }
  EXPECT_TRUE(take(&others[5], many_).admitted);
  for (int j = 16; j < 255; ++j) {
    EXPECT_TRUE(take(&others[5], many_).admitted) << j;
  }
  EXPECT_FALSE(take(&others[5], many_).admitted);  // its 256th
  EXPECT_EQ(RL_MAX_PLACES - 40 * 15 - 255 - 2, remaining(&process_, many_));
  while (others.size() > 10) {
    rl_process_leave(&others.back());
    others.pop_back();
  }
  EXPECT_TRUE(take(&others[5], many_).admitted);
  EXPECT_TRUE(take(&last, many_, "other").admitted);
}

// Processes that come, go, take and give back at random.
TEST_F(Concurrent, AgreesWithAListOfHolders) {
  struct Held {
    size_t policy;
    std::string key;
    rl_item_t item;
  };
  constexpr size_t kProcesses = 13;
  const Policy* const policies[] = {&two_, &ten_, &many_};
  const uint32_t limits[] = {2, 10, RL_MAX_PLACES};
  std::vector<rl_process_t> processes(kProcesses);
  std::vector<std::vector<Held>> held(kProcesses);
  for (rl_process_t& process : processes) {
    process = arena_.join();
  }
  std::mt19937_64 random(7);
  uint64_t refused = 0;
  for (uint64_t step = 0; step < times(100000); ++step) {
    now_.mono_ms += random() % 3;
    const size_t p = random() % kProcesses;
    const size_t of = random() % 3;
    const std::string key = std::to_string(random() % 3);
    uint32_t used = 0;
    for (const auto& list : held) {
      for (const Held& one : list) {
        if (one.policy == of && one.key == key) used += one.item.cost_units;
      }
    }
    switch (random() % 16) {
      case 0:
        rl_process_leave(&processes[p]);
        processes[p] = arena_.join();
        held[p].clear();
        break;
      case 1:
        ASSERT_EQ(limits[of] - used,
                  remaining(&processes[p], *policies[of], key))
            << step;
        break;
      case 2:
      case 3:
      case 4:
      case 5:
      case 6: {
        const auto cost = static_cast<uint32_t>(1 + random() % 3);
        const rl_item_t item = take(&processes[p], *policies[of], key, cost);
        ASSERT_EQ(used + cost <= limits[of], item.admitted != 0) << step;
        ASSERT_EQ(limits[of] - used - (item.admitted ? cost : 0),
                  item.remaining_units)
            << step;
        if (item.admitted) {
          held[p].push_back({of, key, item});
        } else {
          ++refused;
        }
        break;
      }
      default:
        if (held[p].empty()) break;
        const size_t i = random() % held[p].size();
        release(&processes[p], held[p][i].item);
        held[p].erase(held[p].begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  EXPECT_LT(1000u, refused);
}

TEST_F(Concurrent, AfterAnyInstructionOfADeadOneTheOthersPlacesAreRight) {
  const Policy quota(arena_.zone(), "quota", 1000000, 60000, RL_SLIDING);
  take(&process_, ten_);
  take(&process_, ten_);
  rl_process_t own = {};
  rl_item_t held;
  Stepped victim(
      [&] {
        own = arena_.join();
        held = take(&own, ten_);
        release(&own, take(&own, ten_));
        rl_item_t items[] = {ten_.item("k"), quota.item("k")};
        rl_decide(&own, items, 2, &now_);
        rl_release(&own, items, 2, &now_);
      },
      [&] {
        rl_item_t item = ten_.item("k");
        rl_decide(&own, &item, 1, &now_);
        rl_item_t items[] = {ten_.item("k"), quota.item("k")};
        rl_decide(&own, items, 2, &now_);
        rl_release(&own, items, 2, &now_);
        rl_release(&own, &held, 1, &now_);
        rl_release(&own, &item, 1, &now_);
      });
  if (!kCanStep || !victim.usable()) {
    GTEST_SKIP() << "no ptrace here";
  }
  size_t steps;
  const std::vector<Snapshot> states = states_of(arena_, &victim, &steps);
  EXPECT_LT(5u, states.size());
  victim.kill_and_reap();
  for (size_t i = 0; i < states.size(); ++i) {
    SCOPED_TRACE(i);
    states[i].restore();
    // What it took it holds, until it is in the way.
    const rl_item_t all = take(&process_, ten_, "k", 8);
    ASSERT_TRUE(all.admitted);
    ASSERT_FALSE(take(&process_, ten_).admitted);
    release(&process_, all);
    ASSERT_EQ(8u, remaining(&process_, ten_));
  }
}

TEST_F(Concurrent, IsInspectedAndInNoStateFile) {
  const rl_item_t item = take(&process_, two_);
  uint64_t buckets = 0;
  std::vector<unsigned char> block(RL_STATE_BLOCK_LEN);
  for (uint32_t s = 0; s < arena_.zone()->sets; s += RL_STATE_SETS) {
    rl_state_sets(&process_, arena_.zone(), s, RL_STATE_SETS, &now_,
                  block.data(), &buckets);
  }
  EXPECT_EQ(0u, buckets);
  EXPECT_EQ(1u, remaining(&process_, two_));
  rl_bucket_t stored;
  EXPECT_EQ(
      1, rl_inspect(&process_, arena_.zone(), item.bucket.lo, &now_, &stored));
  EXPECT_EQ(RL_CONCURRENT, stored.algorithm);
  EXPECT_EQ(2u, stored.quota.units);
  EXPECT_TRUE(stored.active);
  release(&process_, item);
  EXPECT_EQ(
      1, rl_inspect(&process_, arena_.zone(), item.bucket.lo, &now_, &stored));
  EXPECT_FALSE(stored.active);
}

TEST(Places, AsWritten) {
  rl_quota_t quota;
  for (const char* good : {"0", "10", "1000000"}) {
    EXPECT_EQ(nullptr, rl_parse_places(str(good), &quota)) << good;
    EXPECT_EQ(static_cast<uint32_t>(std::stoul(good)), quota.units);
    EXPECT_EQ(RL_PLACE_MS, quota.window_ms);
    EXPECT_FALSE(quota.unlimited);
  }
  for (const char* all : {"", "unlimited"}) {
    EXPECT_EQ(nullptr, rl_parse_places(str(all), &quota));
    EXPECT_TRUE(quota.unlimited);
  }
  for (const char* bad : {"1000001", "-1", "10/1s", "1.5", "x", " 1"}) {
    EXPECT_NE(nullptr, rl_parse_places(str(bad), &quota)) << bad;
  }
  EXPECT_EQ(nullptr, rl_read_places(str("99999999999999999999"), &quota));
  EXPECT_EQ(RL_MAX_PLACES, quota.units);
  EXPECT_NE(nullptr, rl_read_places(str("10/1s"), &quota));
}

}  // namespace
}  // namespace ratelimit
