#include "ratelimit/response/time_text.h"

#include <string_view>

#include "ratelimit/algorithm/calendar.h"

namespace ratelimit {
namespace {

constexpr std::uint64_t kDaySeconds = 86400;
constexpr std::uint64_t kLastSecond = 253402300799;  // 9999-12-31T23:59:59Z

std::uint64_t add_saturated(std::uint64_t a, std::uint64_t b) {
  return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

// "59.001": APIs with decimals have three of them, always.
void put_decimal(std::uint64_t ms, Writer* out) {
  const auto rest = static_cast<unsigned>(ms % 1000);
  out->put_number(ms / 1000);
  out->put('.');
  out->put(static_cast<char>('0' + rest / 100));
  put_two(rest % 100, out->at);
  out->at += 2;
}

// As time.Duration.String() of Go: "1h0m0s", "6m0s", "1.5s", "17ms", "0s".
void put_go(std::uint64_t ms, Writer* out) {
  if (ms != 0 && ms < 1000) {
    out->put_number(ms);
    out->put("ms");
    return;
  }
  const std::uint64_t minutes = ms / 60000;
  if (minutes >= 60) {
    out->put_number(minutes / 60);
    out->put('h');
  }
  if (minutes != 0) {
    out->put_number(minutes % 60);
    out->put('m');
  }
  ms %= 60000;
  if (ms % 1000 == 0) {
    out->put_number(ms / 1000);
  } else {
    put_decimal(ms, out);
    while (out->at[-1] == '0')
      out->at--;
  }
  out->put('s');
}

// The civil date of a second since 1970.
struct Date {
  unsigned year, month, day;  // from 1
  unsigned hour, minute, second;
  unsigned weekday;  // 0: Sunday
};

Date date_of(std::uint64_t second) {
  if (second > kLastSecond) second = kLastSecond;
  const auto days = static_cast<std::int64_t>(second / kDaySeconds);
  const auto of_day = static_cast<unsigned>(second % kDaySeconds);
  const std::int64_t month = month_of_day(days);
  return {static_cast<unsigned>(1970 + month / 12),
          static_cast<unsigned>(month % 12 + 1),
          static_cast<unsigned>(days - month_begin_day(month) + 1),
          of_day / 3600,
          of_day / 60 % 60,
          of_day % 60,
          static_cast<unsigned>((days + 4) % 7)};
}

void put_two_digits(unsigned value, Writer* out) {
  put_two(value, out->at);
  out->at += 2;
}

void put_clock(const Date& date, Writer* out) {
  put_two_digits(date.hour, out);
  out->put(':');
  put_two_digits(date.minute, out);
  out->put(':');
  put_two_digits(date.second, out);
}

void put_rfc3339(const Date& date, Writer* out) {
  out->put_number(date.year);
  out->put('-');
  put_two_digits(date.month, out);
  out->put('-');
  put_two_digits(date.day, out);
  out->put('T');
  put_clock(date, out);
  out->put('Z');
}

// IMF-fixdate of RFC 9110.
void put_http(const Date& date, Writer* out) {
  constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  out->put(kDays.data() + std::size_t{3} * date.weekday, 3);
  out->put(", ");
  put_two_digits(date.day, out);
  out->put(' ');
  out->put(kMonths.data() + std::size_t{3} * (date.month - 1), 3);
  out->put(' ');
  out->put_number(date.year);
  out->put(' ');
  put_clock(date, out);
  out->put(" GMT");
}

}  // namespace

void put_time(rl_format_e format, std::uint64_t ahead_ms, const rl_time_t& now,
              Writer* out) noexcept {
  const std::uint64_t then_ms = add_saturated(now.wall_ms, ahead_ms);
  switch (format) {
    case RL_FORMAT_MS:
      return out->put_number(ahead_ms);
    case RL_FORMAT_DECIMAL:
      return put_decimal(ahead_ms, out);
    case RL_FORMAT_GO:
      return put_go(ahead_ms, out);
    case RL_FORMAT_UNIX:
      return out->put_number(rl_seconds_up(then_ms));
    case RL_FORMAT_UNIX_MS:
      return out->put_number(then_ms);
    case RL_FORMAT_UNIX_DECIMAL:
      return put_decimal(then_ms, out);
    case RL_FORMAT_RFC3339:
      return put_rfc3339(date_of(rl_seconds_up(then_ms)), out);
    case RL_FORMAT_HTTP:
      return put_http(date_of(rl_seconds_up(then_ms)), out);
    case RL_FORMAT_PLAIN:
    case RL_FORMAT_QUOTA:  // of a policy
    case RL_FORMAT_LIMIT:
      break;
  }
  out->put_number(seconds_up(ahead_ms));
}

}  // namespace ratelimit

std::uint64_t rl_seconds_up(std::uint64_t ms) noexcept {
  return ms / 1000 + (ms % 1000 != 0);
}

std::uint64_t rl_unix_seconds(const rl_time_t* now,
                              std::uint64_t ahead_ms) noexcept {
  return rl_seconds_up(ratelimit::add_saturated(now->wall_ms, ahead_ms));
}
