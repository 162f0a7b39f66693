// `gcra` against the theoretical arrival time, and against the table that
// throttled (Go) and redis-cell (Rust) publish as their test.

#include "ratelimit/algorithm/gcra.h"

#include <gtest/gtest.h>

#include <cstring>

#include "bucket_models.h"

namespace ratelimit {
namespace {

constexpr uint64_t kDayMs = 86400000;
constexpr uint64_t kLastMs = (uint64_t{1} << 40) - 1;
constexpr uint64_t kWindowsMs[] = {
    1, 2, 3, 17, 1000, 3000, 60000, 3600000, kDayMs, RL_MAX_WINDOW_MS};
constexpr uint64_t kQuotas[] = {
    1,           2,           3,       7,         100,
    1000,        65536,       1000000, 999999999, uint64_t{1} << 30,
    50000000000, RL_MAX_UNITS};

Shape shape_of(uint64_t units, uint64_t window_ms, uint64_t capacity_units) {
  return {RL_GCRA, units, capacity_units, 0, window_ms, 0};
}

rl_time_t at(uint64_t mono_ms) {
  return {mono_ms, 0};
}

TEST(Gcra, AgreesWithThePublishedTable) {
  // One a second, five at once.  There, a request is told of what is left and
  // of the reset after it, and a retry of -1 where there is none to tell.
  struct Case {
    uint64_t now_ms;
    uint64_t cost;
    uint64_t remaining;
    uint64_t reset_ms;
    int64_t retry_ms;
    bool limited;
  };
  constexpr Case kCases[] = {
      {0, 6, 5, 0, -1, true},  // never
      {0, 1, 4, 1000, -1, false},    {0, 1, 3, 2000, -1, false},
      {0, 1, 2, 3000, -1, false},    {0, 1, 1, 4000, -1, false},
      {0, 1, 0, 5000, -1, false},    {0, 1, 0, 5000, 1000, true},
      {3000, 1, 2, 3000, -1, false}, {3100, 1, 1, 3900, -1, false},
      {4000, 1, 1, 4000, -1, false}, {8000, 1, 4, 1000, -1, false},
      {9500, 1, 4, 1000, -1, false}, {9500, 0, 4, 1000, -1, false},  // a look
      {9500, 2, 2, 3000, -1, false}, {9500, 5, 2, 3000, 3000, true},
  };
  Store store(shape_of(1, 1000, 5), at(0));
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << "case " << &c - kCases);
    const rl_time_t now = at(c.now_ms);
    const Evaluation asked = store.decide(now, c.cost);
    EXPECT_EQ(asked.admitted, !c.limited);
    const Evaluation after = store.look(now, 0);
    EXPECT_EQ(after.remaining_units, c.remaining);
    EXPECT_EQ(after.reset_ms, c.reset_ms);
    // Where waiting does not help the window is told.
    const uint64_t retry = !c.limited ? 0
                           : c.retry_ms < 0
                               ? 1000
                               : static_cast<uint64_t>(c.retry_ms);
    EXPECT_EQ(asked.retry_after_ms, retry);
  }
}

