// Charges that are given back, and settled for more or for less.

#include <vector>

#include <gtest/gtest.h>

#include "decide_fixture.h"

namespace {

using Settle = Decide;

TEST_F(Settle, ARefundGivesBackWhatWasCharged) {
  std::vector<rl_item_t> items = {ten_.item("k", 3), other_.item("k", 2)};
  const rl_time_t now = at(1000);
  ASSERT_EQ(RL_ADMITTED, decide(&items));
  ASSERT_EQ(RL_ADMITTED, rl_refund(&process_, items.data(), 2, &now));
  EXPECT_FALSE(items[0].charged);
  EXPECT_EQ(10u, items[0].remaining_units);
  EXPECT_EQ(5u, items[1].remaining_units);
  // Twice gives nothing.
  ASSERT_EQ(RL_ADMITTED, decide(&items));
  std::vector<rl_item_t> again = {ten_.item("k", 3), other_.item("k", 2)};
  ASSERT_EQ(RL_ADMITTED, rl_refund(&process_, again.data(), 2, &now));
  EXPECT_EQ(7u, look(ten_.item("k")).remaining_units);
}

TEST_F(Settle, ARefundNeverCreditsALaterWindow) {
  rl_item_t first = ten_.item("k", 3);
  ASSERT_EQ(RL_ADMITTED, decide(&first, 1000));
  rl_item_t later = ten_.item("k", 4);
  ASSERT_EQ(RL_ADMITTED, decide(&later, 70000));
  const rl_time_t now = at(70000);
  ASSERT_EQ(RL_ADMITTED, rl_refund(&process_, &first, 1, &now));
  EXPECT_EQ(6u, look(ten_.item("k"), 70000).remaining_units);
  EXPECT_EQ(6u, first.remaining_units);
}

// It left by a short window; a longer one came, in which its time would be.
TEST_F(Settle, WhatHasLeftIsNotTakenFromOthersInALongerWindow) {
  const Policy policy(arena_.zone(), "varies", 13, 7000, RL_SLIDING);
  for (const uint64_t later : {6000, 7000, 7452}) {
    const std::string key = "k" + std::to_string(later);
    rl_item_t first = policy.item(key);
    ASSERT_EQ(RL_ADMITTED, decide(&first, 1000000));
    rl_item_t second = policy.item(key);
    second.quota.window_ms = 300000;
    ASSERT_EQ(RL_ADMITTED, decide(&second, 1000000 + later));
    const rl_time_t now = at(1000000 + later + 2);
    ASSERT_EQ(RL_ADMITTED, rl_refund(&process_, &first, 1, &now));
    rl_item_t third = policy.item(key);
    third.quota.window_ms = 300000;
    EXPECT_GE(12u, look(third, now.mono_ms).remaining_units);
  }
}

TEST_F(Settle, SettlingChargesOrReturnsTheDifference) {
  const rl_time_t now = at(1000);
  rl_item_t item = ten_.item("k", 3);
  ASSERT_EQ(RL_ADMITTED, decide(&item));
  ASSERT_EQ(RL_ADMITTED, rl_settle(&process_, &item, 8, &now));
  EXPECT_EQ(2u, item.remaining_units);
  EXPECT_EQ(8u, item.cost_units);
  ASSERT_EQ(RL_ADMITTED, rl_settle(&process_, &item, 1, &now));
  EXPECT_EQ(9u, item.remaining_units);
  ASSERT_EQ(RL_ADMITTED, rl_settle(&process_, &item, 25, &now));
  EXPECT_EQ(0u, item.remaining_units);
  rl_item_t next = ten_.item("k");
  EXPECT_EQ(RL_REFUSED, decide(&next)) << "in debt";
  ASSERT_EQ(RL_ADMITTED, rl_settle(&process_, &item, 0, &now));
  EXPECT_EQ(10u, item.remaining_units);
  EXPECT_FALSE(item.charged);
}

// A charge and what it was settled at more, in another window, both go back.
TEST_F(Settle, WhatWasSettledInAnotherWindowIsGivenBack) {
  for (const rl_algorithm_e algorithm :
       {RL_SLIDING, RL_FIXED, RL_CALENDAR, RL_GCRA}) {
    const Policy policy(arena_.zone(), rl_algorithm_name(algorithm), 20,
                        kMinute, algorithm);
    rl_item_t item = policy.item("k", 1);
    ASSERT_EQ(RL_ADMITTED, decide(&item, 10 * kMinute));

    // sliding: another sixteenth; gcra: a window that voids the charge id.
    const bool stays = algorithm == RL_SLIDING || algorithm == RL_GCRA;
    const uint64_t then_ms = 10 * kMinute + (stays ? 6000 : kMinute + 1000);
    const rl_time_t now = at(then_ms);
    rl_item_t other = policy.item("k", 2);
    if (algorithm == RL_GCRA) other.quota.window_ms = 2 * kMinute;
    ASSERT_EQ(RL_ADMITTED, decide(&other, then_ms));
    ASSERT_EQ(RL_ADMITTED, rl_settle(&process_, &item, 9, &now));
    ASSERT_EQ(RL_ADMITTED, rl_refund(&process_, &item, 1, &now));
    EXPECT_EQ(18u, look(policy.item("k"), then_ms).remaining_units)
        << rl_algorithm_name(algorithm);
    EXPECT_FALSE(item.charged);
  }
}

TEST_F(Settle, SettlingALookChargesAndMakesTheBucket) {
  const rl_time_t now = at(1000);
  rl_item_t item = ten_.item("k", 0);
  ASSERT_EQ(RL_ADMITTED, decide(&item));
  ASSERT_EQ(RL_ADMITTED, rl_settle(&process_, &item, 4, &now));
  EXPECT_TRUE(item.charged);
  EXPECT_EQ(6u, look(ten_.item("k")).remaining_units);
  ASSERT_EQ(RL_ADMITTED, rl_refund(&process_, &item, 1, &now));
  EXPECT_EQ(10u, look(ten_.item("k")).remaining_units);
}

TEST_F(Settle, SettlingOneThatWasNotChargedInDryRunChangesNothing) {
  const rl_time_t now = at(1000);
  rl_item_t item = ten_.item("k", 11);
  item.dry_run = 1;
  ASSERT_EQ(RL_ADMITTED, decide(&item));
  ASSERT_EQ(RL_ADMITTED, rl_settle(&process_, &item, 5, &now));
  EXPECT_EQ(10u, look(ten_.item("k")).remaining_units);
  EXPECT_EQ(0u, buckets());
}

}  // namespace
