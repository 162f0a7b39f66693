// Text between C++ and the core, and numbers for people.

#ifndef SUGGEST_TEXT_H_
#define SUGGEST_TEXT_H_

#include <cstdint>
#include <cstdio>
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

// "1 policy", "1,234 policies"
inline std::string counted(std::uint64_t number, const char* one,
                           const char* many) {
  return grouped(number) + " " + (number == 1 ? one : many);
}

// "8.31 %"
inline std::string share(double part, double all) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f %%", all == 0 ? 0 : 100 * part / all);
  return text;
}

// The last line of what answers of ratelimit_api say.
constexpr char kNoKeys[] =
    "\nWhat one client needs is not in these answers, which have no keys: "
    "access logs tell.\n";

}  // namespace suggest

#endif  // SUGGEST_TEXT_H_
