// What the tests of everything textual share.

#ifndef T_UNIT_TEXT_UTIL_H_
#define T_UNIT_TEXT_UTIL_H_

#include <cstdlib>
#include <random>
#include <string>

#include "ratelimit/ratelimit.h"

inline rl_str_t str(const std::string& text) {
  return {text.size(), reinterpret_cast<const unsigned char*>(text.data())};
}

inline std::string str(rl_str_t text) {
  return std::string(reinterpret_cast<const char*>(text.data), text.len);
}

// A copy on the heap without room behind it, so that the address sanitizer
// sees a read beyond the length.
class Exact {
 public:
  explicit Exact(const std::string& text)
      : len_(text.size()),
        data_(static_cast<unsigned char*>(std::malloc(len_ + (len_ == 0)))) {
    for (std::size_t i = 0; i < len_; i++) {
      data_[i] = static_cast<unsigned char>(text[i]);
    }
  }
  ~Exact() { std::free(data_); }
  Exact(const Exact&) = delete;
  Exact& operator=(const Exact&) = delete;

  operator rl_str_t() const { return {len_, data_}; }
  unsigned char* data() { return data_; }

 private:
  std::size_t len_;
  unsigned char* data_;
};

// A quick run by default, fifty times as long with RATELIMIT_LONG.
inline int rounds(int n) {
  return std::getenv("RATELIMIT_LONG") == nullptr ? n : 50 * n;
}

// Up to max_len bytes, mostly of `likely`, some arbitrary.
inline std::string random_text(std::mt19937* random, const std::string& likely,
                               std::size_t max_len) {
  std::string text((*random)() % (max_len + 1), 0);
  for (char& c : text) {
    c = (*random)() % 16 == 0 ? static_cast<char>((*random)())
                              : likely[(*random)() % likely.size()];
  }
  return text;
}

#endif  // T_UNIT_TEXT_UTIL_H_
