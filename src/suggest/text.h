// Text between C++ and the core, and numbers for people.

#ifndef SUGGEST_TEXT_H_
#define SUGGEST_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "ratelimit/ratelimit.h"

namespace suggest {

inline rl_str_t str(std::string_view text) {
  return {text.size(), reinterpret_cast<const unsigned char*>(text.data())};
}

// "1,234,567"
inline std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t i = text.size(); i > 3; i -= 3)
    text.insert(i - 3, ",");
  return text;
}

}  // namespace suggest

#endif  // SUGGEST_TEXT_H_