// Costs, debts, changed quotas and steps back, against the arrival time.
void compare(uint64_t units, uint64_t window_ms, uint64_t capacity_units,
             uint64_t start_ms, uint64_t steps, uint64_t seed) {
  Random random(seed);
  uint64_t now = start_ms;
  Store store(shape_of(units, window_ms, capacity_units), at(now));
  ExactGcra model = {units, window_ms, capacity_units};
  for (uint64_t i = 0; i < steps && now < kLastMs; i++) {
    const uint64_t unit_ms = window_ms / model.units;
    const uint64_t gaps[] = {0,
                             0,
                             1,
                             unit_ms,
                             unit_ms + 1,
                             window_ms / 3,
                             random.one_in(50) ? 3 * window_ms : 0};
    now = std::min(now + random.of(gaps), kLastMs);
    uint64_t seen = now;
    if (random.one_in(20)) seen -= std::min<uint64_t>(seen, random.below(9));
    const uint64_t stamp = store.bucket.stamp;
    const uint64_t t = std::max(seen, stamp);  // clamped

    const uint64_t cap = model.capacity_units;
    const uint64_t costs[] = {0, 1, 1, 2, cap / 3 + 1, cap, cap + 1};
    const uint64_t cost = random.of(costs);
    if (model.ahead(t) > 0 && model.is_faster(store.shape)) {
      model.adopt(t, store.shape);
    }
    const Store before = store;
    const Evaluation s = store.decide(at(seen), cost);
    ASSERT_EQ(s.admitted, model.admits(t, cost));
    ASSERT_TRUE(model.admits(t, s.remaining_units));
    ASSERT_FALSE(model.admits(t, s.remaining_units + 1));
    ASSERT_EQ(s.reset_ms == 0, model.ahead(t) == 0);
    if (s.reset_ms >= uint64_t{1} << 60) return;  // saturated
    if (s.reset_ms > 0) {
      ASSERT_EQ(model.ahead(seen + s.reset_ms), 0);
      ASSERT_GT(model.ahead(seen + s.reset_ms - 1), 0);
      ASSERT_EQ(idle_at_ms(before.at(at(seen))), seen + s.reset_ms);
      ASSERT_TRUE(model.admits(seen + s.next_ms, s.remaining_units + 1));
      ASSERT_FALSE(model.admits(seen + s.next_ms - 1, s.remaining_units + 1));
    }
    if (s.admitted) {
      ASSERT_EQ(s.retry_after_ms, 0u);
    } else if (cost > cap) {
      ASSERT_EQ(s.retry_after_ms, store.shape.window_ms);
    } else {
      ASSERT_TRUE(model.admits(seen + s.retry_after_ms, cost));
      ASSERT_FALSE(model.admits(seen + s.retry_after_ms - 1, cost));
      ASSERT_TRUE(store.look(at(seen + s.retry_after_ms), cost).admitted);
    }
    if (s.admitted && cost > 0) {
      model.adopt(t, store.shape);
      model.charge(t, cost);
    }
    if (random.one_in(100)) {
      const uint64_t debt = 1 + random.below(2 * cap);
      const ExactGcra::Wide most =
          ExactGcra::Wide{kMaxHeldUnits} * model.window_ms;
      if (model.ahead(t) + ExactGcra::Wide{debt} * model.window_ms <= most) {
        store.force(at(seen), debt);
        model.adopt(t, store.shape);
        model.charge(t, debt);
      }
    }
    if (random.one_in(200)) {
      if (random.one_in(3)) store.shape.units = random.of(kQuotas);
      if (random.one_in(3)) store.shape.window_ms = random.of(kWindowsMs);
      if (random.one_in(3)) store.shape.capacity_units = random.of(kQuotas);
      model.capacity_units = store.shape.capacity_units;
    }
  }
}

