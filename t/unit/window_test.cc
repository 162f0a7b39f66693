// `fixed` and `calendar`, and the grid of the latter.

#include "ratelimit/algorithm/window.h"

#include <gtest/gtest.h>

#include <cstring>

#include "bucket_models.h"
#include "ratelimit/algorithm/calendar.h"

namespace ratelimit {
namespace {

constexpr uint64_t kHourMs = 3600000;
constexpr uint64_t kDayMs = 24 * kHourMs;
constexpr uint64_t kLastMs = (uint64_t{1} << 40) - 1;
constexpr uint64_t kWindowsMs[] = {
    1, 2, 15, 16, 17, 1000, 60000, kHourMs, kDayMs, RL_MAX_WINDOW_MS};

Shape fixed(uint64_t units, uint64_t window_ms) {
  return {RL_FIXED, units, units, 0, window_ms, 0};
}

Shape calendar(uint64_t units, uint64_t window_ms, int32_t tz_ms = 0) {
  return {RL_CALENDAR, units, units, 0, window_ms, tz_ms};
}

Shape monthly(uint64_t units, uint32_t months, int32_t tz_ms = 0) {
  return {RL_CALENDAR, units, units, months, months * 31 * kDayMs, tz_ms};
}

rl_time_t at(uint64_t mono_ms, uint64_t wall_ms = 0) {
  return {mono_ms, wall_ms};
}

// A date by counting days one after another.
struct Date {
  int year = 1970;
  unsigned month = 1;
  unsigned day = 1;

