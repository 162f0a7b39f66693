// Resetting all of a policy's keys.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "decide_fixture.h"

namespace {

constexpr uint64_t kHour = 60 * kMinute;
constexpr rl_algorithm_e kAll[] = {RL_SLIDING, RL_FIXED, RL_CALENDAR, RL_GCRA};

class PolicyReset : public Decide {
 protected:
  // As a request does it.
  rl_verdict_e ask(rl_item_t* item, uint64_t now_ms, uint32_t cost = 1) {
    const rl_time_t now = at(now_ms);
    item->cost_units = cost;
    if (!rl_check_name(item, nullptr, item, &now)) {
      EXPECT_FALSE(item->quota.unlimited);
      rl_empty_older(&process_, item, &now);
    }
    return item->policy->ban == nullptr
               ? rl_decide(&process_, item, 1, &now)
               : rl_decide_bans(&process_, item, 1, &now);
  }

  rl_verdict_e ask(const Policy& policy, const std::string& key,
                   uint64_t now_ms, uint32_t cost = 1) {
    rl_item_t item = policy.item(key);
    return ask(&item, now_ms, cost);
  }

  uint64_t reset(Policy* policy, uint64_t now_ms) {
    const rl_time_t now = at(now_ms);
    EXPECT_EQ(RL_OK, rl_policy_reset(&process_, policy->get(), &now));
    return rl_policy_reset_at(policy->get(), &now);
  }

