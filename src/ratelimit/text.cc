#include "text.h"

namespace ratelimit {
namespace {

struct TwoDigits {
  char text[200];
};

constexpr TwoDigits make_two_digits() {
  TwoDigits table{};
  for (int i = 0; i < 100; i++) {
    table.text[2 * i] = static_cast<char>('0' + i / 10);
    table.text[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return table;
}

// Two digits a division, as a field's numbers are rendered for each response.
constexpr TwoDigits kTwoDigits = make_two_digits();

constexpr std::string_view kTokenMarks = "!#$%&'*+-.^_`|~";

std::size_t count_digits(std::uint64_t value) {
  std::size_t n = 1;
  while (value >= 10000) {
    value /= 10000;
    n += 4;
  }
  return n + (value >= 10) + (value >= 100) + (value >= 1000);
}

}  // namespace

bool is_token(rl_str_t text) {
  for (std::size_t i = 0; i < text.len; i++) {
    const Byte c = text.data[i];
    if (!is_alpha(c) && !is_digit(c) &&
        (c == 0 ||
         std::memchr(kTokenMarks.data(), c, kTokenMarks.size()) == nullptr)) {
      return false;
    }
  }
  return text.len != 0;
}

int hex_value(Byte c) {
  if (is_digit(c)) return c - '0';
  const Byte lower = c | 0x20;
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool Reader::take_number(std::uint64_t max, std::uint64_t* out) {
  const Byte* const start = at;
  std::uint64_t value = 0;
  for (; !done() && is_digit(*at); at++) {
    if (value > max / 10) return false;
    value = value * 10 + static_cast<unsigned>(*at - '0');
    if (value > max) return false;
  }
  *out = value;
  return at != start;
}

}  // namespace ratelimit

using ratelimit::Byte;

std::size_t rl_render_u64(std::uint64_t value, unsigned char* buf) noexcept {
  const std::size_t len = ratelimit::count_digits(value);
  Byte* at = buf + len;
  while (value >= 100) {
    at -= 2;
    std::memcpy(at, &ratelimit::kTwoDigits.text[2 * (value % 100)], 2);
    value /= 100;
  }
  if (value >= 10) {
    std::memcpy(buf, &ratelimit::kTwoDigits.text[2 * value], 2);
  } else {
    *buf = static_cast<Byte>('0' + value);
  }
  return len;
}

void rl_render_key_id(std::uint64_t key_id, unsigned char buf[16]) noexcept {
  for (int i = 15; i >= 0; i--) {
    buf[i] = static_cast<Byte>("0123456789abcdef"[key_id & 15]);
    key_id >>= 4;
  }
}
