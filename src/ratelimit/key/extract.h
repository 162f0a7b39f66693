// What the readers of key sources share.

#ifndef RATELIMIT_KEY_EXTRACT_H_
#define RATELIMIT_KEY_EXTRACT_H_

#include <cstddef>
#include <cstring>

#include "ratelimit/ratelimit.h"
#include "ratelimit/base/text.h"

namespace ratelimit {

inline const Byte* find(const Byte* begin, const Byte* end, char c) {
  if (begin == end) return nullptr;
  return static_cast<const Byte*>(
      std::memchr(begin, c, static_cast<std::size_t>(end - begin)));
}

inline const Byte* find_or_end(const Byte* begin, const Byte* end, char c) {
  const Byte* const found = find(begin, end, c);
  return found == nullptr ? end : found;
}

inline rl_str_t trim(const Byte* begin, const Byte* end) {
  while (begin != end && is_blank(*begin)) {
    begin++;
  }
  while (begin != end && is_blank(end[-1])) {
    end--;
  }
  return slice(begin, end);
}

// Decodes what may be an escape at *at and moves behind it; an escape that is
// none is its own bytes, one by one.
inline Byte take_decoded(const Byte** at, const Byte* end) {
  const Byte* const c = *at;
  if (*c == '%' && end - c > 2) {
    const int high = hex_value(c[1]);
    const int low = hex_value(c[2]);
    if (high >= 0 && low >= 0) {
      *at += 3;
      return static_cast<Byte>(high << 4 | low);
    }
  }
  (*at)++;
  return *c;
}

// A cookie's value, from its equals sign to its semicolon: without blanks and
// quotes around it, escapes decoded; into buf, as long as that, if need be.
rl_str_t cookie_value(const Byte* begin, const Byte* end, Byte* buf);

}  // namespace ratelimit

#endif  // RATELIMIT_KEY_EXTRACT_H_
