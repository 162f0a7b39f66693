// Totals of policies, and the lists of top keys.

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>

#include "counters_fixture.h"

namespace {

TEST_F(CountersTest, EveryDecisionIsCountedOnce) {
  Policy policy(arena_.zone(), "p", 3, 60000);
  attach(&policy, "p");
  for (int i = 0; i < 5; ++i) {
    rl_item_t item = policy.item("k");
    decide(&item, 1000);
  }
  rl_item_t item = policy.item("k");
  item.dry_run = 1;
  EXPECT_EQ(decide(&item, 1000), RL_ADMITTED);
  rl_count(&process_, policy.get(), RL_COUNT_REFUNDED);

  EXPECT_EQ(count_of(&policy, RL_COUNT_ADMITTED), 3u);
  EXPECT_EQ(count_of(&policy, RL_COUNT_REFUSED), 2u);
  EXPECT_EQ(count_of(&policy, RL_COUNT_DRY_RUN), 1u);
  EXPECT_EQ(count_of(&policy, RL_COUNT_REFUNDED), 1u);
  EXPECT_EQ(count_of(&policy, RL_COUNT_ERRORS), 0u);
}

// Reserved, and settled, less returned, is what is in the buckets.
TEST_F(CountersTest, UnitsAreCountedAsTheyAreCharged) {
  Policy policy(arena_.zone(), "p", 1000, 60000);
  Policy full(arena_.zone(), "full", 0, 60000);
  attach(&policy, "p");
  attach(&full, "full");
  const rl_time_t now = at(1000);
  uint64_t used = 0;
  for (const uint64_t cost : {0u, 1u, 10u, 1u}) {
    for (const uint64_t final_units : {0u, 1u, 7u, 30u}) {
      rl_item_t item = policy.item("k");
      item.cost_units = cost;
      ASSERT_EQ(decide(&item, 1000), RL_ADMITTED);
      ASSERT_EQ(rl_settle(&process_, &item, final_units, &now), RL_ADMITTED);
      used += final_units;
      if (final_units == 7) {
        ASSERT_EQ(rl_refund(&process_, &item, 1, &now), RL_ADMITTED);
        used -= 7;
      }
      ASSERT_EQ(count_of(&policy, RL_COUNT_RESERVED) +
                    count_of(&policy, RL_COUNT_SETTLED) -
                    count_of(&policy, RL_COUNT_RETURNED),
                used);
    }
  }
  EXPECT_EQ(count_of(&policy, RL_COUNT_RESERVED), 48u);

  // What is admitted in dry run, but not charged, as another one refuses.
  rl_item_t items[] = {policy.item("k"), full.item("k")};
  items[0].dry_run = 1;
  items[1].dry_run = 1;
  ASSERT_EQ(rl_decide(&process_, items, 2, &now), RL_ADMITTED);
  EXPECT_EQ(count_of(&policy, RL_COUNT_RESERVED), 48u);
  EXPECT_EQ(count_of(&policy, RL_COUNT_ADMITTED), 17u);
}

TEST_F(CountersTest, WhatAnotherPolicyRefusedIsNotCounted) {
  Policy wide(arena_.zone(), "wide", 100, 60000);
  Policy narrow(arena_.zone(), "narrow", 0, 60000);
  attach(&wide, "wide");
  attach(&narrow, "narrow");
  rl_item_t items[] = {wide.item("k"), narrow.item("k")};
  const rl_time_t now = at(1000);
  rl_decide(&process_, items, 2, &now);
  EXPECT_EQ(count_of(&wide, RL_COUNT_ADMITTED), 0u);
  EXPECT_EQ(count_of(&wide, RL_COUNT_REFUSED), 0u);
  EXPECT_EQ(count_of(&narrow, RL_COUNT_REFUSED), 1u);
}

TEST_F(CountersTest, ProcessesAddUp) {
  Policy policy(arena_.zone(), "p", 100, 60000);
  attach(&policy, "p");
  std::vector<std::thread> threads;
  for (uint32_t slot = 0; slot < 40; ++slot) {
    threads.emplace_back([&policy, slot] {
      rl_process_t process = {};
      process.slot = slot;
      for (int i = 0; i < 100; ++i) {
        rl_item_t item = policy.item(std::to_string(i % 70));
        item.admitted = i % 2;
        ratelimit::count_decision(&process, &item, 1, RL_ADMITTED, 1000);
        list(&policy, RL_TOP_REFUSED, 1000);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(count_of(&policy, RL_COUNT_ADMITTED), 2000u);
  EXPECT_EQ(count_of(&policy, RL_COUNT_REFUSED), 2000u);
}

TEST_F(CountersTest, APolicyIsFoundAgainAfterAReload) {
  void* first = find("first");
  void* second = find("second");
  EXPECT_NE(first, second);
  EXPECT_NE(first,
            rl_counters_find(memory_.get(), str("first"), str("other"), 1));
  ASSERT_EQ(rl_counters_attach(memory_.get()), RL_OK);
  rl_counters_renew(memory_.get());
  EXPECT_EQ(find("second", false), second);
  EXPECT_EQ(find("first", false), first);
  EXPECT_EQ(find("third", false), nullptr);
}

TEST_F(CountersTest, RowsOfRemovedPoliciesAreGivenAwayLast) {
  Policy gone(arena_.zone(), "gone", 1, 1000);
  attach(&gone, "gone");
  pretend(&gone, "k", false, 1000);
  rl_counters_renew(memory_.get());
  std::vector<void*> rows;
  for (int i = 0; i < 1024; ++i) {
    rows.push_back(find(std::to_string(i)));
    ASSERT_NE(rows.back(), nullptr);
  }
  EXPECT_EQ(rows.back(), gone.get()->counters);
  EXPECT_EQ(count_of(&gone, RL_COUNT_REFUSED), 0u);  // a clean row
  EXPECT_TRUE(list(&gone, RL_TOP_REFUSED, 1000).empty());
  EXPECT_EQ(find("one more"), nullptr);
}

TEST_F(CountersTest, APolicyWithoutARowIsNotCounted) {
  Policy policy(arena_.zone(), "p", 1, 1000);
  pretend(&policy, "k", false, 1000);
  rl_count(&process_, policy.get(), RL_COUNT_BYPASSED);
  EXPECT_EQ(count_of(&policy, RL_COUNT_REFUSED), 0u);
  EXPECT_TRUE(list(&policy, RL_TOP_ADMITTED, 1000).empty());
}

TEST_F(CountersTest, RefusedKeysAreListedByHowOften) {
  Policy policy(arena_.zone(), "p", 7, 60000);
  attach(&policy, "p");
  for (int i = 0; i < 10; ++i) {
    for (int n = 0; n <= i; ++n) {
      pretend(&policy, std::to_string(i), false,
              1000 + static_cast<uint64_t>(n));
    }
  }
  const auto all = list(&policy, RL_TOP_REFUSED, 1100);
  ASSERT_EQ(all.size(), 10u);
  for (uint32_t i = 0; i < 10; ++i) {
    EXPECT_EQ(all[i].key_id, policy.item(std::to_string(9 - i)).bucket.lo);
    EXPECT_EQ(all[i].requests, 10 - i);
    EXPECT_EQ(all[i].requests_last_minute, 10 - i);
    EXPECT_EQ(all[i].first_seen_ms, 1000u);
    EXPECT_EQ(all[i].last_seen_ms, 1009u - i);
    EXPECT_EQ(all[i].quota.units, 7u);
    EXPECT_EQ(all[i].quota.window_ms, 60000u);
  }
  const auto three = list(&policy, RL_TOP_REFUSED, 1100, 3);
  ASSERT_EQ(three.size(), 3u);
  EXPECT_EQ(three[2].key_id, all[2].key_id);
  EXPECT_TRUE(list(&policy, RL_TOP_REFUSED, 1100, 0).empty());

  rl_top_key_t one;
  const rl_time_t now = at(1100);
  EXPECT_EQ(
      rl_find_top_key(policy.get(), RL_TOP_REFUSED, all[4].key_id, &now, &one),
      1);
  EXPECT_EQ(one.requests, all[4].requests);
  EXPECT_EQ(rl_find_top_key(policy.get(), RL_TOP_ADMITTED, all[4].key_id, &now,
                            &one),
            0);
}

// What top_keys.h promises: nobody with more than an eighth of its set's
// requests is missing, and no weight is wrong by much more than that.
TEST_F(CountersTest, HeavyKeysAreNeverCrowdedOut) {
  Policy policy(arena_.zone(), "p", 7, 60000);
  attach(&policy, "p");
  std::mt19937_64 random(20);
  std::map<uint64_t, uint64_t> truth;
  std::map<uint64_t, uint64_t> of_set;
  const auto set_of = [](uint64_t key) { return key >> 32 & 7; };
  const uint64_t total = times(20000);
  for (uint64_t i = 0; i < total; ++i) {
    const uint64_t dice = random() % 100;
    const std::string key = dice < 40 ? "heavy" + std::to_string(dice / 4)
                                      : "light" + std::to_string(random());
    pretend(&policy, key, false, 1000);
    const uint64_t id = policy.item(key).bucket.lo;
    ++truth[id];
    ++of_set[set_of(id)];
  }
  const auto all = list(&policy, RL_TOP_REFUSED, 1000);
  ASSERT_EQ(all.size(), 64u);
  std::map<uint64_t, uint64_t> listed;
  for (const rl_top_key_t& key : all) {
    listed[key.key_id] = key.requests_last_minute;
    // Keys come in by chance: a sixteenth is what that may add or leave out.
    const uint64_t slack = of_set[set_of(key.key_id)] / 16;
    EXPECT_GE(key.requests_last_minute + slack, truth[key.key_id]);
    EXPECT_LE(key.requests_last_minute, truth[key.key_id] + 3 * slack);
    EXPECT_LE(key.requests, truth[key.key_id]);
  }
  for (const auto& [key, n] : truth) {
    if (n > of_set[set_of(key)] / 8) {
      EXPECT_EQ(listed.count(key), 1u);
    }
  }
}

TEST_F(CountersTest, BusyKeysAreFoundBySampling) {
  Policy policy(arena_.zone(), "p", 7, 60000);
  attach(&policy, "p");
  std::mt19937_64 random(21);
  const int total = static_cast<int>(times(200000));
  for (int i = 0; i < total; ++i) {
    const uint64_t dice = random() % 100;
    pretend(&policy,
            dice < 10   ? "ten"
            : dice < 15 ? "five"
                        : "light" + std::to_string(random() % 100000),
            true, 1000 + static_cast<uint64_t>(i) / 1000);
  }
  const auto all = list(&policy, RL_TOP_ADMITTED, 1200);
  ASSERT_GE(all.size(), 2u);
  EXPECT_EQ(all[0].key_id, policy.item("ten").bucket.lo);
  EXPECT_EQ(all[1].key_id, policy.item("five").bucket.lo);
  EXPECT_NEAR(static_cast<double>(all[0].requests_last_minute), total / 10.0,
              total / 50.0);
  EXPECT_NEAR(static_cast<double>(all[1].requests_last_minute), total / 20.0,
              total / 50.0);
}

TEST_F(CountersTest, FewRequestsAreAllSampled) {
  Policy policy(arena_.zone(), "p", 7, 60000);
  attach(&policy, "p");
  for (uint64_t i = 0; i < 5; ++i) {
    pretend(&policy, "k", true, 1000 + 125 * i);
  }
  const auto all = list(&policy, RL_TOP_ADMITTED, 1700);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].requests_last_minute, 5u);
  EXPECT_EQ(all[0].requests, 5u);
}

// Shares as the operator reads them: at a bound is within it.
TEST_F(CountersTest, SharesOfQuotasAreCountedWhereTheyBelong) {
  Policy policy(arena_.zone(), "p", 20, 60000);
  attach(&policy, "p");
  uint64_t shares[RL_USED_SHARES];
  uint64_t sum;
  rl_used_shares(policy.get(), shares, &sum);
  EXPECT_EQ(shares[RL_USED_SHARES - 1], 0u);
  EXPECT_EQ(sum, 0u);
  rl_item_t item = policy.item("k");
  for (uint64_t i = 0; i < 21; ++i) {
    EXPECT_EQ(decide(&item, 1000 + 125 * i),
              i < 20 ? RL_ADMITTED : RL_REFUSED);
  }
  rl_used_shares(policy.get(), shares, &sum);
  EXPECT_EQ(std::vector<uint64_t>(shares, shares + RL_USED_SHARES),
            (std::vector<uint64_t>{5, 10, 15, 18, 20}));
  EXPECT_EQ(sum, 50u * (20 * 21 / 2));
}

TEST_F(CountersTest, ASampleStandsForTheRequestsBetween) {
  Policy policy(arena_.zone(), "p", 1000000, 60000);
  attach(&policy, "p");
  rl_item_t item = policy.item("k");
  for (int i = 0; i < 100000; ++i) {
    decide(&item, 1000);
  }
  uint64_t shares[RL_USED_SHARES];
  uint64_t sum;
  rl_used_shares(policy.get(), shares, &sum);
  EXPECT_LE(shares[0], 100000u);
  EXPECT_GT(shares[0], 100000u - 128);
  EXPECT_EQ(shares[0], shares[RL_USED_SHARES - 1]);
}

// No key has used anything of a quota of none, or of one without a row.
TEST_F(CountersTest, NothingHasNoShare) {
  Policy policy(arena_.zone(), "p", 0, 60000);
  attach(&policy, "p");
  pretend(&policy, "k", true, 1000);
  Policy other(arena_.zone(), "q", 5, 60000);
  pretend(&other, "k", true, 1000);
  uint64_t shares[RL_USED_SHARES];
  uint64_t sum;
  for (Policy* each : {&policy, &other}) {
    rl_used_shares(each->get(), shares, &sum);
    EXPECT_EQ(shares[RL_USED_SHARES - 1], 0u);
  }
}

TEST_F(CountersTest, ASingleRequestIsSeenBehindAHalving) {
  Policy policy(arena_.zone(), "p", 7, 60000);
  attach(&policy, "p");
  pretend(&policy, "k", false, 32767);
  EXPECT_EQ(list(&policy, RL_TOP_REFUSED, 32767)[0].requests_last_minute, 1u);
  EXPECT_EQ(list(&policy, RL_TOP_REFUSED, 32768)[0].requests_last_minute, 1u);
  EXPECT_EQ(list(&policy, RL_TOP_REFUSED, 2 * 32768)[0].requests_last_minute,
            0u);
}

TEST_F(CountersTest, WeightsFadeAndPausesStartAnew) {
  Policy policy(arena_.zone(), "p", 7, 60000);
  attach(&policy, "p");
  for (int i = 0; i < 8; ++i) {
    pretend(&policy, "k", false, 40000);
  }
  EXPECT_EQ(list(&policy, RL_TOP_REFUSED, 40000)[0].requests_last_minute, 8u);
  EXPECT_EQ(
      list(&policy, RL_TOP_REFUSED, 40000 + 32768)[0].requests_last_minute,
      4u);
  EXPECT_EQ(
      list(&policy, RL_TOP_REFUSED, 40000 + 3 * 32768)[0].requests_last_minute,
      1u);
  EXPECT_EQ(list(&policy, RL_TOP_REFUSED, 1000)[0].requests_last_minute,
            8u);  // behind

  pretend(&policy, "k", false, 640000);  // ten minutes later
  EXPECT_EQ(list(&policy, RL_TOP_REFUSED, 640000)[0].requests, 9u);
  EXPECT_EQ(list(&policy, RL_TOP_REFUSED, 640000)[0].first_seen_ms, 40000u);
  pretend(&policy, "k", false, 1240001);  // and more than that
  EXPECT_EQ(list(&policy, RL_TOP_REFUSED, 1240001)[0].requests, 1u);
  EXPECT_EQ(list(&policy, RL_TOP_REFUSED, 1240001)[0].first_seen_ms, 1240001u);
}

}  // namespace