TEST(Gcra, AgreesWithTheTheoreticalArrivalTime) {
  uint64_t seed = 1;
  for (const uint64_t units : kQuotas) {
    for (const uint64_t window_ms : kWindowsMs) {
      for (const uint64_t capacity :
           {uint64_t{1}, uint64_t{2}, units / 2 + 1, units,
            uint64_t{500000000}, uint64_t{1} << 40, RL_MAX_UNITS}) {
        SCOPED_TRACE(testing::Message()
                     << units << "/" << window_ms << "ms, " << capacity);
        const uint64_t start = seed % 3 * 100000000;
        compare(units, window_ms, capacity, start, 10000 * effort(), seed++);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(Gcra, RatesAreExact) {
  // A client that takes what it gets, at every millisecond: 7/3s is 7 in 3 s.
  struct Rate {
    uint64_t units;
    uint64_t window_ms;
  };
  for (const Rate rate : {Rate{7, 3000}, Rate{1, 60000}, Rate{3, 7},
                          Rate{5000, 1000}, Rate{1000003, 60000}}) {
    Store store(shape_of(rate.units, rate.window_ms, 3), at(0));
    uint64_t admitted = 0;
    for (uint64_t now = 0; now <= 600000; now++) {
      const uint64_t left = store.look(at(now), 0).remaining_units;
      if (left > 0) {
        ASSERT_TRUE(store.decide(at(now), left).admitted);
      }
      admitted += left;
      // Three at once, and no more than the rate.
      if (rate.units < rate.window_ms) {
        ASSERT_EQ(admitted, 3 + now * rate.units / rate.window_ms);
      } else {
        ASSERT_LE(admitted, 3 + now * rate.units / rate.window_ms);
      }
    }
  }
}

TEST(Gcra, LimitReqsBurstIsItsCapacityLessOne) {
  Store store(shape_of(10, 1000, 21), at(0));
  for (int i = 0; i < 21; i++)
    EXPECT_TRUE(store.decide(at(5), 1).admitted);
  const Evaluation refused = store.decide(at(5), 1);
  EXPECT_FALSE(refused.admitted);
  EXPECT_EQ(refused.retry_after_ms, 100u);
  EXPECT_EQ(refused.next_ms, 100u);
  EXPECT_EQ(refused.reset_ms, 2100u);
}

TEST(Gcra, ARaisedRateIsNotKeptOutByOldDebt) {
  Store store(shape_of(1, kDayMs, 10), at(0));
  EXPECT_TRUE(store.decide(at(0), 10).admitted);
  store.shape = shape_of(10, 1000, 10);
  const Evaluation refused = store.decide(at(1000), 5);
  EXPECT_FALSE(refused.admitted);
  EXPECT_EQ(refused.retry_after_ms, 500u);  // 10 in debt, 5 too many
  EXPECT_TRUE(store.decide(at(1500), 5).admitted);
}

TEST(Gcra, ACutQuotaTakesTheDebtAlong) {
  Store store(shape_of(1000, 1000, 1000), at(0));
  EXPECT_TRUE(store.decide(at(0), 1000).admitted);
  store.shape = shape_of(10, 1000, 20);
  // 900 are left, and drain by the rate that they were charged at.
  EXPECT_EQ(store.decide(at(100), 1).retry_after_ms, 881u);
  EXPECT_EQ(store.look(at(100), 1).reset_ms, 900u);
  EXPECT_FALSE(store.decide(at(980), 1).admitted);
  EXPECT_TRUE(store.decide(at(981), 1).admitted);
  EXPECT_EQ(store.decide(at(981), 1).retry_after_ms, 100u);  // from here on
}

TEST(Gcra, WhatIsRefusedOrOnlyLooksKeepsTheDebt) {
  const uint64_t hour_ms = 3600000;
  Store store(shape_of(10, hour_ms, 10), at(0));
  EXPECT_TRUE(store.decide(at(0), 10).admitted);
  const Bucket full = store.bucket;
  for (const Shape& smaller :
       {shape_of(1, hour_ms, 1), shape_of(10, hour_ms, 1),
        shape_of(1, hour_ms, 10), shape_of(0, hour_ms, 0),
        shape_of(1, kDayMs, 1)}) {
    store.shape = smaller;
    EXPECT_FALSE(store.decide(at(1000), 1).admitted);
    EXPECT_TRUE(store.decide(at(1000), 0).admitted);
    EXPECT_EQ(std::memcmp(&full, &store.bucket, sizeof(full)), 0);
  }
  store.shape = shape_of(10, hour_ms, 10);
  EXPECT_EQ(store.decide(at(1000), 1).retry_after_ms, hour_ms / 10 - 1000);
}

TEST(Gcra, AQuotaOf0NeitherEndsNorFreezesDebt) {
  Store store(shape_of(10, 1000, 10), at(0));
  EXPECT_TRUE(store.decide(at(0), 10).admitted);
  store.shape = shape_of(0, 1000, 0);
  EXPECT_FALSE(store.decide(at(100), 1).admitted);
  store.force(at(200), 5);  // a cost that was settled meanwhile
  store.shape = shape_of(10, 1000, 10);
  EXPECT_EQ(store.look(at(500), 0).reset_ms, 1000u);
  EXPECT_TRUE(store.decide(at(1500), 10).admitted);
}

TEST(Gcra, RefundsWhatHasNotDrained) {
  Store store(shape_of(10, 1000, 20), at(0));
  uint64_t first = 0;
  uint64_t second = 0;
  store.decide(at(0), 5, &first);   // drained at 500
  store.decide(at(0), 5, &second);  // drained at 1000
  store.give_back(at(0), 5, second);
  EXPECT_EQ(store.look(at(0), 0).remaining_units, 15u);
  store.decide(at(0), 5, &second);
  store.give_back(at(300), 5, first);  // 2 of them are left
  EXPECT_EQ(store.look(at(300), 0).remaining_units, 15u);
  EXPECT_EQ(store.look(at(300), 0).reset_ms, 500u);
  store.give_back(at(500), 5, first);
  EXPECT_EQ(store.look(at(500), 0).reset_ms, 300u);
  store.give_back(at(1000), 5, second);
  EXPECT_EQ(store.look(at(1000), 0).remaining_units, 20u);
}

TEST(Gcra, ALateRefundLeavesALaterChargeAlone) {
  Store store(shape_of(10, 1000, 10), at(0));
  uint64_t first = 0;
  uint64_t second = 0;
  store.decide(at(0), 5, &first);
  store.decide(at(0), 5, &second);
  store.give_back(at(0), 5, first);  // so the second has drained at 500
  store.decide(at(500), 10);
  store.give_back(at(501), 5, second);
  EXPECT_EQ(store.look(at(501), 0).reset_ms, 999u);
}

TEST(Gcra, RefundsInOrderAndInReverseFindAllOfTheirCharges) {
  for (const bool reverse : {false, true}) {
    Store store(shape_of(10, 1000, 100), at(0));
    std::vector<uint64_t> charge_ids(20);
    for (uint64_t& charge_id : charge_ids)
      store.decide(at(0), 5, &charge_id);
    if (reverse) std::reverse(charge_ids.begin(), charge_ids.end());
    uint32_t left = 100;
    for (const uint64_t charge_id : charge_ids) {
      store.give_back(at(0), 5, 2, charge_id);  // settled with 3
      store.give_back(at(0), 3, charge_id);     // and then all of it
      left -= 5;
      ASSERT_EQ(100 - store.look(at(0), 0).remaining_units, left);
    }
  }
}

TEST(Gcra, ARefundKnowsItsChargeAfterAChangeOfRateAndNotOfWindow) {
  Store store(shape_of(10, 1000, 20), at(0));
  uint64_t first = 0;
  store.decide(at(0), 10, &first);
  store.shape.units = 5;
  store.decide(at(500), 4);             // 9 now, at half the rate
  store.give_back(at(900), 10, first);  // 3 of them are left
  EXPECT_EQ(store.look(at(900), 0).reset_ms, 800u);
  store.decide(at(900), 4, &first);
  store.shape.window_ms = 2000;
  store.decide(at(900), 4);
  store.give_back(at(900), 4, first);
  EXPECT_EQ(store.look(at(900), 0).remaining_units, 8u);
}

TEST(Gcra, ARefundTakesNoLaterUnitsOfABucketMadeAnew) {
  for (uint64_t now = 1; now < 2000; now++) {
    Store evicted(shape_of(10, 1000, 10), at(0));
    uint64_t charge_id = 0;
    evicted.decide(at(now / 2), 10, &charge_id);
    Store store(shape_of(10, 1000, 10), at(now));
    store.decide(at(now), 7);
    store.give_back(at(now), 10, charge_id);
    ASSERT_EQ(store.look(at(now), 0).remaining_units, 3u);
  }
}

TEST(Gcra, ARefundNeverGivesMoreThanWasCharged) {
  Random random(9);
  for (int i = 0; i < 20000; i++) {
    const uint64_t units = random.of(kQuotas);
    const uint64_t window_ms = random.of(kWindowsMs);
    const uint64_t capacity = 1 + random.below(1000);
    uint64_t now = random.below(100000);
    Store store(shape_of(units, window_ms, capacity), at(now));
    const uint64_t other = random.below(capacity + 1);
    store.decide(at(now), other);
    const Store without = store;
    uint64_t charge_id = 0;
    const uint64_t cost = 1 + random.below(capacity);
    if (!store.decide(at(now), cost, &charge_id).admitted) continue;
    if (random.one_in(2)) {
      store.give_back(at(now), cost, charge_id);
      ASSERT_EQ(store.look(at(now), 0).reset_ms,
                without.look(at(now), 0).reset_ms);
      continue;
    }
    now += random.below(window_ms);
    store.give_back(at(now), cost, charge_id);
    const auto debt = [&](const Store& of) {
      const Bucket bucket = of.at(at(now));
      return ExactGcra::Wide{bucket.gcra.debt_hi & ~kWideQueue} << 64 |
             bucket.gcra.debt_lo;
    };
    ASSERT_EQ(debt(store), debt(without));
  }
}

TEST(Gcra, QuotaAndCapacityMayBeZero) {
  for (const Shape& shape : {shape_of(0, 60000, 0), shape_of(0, 60000, 10),
                             shape_of(10, 60000, 0)}) {
    Store store(shape, at(10));
    for (int i = 0; i < 2; i++) {
      EXPECT_TRUE(store.decide(at(20), 0).admitted);
      const Evaluation refused = store.decide(at(20), 1);
      EXPECT_FALSE(refused.admitted);
      EXPECT_EQ(refused.remaining_units, 0u);
      EXPECT_EQ(refused.retry_after_ms, 60000u);
      const uint64_t charge_id = store.force(at(20), 3);
      EXPECT_GT(idle_at_ms(store.bucket), 20u);
      const Evaluation in_debt = store.look(at(20), 1, true);
      EXPECT_LE(in_debt.next_ms, in_debt.reset_ms);
      EXPECT_GT(debt_share(store.bucket, 20), 10000u);
      store.give_back(at(20), 3, charge_id);
      EXPECT_EQ(idle_at_ms(store.bucket), 0u);
    }
    store.force(at(20), 3);
    store.shape = shape_of(10, 60000, 10);  // raised: as much debt as before
    EXPECT_LE(store.decide(at(20), 0).remaining_units, 10u);
    EXPECT_TRUE(store.decide(at(120000), 10).admitted);
  }
}

TEST(Gcra, ClampsTheClock) {
  const uint64_t now_ms = 2 * kNewClockMs;
  Store store(shape_of(1, 1000, 1), at(now_ms));
  ASSERT_TRUE(store.decide(at(now_ms), 1).admitted);
  EXPECT_EQ(store.decide(at(now_ms - 700), 1).retry_after_ms, 1700u);
  EXPECT_EQ(store.decide(at(100), 1).retry_after_ms, 1000u);  // started anew
  EXPECT_EQ(store.decide(at(600), 1).retry_after_ms, 500u);
  EXPECT_TRUE(store.decide(at(1100), 1).admitted);
}

TEST(Gcra, SaturatesAtItsMaxima) {
  Store store(shape_of(1, RL_MAX_WINDOW_MS, RL_MAX_UNITS), at(kLastMs));
  EXPECT_TRUE(store.decide(at(kLastMs), RL_MAX_UNITS).admitted);
  const Evaluation full = store.decide(at(kLastMs), 1);
  EXPECT_EQ(full.reset_ms, uint64_t{1} << 62);  // 10^15 years are never
  EXPECT_EQ(full.retry_after_ms, RL_MAX_WINDOW_MS);
  for (int i = 0; i < 10; i++) {
    store.force(at(kLastMs), kMaxHeldUnits);
    EXPECT_EQ(debt_share(store.bucket, kLastMs) >> 16, 4u);
  }
  EXPECT_FALSE(store.decide(at(kLastMs), 1).admitted);

  Store fast(shape_of(RL_MAX_UNITS, 1, RL_MAX_UNITS), at(0));
  EXPECT_TRUE(fast.decide(at(0), RL_MAX_UNITS).admitted);
  EXPECT_EQ(fast.decide(at(0), 1).retry_after_ms, 1u);
  EXPECT_TRUE(fast.decide(at(kLastMs), RL_MAX_UNITS).admitted);
  EXPECT_EQ(idle_at_ms(fast.bucket), kLastMs + 1);
}

}  // namespace
}  // namespace ratelimit
