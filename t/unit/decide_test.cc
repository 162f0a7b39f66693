// Decisions over several policies, as one process sees them.

#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "decide_fixture.h"
#include "ratelimit/table/zone.h"

namespace {

constexpr size_t kOneSet =
    sizeof(ratelimit::ZoneHeader) + sizeof(ratelimit::Set) + sizeof(uint64_t);

TEST_F(Decide, OnePolicyCountsDownAndRefuses) {
  for (uint32_t left = 2; left-- > 0;) {
    rl_item_t item = two_.item("k");
    ASSERT_EQ(RL_ADMITTED, decide(&item));
    EXPECT_TRUE(item.admitted);
    EXPECT_TRUE(item.charged);
    EXPECT_EQ(2u, item.limit_units);
    EXPECT_EQ(left, item.remaining_units);
    EXPECT_EQ(kMinute, item.reset_ms);
    EXPECT_EQ(0u, item.retry_after_ms);
  }
  rl_item_t item = two_.item("k");
  ASSERT_EQ(RL_REFUSED, decide(&item, 11000));
  EXPECT_FALSE(item.admitted);
  EXPECT_FALSE(item.charged);
  EXPECT_EQ(0u, item.remaining_units);
  EXPECT_EQ(50000u, item.retry_after_ms);
  EXPECT_EQ(item.retry_after_ms, item.reset_ms);
  ASSERT_EQ(RL_ADMITTED, decide(&item, 61000));
}

TEST_F(Decide, ARefusalChargesNobodyAndTellsTheOthersStanding) {
  std::vector<rl_item_t> items;
  for (int i = 0; i < 2; ++i) {
    items = {ten_.item("k"), two_.item("k"), other_.item("k")};
    ASSERT_EQ(RL_ADMITTED, decide(&items));
  }
  for (int i = 0; i < 5; ++i) {
    items = {ten_.item("k"), two_.item("k"), other_.item("k")};
    ASSERT_EQ(RL_REFUSED, decide(&items));
    EXPECT_TRUE(items[0].admitted);
    EXPECT_FALSE(items[0].charged);
    EXPECT_EQ(8u, items[0].remaining_units);
    EXPECT_EQ(kMinute, items[0].reset_ms);
    EXPECT_FALSE(items[1].admitted);
    EXPECT_TRUE(items[2].admitted);
    EXPECT_EQ(3u, items[2].remaining_units);
  }
}

TEST_F(Decide, EveryRefusingPolicySaysSo) {
  std::vector<rl_item_t> items = {ten_.item("k", 11), two_.item("k", 3),
                                  other_.item("k", 5)};
  ASSERT_EQ(RL_REFUSED, decide(&items));
  EXPECT_FALSE(items[0].admitted);
  EXPECT_FALSE(items[1].admitted);
  EXPECT_TRUE(items[2].admitted);
  // More than the quota: waiting cannot help.
  EXPECT_EQ(kMinute, items[0].retry_after_ms);
  EXPECT_EQ(10u, items[0].remaining_units);
  EXPECT_EQ(0u, buckets(0) + buckets(1)) << "refused requests leave nothing";
}

TEST_F(Decide, DryRunRefusesNothingAndChargesAsEnforcementWould) {
  rl_item_t fill = two_.item("k", 2);
  ASSERT_EQ(RL_ADMITTED, decide(&fill));
  std::vector<rl_item_t> items = {ten_.item("k"), two_.item("k"),
                                  other_.item("k")};
  items[1].dry_run = 1;
  items[2].dry_run = 1;
  ASSERT_EQ(RL_ADMITTED, decide(&items));
  // The enforced one is charged; of those in dry run one refuses, so that,
  // enforced, none would have been.
  EXPECT_TRUE(items[0].charged);
  EXPECT_EQ(9u, items[0].remaining_units);
  EXPECT_FALSE(items[1].admitted);
  EXPECT_FALSE(items[1].charged);
  EXPECT_EQ(0u, items[1].remaining_units);
  EXPECT_EQ(kMinute, items[1].retry_after_ms);
  EXPECT_TRUE(items[2].admitted);
  EXPECT_FALSE(items[2].charged);
  EXPECT_EQ(5u, items[2].remaining_units);
}

TEST_F(Decide, DryRunIsChargedWhereAllAdmitAndNotWhereAnEnforcedOneRefuses) {
  std::vector<rl_item_t> items = {ten_.item("k"), two_.item("k", 2)};
  items[0].dry_run = 1;
  ASSERT_EQ(RL_ADMITTED, decide(&items));
  EXPECT_TRUE(items[0].charged);
  EXPECT_EQ(9u, items[0].remaining_units);
  ASSERT_EQ(RL_REFUSED, decide(&items));
  EXPECT_TRUE(items[0].admitted);
  EXPECT_FALSE(items[0].charged);
  EXPECT_EQ(9u, items[0].remaining_units);
}

// Buckets of a set are its first ones, or a resize would not find them all.
TEST(DecideInOneSet, ANewBucketThatIsNotChargedLeavesNoGap) {
  Arena arena(kOneSet);
  rl_process_t process = arena.join();
  const Policy first(arena.zone(), "first", 10, kMinute);
  const Policy second(arena.zone(), "second", 10, kMinute);
  const Policy refusing(arena.zone(), "refusing", 1, kMinute);
  std::vector<rl_item_t> items = {first.item("k"), second.item("k"),
                                  refusing.item("k", 2)};
  items[0].dry_run = items[2].dry_run = 1;
  const rl_time_t now = at(1000);
  ASSERT_EQ(RL_ADMITTED, rl_decide(&process, items.data(), 3, &now));
  EXPECT_FALSE(items[0].charged);
  EXPECT_TRUE(items[1].charged);
  EXPECT_EQ(1u, ratelimit::set_at(arena.zone(), 0)->occupied);
  rl_item_t item = second.item("k");
  ASSERT_EQ(RL_ADMITTED, rl_look(&process, &item, 1, &now));
  EXPECT_EQ(9u, item.remaining_units);
}

TEST_F(Decide, NoneOrTooManyChecksAreNoDecision) {
  const rl_time_t now = at(1000);
  std::vector<rl_item_t> items(RL_MAX_ITEMS + 1, ten_.item("k"));
  for (const size_t n : {size_t{0}, items.size()}) {
    EXPECT_EQ(RL_TIMEOUT, rl_decide(&process_, items.data(), n, &now));
    EXPECT_EQ(RL_TIMEOUT, rl_look(&process_, items.data(), n, &now));
  }
  EXPECT_EQ(0u, buckets());
}

TEST_F(Decide, ARefusalInDryRunWithSomethingLeftTellsNothingLeft) {
  rl_item_t item = ten_.item("k", 11);
  item.dry_run = 1;
  ASSERT_EQ(RL_ADMITTED, decide(&item));
  EXPECT_FALSE(item.admitted);
  EXPECT_EQ(0u, item.remaining_units);
}

TEST_F(Decide, CostZeroOnlyLooks) {
  rl_item_t item = two_.item("k", 0);
  ASSERT_EQ(RL_ADMITTED, decide(&item));
  EXPECT_TRUE(item.admitted);
  EXPECT_FALSE(item.charged);
  EXPECT_EQ(2u, item.remaining_units);
  EXPECT_EQ(0u, item.reset_ms);
  EXPECT_EQ(0u, buckets());
  rl_item_t fill = two_.item("k", 2);
  ASSERT_EQ(RL_ADMITTED, decide(&fill));
  ASSERT_EQ(RL_ADMITTED, decide(&item)) << "even where nothing is left";
  EXPECT_EQ(0u, item.remaining_units);
}

TEST_F(Decide, QuotaZeroRefusesAllAndKeepsNothing) {
  const Policy none(arena_.zone(), "none", 0, kMinute);
  rl_item_t item = none.item("k");
  ASSERT_EQ(RL_REFUSED, decide(&item));
  EXPECT_EQ(0u, item.limit_units);
  EXPECT_EQ(0u, item.remaining_units);
  EXPECT_EQ(kMinute, item.retry_after_ms);
  EXPECT_EQ(0u, buckets());
}

TEST_F(Decide, LookingChangesNothing) {
  rl_item_t fill = ten_.item("k", 4);
  ASSERT_EQ(RL_ADMITTED, decide(&fill));
  const auto* memory = static_cast<const char*>(arena_.zone()->memory);
  const std::string before(memory, 64 * 1024);
  EXPECT_EQ(6u, look(ten_.item("k", 0)).remaining_units);
  EXPECT_TRUE(look(ten_.item("k", 6)).admitted);
  const rl_item_t refused = look(ten_.item("k", 7));
  EXPECT_FALSE(refused.admitted);
  EXPECT_EQ(6u, refused.remaining_units);
  EXPECT_EQ(kMinute, refused.retry_after_ms);
  EXPECT_EQ(10u, look(ten_.item("unknown")).remaining_units);
  EXPECT_EQ(0, std::memcmp(before.data(), memory, before.size()));
}

TEST_F(Decide, ARefusalMarksTheBucketOnceAndWritesNothingElse) {
  rl_item_t fill = ten_.item("k", 10);
  ASSERT_EQ(RL_ADMITTED, decide(&fill));
  const auto* memory = static_cast<const char*>(arena_.zone()->memory);
  std::string before(memory, 64 * 1024);
  rl_item_t item = ten_.item("k");
  ASSERT_EQ(RL_REFUSED, decide(&item, 2000));
  int differing = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    differing += before[i] != memory[i];
  }
  EXPECT_EQ(1, differing);
  before.assign(memory, before.size());
  ASSERT_EQ(RL_REFUSED, decide(&item, 3000));
  EXPECT_EQ(0, std::memcmp(before.data(), memory, before.size()));
}

