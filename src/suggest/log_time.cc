#include "suggest/log_time.h"

#include <cstring>
#include <ctime>

namespace suggest {
namespace {

constexpr const char* kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";

struct Civil {
  std::int64_t year, month, day, hour, minute, second;
};

// Digits at `at`, and nothing else.
bool digits(std::string_view text, std::size_t at, std::size_t n,
            std::int64_t* out) {
  if (at + n > text.size()) return false;
  std::int64_t value = 0;
  for (std::size_t i = at; i < at + n; i++) {
    if (text[i] < '0' || text[i] > '9') return false;
    value = value * 10 + (text[i] - '0');
  }
  *out = value;
  return true;
}

// "+hhmm", with a character of any kind between the two where `gap` is 1.
bool offset(std::string_view text, std::size_t at, std::size_t gap,
            std::int64_t* seconds) {
  std::int64_t hours = 0;
  std::int64_t minutes = 0;
  if (at >= text.size() || (text[at] != '+' && text[at] != '-') ||
      !digits(text, at + 1, 2, &hours) ||
      !digits(text, at + 3 + gap, 2, &minutes)) {
    return false;
  }
  *seconds = (hours * 60 + minutes) * 60 * (text[at] == '-' ? -1 : 1);
  return true;
}

bool moment(const Civil& at, std::int64_t offset_seconds, std::int64_t* ms) {
  if (at.month < 1 || at.month > 12 || at.day < 1 || at.day > 31 ||
      at.hour > 23 || at.minute > 59 || at.second > 60) {
    return false;
  }
  std::tm utc = {};
  utc.tm_year = static_cast<int>(at.year) - 1900;
  utc.tm_mon = static_cast<int>(at.month) - 1;
  utc.tm_mday = static_cast<int>(at.day);
  utc.tm_hour = static_cast<int>(at.hour);
  utc.tm_min = static_cast<int>(at.minute);
  utc.tm_sec = static_cast<int>(at.second);
  *ms = (std::int64_t{timegm(&utc)} - offset_seconds) * 1000;
  return true;
}

}  // namespace

bool read_time_local(std::string_view text, std::int64_t* ms) {
  Civil at = {};
  std::int64_t seconds = 0;
  if (text.size() != 26 || text[2] != '/' || text[6] != '/' ||
      text[20] != ' ' || !digits(text, 0, 2, &at.day) ||
      !digits(text, 7, 4, &at.year) || !digits(text, 12, 2, &at.hour) ||
      !digits(text, 15, 2, &at.minute) || !digits(text, 18, 2, &at.second) ||
      !offset(text, 21, 0, &seconds)) {
    return false;
  }
  const std::string name(text.substr(3, 3));
  const char* found = std::strstr(kMonths, name.c_str());
  if (found == nullptr || (found - kMonths) % 3 != 0) return false;
  at.month = (found - kMonths) / 3 + 1;
  return moment(at, seconds, ms);
}

bool read_time_iso8601(std::string_view text, std::int64_t* ms) {
  Civil at = {};
  std::int64_t seconds = 0;
  return text.size() == 25 && text[4] == '-' && text[7] == '-' &&
         text[10] == 'T' && digits(text, 0, 4, &at.year) &&
         digits(text, 5, 2, &at.month) && digits(text, 8, 2, &at.day) &&
         digits(text, 11, 2, &at.hour) && digits(text, 14, 2, &at.minute) &&
         digits(text, 17, 2, &at.second) && offset(text, 19, 1, &seconds) &&
         moment(at, seconds, ms);
}

bool read_msec(std::string_view text, std::int64_t* ms) {
  const std::size_t dot = text.find('.');
  std::int64_t seconds = 0;
  std::int64_t rest = 0;
  if (dot == std::string_view::npos || dot == 0 || dot > 11 ||
      text.size() != dot + 4 || !digits(text, 0, dot, &seconds) ||
      !digits(text, dot + 1, 3, &rest)) {
    return false;
  }
  *ms = seconds * 1000 + rest;
  return true;
}

std::string time_text(std::int64_t ms) {
  const std::time_t seconds = ms / 1000;
  std::tm utc = {};
  char text[64];
  gmtime_r(&seconds, &utc);
  std::strftime(text, sizeof text, "%d %b %Y %H:%M:%S", &utc);
  return text;
}

}  // namespace suggest
