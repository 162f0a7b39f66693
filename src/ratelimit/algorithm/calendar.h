// The grid that `calendar` windows lie on: the multiples of the window since
// 1970, local time, so that hours, days and months begin where clocks and
// calendars of that time zone say so.

#ifndef RATELIMIT_ALGORITHM_CALENDAR_H_
#define RATELIMIT_ALGORITHM_CALENDAR_H_

#include <cstdint>

namespace ratelimit {

// Milliseconds since 1970 in UTC; begin_ms may lie before.
struct Span {
  int64_t begin_ms;
  int64_t end_ms;
};

// The window that holds wall_ms.  Where months is not 0 it is that many
// calendar months of their real lengths, else window_ms.  Times after the year
// 9999 are taken as its end.
Span calendar_window(uint64_t wall_ms, uint64_t window_ms, uint32_t months,
                     int32_t tz_ms) noexcept;

// The day, counted from 1970-01-01, on which a month begins, counted from
// January 1970; proleptic Gregorian.
int64_t month_begin_day(int64_t month) noexcept;

// The month that a day lies in, both counted as above.
int64_t month_of_day(int64_t day) noexcept;

}  // namespace ratelimit

#endif  // RATELIMIT_ALGORITHM_CALENDAR_H_
