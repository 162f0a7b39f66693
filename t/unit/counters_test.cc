// Counters, the lists of top keys, and looking at a zone from outside.

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>

#include "arena.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/statistics/counters.h"

namespace {

class CountersTest : public testing::Test {
 protected:
  CountersTest() : arena_(1 << 18), memory_(rl_counters_size()) {
    rl_counters_create(memory_.get());
    rl_counters_renew(memory_.get());
    process_ = arena_.join();
  }

  void* find(const std::string& name, bool make = true) {
    return rl_counters_find(memory_.get(), str(name), str("zone"), make);
  }

  void attach(Policy* policy, const std::string& name) {
    policy->get()->counters = find(name);
    ASSERT_NE(policy->get()->counters, nullptr);
  }

  rl_verdict_e decide(rl_item_t* item, uint64_t now_ms) {
    const rl_time_t now = at(now_ms);
    return rl_decide(&process_, item, 1, &now);
  }

  static uint64_t count_of(Policy* policy, rl_counter_e what) {
    uint64_t counts[RL_COUNTERS];
    rl_counts(policy->get(), counts);
    return counts[what];
  }

  static std::vector<rl_top_key_t> list(Policy* policy, rl_top_e which,
                                        uint64_t now_ms, size_t max = 64) {
    std::vector<rl_top_key_t> out(max);
    const rl_time_t now = at(now_ms);
    out.resize(rl_top_keys(policy->get(), which, &now, out.data(), max));
    return out;
  }

  // Counts a request of the key as decided, without deciding it.
  void pretend(Policy* policy, const std::string& key, bool admitted,
               uint64_t now_ms) {
    rl_item_t item = policy->item(key);
    item.admitted = admitted;
    ratelimit::count_decision(&process_, &item, 1,
                              admitted ? RL_ADMITTED : RL_REFUSED, now_ms);
  }