  // When the last of what may be the policy's is idle.
  static uint64_t last_idle(Policy* policy) {
    uint64_t until_ms = 0;
    uint32_t set = 0;
    do {
      set = rl_scan_policy(policy->get(), set, 1, &until_ms);
    } while (set != 0);
    return until_ms;
  }
};

TEST_F(PolicyReset, GivesEveryKeyItsWholeQuotaOnce) {
  for (const rl_algorithm_e algorithm : kAll) {
    SCOPED_TRACE(algorithm);
    Policy p(arena_.zone(), "p" + std::to_string(algorithm), 10, kHour,
             algorithm);
    EXPECT_EQ(RL_ADMITTED, ask(p, "a", 1000, 10));
    EXPECT_EQ(RL_ADMITTED, ask(p, "b", 1000, 4));
    EXPECT_EQ(RL_REFUSED, ask(p, "a", 1001));
    reset(&p, 1001);
    EXPECT_EQ(RL_ADMITTED, ask(p, "a", 1002, 10));
    EXPECT_EQ(RL_REFUSED, ask(p, "a", 1002));
    EXPECT_EQ(RL_REFUSED, ask(p, "a", 2000));
    EXPECT_EQ(RL_ADMITTED, ask(p, "b", 2000, 10));
    EXPECT_EQ(RL_REFUSED, ask(p, "b", 2001));
  }
}

TEST_F(PolicyReset, LeavesOtherPoliciesAlone) {
  Policy p(arena_.zone(), "p", 1, kHour, RL_SLIDING);
  Policy q(arena_.zone(), "q", 1, kHour, RL_SLIDING);
  ask(p, "a", 1000);
  ask(q, "a", 1000);
  reset(&p, 1001);
  EXPECT_EQ(RL_ADMITTED, ask(p, "a", 1002));
  EXPECT_EQ(RL_REFUSED, ask(q, "a", 1002));
}

TEST_F(PolicyReset, IsForgottenWhenNothingOlderMatters) {
  Policy p(arena_.zone(), "p", 1, kHour, RL_SLIDING);
  Policy longer(arena_.zone(), "longer", 1, 10 * kHour, RL_FIXED);
  ask(p, "a", 1000);
  ask(longer, "a", 1000);
  const uint64_t at_ms = reset(&p, 2000);
  const uint64_t until_ms = last_idle(&p);
  EXPECT_GE(until_ms, 1000 + kHour);
  EXPECT_LT(until_ms, 1000 + 2 * kHour);
  rl_time_t now = at(2000);
  EXPECT_EQ(RL_ERROR, rl_policy_reset_until(&process_, p.get(), at_ms + 1,
                                            until_ms, &now));
  EXPECT_EQ(RL_OK,
            rl_policy_reset_until(&process_, p.get(), at_ms, until_ms, &now));
  now = at(until_ms - 1);
  EXPECT_EQ(at_ms, rl_policy_reset_at(p.get(), &now));
  now = at(until_ms);
  EXPECT_EQ(0u, rl_policy_reset_at(p.get(), &now));
  EXPECT_EQ(RL_ADMITTED, ask(p, "a", until_ms));
}

TEST_F(PolicyReset, OfAnEmptyZoneIsOverAtOnce) {
  Policy p(arena_.zone(), "p", 1, kHour, RL_SLIDING);
  const uint64_t at_ms = reset(&p, 1000);
  const rl_time_t now = at(1000);
  EXPECT_EQ(0u, last_idle(&p));
  EXPECT_EQ(RL_OK, rl_policy_reset_until(&process_, p.get(), at_ms, 0, &now));
  EXPECT_EQ(0u, rl_policy_reset_at(p.get(), &now));
}

TEST_F(PolicyReset, IsNotUndoneByThoseWhoComeBack) {
  for (const rl_algorithm_e algorithm : kAll) {
    SCOPED_TRACE(algorithm);
    Policy p(arena_.zone(), "p" + std::to_string(algorithm), 10, kHour,
             algorithm);
    ask(p, "a", 1000, 9);
    rl_item_t before = p.item("a");
    ASSERT_EQ(RL_ADMITTED, ask(&before, 1000));
    reset(&p, 1001);
    const rl_time_t now = at(1010);
    EXPECT_EQ(RL_ADMITTED, rl_settle(&process_, &before, 3, &now));
    EXPECT_EQ(RL_ADMITTED, ask(p, "a", 1020, 8));  // but for what came after
    EXPECT_EQ(RL_REFUSED, ask(p, "a", 1020));
  }
}

TEST_F(PolicyReset, IsNotUndoneByUnitsThatNobodyWaitsForAnyMore) {
  Policy p(arena_.zone(), "p", 10, kMinute, RL_GCRA);
  ASSERT_EQ(RL_ADMITTED, ask(p, "a", 1000, 10));
  rl_item_t waits = p.item("a");
  rl_time_t now = at(1000);
  ASSERT_EQ(RL_PENDING, rl_try_or_reserve(&process_, &waits, kMinute, &now));
  reset(&p, 1001);
  now = at(1010);
  EXPECT_EQ(0, rl_return_reserved(&process_, &waits, &now));
  EXPECT_EQ(RL_ADMITTED, ask(p, "a", 1020, 10));
  EXPECT_EQ(RL_REFUSED, ask(p, "a", 1020));
}

TEST_F(PolicyReset, LiftsBans) {
  rl_ban_t ban = {{kHour}, 1, 2, 0};
  Policy p(arena_.zone(), "p", 1, kMinute, RL_SLIDING);
  p.get()->ban = &ban;
  for (int i = 0; i < 3; ++i) {
    ask(p, "a", 1000);
  }
  rl_time_t now = at(1001);
  const uint64_t key = p.item("a").bucket.lo;
  uint64_t until_ms = 0;
  EXPECT_EQ(1, rl_banned_until(&process_, p.get(), key, &now, &until_ms));
  EXPECT_EQ(1000 + kHour, until_ms);
  reset(&p, 1001);
  EXPECT_EQ(0, rl_banned_until(&process_, p.get(), key, &now, &until_ms));
  EXPECT_EQ(RL_ADMITTED, ask(p, "a", 1002));
  EXPECT_EQ(RL_REFUSED, ask(p, "a", 1003));
  EXPECT_EQ(0, rl_banned_until(&process_, p.get(), key, &now, &until_ms));
}

TEST_F(PolicyReset, OfMachinesCountsForAsLongAsTheirBucketsDo) {
  const auto span_ms = [this](rl_algorithm_e algorithm, uint64_t capacity,
                              const rl_quota_t* quota) {
    Policy p(arena_.zone(), "p", 10, kHour, algorithm);
    p.get()->capacity_units = capacity;
    rl_override_t mark;
    rl_policy_shared_mark(p.get(), quota, &mark);
    EXPECT_EQ(RL_OVERRIDE_RESET, mark.kind);
    return mark.until_ms;
  };
  rl_quota_t quota = {};
  quota.units = 10;
  quota.window_ms = kHour;
  EXPECT_EQ(2 * kHour + kMinute, span_ms(RL_SLIDING, 0, &quota));
  EXPECT_EQ(2 * kHour + kMinute, span_ms(RL_FIXED, 0, &quota));
  EXPECT_EQ(2 * 31 * kHour + kMinute, span_ms(RL_GCRA, 300, &quota));
  const uint64_t longest = 2 * RL_MAX_WINDOW_MS;
  EXPECT_EQ(longest, span_ms(RL_GCRA, RL_MAX_UNITS, &quota));
  EXPECT_EQ(longest, span_ms(RL_SLIDING, 0, nullptr));
  quota.units = 0;
  EXPECT_EQ(longest, span_ms(RL_GCRA, 300, &quota));
}

TEST_F(PolicyReset, OfMachinesIsOneThatCanBeTold) {
  Policy p(arena_.zone(), "p", 1, kHour, RL_SLIDING);
  rl_time_t now = at(1000);
  EXPECT_EQ(0u, rl_policy_shared_reset(p.get(), &now));
  reset(&p, 1000);
  EXPECT_EQ(0u, rl_policy_shared_reset(p.get(), &now)) << "of this zone only";
  rl_override_t mark;
  rl_policy_shared_mark(p.get(), nullptr, &mark);
  mark.value = 1795880000000;
  mark.until_ms = 2000;
  mark.key_id = 1001;
  ASSERT_EQ(RL_OK,
            rl_override_set(&process_, arena_.zone(), &mark, &now));
  EXPECT_EQ(1795880000000u, rl_policy_shared_reset(p.get(), &now));
  EXPECT_EQ(1001u, rl_policy_reset_at(p.get(), &now));
  now = at(2000);
  EXPECT_EQ(0u, rl_policy_shared_reset(p.get(), &now));
}

TEST_F(PolicyReset, ShowsAmongOverridesAndIsNone) {
  Policy p(arena_.zone(), "p", 1, kHour, RL_SLIDING);
  reset(&p, 1000);
  const rl_time_t now = at(1000);
  rl_override_t out[RL_MAX_OVERRIDES];
  ASSERT_EQ(1u, rl_overrides(arena_.zone(), &now, out));
  EXPECT_EQ(RL_OVERRIDE_RESET, out[0].kind);
  rl_item_t item = p.item("a");
  EXPECT_EQ(0, rl_override_apply(p.get(), &item.bucket, &now, &item.quota));
  EXPECT_EQ(1u, item.quota.units);
}

}  // namespace
