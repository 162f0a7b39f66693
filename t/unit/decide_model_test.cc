// Decisions against a plain model of them: the answers, the counts and every
// byte of the table are the same.

#include <array>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "arena.h"
#include "decide_model.h"
#include "ratelimit/statistics/counters.h"
#include "ratelimit/table/process_table.h"

namespace {

constexpr size_t kZoneSize = 64 * 1024;  // 930 buckets: new ones displace some

struct Side {
  Arena arena{kZoneSize};
  SharedMemory counters{rl_counters_size()};
  rl_process_t process = arena.join();
  Policy policies[3];
  rl_hash_prefix_t prefix;

  explicit Side(rl_algorithm_e algorithm)
      : policies{{arena.zone(), "p", 5, 60000, algorithm},
                 {arena.zone(), "q", 40, 600000, algorithm},
                 {arena.zone(), "r", 70000, 7000, algorithm}} {
    rl_hash_prefix(arena.zone(), str(""), &prefix);
    rl_counters_create(counters.get());
    rl_counters_renew(counters.get());
    for (Policy& policy : policies) {
      policy.get()->counters =
          rl_counters_find(counters.get(), policy.get()->name, str("zone"), 1);
    }
  }
};

// A request's policies, of one key or of several.
constexpr size_t kPolicies = 3;

// same[i]: 0, or 1 + the index of an earlier item whose key item i has.
using Same = std::array<size_t, kPolicies>;

rl_verdict_e decide_by_model(Side* side, const std::vector<std::string>& keys,
                             const Same& same, const rl_time_t& now,
                             rl_item_t* items) {
  for (size_t i = 0; i < keys.size(); ++i) {
    items[i].bucket =
        side->policies[i].item(keys[same[i] == 0 ? i : same[i] - 1]).bucket;
    items[i].capacity_units = items[i].quota.units;
  }
  const rl_verdict_e verdict =
      ratelimit::decide_plainly(&side->process, items, keys.size(), now);
  ratelimit::count_decision(&side->process, items, keys.size(), verdict,
                            now.mono_ms);
  return verdict;
}

rl_verdict_e name_and_decide(Side* side, const std::vector<std::string>& keys,
                             const Same& same, const rl_time_t& now,
                             rl_item_t* items) {
  for (size_t i = 0; i < keys.size(); ++i) {
    const rl_part_t part = {&side->prefix, str(keys[i])};
    EXPECT_TRUE(rl_check_name(&items[i], same[i] == 0 ? &part : nullptr,
                              same[i] == 0 ? nullptr : &items[same[i] - 1],
                              &now));
  }
  return rl_decide(&side->process, items, keys.size(), &now);
}

void expect_equal(const rl_item_t& a, const rl_item_t& b) {
  ASSERT_EQ(a.bucket.lo, b.bucket.lo);
  ASSERT_EQ(a.bucket.hi, b.bucket.hi);
  ASSERT_EQ(a.quota.units, b.quota.units);
  ASSERT_EQ(a.capacity_units, b.capacity_units);
  ASSERT_EQ(a.admitted, b.admitted);
  ASSERT_EQ(a.charged, b.charged);
  ASSERT_EQ(a.limit_units, b.limit_units);
  ASSERT_EQ(a.remaining_units, b.remaining_units);
  ASSERT_EQ(a.reset_ms, b.reset_ms);
  ASSERT_EQ(a.retry_after_ms, b.retry_after_ms);
  if (a.want_next) {
    ASSERT_EQ(a.next_ms, b.next_ms);
  }
  ASSERT_EQ(a.charge_id, b.charge_id);
}

class DecideModel : public testing::TestWithParam<rl_algorithm_e> {};

TEST_P(DecideModel, AgreesToTheByte) {
  Side turn(GetParam());
  Side once(GetParam());
  std::mt19937_64 random(3);
  uint64_t now_ms = 1000000;
  for (int i = 0; i < 60000; ++i) {
    const uint64_t step = random() % 1000;
    now_ms += step < 900 ? step / 20 : step < 990 ? step : 0;
    const rl_time_t now = at(random() % 50 ? now_ms : now_ms - 20);
    const size_t n = random() % 2 ? 1 : 1 + random() % kPolicies;
    std::vector<std::string> keys(n);
    Same same = {};
    rl_item_t a[kPolicies];
    rl_item_t b[kPolicies];
    for (size_t j = 0; j < n; ++j) {
      const uint64_t of = random() % 2 ? 40 : 2000;
      keys[j] = std::to_string(random() % of);
      a[j] = turn.policies[j].item("");
      a[j].cost_units = static_cast<uint32_t>(random() % 8 ? 1 : random() % 8);
      a[j].dry_run = random() % 20 == 0;
      a[j].want_next = random() % 2;
      same[j] = j > 0 ? random() % (j + 1) : 0;
      if (same[j] != 0 && same[same[j] - 1] != 0) same[j] = 0;
      b[j] = a[j];
      b[j].policy = once.policies[j].get();
    }
    ASSERT_EQ(decide_by_model(&turn, keys, same, now, a),
              name_and_decide(&once, keys, same, now, b));
    for (size_t j = 0; j < n; ++j) {
      expect_equal(a[j], b[j]);
    }
    if (HasFatalFailure()) return;
  }
  for (size_t j = 0; j < kPolicies; ++j) {
    uint64_t in_turn[RL_COUNTERS];
    uint64_t at_once[RL_COUNTERS];
    rl_counts(turn.policies[j].get(), in_turn);
    rl_counts(once.policies[j].get(), at_once);
    for (int what = 0; what < RL_COUNTERS; ++what) {
      EXPECT_EQ(in_turn[what], at_once[what]) << what;
    }
    EXPECT_GT(at_once[RL_COUNT_ADMITTED], j == 0 ? 10000u : 3000u);
  }
  uint64_t counts[RL_COUNTERS];
  rl_counts(once.policies[0].get(), counts);
  EXPECT_GT(counts[RL_COUNT_REFUSED], 1000u);
  const rl_zone_t* zone = turn.arena.zone();
  EXPECT_EQ(0, std::memcmp(ratelimit::set_at(zone, 0),
                           ratelimit::set_at(once.arena.zone(), 0),
                           zone->sets * sizeof(ratelimit::Set)));
  rl_zone_stats_t stats;
  const rl_time_t now = at(now_ms);
  rl_zone_stats(zone, 1, &now, &stats);
  EXPECT_GT(stats.evicted_idle + stats.evicted_active, 1000u);
}

INSTANTIATE_TEST_SUITE_P(Algorithms, DecideModel,
                         testing::Values(RL_SLIDING, RL_FIXED, RL_CALENDAR,
                                         RL_GCRA, RL_CONCURRENT));

// A process without a place in the process table cannot decide.
TEST(DecideModelAlone, IsBusyWithoutAProcessTable) {
  Side side(RL_SLIDING);
  rl_process_t nobody = {};
  rl_item_t items[] = {side.policies[0].item("key"),
                       side.policies[1].item("key")};
  const rl_time_t now = at(1000);
  for (size_t n = 1; n <= 2; ++n) {
    EXPECT_EQ(RL_TIMEOUT, rl_decide(&nobody, items, n, &now));
  }
}

}  // namespace
