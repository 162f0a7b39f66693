// Looking at a zone from outside: scans, and buckets by their ids.

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "counters_fixture.h"

namespace {

using InspectTest = CountersTest;

TEST_F(InspectTest, AScanCanBeCutIntoTurns) {
  Policy policy(arena_.zone(), "p", 7, 60000);
  for (int i = 0; i < 500; ++i) {
    rl_item_t item = policy.item(std::to_string(i));
    decide(&item, i < 200 ? 1000 : 50000);
  }
  const rl_time_t now = at(70000);
  rl_zone_stats_t whole;
  rl_zone_stats(arena_.zone(), 1, &now, &whole);
  EXPECT_EQ(whole.entries, 500u);
  EXPECT_EQ(whole.active, 300u);

  rl_zone_stats_t cut = {};
  uint32_t next = 0;
  int turns = 0;
  do {
    next = rl_zone_scan(arena_.zone(), next, 10, &now, &cut, nullptr, 0);
    ++turns;
  } while (next != 0);
  EXPECT_EQ(turns, (static_cast<int>(arena_.zone()->sets) + 9) / 10);
  EXPECT_EQ(cut.entries, whole.entries);
  EXPECT_EQ(cut.active, whole.active);
  EXPECT_EQ(
      rl_zone_scan(arena_.zone(), UINT32_MAX, 10, &now, &cut, nullptr, 0), 0u);
  EXPECT_EQ(cut.entries, whole.entries);
}

TEST_F(InspectTest, ABucketIsFoundByItsIdAndCleared) {
  for (const rl_algorithm_e algorithm :
       {RL_SLIDING, RL_FIXED, RL_CALENDAR, RL_GCRA}) {
    Policy policy(arena_.zone(), rl_algorithm_name(algorithm), 40, 60000,
                  algorithm);
    rl_item_t item = policy.item("k", 30);
    const uint64_t id = item.bucket.lo;
    rl_time_t now = at(60500);
    rl_bucket_t bucket;
    EXPECT_EQ(rl_inspect(&process_, arena_.zone(), id, &now, &bucket), 0);
    EXPECT_EQ(rl_reset(&process_, arena_.zone(), id, &now), 0);

    ASSERT_EQ(decide(&item, 60500), RL_ADMITTED);
    now = at(61000);
    ASSERT_EQ(rl_inspect(&process_, arena_.zone(), id, &now, &bucket), 1);
    EXPECT_EQ(bucket.bucket.lo, id);
    EXPECT_EQ(bucket.algorithm, algorithm);
    EXPECT_EQ(bucket.quota.units, 40u);
    EXPECT_EQ(bucket.quota.window_ms, 60000u);
    EXPECT_EQ(bucket.capacity_units, 40u);
    EXPECT_TRUE(bucket.active);
    EXPECT_TRUE(bucket.exact);
    EXPECT_EQ(bucket.charged_ms, 60500u);

    // What is stored is enough to look the bucket up.
    rl_item_t look = policy.item("k", 11);
    look.bucket = bucket.bucket;
    EXPECT_EQ(rl_look(&process_, &look, 1, &now), RL_REFUSED);
    EXPECT_EQ(look.remaining_units, 10u);

    EXPECT_EQ(rl_reset(&process_, arena_.zone(), id, &now), 1);
    ASSERT_EQ(rl_inspect(&process_, arena_.zone(), id, &now, &bucket), 1);
    EXPECT_FALSE(bucket.active);
    item.cost_units = 40;
    EXPECT_EQ(decide(&item, 61000), RL_ADMITTED);
    EXPECT_EQ(item.remaining_units, 0u);
    EXPECT_EQ(decide(&item, 61000), RL_REFUSED);
  }
}

TEST_F(InspectTest, ARefundAfterAResetGivesNothing) {
  Policy policy(arena_.zone(), "p", 40, 60000, RL_SLIDING);
  rl_item_t first = policy.item("k", 30);
  ASSERT_EQ(decide(&first, 1000), RL_ADMITTED);
  const rl_time_t now = at(1000);
  ASSERT_EQ(rl_reset(&process_, arena_.zone(), first.bucket.lo, &now), 1);
  ASSERT_EQ(rl_refund(&process_, &first, 1, &now), RL_ADMITTED);
  rl_item_t second = policy.item("k", 41);
  EXPECT_EQ(decide(&second, 1000), RL_REFUSED);
  EXPECT_EQ(second.remaining_units, 40u);
}

}  // namespace
