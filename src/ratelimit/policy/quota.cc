// Quotas, windows, units and the names of algorithms, as configured.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ratelimit/base/choices.h"
#include "ratelimit/base/text.h"
#include "ratelimit/policy/origin.h"
#include "ratelimit/ratelimit.h"

namespace ratelimit {
namespace {

struct AlgorithmRow {
  rl_algorithm_e kind;
  std::string_view usage;
};

constexpr AlgorithmRow kAlgorithms[] = {
    {RL_SLIDING, "sliding"},
    {RL_FIXED, "fixed"},
    {RL_CALENDAR, "calendar"},
    {RL_GCRA, "gcra"},
};
static_assert(in_order(kAlgorithms), "indexed by rl_algorithm_e");

constexpr auto kAlgorithmPhrase = must_be_one_of<kAlgorithms>();

// A window of months is taken for its longest: 31 days each, a year 366.
constexpr std::uint64_t kMonthMs = std::uint64_t{31} * 86400000;

// The numbers that the phrases below tell.
static_assert(RL_MAX_UNITS == 999999999999999, "");
static_assert(RL_MAX_WINDOW_MS == std::uint64_t{366} * 86400000, "");
static_assert(RL_MAX_MONTHS == 12, "");
static_assert(RL_MAX_PLACES == 1000000, "");

constexpr const char* kUnitsPhrase =
    "must be an integer of 0 to 999999999999999";
constexpr const char* kSecondsPhrase =
    "must be seconds such as \"0.250\", or several of them as nginx writes "
    "those of its upstreams";
constexpr const char* kMonthPhrase =
    "has months (\"M\"), which need algorithm=calendar";
constexpr const char* kWindowPhrase =
    "must be an integer with ms, s, m, h or d behind it, of 1ms to 366d";
constexpr const char* kWindowOrMonthPhrase =
    "must be an integer with ms, s, m, h or d behind it, of 1ms to 366d, or "
    "1M to 12M";
constexpr const char* kQuotaPhrase =
    "must be UNITS/WINDOW such as \"600/60s\", of 0 to 999999999999999 units "
    "and a window of 1ms to 366d in ms, s, m, h or d, or \"unlimited\"";
constexpr const char* kQuotaOrMonthPhrase =
    "must be UNITS/WINDOW such as \"600/60s\", of 0 to 999999999999999 units "
    "and a window of 1ms to 366d in ms, s, m, h or d or of 1M to 12M, or "
    "\"unlimited\"";
constexpr const char* kPlacesPhrase =
    "must be an integer of 0 to 1000000, or \"unlimited\"";
constexpr const char* kTzPhrase =
    "must be \"Z\" or an offset of UTC such as \"+09:00\", of -14:00 to "
    "+14:00";

enum class WindowError { kNone, kMonths, kInvalid };

// Of a window's unit; 0: it is none.
std::uint64_t unit_ms(rl_str_t suffix) {
  if (suffix.len == 2) return equals(suffix, "ms") ? 1 : 0;
  if (suffix.len != 1) return 0;
  switch (suffix.data[0]) {
    case 's':
      return 1000;
    case 'm':
      return 60000;
    case 'h':
      return 3600000;
    case 'd':
      return 86400000;
    default:
      return 0;
  }
}

// All that is left is the window.
WindowError take_window(Reader in, bool months, rl_quota_t* out) {
  const rl_str_t text = slice(in.at, in.end);
  std::uint64_t count = 0;
  if (!in.take_number(RL_MAX_WINDOW_MS, &count) || count == 0) {
    return WindowError::kInvalid;
  }
  const rl_str_t suffix = slice(in.at, in.end);

  if (equals(suffix, "M")) {
    if (count > RL_MAX_MONTHS) return WindowError::kInvalid;
    if (!months) return WindowError::kMonths;
    out->window_months = static_cast<std::uint32_t>(count);
    out->window_ms = count * kMonthMs;
    if (out->window_ms > RL_MAX_WINDOW_MS) out->window_ms = RL_MAX_WINDOW_MS;
    out->window_text = text;
    return WindowError::kNone;
  }

  const std::uint64_t ms = unit_ms(suffix);
  if (ms == 0 || count * ms > RL_MAX_WINDOW_MS) return WindowError::kInvalid;
  out->window_months = 0;
  out->window_ms = count * ms;
  out->window_text = text;
  return WindowError::kNone;
}

// What a power of ten behind units stands for; 1: it is none.
std::uint64_t power_of(Byte suffix) {
  switch (suffix) {
    case 'k':
      return 1000;
    case 'M':
      return 1000000;
    case 'G':
      return 1000000000;
    case 'T':
      return 1000000000000;
    default:
      return 1;
  }
}

// Units, with a power of ten behind them perhaps: "10M".
bool take_units(Reader* in, Origin origin, std::uint64_t* out) {
  std::uint64_t units = 0;
  if (!take_number(in, RL_MAX_UNITS, origin, &units)) return false;
  const std::uint64_t power = in->done() ? 1 : power_of(*in->at);
  if (power != 1) {
    in->at++;
    if (units > RL_MAX_UNITS / power) {
      if (origin == Origin::kConstant) return false;
      units = RL_MAX_UNITS;
    } else {
      units *= power;
    }
  }
  *out = units;
  return true;
}

// Seconds with decimals behind them, as milliseconds, rounded up.
bool take_seconds(Reader* in, std::uint64_t* out_ms) {
  std::uint64_t seconds = 0;
  if (!in->take_at_most(RL_MAX_UNITS, &seconds)) return false;
  std::uint64_t ms = seconds * 1000;
  if (in->take('.')) {
    const unsigned char* const start = in->at;
    std::uint64_t worth = 100;
    bool rest = false;
    for (; !in->done() && is_digit(*in->at); in->at++) {
      ms += worth * static_cast<std::uint64_t>(*in->at - '0');
      rest = rest || (worth == 0 && *in->at != '0');
      worth /= 10;
    }
    if (in->at == start) return false;
    if (rest) ms++;
  }
  *out_ms = ms < RL_MAX_UNITS ? ms : RL_MAX_UNITS;
  return true;
}

// What stands between the times of several upstreams.
bool take_separator(Reader* in) {
  const unsigned char* const start = in->at;
  if ((in->take(',') || (in->take(' ') && in->take(':'))) && in->take(' ')) {
    return true;
  }
  in->at = start;
  return false;
}

const char* parse_quota(rl_str_t text, bool months, Origin origin,
                        rl_quota_t* out) {
  if (text.len == 0 || equals(text, "unlimited")) {
    *out = rl_quota_t{};
    out->unlimited = 1;
    return nullptr;
  }
  const char* const phrase = months ? kQuotaOrMonthPhrase : kQuotaPhrase;
  Reader in(text);
  std::uint64_t units = 0;
  if (!take_units(&in, origin, &units) || !in.take('/')) {
    return phrase;
  }
  rl_quota_t quota{};
  switch (take_window(in, months, &quota)) {
    case WindowError::kNone:
      break;
    case WindowError::kMonths:
      return kMonthPhrase;
    case WindowError::kInvalid:
      return phrase;
  }
  quota.units = units;
  *out = quota;
  return nullptr;
}

const char* parse_places(rl_str_t text, Origin origin, rl_quota_t* out) {
  rl_quota_t quota{};
  quota.window_ms = RL_PLACE_MS;
  if (text.len == 0 || equals(text, "unlimited")) {
    quota.unlimited = 1;
    *out = quota;
    return nullptr;
  }
  Reader in(text);
  std::uint64_t units = 0;
  if (!take_number(&in, RL_MAX_PLACES, origin, &units) || !in.done()) {
    return kPlacesPhrase;
  }
  quota.units = units;
  *out = quota;
  return nullptr;
}

}  // namespace
}  // namespace ratelimit

