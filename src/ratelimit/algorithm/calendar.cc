#include "ratelimit/algorithm/calendar.h"

namespace ratelimit {
namespace {

constexpr int64_t kDayMs = 86400000;
constexpr uint64_t kLastWallMs = 253402300799999;  // 9999-12-31T23:59:59.999Z

// The Gregorian calendar repeats after 400 years.
constexpr int64_t kCycleMonths = 4800;
constexpr int64_t kCycleDays = 146097;

// b is positive.
constexpr int64_t floor_div(int64_t a, int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

// 29 February's of the years up to and with `year`, of an arbitrary origin.
constexpr int64_t leap_days(int64_t year) {
  return floor_div(year, 4) - floor_div(year, 100) + floor_div(year, 400);
}

}  // namespace

int64_t month_begin_day(int64_t month) noexcept {
  static constexpr int16_t kDaysBefore[12] = {0,   31,  59,  90,  120, 151,
                                              181, 212, 243, 273, 304, 334};
  const int64_t year = 1970 + floor_div(month, 12);
  const int64_t of_year = month - (year - 1970) * 12;
  // From March on this year's own leap day counts.
  const int64_t leaps = leap_days(of_year < 2 ? year - 1 : year);
  return 365 * (year - 1970) + leaps - leap_days(1969) + kDaysBefore[of_year];
}

int64_t month_of_day(int64_t day) noexcept {
  // The mean length of a month guesses to within one.
  int64_t month = floor_div(day * kCycleMonths, kCycleDays);
  while (month_begin_day(month) > day) {
    month--;
  }
  while (month_begin_day(month + 1) <= day) {
    month++;
  }
  return month;
}

Span calendar_window(uint64_t wall_ms, uint64_t window_ms, uint32_t months,
                     int32_t tz_ms) noexcept {
  if (wall_ms > kLastWallMs) wall_ms = kLastWallMs;
  const int64_t local_ms = static_cast<int64_t>(wall_ms) + tz_ms;
  if (months == 0) {
    const auto length_ms = static_cast<int64_t>(window_ms);
    const int64_t begin_ms = floor_div(local_ms, length_ms) * length_ms;
    return {begin_ms - tz_ms, begin_ms + length_ms - tz_ms};
  }
  const int64_t month = month_of_day(floor_div(local_ms, kDayMs));
  const int64_t first = floor_div(month, months) * months;
  return {month_begin_day(first) * kDayMs - tz_ms,
          month_begin_day(first + months) * kDayMs - tz_ms};
}

}  // namespace ratelimit
