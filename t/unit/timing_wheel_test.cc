// When leases are due.

#include "ratelimit/shared/timing_wheel.h"

#include <memory>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace ratelimit {
namespace {

// Against a list: each is taken once, at its time, less a tick.
TEST(TimingWheel, GivesEachAtItsTime) {
  constexpr uint32_t kN = 200;
  constexpr uint64_t kTick = 1 << kWheelTickShift;
  std::mt19937_64 random(1);
  auto wheel = std::make_unique<TimingWheel>();
  wheel->clear();
  std::vector<WheelLink> links(kN);
  std::vector<uint64_t> times(kN, 0);  // 0: it is not in
  const auto link = [&links](uint32_t i) -> WheelLink& { return links[i]; };
  uint64_t now = 123456789;
  for (int step = 0; step < 20000; ++step) {
    const auto i = static_cast<uint32_t>(random() % kN);
    wheel->remove(i, link);
    times[i] = 0;
    if (random() % 4 > 0) {
      times[i] = now + random() % 15000000;
      wheel->insert(i, times[i], now, link);
    }
    now += random() % (step % 100 == 0 ? 2000000 : 5000);
    for (;;) {
      const uint32_t got = wheel->take(now, link);
      if (got == kNoLease) break;
      ASSERT_NE(0u, times[got]);
      ASSERT_LE(times[got] / kTick, now / kTick);
      times[got] = 0;
    }
    for (uint64_t at : times) {
      if (at == 0) continue;
      ASSERT_GT(at / kTick, now / kTick);
      ASSERT_GE(at, wheel->next_us);
    }
  }
}

TEST(TimingWheel, ASleepOfAnyLengthTakesAll) {
  auto wheel = std::make_unique<TimingWheel>();
  wheel->clear();
  std::vector<WheelLink> links(3);
  const auto link = [&links](uint32_t i) -> WheelLink& { return links[i]; };
  for (uint32_t i = 0; i < 3; ++i) {
    wheel->insert(i, 1000000 + i * 5000000, 1000000, link);
  }
  const uint64_t later = uint64_t{1} << 45;
  unsigned taken = 0;
  while (wheel->take(later, link) != kNoLease)
    taken++;
  EXPECT_EQ(3u, taken);
  EXPECT_EQ(UINT64_MAX, wheel->next_us);
}

}  // namespace
}  // namespace ratelimit