using ratelimit::Origin;
using ratelimit::Reader;
using ratelimit::WindowError;

const char* rl_parse_window(rl_str_t text, int months,
                            rl_quota_t* out) noexcept {
  switch (ratelimit::take_window(Reader(text), months != 0, out)) {
    case WindowError::kNone:
      return nullptr;
    case WindowError::kMonths:
      return ratelimit::kMonthPhrase;
    case WindowError::kInvalid:
      break;
  }
  return months ? ratelimit::kWindowOrMonthPhrase : ratelimit::kWindowPhrase;
}

const char* rl_parse_quota(rl_str_t text, int months,
                           rl_quota_t* out) noexcept {
  return ratelimit::parse_quota(text, months != 0, Origin::kConstant, out);
}

const char* rl_read_quota(rl_str_t text, int months,
                          rl_quota_t* out) noexcept {
  return ratelimit::parse_quota(text, months != 0, Origin::kVariable, out);
}

const char* rl_parse_places(rl_str_t text, rl_quota_t* out) noexcept {
  return ratelimit::parse_places(text, Origin::kConstant, out);
}

const char* rl_read_places(rl_str_t text, rl_quota_t* out) noexcept {
  return ratelimit::parse_places(text, Origin::kVariable, out);
}

const char* rl_parse_units(rl_str_t text, std::uint64_t* out) noexcept {
  Reader in(text);
  std::uint64_t units = 0;
  if (!ratelimit::take_units(&in, Origin::kConstant, &units) || !in.done()) {
    return ratelimit::kUnitsPhrase;
  }
  *out = units;
  return nullptr;
}