TEST_F(Decide, AClockThatIsBehindGivesNoCredit) {
  for (const rl_algorithm_e algorithm :
       {RL_SLIDING, RL_FIXED, RL_CALENDAR, RL_GCRA}) {
    const Policy policy(arena_.zone(), rl_algorithm_name(algorithm), 3,
                        kMinute, algorithm);
    rl_item_t item = policy.item("k");
    ASSERT_EQ(RL_ADMITTED, decide(&item, 600000));
    ASSERT_EQ(RL_ADMITTED, decide(&item, 599950));
    ASSERT_EQ(RL_ADMITTED, decide(&item, 600001));
    EXPECT_EQ(0u, item.remaining_units);
    for (const uint64_t now : {599950, 600002, 599000, 600003}) {
      ASSERT_EQ(RL_REFUSED, decide(&item, now)) << item.policy->name.data;
      EXPECT_GE(kMinute * 18 / 16, item.retry_after_ms);
    }
  }
}

TEST_F(Decide, DecidesTheMostItemsEvenWhereThereIsNoRoomForThem) {
  // One set of 31 buckets, 128 policies.
  SharedMemory memory(kOneSet);
  rl_zone_t zone;
  const std::string seed = Arena::seed();
  ASSERT_EQ(RL_OK,
            rl_zone_create(&zone, memory.get(), kOneSet, 0, str(seed).data));
  std::vector<std::unique_ptr<Policy>> policies;
  std::vector<rl_item_t> items;
  for (unsigned i = 0; i < RL_MAX_ITEMS; ++i) {
    policies.push_back(
        std::make_unique<Policy>(&zone, std::to_string(i), 5, kMinute));
    items.push_back(policies.back()->item("k"));
  }
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(RL_ADMITTED, decide(&items));
    for (const rl_item_t& item : items) {
      EXPECT_TRUE(item.charged);
    }
  }
  rl_zone_stats_t stats;
  const rl_time_t now = at(1000);
  rl_zone_stats(&zone, 1, &now, &stats);
  EXPECT_EQ(31u, stats.active);
  // Those that were found are never displaced by the others of one request.
  int counted_all = 0;
  for (const rl_item_t& item : items) {
    counted_all += look(item).remaining_units == 2;
  }
  EXPECT_EQ(31, counted_all);
  items.push_back(items[0]);
  EXPECT_EQ(RL_TIMEOUT, decide(&items)) << "more than RL_MAX_ITEMS";
}

