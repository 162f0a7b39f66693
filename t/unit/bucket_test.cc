// What all algorithms have in common.

#include "ratelimit/algorithm/bucket.h"

#include <gtest/gtest.h>

#include <cstring>
#include <type_traits>

#include "bucket_models.h"

namespace ratelimit {
namespace {

constexpr rl_algorithm_e kAlgorithms[] = {RL_SLIDING, RL_FIXED, RL_CALENDAR,
                                          RL_GCRA};
constexpr uint64_t kDayMs = 86400000;
constexpr uint64_t kLastMs = (uint64_t{1} << 40) - 1;

Shape shape_of(rl_algorithm_e algorithm, uint64_t units, uint64_t window_ms) {
  return {algorithm, units, units, 0, window_ms, 0};
}

rl_time_t at(uint64_t mono_ms) {
  return {mono_ms, mono_ms + 20000 * kDayMs};
}

TEST(Bucket, IsPlainAndAligned) {
  EXPECT_TRUE(std::is_trivially_copyable<Bucket>::value);
  EXPECT_EQ(alignof(Bucket), 8u);
  EXPECT_EQ(sizeof(SlidingState), 48u);
  EXPECT_LE(sizeof(WindowState), 48u);
  EXPECT_LE(sizeof(GcraState), 48u);
  const Bucket bucket = {};
  EXPECT_EQ(static_cast<const void*>(&bucket.gcra.window_lo),
            static_cast<const void*>(&bucket.window.window_lo));
}

TEST(Bucket, WindowsFit) {
  for (const rl_algorithm_e algorithm : kAlgorithms) {
    Bucket bucket = {};
    bucket.algorithm = static_cast<unsigned>(algorithm) & 7;
    for (const uint64_t window_ms :
         {uint64_t{1}, uint64_t{1} << 32, uint64_t{RL_MAX_WINDOW_MS}}) {
      bucket.set_window_ms(window_ms);
      EXPECT_EQ(bucket.window_ms(), window_ms);
    }
  }
}

TEST(Bucket, LimitsAreCodedToWithinA512th) {
  uint64_t last = 0;
  for (uint64_t units = 0; units <= UINT64_MAX / 2;
       units += 1 + units / 10000) {
    const unsigned code = encode_limit(units);
    ASSERT_LT(code, 1u << 15);
    const uint64_t coded = decode_limit(code);
    ASSERT_LE(coded, units);
    ASSERT_GE(coded, last);
    ASSERT_LT(units - coded, units / 512 + 1);
    if (units < 1024) {
      ASSERT_EQ(coded, units);
    }
    last = coded;
  }
  EXPECT_EQ(encode_limit(0), 0u);
  EXPECT_EQ(decode_limit(encode_limit(UINT64_MAX)), uint64_t{1023} << 54);
}

TEST(Bucket, OpensWithoutAUnitAndKeepsItsKey) {
  for (const rl_algorithm_e algorithm : kAlgorithms) {
    Bucket bucket;
    std::memset(&bucket, 0xff, sizeof(bucket));
    bucket.key = 42;
    const Shape shape = shape_of(algorithm, 100, 60000);
    open(&bucket, shape, at(5));
    EXPECT_EQ(bucket.key, 42u);
    EXPECT_EQ(bucket.algorithm, static_cast<unsigned>(algorithm));
    EXPECT_EQ(bucket.throttled, 0u);
    EXPECT_EQ(bucket.window_ms(), 60000u);
    EXPECT_EQ(idle_at_ms(bucket), 0u);
    EXPECT_EQ(debt_share(bucket, 5), 0u);
    const Evaluation evaluation = evaluate(bucket, shape, 100, true, at(5));
    EXPECT_TRUE(evaluation.admitted);
    EXPECT_EQ(evaluation.remaining_units, 100u);
    EXPECT_EQ(evaluation.reset_ms, 0u);
    EXPECT_EQ(evaluation.next_ms, 0u);
    EXPECT_EQ(evaluation.retry_after_ms, 0u);
  }
}

TEST(Bucket, MayBeChargedAsSoonAsItIsOpen) {
  for (const rl_algorithm_e algorithm : kAlgorithms) {
    for (const uint64_t now : {uint64_t{0}, uint64_t{3}, kLastMs}) {
      const Shape shape = shape_of(algorithm, 10, 60000);
      Bucket bucket = {};
      open(&bucket, shape, at(now));
      charge(&bucket, shape, 4, at(now));
      EXPECT_FALSE(adapt(&bucket, shape, at(now)));
      const Evaluation evaluation = evaluate(bucket, shape, 7, true, at(now));
      EXPECT_FALSE(evaluation.admitted);
      EXPECT_EQ(evaluation.remaining_units, 6u);
      EXPECT_EQ(reset_ms(bucket, shape, at(now)), evaluation.reset_ms);
      EXPECT_EQ(idle_at_ms(bucket), now + evaluation.reset_ms);
    }
  }
}

TEST(Bucket, ADecisionIsStoredOnlyWhereItMustBe) {
  const uint64_t now_ms = 2 * kNewClockMs;
  for (const rl_algorithm_e algorithm : kAlgorithms) {
    Store store(shape_of(algorithm, 10, 60000), at(now_ms));
    store.decide(at(now_ms), 10);
    Bucket copy = store.bucket;
    EXPECT_FALSE(adapt(&copy, store.shape, at(now_ms)));
    EXPECT_FALSE(adapt(&copy, store.shape, at(now_ms + 30000)));
    copy = store.bucket;
    EXPECT_FALSE(adapt(&copy, store.shape, at(now_ms - kNewClockMs)));
    EXPECT_TRUE(adapt(&copy, store.shape, at(10)));  // a new clock
    EXPECT_FALSE(adapt(&copy, store.shape, at(10)));
    store.shape.window_ms = 240000;
    store.shape.units *= 5;  // gcra: a larger rate
    copy = store.bucket;
    EXPECT_TRUE(adapt(&copy, store.shape, at(now_ms)));
    EXPECT_FALSE(adapt(&copy, store.shape, at(now_ms)));
    store.shape.window_ms = 30000;
    store.shape.units = 1;
    copy = store.bucket;
    EXPECT_FALSE(adapt(&copy, store.shape, at(now_ms)));
  }
}

TEST(Bucket, ACostOf0IsAdmittedAndChargesNothing) {
  for (const rl_algorithm_e algorithm : kAlgorithms) {
    for (const uint64_t units : {0u, 1u, 5u}) {
      Store store(shape_of(algorithm, units, 60000), at(0));
      store.force(at(1000), 5);
      const Bucket before = store.bucket;
      EXPECT_TRUE(store.decide(at(2000), 0).admitted);
      charge(&store.bucket, store.shape, 0, at(2000));
      EXPECT_EQ(std::memcmp(&before, &store.bucket, sizeof(before)), 0);
    }
  }
}

TEST(Bucket, AQuotaOf0RefusesAll) {
  for (const rl_algorithm_e algorithm : kAlgorithms) {
    Store store(shape_of(algorithm, 0, 60000), at(0));
    for (const uint64_t cost : {uint64_t{1}, RL_MAX_UNITS, kMaxHeldUnits}) {
      const Evaluation refused = store.decide(at(1000), cost);
      EXPECT_FALSE(refused.admitted);
      EXPECT_EQ(refused.remaining_units, 0u);
      EXPECT_EQ(refused.retry_after_ms, 60000u);
      EXPECT_EQ(refused.reset_ms, 0u);
    }
    store.force(at(1000), 2);
    EXPECT_GE(debt_share(store.bucket, 1000), 65536u);
    EXPECT_GT(store.look(at(1000), 1, true).next_ms, 0u);
    EXPECT_LE(idle_at_ms(store.bucket), 1000 + 60000 + 60000 / 256 + 1);
  }
}

TEST(Bucket, ACostAboveTheQuotaIsToldTheWindow) {
  for (const rl_algorithm_e algorithm : kAlgorithms) {
    Store store(shape_of(algorithm, 10, 60000), at(0));
    EXPECT_EQ(store.decide(at(0), 11).retry_after_ms, 60000u);
    EXPECT_EQ(store.decide(at(0), RL_MAX_UNITS).retry_after_ms, 60000u);
  }
}

TEST(Bucket, WhoWaitsAsToldIsAdmitted) {
  Random random(21);
  for (const rl_algorithm_e algorithm : kAlgorithms) {
    for (uint64_t i = 0; i < 100000 * effort(); i++) {
      const uint64_t windows[] = {1, 17, 1000, 60000, kDayMs};
      const uint64_t quotas[] = {1, 3, 100, 70000, 5000000000, RL_MAX_UNITS};
      const uint64_t units = random.of(quotas);
      const uint64_t window_ms = random.of(windows);
      uint64_t now = random.below(1000000);
      Store store(shape_of(algorithm, units, window_ms), at(now));
      for (uint64_t n = random.below(12); n > 0; n--) {
        now += random.below(window_ms / 4 + 2);
        const uint64_t cost = 1 + random.below(units / 3 + 1);
        if (random.one_in(5)) {
          store.force(at(now), cost);
        } else {
          store.decide(at(now), cost);
        }
      }
      const uint64_t cost = 1 + random.below(units);
      const Evaluation asked = store.decide(at(now), cost);
      if (asked.admitted) continue;
      ASSERT_GT(asked.retry_after_ms, 0u);
      now += asked.retry_after_ms;
      ASSERT_TRUE(store.decide(at(now), cost).admitted)
          << rl_algorithm_e(algorithm) << " " << units << "/" << window_ms;
    }
  }
}

TEST(Bucket, DebtSharesAreComparable) {
  for (const rl_algorithm_e algorithm : kAlgorithms) {
    // A stranger's first unit is none, whatever the quota.
    for (const uint64_t units : {uint64_t{1}, uint64_t{2}, uint64_t{600},
                                 uint64_t{1000000}, RL_MAX_UNITS}) {
      Store store(shape_of(algorithm, units, 60000), at(1000));
      store.decide(at(1000), 1);
      EXPECT_EQ(debt_share(store.bucket, 1000), 0u);
      store.bucket.throttled = 1;
      EXPECT_EQ(debt_share(store.bucket, 1000), 65536u);
      EXPECT_EQ(debt_share(store.bucket, 1000 + 2 * kDayMs), 0u);  // idle
    }
    Store half(shape_of(algorithm, 60, 60000), at(1000));
    half.decide(at(1000), 31);
    EXPECT_EQ(debt_share(half.bucket, 1000), 32768u);
    Store debtor(shape_of(algorithm, 60, 60000), at(1000));
    debtor.force(at(1000), 121);
    EXPECT_EQ(debt_share(debtor.bucket, 1000), 2u * 65536);
    debtor.bucket.throttled = 1;
    EXPECT_EQ(debt_share(debtor.bucket, 1000), 2u * 65536);
    debtor.force(at(1001), 1);
    EXPECT_EQ(debtor.bucket.throttled, 0u);  // it was charged
    debtor.shape.units = debtor.shape.capacity_units = 1;
    for (int i = 0; i < 9; i++)
      debtor.force(at(1002), RL_MAX_UNITS);
    EXPECT_EQ(debt_share(debtor.bucket, 1002), UINT32_MAX);
  }
}

TEST(Bucket, DebtSharesFallWithTime) {
  for (const rl_algorithm_e algorithm : kAlgorithms) {
    Store store(shape_of(algorithm, 60, 60000), at(0));
    for (uint64_t now = 0; now < 60000; now += 2000)
      store.force(at(now), 2);
    uint32_t last = debt_share(store.bucket, 58000);
    EXPECT_GT(last, 32768u - 32768u * (algorithm == RL_GCRA));
    for (uint64_t now = 58000; now < 130000; now += 500) {
      const uint32_t share = debt_share(store.bucket, now);
      ASSERT_LE(share, last);
      if (now >= idle_at_ms(store.bucket)) {
        ASSERT_EQ(share, 0u);
      }
      last = share;
    }
    EXPECT_EQ(last, 0u);
  }
}

TEST(Bucket, RefundsAreOfTheWindowThatWasCharged) {
  for (const rl_algorithm_e algorithm : kAlgorithms) {
    Store store(shape_of(algorithm, 10, 60000), at(0));
    uint64_t charge_id = 0;
    store.decide(at(1000), 6, &charge_id);
    store.give_back(at(1500), 4, charge_id);
    EXPECT_GE(store.look(at(1500), 0).remaining_units, 8u);
    store.give_back(at(1500), 100, charge_id);
    EXPECT_EQ(store.look(at(1500), 0).remaining_units, 10u);
    store.decide(at(2000), 6, &charge_id);
    store.decide(at(200000), 6);
    store.give_back(at(200000), 6, charge_id);
    EXPECT_EQ(store.look(at(200000), 0).remaining_units, 4u);
  }
}

// That it agrees to the bit with adapt(), evaluate() and charge() is looked at
// in every decision of every model; here, that it is what usually decides.
TEST(Bucket, TheUsualRequestIsTakenInOneGo) {
  Random random(11);
  for (const rl_algorithm_e algorithm : kAlgorithms) {
    Store store(shape_of(algorithm, 100, 60000), at(100000));
    uint64_t now = 100000;
    uint64_t admitted = 0;
    for (int i = 0; i < 100000; i++) {
      now += random.below(1200);
      const auto cost = static_cast<uint32_t>(1 + random.below(2));
      admitted += store.decide(at(now), cost).admitted;
    }
    EXPECT_EQ(store.tries, admitted);
    EXPECT_GT(admitted, 30000u);
    EXPECT_EQ(store.tries_declined, 0u);
    EXPECT_GT(store.hot_charges, admitted / 2);
  }
}

}  // namespace
}  // namespace ratelimit
