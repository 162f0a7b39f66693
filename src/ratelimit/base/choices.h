// Error phrases that are made of a table of facts when it is compiled, so that
// what is parsed and what is said to be allowed cannot differ.

#ifndef RATELIMIT_BASE_CHOICES_H_
#define RATELIMIT_BASE_CHOICES_H_

#include <cstddef>
#include <string_view>

namespace ratelimit {

template <std::size_t N>
struct Phrase {
  char text[N];
  std::size_t len;

  constexpr void put(std::string_view part) {
    for (const char c : part) {
      text[len++] = c;
    }
  }
};

inline constexpr std::string_view kPhraseStart = "must be ";

template <const auto& rows>
constexpr std::size_t phrase_len() {
  std::size_t len = kPhraseStart.size() + 1;
  for (const auto& row : rows) {
    len += row.usage.size() + std::string_view("\"\" or ").size();
  }
  return len;
}

// `must be "a", "b" or "c"` of the `usage` of each row.
template <const auto& rows>
constexpr auto must_be_one_of() {
  Phrase<phrase_len<rows>()> phrase{};
  phrase.put(kPhraseStart);
  std::size_t left = sizeof(rows) / sizeof(rows[0]);
  for (const auto& row : rows) {
    phrase.put("\"");
    phrase.put(row.usage);
    phrase.put("\"");
    left--;
    if (left != 0) phrase.put(left == 1 ? " or " : ", ");
  }
  return phrase;
}

// Whether the row of each enumerator stands at its value.
template <typename Rows>
constexpr bool in_order(const Rows& rows) {
  int i = 0;
  for (const auto& row : rows) {
    if (static_cast<int>(row.kind) != i++) return false;
  }
  return true;
}

}  // namespace ratelimit

#endif  // RATELIMIT_BASE_CHOICES_H_
