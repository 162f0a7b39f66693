// Decisions over several policies, as one process sees them.

#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "arena.h"
#include "ratelimit/table/zone.h"

namespace {

constexpr uint64_t kMinute = 60000;
constexpr size_t kOneSet =
    sizeof(ratelimit::ZoneHeader) + sizeof(ratelimit::Set) + sizeof(uint64_t);

class Decide : public testing::Test {
 protected:
  rl_verdict_e decide(std::vector<rl_item_t>* items, uint64_t now_ms = 1000) {
    const rl_time_t now = at(now_ms);
    return rl_decide(&process_, items->data(), items->size(), &now);
  }

  rl_verdict_e decide(rl_item_t* item, uint64_t now_ms = 1000) {
    const rl_time_t now = at(now_ms);
    return rl_decide(&process_, item, 1, &now);
  }

  rl_item_t look(rl_item_t item, uint64_t now_ms = 1000) {
    const rl_time_t now = at(now_ms);
    EXPECT_NE(RL_TIMEOUT, rl_look(&process_, &item, 1, &now));
    return item;
  }

  uint64_t buckets(size_t zone = 0) {
    rl_zone_stats_t stats;
    const rl_time_t now = at(1000);
    rl_zone_stats(arena_.zone(zone), 1, &now, &stats);
    return stats.entries;
  }

  Arena arena_{64 * 1024, 2};
  rl_process_t process_ = arena_.join();
  const Policy ten_{arena_.zone(), "ten", 10, kMinute};
  const Policy two_{arena_.zone(), "two", 2, kMinute};
  const Policy other_{arena_.zone(1), "other", 5, kMinute};
};

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

TEST_F(Decide, ARefundGivesBackWhatWasCharged) {
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

TEST_F(Decide, ARefundNeverCreditsALaterWindow) {
  rl_item_t first = ten_.item("k", 3);
  ASSERT_EQ(RL_ADMITTED, decide(&first, 1000));
  rl_item_t later = ten_.item("k", 4);
  ASSERT_EQ(RL_ADMITTED, decide(&later, 70000));
  const rl_time_t now = at(70000);
  ASSERT_EQ(RL_ADMITTED, rl_refund(&process_, &first, 1, &now));
  EXPECT_EQ(6u, look(ten_.item("k"), 70000).remaining_units);
  EXPECT_EQ(6u, first.remaining_units);
}

TEST_F(Decide, SettlingChargesOrReturnsTheDifference) {
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
TEST_F(Decide, WhatWasSettledInAnotherWindowIsGivenBack) {
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

TEST_F(Decide, SettlingALookChargesAndMakesTheBucket) {
  const rl_time_t now = at(1000);
  rl_item_t item = ten_.item("k", 0);
  ASSERT_EQ(RL_ADMITTED, decide(&item));
  ASSERT_EQ(RL_ADMITTED, rl_settle(&process_, &item, 4, &now));
  EXPECT_TRUE(item.charged);
  EXPECT_EQ(6u, look(ten_.item("k")).remaining_units);
  ASSERT_EQ(RL_ADMITTED, rl_refund(&process_, &item, 1, &now));
  EXPECT_EQ(10u, look(ten_.item("k")).remaining_units);
}

TEST_F(Decide, SettlingOneThatWasNotChargedInDryRunChangesNothing) {
  const rl_time_t now = at(1000);
  rl_item_t item = ten_.item("k", 11);
  item.dry_run = 1;
  ASSERT_EQ(RL_ADMITTED, decide(&item));
  ASSERT_EQ(RL_ADMITTED, rl_settle(&process_, &item, 5, &now));
  EXPECT_EQ(10u, look(ten_.item("k")).remaining_units);
  EXPECT_EQ(0u, buckets());
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
      const uint32_t quota = item.quota.units;
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

class MostRestrictive : public testing::Test {
 protected:
  rl_item_t item(uint32_t remaining, uint32_t cost, uint64_t reset_ms) {
    rl_item_t out = policy_.item("k", cost);
    out.admitted = 1;
    out.remaining_units = remaining;
    out.reset_ms = reset_ms;
    return out;
  }
  rl_item_t refusing(uint64_t retry_ms, int dry_run = 0) {
    rl_item_t out = item(0, 1, retry_ms);
    out.admitted = 0;
    out.dry_run = dry_run;
    out.retry_after_ms = retry_ms;
    return out;
  }
  long picked(const std::vector<rl_item_t>& items,
              const unsigned char* skip = nullptr) {
    const rl_item_t* best =
        rl_most_restrictive(items.data(), items.size(), skip);
    return best == nullptr ? -1 : best - items.data();
  }

  Arena arena_{64 * 1024};
  Policy policy_{arena_.zone(), "p", 10, kMinute};
  Policy hidden_{arena_.zone(), "h", 10, kMinute};
};

TEST_F(MostRestrictive, IsTheRefusingOneThatTakesLongest) {
  EXPECT_EQ(2, picked({item(0, 1, 9), refusing(5), refusing(7), refusing(6)}));
}

TEST_F(MostRestrictive, ElseTheOneNearestToRefusing) {
  EXPECT_EQ(1, picked({item(5, 1, 9), item(4, 1, 9), item(6, 1, 9)}));
  EXPECT_EQ(0, picked({item(5, 2, 9), item(4, 1, 9)})) << "2.5 requests left";
  EXPECT_EQ(1, picked({item(5, 0, 9), item(4, 1, 9)})) << "0 divides as 1";
  EXPECT_EQ(1, picked({item(4, 2, 8), item(2, 1, 9)})) << "the longest reset";
  EXPECT_EQ(0, picked({item(999999998, 999999999, 9),
                       item(999999999, 999999999, 9)}));
}

TEST_F(MostRestrictive, IsNoRefusalInDryRunWhereOneIsInEarnest) {
  EXPECT_EQ(1, picked({refusing(9, 1), refusing(5)}));
  EXPECT_EQ(1, picked({item(0, 1, 9), refusing(5, 1)}));
}

TEST_F(MostRestrictive, IsNeitherHiddenNorSkipped) {
  hidden_.get()->hidden = 1;
  rl_item_t hidden = refusing(9);
  hidden.policy = hidden_.get();
  EXPECT_EQ(1, picked({hidden, item(5, 1, 9)}));
  const unsigned char skip[] = {0, 1};
  EXPECT_EQ(-1, picked({hidden, item(5, 1, 9)}, skip));
  EXPECT_EQ(-1, picked({}));
}

}  // namespace