  static unsigned days_of(int year, unsigned month) {
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    const unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && leap);
  }
  void next() {
    if (++day <= days_of(year, month)) return;
    day = 1;
    if (++month <= 12) return;
    month = 1;
    year++;
  }
};

uint64_t wall(int year, unsigned month, unsigned day, uint64_t ms = 0) {
  Date date;
  uint64_t days = 0;
  for (; date.year != year || date.month != month || date.day != day; days++) {
    date.next();
  }
  return days * kDayMs + ms;
}

TEST(Calendar, MonthsHaveTheirRealLengths) {
  Date date;
  for (int64_t day = 0; date.year < 2500; day++, date.next()) {
    const int64_t month = (date.year - 1970) * 12 + date.month - 1;
    ASSERT_EQ(month_of_day(day), month) << day;
    ASSERT_EQ(month_begin_day(month), day - date.day + 1) << day;
  }
  EXPECT_EQ(month_of_day(-1), -1);  // a zone west of Greenwich in 1970
  EXPECT_EQ(month_begin_day(-1), -31);
  EXPECT_EQ(month_begin_day(-12), -365);
  EXPECT_EQ(month_of_day(-366), -13);
  for (int64_t day = -200000; day < 0; day++) {
    const int64_t month = month_of_day(day);
    ASSERT_LE(month_begin_day(month), day);
    ASSERT_GT(month_begin_day(month + 1), day);
  }
}

TEST(Calendar, WindowsLieOnTheGridOfTheZone) {
  Random random(1);
  for (int i = 0; i < 200000; i++) {
    const uint64_t now = random.below(uint64_t{200} * 365 * kDayMs);
    const auto tz_ms = static_cast<int32_t>(random.below(27 * 60) * 60000) -
                       static_cast<int32_t>(12 * kHourMs);
    const uint64_t window_ms = random.of(kWindowsMs);
    const Span span = calendar_window(now, window_ms, 0, tz_ms);
    const auto length = static_cast<int64_t>(window_ms);
    ASSERT_EQ(span.end_ms - span.begin_ms, length);
    ASSERT_LE(span.begin_ms, static_cast<int64_t>(now));
    ASSERT_GT(span.end_ms, static_cast<int64_t>(now));
    ASSERT_EQ((span.begin_ms + tz_ms) % length, 0);
  }
}

TEST(Calendar, MonthsBeginAtLocalMidnight) {
  const auto east = static_cast<int32_t>(9 * kHourMs);
  // In Tokyo March has begun while it is February in Greenwich.
  const uint64_t now = wall(2024, 2, 29, 16 * kHourMs);
  Span span = calendar_window(now, 31 * kDayMs, 1, east);
  EXPECT_EQ(span.begin_ms,
            static_cast<int64_t>(wall(2024, 2, 29, 15 * kHourMs)));
  EXPECT_EQ(span.end_ms,
            static_cast<int64_t>(wall(2024, 3, 31, 15 * kHourMs)));
  span = calendar_window(now, 31 * kDayMs, 1, 0);
  EXPECT_EQ(span.begin_ms, static_cast<int64_t>(wall(2024, 2, 1)));
  EXPECT_EQ(span.end_ms, static_cast<int64_t>(wall(2024, 3, 1)));
  span = calendar_window(now, 93 * kDayMs, 3, 0);
  EXPECT_EQ(span.begin_ms, static_cast<int64_t>(wall(2024, 1, 1)));
  EXPECT_EQ(span.end_ms, static_cast<int64_t>(wall(2024, 4, 1)));
  span = calendar_window(now, 372 * kDayMs, 12, 0);
  EXPECT_EQ(span.end_ms - span.begin_ms, static_cast<int64_t>(366 * kDayMs));
}

TEST(Calendar, TimeEndsWithTheYear9999) {
  for (const uint32_t months : {0u, 1u, 12u}) {
    const Span span = calendar_window(UINT64_MAX, kDayMs, months, 0);
    EXPECT_EQ(span.end_ms, 253402300800000);
  }
  Store store(monthly(1, 1), at(0, UINT64_MAX));
  EXPECT_TRUE(store.decide(at(0, UINT64_MAX), 1).admitted);
  EXPECT_FALSE(store.decide(at(0, UINT64_MAX), 1).admitted);
  EXPECT_TRUE(store.decide(at(1, UINT64_MAX), 1).admitted);
}

// Both algorithms against a plain count; the calendar's wall clock runs evenly
// here.
void compare(bool grid, uint64_t steps) {
  Random random(grid ? 5 : 6);
  uint64_t refused = 0;
  for (const uint64_t units :
       {uint64_t{1}, uint64_t{2}, uint64_t{3}, uint64_t{7}, uint64_t{100},
        uint64_t{65536}, uint64_t{5000000000}, uint64_t{RL_MAX_UNITS}}) {
    for (const uint64_t window_ms : kWindowsMs) {
      const uint64_t wall_ahead = random.below(50 * 365 * kDayMs);
      uint64_t now = random.below(100000);
      Store store(grid ? calendar(units, window_ms) : fixed(units, window_ms),
                  at(now, now + wall_ahead));
      ExactWindow model;
      std::vector<std::pair<uint64_t, uint64_t>> charge_ids;  // and start
      for (uint64_t i = 0; i < steps && now < kLastMs - 4 * window_ms; i++) {
        const uint64_t gaps[] = {
            0, 0, 1, window_ms / 10, window_ms / 3, window_ms - 1, window_ms};
        now += random.one_in(20) && model.used > 0 && now < model.end_ms
                   ? model.end_ms - now - random.below(2)
                   : random.of(gaps);
        const rl_time_t t = at(now, now + wall_ahead);
        const uint64_t length =
            grid ? window_ms - t.wall_ms % window_ms : window_ms;
        model.advance(now);
        const uint64_t costs[] = {0, 1, 1, units / 3 + 1, units, units + 1};
        const uint64_t cost = random.of(costs);
        uint64_t charge_id = 0;
        const Evaluation s = store.decide(t, cost, &charge_id);
        const uint64_t left = model.used < units ? units - model.used : 0;
        ASSERT_EQ(s.remaining_units, left);
        ASSERT_EQ(s.admitted, cost <= left);
        const uint64_t reset = model.used > 0 ? model.end_ms - now : 0;
        ASSERT_EQ(s.reset_ms, reset);
        ASSERT_EQ(s.next_ms, reset);
        ASSERT_EQ(s.retry_after_ms, s.admitted     ? 0
                                    : cost > units ? window_ms
                                                   : reset);
        refused += !s.admitted;
        if (s.admitted && cost > 0) {
          model.charge(now, length, cost);
          charge_ids.emplace_back(charge_id, model.start_ms);
          ASSERT_EQ(reset_ms(store.bucket, store.shape, t),
                    model.end_ms - now);
        }
        if (random.one_in(30)) {
          const uint64_t debt = random.below(2 * units + 1);
          if (debt > 0) {
            store.force(t, debt);
            model.charge(now, length, debt);
          }
        }
        if (!charge_ids.empty() && random.one_in(10)) {
          // Of this window, or of one that has ended: then it is too late.
          const size_t index = random.below(charge_ids.size());
          const uint64_t back = 1 + random.below(units);
          store.give_back(t, back, charge_ids[index].first);
          if (charge_ids[index].second == model.start_ms) {
            model.used -= std::min<uint64_t>(back, model.used);
          }
          if (charge_ids.size() > 5) charge_ids.clear();
        }
        ASSERT_EQ(idle_at_ms(store.at(t)), model.used ? model.end_ms : 0);
      }
    }
  }
  EXPECT_GT(refused, steps);
}

TEST(Fixed, AgreesWithAPlainCount) {
  compare(false, 10000 * effort());
}
TEST(CalendarWindow, AgreesWithAPlainCount) {
  compare(true, 10000 * effort());
}

TEST(Fixed, OpensWithTheFirstCharge) {
  Store store(fixed(2, 60000), at(0));
  EXPECT_EQ(store.decide(at(5000), 0).reset_ms, 0u);  // a look does not
  store.decide(at(10000), 1);
  EXPECT_EQ(store.look(at(30000), 1).reset_ms, 40000u);
  store.decide(at(69999), 1);
  const Evaluation refused = store.decide(at(69999), 1);
  EXPECT_FALSE(refused.admitted);
  EXPECT_EQ(refused.retry_after_ms, 1u);
  EXPECT_TRUE(store.decide(at(70000), 2).admitted);
}

TEST(Fixed, AChangedWindowKeepsItsStart) {
  Store store(fixed(5, 60000), at(0));
  store.decide(at(10000), 5);
  store.shape.window_ms = 30000;
  EXPECT_EQ(store.decide(at(20000), 1).retry_after_ms, 20000u);
  store.shape.window_ms = 120000;
  EXPECT_EQ(store.decide(at(20000), 1).retry_after_ms, 110000u);
  store.shape.window_ms = 5000;  // then it has ended
  EXPECT_TRUE(store.decide(at(20000), 5).admitted);
  store.shape.window_ms = kHourMs;  // what had ended before stays so
  EXPECT_TRUE(store.decide(at(25000), 5).admitted);
  store.shape.units = 7;
  EXPECT_EQ(store.decide(at(26000), 1).remaining_units, 2u);
  store.shape.units = 0;
  EXPECT_EQ(store.decide(at(26000), 1).retry_after_ms, kHourMs);
  EXPECT_TRUE(store.decide(at(26000), 0).admitted);
}

TEST(Fixed, ClampsTheClock) {
  const uint64_t now_ms = 2 * kNewClockMs;
  Store store(fixed(1, 60000), at(now_ms));
  store.decide(at(now_ms), 1);
  const Evaluation behind = store.decide(at(now_ms - 500), 1);
  EXPECT_FALSE(behind.admitted);
  EXPECT_EQ(behind.retry_after_ms, 60500u);
  // It started anew: at most a window from there.
  EXPECT_EQ(store.decide(at(50), 1).retry_after_ms, 60000u);
  EXPECT_EQ(store.decide(at(60049), 1).retry_after_ms, 1u);
  EXPECT_TRUE(store.decide(at(60050), 1).admitted);
}

TEST(Fixed, SaturatesAtItsMaxima) {
  Store store(fixed(RL_MAX_UNITS, RL_MAX_WINDOW_MS), at(kLastMs));
  for (int i = 0; i < 10; i++) {
    store.force(at(kLastMs), RL_MAX_UNITS);
    ASSERT_EQ(store.decide(at(kLastMs), 1).retry_after_ms, RL_MAX_WINDOW_MS);
  }
  EXPECT_EQ(store.bucket.window.used_units, kMaxHeldUnits);
  EXPECT_EQ(idle_at_ms(store.bucket), kLastMs + RL_MAX_WINDOW_MS);
}

TEST(CalendarWindow, StepsOfTheWallClockNeitherResetNorBlock) {
  const uint64_t noon = wall(2026, 3, 5, 12 * kHourMs + 1000);
  Store store(calendar(3, kHourMs), at(0, noon));
  ASSERT_TRUE(store.decide(at(1000, noon), 3).admitted);
  const uint64_t end = 1000 + kHourMs - 1000;
  for (const uint64_t stepped : {noon - kDayMs, noon + kDayMs, noon - 600000,
                                 noon + 600000, noon + 9000, uint64_t{0}}) {
    EXPECT_EQ(store.decide(at(2000, stepped), 1).retry_after_ms, end - 2000);
    EXPECT_FALSE(store.decide(at(end - 1, stepped), 1).admitted);
  }
  EXPECT_TRUE(store.decide(at(end, noon - kDayMs), 1).admitted);
  EXPECT_LE(store.look(at(end, 0), 0).reset_ms, kHourMs);
}

TEST(CalendarWindow, EndsOnTheGridWhereTheClocksDifferByRounding) {
  const uint64_t start = wall(2026, 3, 5, 12 * kHourMs);
  for (const uint64_t behind : {1, 5, 1000}) {
    Store store(calendar(3, 60000), at(5000, start));
    ASSERT_TRUE(store.decide(at(5000, start), 3).admitted);
    // The end in Unix time is the same all the time.
    const rl_time_t later = at(15000, start + 10000 - behind);
    EXPECT_EQ(store.look(later, 1).reset_ms, 50000 + behind);
    // So the window is not opened twice, with a quota each.
    const rl_time_t end = at(65000, start + 60000 - behind);
    EXPECT_EQ(store.decide(end, 1).retry_after_ms, behind);
    EXPECT_TRUE(store.decide(at(65000 + behind, start + 60000), 3).admitted);
    EXPECT_EQ(store.look(end, 1).reset_ms, 60000 + behind);
  }
  // A refund of everything in an open window does not skip to the next.
  Store store(calendar(3, 60000), at(0, start));
  uint64_t charge_id = 0;
  store.decide(at(59500, start + 59500), 3, &charge_id);
  store.give_back(at(59600, start + 59600), 3, charge_id);
  store.decide(at(59700, start + 59700), 3);
  EXPECT_EQ(store.look(at(59700, start + 59700), 1).retry_after_ms, 300u);
}

TEST(CalendarWindow, MonthsHaveTheirRealLengths) {
  const uint64_t start = wall(2023, 12, 15);
  uint64_t now = 7;
  Store store(monthly(10, 1), at(now, start));
  const uint64_t lengths[] = {17, 31, 29, 31, 30, 31, 30, 31, 31, 30};
  for (const uint64_t days : lengths) {
    const rl_time_t t = at(now, start + now - 7);
    ASSERT_TRUE(store.decide(t, 10).admitted);
    const Evaluation refused = store.decide(t, 1);
    ASSERT_EQ(refused.retry_after_ms, days * kDayMs);
    ASSERT_EQ(refused.reset_ms, days * kDayMs);
    now += refused.retry_after_ms;
  }
  EXPECT_EQ(store.decide(at(now, start), 11).retry_after_ms, 31 * kDayMs);
}

TEST(CalendarWindow, AChangedWindowKeepsItsStart) {
  const uint64_t day = wall(2026, 3, 5);
  const uint64_t half_ten = day + 10 * kHourMs + kHourMs / 2;
  const auto t = [&](uint64_t ms) { return at(ms, half_ten + ms); };
  Store store(calendar(5, kHourMs), t(0));
  store.decide(t(0), 5);
  EXPECT_EQ(store.decide(t(1), 1).retry_after_ms, kHourMs / 2 - 1);
  store.shape = calendar(5, kDayMs);  // until midnight
  EXPECT_EQ(store.decide(t(1), 1).retry_after_ms, 27 * kHourMs / 2 - 1);
  store.shape.tz_ms = static_cast<int32_t>(9 * kHourMs);
  EXPECT_EQ(store.decide(t(1), 1).retry_after_ms, 9 * kHourMs / 2 - 1);
  store.shape = monthly(5, 1);
  EXPECT_EQ(store.decide(t(1), 1).retry_after_ms,
            26 * kDayMs + 27 * kHourMs / 2 - 1);
  store.shape = calendar(8, kHourMs);
  EXPECT_EQ(store.decide(t(2), 1).remaining_units, 3u);
  EXPECT_EQ(store.look(t(2), 1).reset_ms, kHourMs / 2 - 2);
  // Of a day only its first hour: that is over.
  Store daily(calendar(5, kDayMs), t(0));
  daily.decide(t(0), 5);
  daily.shape = calendar(5, kHourMs);
  EXPECT_TRUE(daily.decide(t(1), 5).admitted);
}

TEST(CalendarWindow, SoonAfterTheClockStarted) {
  // The window began before the monotonic clock did.
  const uint64_t late = wall(2026, 12, 31, 23 * kHourMs);
  Store store(monthly(1, 12), at(0, late));
  EXPECT_TRUE(store.decide(at(0, late), 1).admitted);
  EXPECT_EQ(store.decide(at(10, late + 10), 1).retry_after_ms, kHourMs - 10);
  store.shape = calendar(1, 60000);  // ended a year before the clock's start
  EXPECT_TRUE(store.decide(at(20, late + 20), 1).admitted);
}

TEST(CalendarWindow, AClockThatStartsAnewBlocksNobodyLongerThanAWindow) {
  const uint64_t start = wall(2026, 3, 5, 10 * kHourMs);
  Store store(calendar(1, kHourMs), at(5 * kDayMs, start));
  store.decide(at(5 * kDayMs, start), 1);
  EXPECT_EQ(store.decide(at(3, start + 60000), 1).retry_after_ms, kHourMs);
  EXPECT_TRUE(store.decide(at(3 + kHourMs, start + kHourMs), 1).admitted);
}

}  // namespace
}  // namespace ratelimit
