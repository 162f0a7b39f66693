// Bytes in, bytes out: what parsers, key sources, fields and bodies share.
//
// Text is never terminated and may hold any byte.  Nothing here reads beyond a
// length, allocates or formats through libc.

#ifndef RATELIMIT_BASE_TEXT_H_
#define RATELIMIT_BASE_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "ratelimit/ratelimit.h"

namespace ratelimit {

using Byte = unsigned char;

inline rl_str_t slice(const Byte* begin, const Byte* end) {
  return {static_cast<std::size_t>(end - begin), begin};
}

// For literals of static storage only.
inline rl_str_t literal(std::string_view text) {
  return {text.size(), reinterpret_cast<const Byte*>(text.data())};
}

inline bool equals(rl_str_t a, std::string_view b) {
  return a.len == b.size() && std::memcmp(a.data, b.data(), b.size()) == 0;
}

inline bool is_digit(Byte c) {
  return c >= '0' && c <= '9';
}

inline bool is_alpha(Byte c) {
  const Byte lower = c | 0x20;
  return lower >= 'a' && lower <= 'z';
}

inline Byte to_lower(Byte c) {
  return c >= 'A' && c <= 'Z' ? static_cast<Byte>(c | 0x20) : c;
}

// Space, tab, other controls: what one HTTP parser or another trims.
inline bool is_blank(Byte c) {
  return c <= ' ' || c == 0x7f;
}

// A field name or method of RFC 9110: not empty, of its token characters.
bool is_token(rl_str_t text);

// The value of a hexadecimal digit, or -1.
int hex_value(Byte c);

// What is left of a text that is being read.  Inlined, so that it stays in
// registers: a variable's quota is read for each request.
struct Reader {
  const Byte* at;
  const Byte* end;

  explicit Reader(rl_str_t text)
      : at(text.data), end(text.len == 0 ? at : at + text.len) {}

  bool done() const { return at == end; }

  bool take(char c) {
    if (done() || *at != static_cast<Byte>(c)) return false;
    at++;
    return true;
  }

  // Decimal digits, however many, leading zeros allowed as in nginx's own
  // numbers; beyond max (at most 2^60) it is max.  False without a digit.
  bool take_at_most(std::uint64_t max, std::uint64_t* out) {
    const Byte* const start = at;
    std::uint64_t value = 0;
    for (; !done() && is_digit(*at); at++) {
      value = value * 10 + static_cast<unsigned>(*at - '0');
      if (value > max) value = max;
    }
    *out = value;
    return at != start;
  }

  // The same; false beyond max as well.
  bool take_number(std::uint64_t max, std::uint64_t* out) {
    std::uint64_t value = 0;
    if (!take_at_most(max + 1, &value) || value > max) return false;
    *out = value;
    return true;
  }
};

struct TwoDigits {
  char text[200];
};

constexpr TwoDigits make_two_digits() {
  TwoDigits table{};
  char* at = table.text;
  for (int i = 0; i < 100; i++) {
    *at++ = static_cast<char>('0' + i / 10);
    *at++ = static_cast<char>('0' + i % 10);
  }
  return table;
}

// Two digits a division, as a field's numbers are rendered for each response.
inline constexpr TwoDigits kTwoDigits = make_two_digits();

inline void put_two(unsigned value, Byte* to) {
  std::memcpy(to, &kTwoDigits.text[std::size_t{2} * value], 2);
}

// A value below this, as nearly all limits and seconds are; returns the end.
constexpr unsigned kShortEnd = 10000;

inline Byte* put_short(unsigned value, Byte* to) {
  const unsigned high = value / 100;
  const unsigned low = value % 100;
  if (high >= 10) {
    put_two(high, to);
    to += 2;
  } else if (high != 0) {
    *to++ = static_cast<Byte>('0' + high);
  } else if (low < 10) {
    *to = static_cast<Byte>('0' + low);
    return to + 1;
  }
  put_two(low, to);
  return to + 2;
}

// A value below this, as limits that count tokens or bytes, and the seconds of
// a day: a second step, and still no loop.
constexpr unsigned kMiddleEnd = kShortEnd * kShortEnd;

inline Byte* put_middle(unsigned value, Byte* to) {
  if (value < kShortEnd) return put_short(value, to);
  to = put_short(value / kShortEnd, to);
  put_two(value % kShortEnd / 100, to);
  put_two(value % 100, to + 2);
  return to + 4;
}

// What has been written so far; the caller knows that there is room.
struct Writer {
  Byte* at;

  void put(char c) { *at++ = static_cast<Byte>(c); }

  void put(const void* data, std::size_t len) {
    if (len != 0) std::memcpy(at, data, len);
    at += len;
  }

  void put(std::string_view text) { put(text.data(), text.size()); }
  void put(rl_str_t text) { put(text.data, text.len); }
  void put_number(std::uint64_t value) {
    at = value < kShortEnd ? put_short(static_cast<unsigned>(value), at)
                       : at + rl_render_u64(value, at);
  }
};

}  // namespace ratelimit

#endif  // RATELIMIT_BASE_TEXT_H_
