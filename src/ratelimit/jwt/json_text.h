// What JSON texts are made of: RFC 8259.

#ifndef RATELIMIT_JWT_JSON_TEXT_H_
#define RATELIMIT_JWT_JSON_TEXT_H_

#include <cstddef>

#include "ratelimit/base/text.h"
#include "ratelimit/ratelimit.h"

namespace ratelimit {

constexpr std::ptrdiff_t kEscapeLen = 6;

inline bool is_space(Byte c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

inline bool is_of_number(Byte c) {
  return is_digit(c) || c == '-' || c == '+' || c == '.' || c == 'e' ||
         c == 'E';
}

// The code unit of "\ud83d" at `at`, or -1.
int code_unit(const Byte* at, const Byte* end);

inline bool is_high(int unit) {
  return unit >= 0xd800 && unit < 0xdc00;
}
inline bool is_low(int unit) {
  return unit >= 0xdc00 && unit < 0xe000;
}

enum class Number { kNone, kInteger, kReal };

// What the whole text is.
Number number_of(rl_str_t text);

}  // namespace ratelimit

#endif  // RATELIMIT_JWT_JSON_TEXT_H_
