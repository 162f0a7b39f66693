// Bodies of refused responses: JSON.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ratelimit/ratelimit.h"
#include "ratelimit/base/text.h"

namespace ratelimit {
namespace {

// U+FFFD, the replacement character.
constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// One step through UTF-8: len bytes at `at` are a character, or, where not
// valid, the longest start of one (Unicode's "maximal subpart"), which is to
// be replaced once.
struct Sequence {
  std::size_t len;
  bool valid;
};

Sequence next_sequence(const Byte* at, const Byte* end) {
  const Byte first = *at;
  if (first < 0x80) return {1, true};

  // Bytes to follow; and the range of the first of them, narrowed where it
  // excludes overlong forms, surrogates and what is beyond U+10FFFF.
  std::size_t follow = 0;
  Byte low = 0x80;
  Byte high = 0xbf;
  if (first >= 0xc2 && first <= 0xdf) {
    follow = 1;
  } else if (first >= 0xe0 && first <= 0xef) {
    follow = 2;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
  } else if (first >= 0xf0 && first <= 0xf4) {
    follow = 3;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
  } else {
    return {1, false};
  }

  for (std::size_t i = 1; i <= follow; i++) {
    if (end - at <= static_cast<std::ptrdiff_t>(i) || at[i] < low ||
        at[i] > high) {
      return {i, false};
    }
    low = 0x80;
    high = 0xbf;
  }
  return {follow + 1, true};
}

bool stays(Byte c) {
  return c >= 0x20 && c != '"' && c != '\\' && c < 0x80;
}

// The letter behind the backslash of a short escape, or 0.
char short_escape(Byte c) {
  switch (c) {
    case '"':
    case '\\':
      return static_cast<char>(c);
    case '\b':
      return 'b';
    case '\f':
      return 'f';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    default:
      return 0;
  }
}

// What stands for the ASCII byte c, which does not stay; returns its length.
std::size_t escape(Byte c, char out[RL_JSON_EXPANSION]) {
  out[0] = '\\';
  out[1] = short_escape(c);
  if (out[1] != 0) return 2;
  constexpr std::string_view kHex = "0123456789abcdef";
  out[1] = 'u';
  out[2] = '0';
  out[3] = '0';
  out[4] = kHex[c >> 4];
  out[5] = kHex[c & 15];
  return 6;
}

constexpr std::string_view kProblemStart =
    "{\"type\":\"https://iana.org/assignments/http-problem-types"
    "#quota-exceeded\",\"title\":\"Request cannot be satisfied as assigned "
    "quota has been exceeded\",\"status\":";
constexpr std::string_view kProblemPolicies = ",\"violated-policies\":[";
constexpr std::string_view kProblemEnd = "]}";
constexpr std::size_t kStatusDigits = 10;  // of 2^32

}  // namespace
}  // namespace ratelimit

using ratelimit::Byte;

std::size_t rl_json_escape(rl_str_t text, unsigned char* buf) noexcept {
  const Byte* at = text.data;
  const Byte* const end = at + text.len;
  std::size_t len = 0;
  const auto put = [&](const void* data, std::size_t n) {
    if (buf != nullptr) std::memcpy(buf + len, data, n);
    len += n;
  };

  while (at != end) {
    const Byte* const run = at;
    while (at != end && ratelimit::stays(*at)) {
      at++;
    }
    if (at != run) {
      put(run, static_cast<std::size_t>(at - run));
    } else if (*at < 0x80) {
      char escaped[RL_JSON_EXPANSION];
      put(escaped, ratelimit::escape(*at, escaped));
      at++;
    } else {
      const ratelimit::Sequence next = ratelimit::next_sequence(at, end);
      if (next.valid) {
        put(at, next.len);
      } else {
        put(ratelimit::kReplacement.data(), ratelimit::kReplacement.size());
      }
      at += next.len;
    }
  }
  return len;
}

std::size_t rl_problem_len(const rl_item_t* items, std::size_t n) noexcept {
  std::size_t len =
      ratelimit::kProblemStart.size() + ratelimit::kStatusDigits +
      ratelimit::kProblemPolicies.size() + ratelimit::kProblemEnd.size();
  for (std::size_t i = 0; i < n; i++) {
    len += items[i].policy->name.len + 3;  // quotes and comma
  }
  return len;
}

// Hidden policies alone leave the array empty: a client of this problem type
// may count on the member.
std::size_t rl_render_problem(const rl_item_t* items, std::size_t n,
                              unsigned status, unsigned char* buf) noexcept {
  ratelimit::Writer out{buf};
  out.put(ratelimit::kProblemStart);
  out.put_number(status);
  out.put(ratelimit::kProblemPolicies);
  bool first = true;
  for (std::size_t i = 0; i < n; i++) {
    if (items[i].admitted || items[i].dry_run || items[i].policy->hidden) {
      continue;
    }
    if (!first) out.put(',');
    first = false;
    out.put('"');
    out.put(items[i].policy->name);
    out.put('"');
  }
  out.put(ratelimit::kProblemEnd);
  return static_cast<std::size_t>(out.at - buf);
}
