// `sliding`, case by case.

#include "ratelimit/algorithm/sliding.h"
#include "ratelimit/algorithm/sliding_slots.h"

#include <gtest/gtest.h>

#include <cinttypes>
#include <cstring>

#include "bucket_models.h"

namespace ratelimit {
namespace {

constexpr uint64_t kQuotas[] = {1,    2,     3,     7,     100,     600,
                                1000, 65534, 65535, 65536, 1000000, 999999999};
constexpr uint64_t kHourMs = 3600000;
constexpr uint64_t kWindowsMs[] = {
    1, 2, 15, 16, 17, 1000, 60000, kHourMs, 86400000, RL_MAX_WINDOW_MS};
constexpr uint64_t kLastMs = (uint64_t{1} << 40) - 1;

Shape shape_of(uint64_t units, uint64_t window_ms) {
  return {RL_SLIDING, units, units, 0, window_ms, 0};
}

rl_time_t at(uint64_t mono_ms) {
  return {mono_ms, 0};
}

unsigned exponent_of(const Bucket& bucket) {
  return exponent_of(bucket.sliding);
}

TEST(Sliding, ABurstIsToldTheWindow) {
  for (const uint64_t window_ms : kWindowsMs) {
    for (uint64_t start = 1000; start < 1100; start++) {
      Store store(shape_of(10, window_ms), at(start));
      ASSERT_TRUE(store.decide(at(start), 10).admitted);
      const uint64_t retry = store.decide(at(start), 1).retry_after_ms;
      ASSERT_EQ(retry, window_ms);
      ASSERT_EQ(store.look(at(start), 0).reset_ms, retry);
      ASSERT_EQ(store.look(at(start), 0, true).next_ms, retry);
      ASSERT_FALSE(store.look(at(start + retry - 1), 1).admitted);
      ASSERT_EQ(store.look(at(start + retry), 10).remaining_units, 10u);
    }
  }
}

TEST(Sliding, LooksAndRefusalsChangeNothing) {
  Store store(shape_of(5, 60000), at(0));
  ASSERT_TRUE(store.decide(at(777), 5).admitted);
  const Bucket before = store.bucket;
  for (uint64_t now = 777; now < 60777; now += 100) {
    ASSERT_FALSE(store.decide(at(now), 1).admitted);
    ASSERT_TRUE(store.decide(at(now), 0).admitted);
    ASSERT_EQ(memcmp(&before, &store.bucket, sizeof(before)), 0);
  }
}

TEST(Sliding, AKeyThatWasIdleForAnyTimeIsAsNew) {
  Random random(7);
  for (const uint64_t window_ms : kWindowsMs) {
    Store store(shape_of(3, window_ms), at(5));
    uint64_t now = 5;
    ASSERT_TRUE(store.decide(at(now), 3).admitted);
    while (now < kLastMs - 40 * window_ms) {
      // Around whole turns of what a 4, 5, 8 or 16-bit index would have.
      const uint64_t turns[] = {2, 16, 17, 31, 32, 33};
      const uint64_t gap = random.of(turns) * window_ms;
      now += random.one_in(3) ? gap << random.below(12) : gap;
      if (now > kLastMs) break;
      ASSERT_TRUE(store.decide(at(now), 3).admitted) << now;
      ASSERT_FALSE(store.decide(at(now), 1).admitted) << now;
      if (window_ms < 1000 && random.one_in(2000)) break;
    }
  }
}

TEST(Sliding, AClockThatStartsAnewBlocksNobodyLongerThanAWindow) {
  for (const uint64_t window_ms : kWindowsMs) {
    for (const uint64_t now : {uint64_t{0}, uint64_t{3}, window_ms / 2}) {
      const uint64_t before = kLastMs - 3;
      Store store(shape_of(100, window_ms), at(before));
      for (uint64_t i = 0; i < 20; i++) {
        store.decide(at(before - window_ms + i * (window_ms / 20)), 5);
      }
      const uint64_t used = sliding_used_units(store.bucket, before);
      const Evaluation refused = store.decide(at(now), 100);
      EXPECT_FALSE(refused.admitted);
      EXPECT_EQ(refused.remaining_units, 100 - used);  // ages stay
      EXPECT_LE(refused.reset_ms, window_ms);
      EXPECT_TRUE(
          store.decide(at(now + refused.retry_after_ms), 100).admitted);
    }
  }
}

TEST(Sliding, AClockThatIsBehindGivesNoCredit) {
  for (const uint64_t window_ms : kWindowsMs) {
    Store store(shape_of(2, window_ms), at(kNewClockMs));
    ASSERT_TRUE(store.decide(at(kNewClockMs), 2).admitted);
    for (uint64_t back = 0; back <= kNewClockMs; back += 100000) {
      ASSERT_FALSE(store.decide(at(kNewClockMs - back), 1).admitted);
    }
  }
}

TEST(Sliding, ARetryIsTrueAcrossAChangedWindow) {
  Random random(11);
  for (uint64_t i = 0; i < 20000; i++) {
    const uint64_t from = random.of(kWindowsMs);
    const uint64_t to = random.of(kWindowsMs);
    uint64_t now = 1 + random.below(100000);
    Store store(shape_of(50, from), at(now));
    for (int j = 0; j < 10; j++) {
      now += random.below(from / 10 + 1);
      store.decide(at(now), 1 + random.below(10));
    }
    store.shape.window_ms = to;
    const Evaluation refused = store.decide(at(now), 50);
    if (refused.admitted) continue;
    // By a shorter window, what a tick of the longer one may hide.
    const uint64_t hidden = to < from ? from / 256 + 1 : 0;
    ASSERT_LE(refused.retry_after_ms, to + to / 256 + 1 + hidden);
    const uint64_t at_last = now + refused.retry_after_ms;
    // Being refused meanwhile does not put it off.
    store.decide(at(now + refused.retry_after_ms / 2), 50);
    ASSERT_FALSE(store.decide(at(at_last - 1), 50).admitted);
    ASSERT_TRUE(store.decide(at(at_last), 50).admitted);
  }
}

TEST(Sliding, SubWindowsThatAChangedWindowMergesKeepTheLastTick) {
  Store store(shape_of(3, 16000), at(0));
  for (const uint64_t now : {5000, 6000, 9000})
    store.decide(at(now), 1);
  store.shape.window_ms = 64000;
  // 5000 and 6000 are in one sub-window now; 6000 was in a tick that lasted
  // until 6062, which is in the 24th of the new ones.
  const uint64_t leave_ms = (24 + 257) * 250;
  EXPECT_EQ(store.decide(at(9500), 2).retry_after_ms, leave_ms - 9500);
  EXPECT_EQ(store.look(at(leave_ms), 0).remaining_units, 2u);
}

TEST(Sliding, AChangedWindowWithAClockThatIsBehindOrNew) {
  Random random(13);
  for (uint64_t i = 0; i < 50000 * effort(); i++) {
    const uint64_t from = random.of(kWindowsMs);
    const uint64_t to = random.of(kWindowsMs);
    uint64_t now = kNewClockMs + 2000 + random.below(100000);
    Store store(shape_of(50, from), at(now));
    for (int j = 0; j < 10; j++) {
      now += random.below(std::min<uint64_t>(from / 8 + 2, 400));
      store.decide(at(now), 1);
    }
    const uint64_t used = sliding_used_units(store.bucket, now);
    now = random.one_in(2) ? now - random.below(kNewClockMs) : 1;
    if (random.one_in(2)) {
      store.bucket = store.at(at(now));
      now += random.below(100);
    }
    store.shape.window_ms = to;
    store.bucket = store.at(at(now));  // as one that was charged
    const Evaluation evaluation = store.decide(at(now), 0);
    ASSERT_LE(50 - evaluation.remaining_units, used);
    // A step of less than two of its ticks cannot be told from a narrow one.
    ASSERT_LE(evaluation.reset_ms,
              kNewClockMs + from / 128 + to + to / 256 + 2);
    ASSERT_EQ(store.look(at(now + evaluation.reset_ms), 0).remaining_units,
              50u);
  }
  // Ages before the clock's start are ages all the same.
  Store store(shape_of(2, 60000), at(0));
  store.decide(at(10000000), 1);
  store.decide(at(10030000), 1);
  EXPECT_FALSE(store.decide(at(5), 1).admitted);  // they were at -29995 and 5
  store.shape.window_ms = 29000;
  store.bucket = store.at(at(7));
  EXPECT_EQ(store.decide(at(7), 0).remaining_units, 0u);
  EXPECT_EQ(store.decide(at(29400), 0).remaining_units, 2u);
}

TEST(Sliding, AChangedQuotaCountsAtTheNextRequest) {
  Store store(shape_of(10, 60000), at(0));
  ASSERT_TRUE(store.decide(at(1000), 10).admitted);
  store.shape.units = 15;
  EXPECT_EQ(store.decide(at(1000), 1).remaining_units, 5u);
  store.shape.units = 3;  // 11 are in use
  EXPECT_FALSE(store.decide(at(2000), 1).admitted);
  EXPECT_EQ(store.look(at(2000), 1).remaining_units, 0u);
  store.shape.units = 0;
  const Evaluation none = store.decide(at(2000), 1);
  EXPECT_FALSE(none.admitted);
  EXPECT_EQ(none.retry_after_ms, 60000u);
  EXPECT_TRUE(store.decide(at(2000), 0).admitted);
}

TEST(Sliding, ARefundGoesToTheSubWindowThatItCameFrom) {
  Store store(shape_of(10, 16000), at(0));
  uint64_t first = 0;
  uint64_t second = 0;
  store.decide(at(500), 4, &first);
  store.decide(at(9500), 5, &second);
  store.give_back(at(9600), 3, first);
  EXPECT_EQ(store.look(at(9600), 0).remaining_units, 4u);
  EXPECT_EQ(store.look(at(17000), 0).remaining_units, 5u);  // 1 has left
  store.give_back(at(17000), 4, first);  // too late, and again
  EXPECT_EQ(store.look(at(17000), 0).remaining_units, 5u);
  store.give_back(at(17000), 9, second);  // at most what is there
  EXPECT_EQ(store.look(at(17000), 0).remaining_units, 10u);
  EXPECT_EQ(idle_at_ms(store.bucket), 0u);
}

TEST(Sliding, ARefundTakesNoLaterUnitsOfABucketMadeAnew) {
  Store evicted(shape_of(10, 16000), at(0));
  uint64_t charge_id = 0;
  evicted.decide(at(500), 4, &charge_id);
  Store store(shape_of(10, 16000), at(500));
  store.decide(at(501), 1);
  store.decide(at(9500), 5);
  store.give_back(at(9600), 4, charge_id);
  EXPECT_EQ(store.look(at(9600), 0).remaining_units, 5u);
}

TEST(Sliding, ALargeQuotaIsExactInTotal) {
  // One at a time, so that every count overflows and every exponent is used.
  Store store(shape_of(RL_MAX_UNITS, 60000), at(0));
  Random random(3);
  uint64_t used = 0;
  for (uint64_t i = 0; used < RL_MAX_UNITS; i++) {
    const uint64_t cost =
        std::min(1 + random.below(i % 2 == 0 ? RL_MAX_UNITS / 2000 : 1 << 20),
                 RL_MAX_UNITS - used);
    ASSERT_TRUE(store.decide(at(i % 50000), cost).admitted);
    used += cost;
    ASSERT_EQ(sliding_used_units(store.bucket, i % 50000), used);
  }
  EXPECT_FALSE(store.decide(at(50000), 1).admitted);
}

TEST(Sliding, TheExponentRisesWithDebtAndFallsWithIt) {
  Store store(shape_of(10, 60000), at(0));
  store.force(at(0), 65535);
  EXPECT_EQ(exponent_of(store.bucket), 0u);
  const uint64_t charge_id = store.force(at(0), 2);
  EXPECT_EQ(exponent_of(store.bucket), 1u);
  EXPECT_EQ(sliding_used_units(store.bucket, 0), 65537u);
  store.give_back(at(1), 40000, charge_id);
  EXPECT_EQ(sliding_used_units(store.bucket, 0), 25537u);
  store.force(at(2), 1);
  EXPECT_EQ(exponent_of(store.bucket), 0u);
  EXPECT_EQ(sliding_used_units(store.bucket, 2), 25538u);
}

TEST(Sliding, SaturatesAtItsMaxima) {
  Store store(shape_of(RL_MAX_UNITS, RL_MAX_WINDOW_MS), at(kLastMs));
  for (int i = 0; i < 100; i++) {
    store.force(at(kLastMs), RL_MAX_UNITS);
    const uint64_t used = sliding_used_units(store.bucket, kLastMs);
    ASSERT_GE(used, i == 0 ? RL_MAX_UNITS : 2 * RL_MAX_UNITS);
    const Evaluation refused = store.decide(at(kLastMs), 1);
    ASSERT_FALSE(refused.admitted);
    ASSERT_LE(refused.retry_after_ms,
              RL_MAX_WINDOW_MS + RL_MAX_WINDOW_MS / 256 + 1);
    ASSERT_EQ(refused.reset_ms, refused.retry_after_ms);
  }
  EXPECT_GE(debt_share(store.bucket, kLastMs), 2u * 65536);
  // All of 17 slots.
  Store full(shape_of(1, 16), at(0));
  for (uint64_t now = 0; now < 17; now++) {
    for (int i = 0; i < 3; i++)
      full.force(at(now), RL_MAX_UNITS);
  }
  EXPECT_GT(sliding_used_units(full.bucket, 16), uint64_t{1} << 55);
  EXPECT_EQ(full.look(at(16), 1).remaining_units, 0u);
  EXPECT_TRUE(full.look(at(16 + 18), 1).admitted);
  // One millisecond at the end of time.
  Store last(shape_of(1, 1), at(kLastMs - 2));
  EXPECT_TRUE(last.decide(at(kLastMs - 2), 1).admitted);
  EXPECT_EQ(last.decide(at(kLastMs - 2), 1).retry_after_ms, 1u);
  EXPECT_TRUE(last.decide(at(kLastMs - 1), 1).admitted);
}

}  // namespace
}  // namespace ratelimit
