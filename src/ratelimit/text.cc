#include "text.h"

namespace ratelimit {
namespace {

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
constexpr TwoDigits kTwoDigits = make_two_digits();

constexpr std::string_view kTokenMarks = "!#$%&'*+-.^_`|~";

void put_two(unsigned value, Byte* to) {
  std::memcpy(to, &kTwoDigits.text[std::size_t{2} * value], 2);
}

// Below 10000, as nearly all limits and seconds are.
std::size_t render_short(unsigned value, Byte* buf) {
  const unsigned high = value / 100;
  const unsigned low = value % 100;
  if (value < 10) {
    buf[0] = static_cast<Byte>('0' + value);
    return 1;
  }
  if (value < 100) {
    put_two(low, buf);
    return 2;
  }
  if (value < 1000) {
    buf[0] = static_cast<Byte>('0' + high);
    put_two(low, buf + 1);
    return 3;
  }
  put_two(high, buf);
  put_two(low, buf + 2);
  return 4;
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
    value = value * 10 + static_cast<unsigned>(*at - '0');
    if (value > max) return false;
  }
  *out = value;
  return at != start;
}

}  // namespace ratelimit

using ratelimit::Byte;

std::size_t rl_render_u64(std::uint64_t value, unsigned char* buf) noexcept {
  // Four digits at a time from the end; the first ones have no zeros.
  unsigned groups[5];
  int n = 0;
  while (value >= 10000) {
    groups[n++] = static_cast<unsigned>(value % 10000);
    value /= 10000;
  }
  Byte* at = buf + ratelimit::render_short(static_cast<unsigned>(value), buf);
  while (n > 0) {
    n--;
    ratelimit::put_two(groups[n] / 100, at);
    ratelimit::put_two(groups[n] % 100, at + 2);
    at += 4;
  }
  return static_cast<std::size_t>(at - buf);
}

void rl_render_key_id(std::uint64_t key_id, unsigned char buf[16]) noexcept {
  for (int i = 15; i >= 0; i--) {
    buf[i] = static_cast<Byte>("0123456789abcdef"[key_id & 15]);
    key_id >>= 4;
  }
}