const char* rl_read_units(rl_str_t text, std::uint64_t* out) noexcept {
  Reader in(text);
  std::uint64_t units = 0;
  if (!ratelimit::take_units(&in, Origin::kVariable, &units)) {
    return ratelimit::kUnitsPhrase;
  }
  if (in.take('.')) {
    const unsigned char* const start = in.at;
    bool rest = false;
    for (; !in.done() && ratelimit::is_digit(*in.at); in.at++) {
      rest = rest || *in.at != '0';
    }
    if (in.at == start) return ratelimit::kUnitsPhrase;
    if (rest && units < RL_MAX_UNITS) units++;
  }
  if (!in.done()) return ratelimit::kUnitsPhrase;
  *out = units;
  return nullptr;
}

const char* rl_read_seconds(rl_str_t text, std::uint64_t* out) noexcept {
  Reader in(text);
  std::uint64_t sum = 0;
  do {
    std::uint64_t ms = 0;
    if (!in.take('-') && !ratelimit::take_seconds(&in, &ms)) {
      return ratelimit::kSecondsPhrase;
    }
    sum = std::min<std::uint64_t>(sum + ms, RL_MAX_UNITS);
  } while (ratelimit::take_separator(&in));
  if (!in.done()) return ratelimit::kSecondsPhrase;
  *out = sum;
  return nullptr;
}

const char* rl_parse_algorithm(rl_str_t text, rl_algorithm_e* out) noexcept {
  for (const auto& row : ratelimit::kAlgorithms) {
    if (!ratelimit::equals(text, row.usage)) continue;
    *out = row.kind;
    return nullptr;
  }
  return ratelimit::kAlgorithmPhrase.text;
}

const char* rl_algorithm_name(rl_algorithm_e algorithm) noexcept {
  return algorithm == RL_CONCURRENT
             ? "concurrent"
             : ratelimit::kAlgorithms[algorithm].usage.data();
}

const char* rl_parse_tz(rl_str_t text, std::int32_t* out_ms) noexcept {
  if (ratelimit::equals(text, "Z")) {
    *out_ms = 0;
    return nullptr;
  }
  // Exactly sHH:MM.
  const unsigned char* const c = text.data;
  if (text.len != 6 || (c[0] != '+' && c[0] != '-') || c[3] != ':' ||
      !ratelimit::is_digit(c[1]) || !ratelimit::is_digit(c[2]) ||
      !ratelimit::is_digit(c[4]) || !ratelimit::is_digit(c[5])) {
    return ratelimit::kTzPhrase;
  }
  const int hours = (c[1] - '0') * 10 + (c[2] - '0');
  const int minutes = (c[4] - '0') * 10 + (c[5] - '0');
  if (minutes > 59 || hours * 60 + minutes > 14 * 60) {
    return ratelimit::kTzPhrase;
  }
  const int east_ms = (hours * 60 + minutes) * 60000;
  *out_ms = c[0] == '-' ? -east_ms : east_ms;
  return nullptr;
}