TEST_F(Decide, NeedsAProcessThatJoined) {
  rl_process_t stranger = {};
  rl_item_t item = ten_.item("k");
  const rl_time_t now = at(1000);
  EXPECT_EQ(RL_TIMEOUT, rl_decide(&stranger, &item, 1, &now));
  EXPECT_EQ(RL_TIMEOUT, rl_look(&stranger, &item, 1, &now));
}

TEST_F(Decide, ResetIsAtMostTheWindow) {
  const Policy sliding(arena_.zone(), "s", 10, kMinute, RL_SLIDING);
  rl_item_t item = sliding.item("k");
  ASSERT_EQ(RL_ADMITTED, decide(&item, 1234567));
  EXPECT_EQ(kMinute, item.reset_ms);
}

// Against a plain map: thousands of buckets of two zones, random costs, one to
// four policies a request, some in dry run, refunds among them.
TEST_F(Decide, AgreesWithAModel) {
  std::mt19937_64 random(7);
  const uint32_t quotas[4] = {3, 10, 25, 60};
  std::vector<std::unique_ptr<Policy>> policies;
  Arena arena(1 << 20, 2);
  rl_process_t process = arena.join();
  for (unsigned i = 0; i < 4; ++i) {
    policies.push_back(std::make_unique<Policy>(
        arena.zone(i % 2), "p" + std::to_string(i), quotas[i], kMinute,
        i < 2 ? RL_FIXED : RL_SLIDING));
  }
  std::map<std::pair<unsigned, std::string>, uint32_t> used;
  const rl_time_t now = at(5000);  // stands still: the quotas are absolute
  for (uint64_t round = 0; round < times(100000); ++round) {
    std::vector<rl_item_t> items;
    std::vector<uint32_t*> model;
    bool enforced = true;
    bool all = true;
    for (unsigned p = 0; p < 4; ++p) {
      if (random() % 2) {
        continue;
      }
      const std::string key = std::to_string(random() % 1000);
      model.push_back(&used[{p, key}]);
      items.push_back(
          policies[p]->item(key, static_cast<uint32_t>(random() % 4)));
      rl_item_t& item = items.back();
      item.dry_run = random() % 8 == 0;
      const bool admits = *model.back() + item.cost_units <= quotas[p];
      all = all && admits;
      enforced = enforced && (admits || item.dry_run);
    }
    if (items.empty()) {
      continue;
    }
    ASSERT_EQ(enforced ? RL_ADMITTED : RL_REFUSED,
              rl_decide(&process, items.data(), items.size(), &now));
    for (size_t i = 0; i < items.size(); ++i) {
      const rl_item_t& item = items[i];
      const uint64_t quota = item.quota.units;
      const bool admits = *model[i] + item.cost_units <= quota;
      const bool charges =
          (item.dry_run ? all : enforced) && item.cost_units > 0;
      ASSERT_EQ(admits, item.admitted != 0);
      ASSERT_EQ(charges, item.charged != 0);
      *model[i] += charges ? item.cost_units : 0;
      ASSERT_EQ(!admits && item.dry_run ? 0 : quota - *model[i],
                item.remaining_units);
    }
    if (random() % 8 == 0) {
      for (size_t i = 0; i < items.size(); ++i) {
        *model[i] -= items[i].charged ? items[i].cost_units : 0;
      }
      ASSERT_EQ(RL_ADMITTED,
                rl_refund(&process, items.data(), items.size(), &now));
    }
  }
}

}  // namespace