  Arena arena_;
  SharedMemory memory_;
  rl_process_t process_ = {};
};

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
  uint32_t used = 0;
  for (const uint32_t cost : {0u, 1u, 10u, 1u}) {
    for (const uint32_t final_units : {0u, 1u, 7u, 30u}) {
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
  EXPECT_NE(first, rl_counters_find(memory_.get(), str("first"), str("other"),
                                    1));
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

TEST_F(CountersTest, ASingleRequestIsSeenBehindAHalving) {
  Policy policy(arena_.zone(), "p", 7, 60000);
  attach(&policy, "p");
  pretend(&policy, "k", false, 32767);
  EXPECT_EQ(list(&policy, RL_TOP_REFUSED, 32767)[0].requests_last_minute, 1u);
  EXPECT_EQ(list(&policy, RL_TOP_REFUSED, 32768)[0].requests_last_minute, 1u);
  EXPECT_EQ(list(&policy, RL_TOP_REFUSED, 2 * 32768)[0].requests_last_minute, 0u);
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

// ------------------------------------------------------------------- labels

class LabelsTest : public CountersTest {
 protected:
  LabelsTest() : policy_(arena_.zone(), "p", 3, 60000) {
    attach(&policy_, "p");
  }

  uint64_t id(const std::string& key) const {
    return policy_.item(key).bucket.lo;
  }
  bool wants(const std::string& key) {
    return rl_key_wants_label(policy_.get(), id(key)) != 0;
  }
  void label(const std::string& key, const std::string& text,
             uint64_t now_ms = 2000) {
    const rl_time_t now = at(now_ms);
    rl_label_key(policy_.get(), id(key), str(text), &now);
  }
  std::string label_of(const std::string& key) {
    unsigned char buf[RL_LABEL_LEN];
    const size_t len = rl_key_label(policy_.get(), id(key), buf);
    return {reinterpret_cast<const char*>(buf), len};
  }

  Policy policy_;
};

TEST_F(LabelsTest, OnlyListedKeysHaveOne) {
  EXPECT_FALSE(wants("k"));
  label("k", "nobody");
  EXPECT_EQ(label_of("k"), "");
  pretend(&policy_, "k", false, 1000);
  EXPECT_TRUE(wants("k"));
  EXPECT_EQ(label_of("k"), "");
  label("k", "acme");
  EXPECT_FALSE(wants("k"));
  EXPECT_EQ(label_of("k"), "acme");
  EXPECT_EQ(label_of("other"), "");
}

TEST_F(LabelsTest, OfEitherList) {
  pretend(&policy_, "k", true, 1000);
  label("k", "acme");
  EXPECT_EQ(label_of("k"), "acme");
  pretend(&policy_, "k", false, 1000);  // and now the other list's too
  EXPECT_TRUE(wants("k"));
  EXPECT_EQ(label_of("k"), "acme");
  label("k", "acme");
  EXPECT_FALSE(wants("k"));
}

TEST_F(LabelsTest, SixtyFourBytesAndNoHalfCharacter) {
  pretend(&policy_, "k", false, 1000);
  const std::string text(64, 'x');
  label("k", text);
  EXPECT_EQ(label_of("k"), text);
  label("k", text + "y");
  EXPECT_EQ(label_of("k"), text);
  label("k", std::string(63, 'x') + "\xc3\xa9");
  EXPECT_EQ(label_of("k"), std::string(63, 'x'));
  label("k", std::string(62, 'x') + "\xc3\xa9");
  EXPECT_EQ(label_of("k"), std::string(62, 'x') + "\xc3\xa9");
  label("k", std::string(100, '\x80'));
  EXPECT_EQ(label_of("k"), "");
}

TEST_F(LabelsTest, WhoTakesAPlaceDoesNotTakeItsLabel) {
  uint64_t now_ms = 1000;
  for (int i = 0; i < 64; ++i) {
    const std::string key = "first" + std::to_string(i);
    pretend(&policy_, key, false, now_ms);
    label(key, key);
  }
  for (int i = 0; i < 2000; ++i) {
    pretend(&policy_, "second" + std::to_string(i), false, ++now_ms);
  }
  size_t second = 0;
  for (const rl_top_key_t& top : list(&policy_, RL_TOP_REFUSED, now_ms)) {
    unsigned char buf[RL_LABEL_LEN];
    const size_t len = rl_key_label(policy_.get(), top.key_id, buf);
    if (len == 0) {
      EXPECT_TRUE(rl_key_wants_label(policy_.get(), top.key_id));
      ++second;
      continue;
    }
    EXPECT_EQ(id({reinterpret_cast<const char*>(buf), len}), top.key_id);
  }
  EXPECT_GT(second, 30u);
}

// Two writers of one label, and a reader that must not see a mix.
TEST_F(LabelsTest, NobodyReadsHalfOfOne) {
  pretend(&policy_, "k", false, 1000);
  const std::string a(64, 'a');
  const std::string b(64, 'b');
  label("k", a);
  std::atomic<bool> stop{false};
  std::thread one([&] { while (!stop) label("k", a); });
  std::thread two([&] { while (!stop) label("k", b); });
  for (int i = 0; i < 20000; ++i) {
    const std::string text = label_of("k");
    if (text != "" && text != a && text != b) {
      ADD_FAILURE() << text;
      break;
    }
  }
  stop = true;
  one.join();
  two.join();
}

TEST_F(CountersTest, AScanCanBeCutIntoTurns) {
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
    next = rl_zone_scan(arena_.zone(), next, 10, &now, &cut);
    ++turns;
  } while (next != 0);
  EXPECT_EQ(turns, (static_cast<int>(arena_.zone()->sets) + 9) / 10);
  EXPECT_EQ(cut.entries, whole.entries);
  EXPECT_EQ(cut.active, whole.active);
  EXPECT_EQ(rl_zone_scan(arena_.zone(), UINT32_MAX, 10, &now, &cut), 0u);
  EXPECT_EQ(cut.entries, whole.entries);
}

TEST_F(CountersTest, ABucketIsFoundByItsIdAndCleared) {
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

TEST_F(CountersTest, ARefundAfterAResetGivesNothing) {
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
