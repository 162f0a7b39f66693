// The way that most requests take through the core against the way that all
// could take: the answers, the counts and every byte of the table are the
// same.

#include <cstring>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "arena.h"
#include "ratelimit/registry.h"

namespace {

constexpr size_t kZoneSize = 64 * 1024;  // 899 buckets: new ones displace some

struct Side {
  Arena arena{kZoneSize};
  SharedMemory counters{rl_counters_size()};
  rl_process_t process = arena.join();
  Policy policy;

  explicit Side(rl_algorithm_e algorithm)
      : policy(arena.zone(), "p", 5, 60000, algorithm) {
    rl_counters_create(counters.get());
    rl_counters_renew(counters.get());
    policy.get()->counters =
        rl_counters_find(counters.get(), str("p"), str("zone"), 1);
  }
};

rl_verdict_e decide_in_turn(Side* side, const std::string& key,
                            const rl_time_t& now, rl_item_t* item) {
  const rl_hash_t bucket = side->policy.item(key).bucket;
  item->bucket = bucket;
  item->want_next = 1;  // that is never on the shorter way
  rl_lever_apply(item->policy, &bucket, &now, &item->quota);
  if (item->quota.unlimited) return RL_BYPASSED;
  item->capacity_units = item->quota.units;
  const rl_verdict_e verdict = rl_decide(&side->process, item, 1, &now);
  rl_count_decision(&side->process, item, 1, verdict, &now);
  return verdict;
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
  ASSERT_EQ(a.receipt, b.receipt);
}

class DecideKey : public testing::TestWithParam<rl_algorithm_e> {};

TEST_P(DecideKey, IsWhatItsPartsAreInTurn) {
  Side turn(GetParam());
  Side once(GetParam());
  std::mt19937_64 random(3);
  uint64_t now_ms = 1000000;
  for (int i = 0; i < 40000; ++i) {
    const uint64_t step = random() % 1000;
    now_ms += step < 900 ? step / 20 : step < 990 ? step : 0;
    const rl_time_t now = at(random() % 50 ? now_ms : now_ms - 20);
    if (random() % 500 == 0) {
      const rl_lever_t lever = {RL_LEVER_ZONE, now.mono_ms + random() % 5000,
                                static_cast<rl_lever_kind_e>(1 + random() % 3),
                                static_cast<uint32_t>(random() % 3 * 50000)};
      ASSERT_EQ(rl_lever_set(turn.arena.zone(), &lever, &now),
                rl_lever_set(once.arena.zone(), &lever, &now));
    }
    const std::string text =
        std::to_string(random() % (random() % 2 ? 40 : 2000));
    const rl_part_t part = {0x3a677261, 4, str(text)};
    rl_item_t a = turn.policy.item("");
    a.cost_units = static_cast<uint32_t>(random() % 8 ? 1 : random() % 8);
    a.dry_run = random() % 20 == 0;
    rl_item_t b = a;
    b.policy = once.policy.get();
    ASSERT_EQ(decide_in_turn(&turn, "arg:" + text, now, &a),
              rl_decide_key(&once.process, &b, &part, &now));
    expect_equal(a, b);
    if (HasFatalFailure()) return;
  }
  uint64_t in_turn[RL_COUNTERS];
  uint64_t at_once[RL_COUNTERS];
  rl_counts(turn.policy.get(), in_turn);
  rl_counts(once.policy.get(), at_once);
  for (int what = 0; what < RL_COUNTERS; ++what) {
    EXPECT_EQ(in_turn[what], at_once[what]) << what;
  }
  EXPECT_GT(at_once[RL_COUNT_ADMITTED], 10000u);
  EXPECT_GT(at_once[RL_COUNT_REFUSED], 1000u);
  const rl_zone_t* zone = turn.arena.zone();
  EXPECT_EQ(0, std::memcmp(ratelimit::set_at(zone, 0),
                           ratelimit::set_at(once.arena.zone(), 0),
                           zone->sets * sizeof(ratelimit::Set)));
  rl_zone_stats_t stats;
  const rl_time_t now = at(now_ms);
  rl_zone_stats(zone, 1, &now, &stats);
  EXPECT_GT(stats.evicted_idle + stats.evicted_live, 1000u);
}

INSTANTIATE_TEST_SUITE_P(Algorithms, DecideKey,
                         testing::Values(RL_SLIDING, RL_FIXED, RL_CALENDAR,
                                         RL_GCRA));

// A process without a place in the register cannot decide.
TEST(DecideKeyAlone, IsBusyWithoutARegister) {
  Side side(RL_SLIDING);
  rl_process_t nobody = {};
  rl_item_t item = side.policy.item("");
  const rl_part_t part = {0, 0, str("key")};
  const rl_time_t now = at(1000);
  EXPECT_EQ(RL_BUSY, rl_decide_key(&nobody, &item, &part, &now));
}

}  // namespace
