#include "ratelimit/base/text.h"

namespace ratelimit {
namespace {

constexpr std::string_view kTokenMarks = "!#$%&'*+-.^_`|~";

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

}  // namespace ratelimit

using ratelimit::Byte;

std::size_t rl_render_u64(std::uint64_t value, unsigned char* buf) noexcept {
  if (value < ratelimit::kMiddleEnd) {
    return static_cast<std::size_t>(
        ratelimit::put_middle(static_cast<unsigned>(value), buf) - buf);
  }
  // Four digits at a time from the end; the first ones have no zeros.
  unsigned groups[5];
  int n = 0;
  while (value >= 10000) {
    groups[n++] = static_cast<unsigned>(value % 10000);
    value /= 10000;
  }
  Byte* at = ratelimit::put_short(static_cast<unsigned>(value), buf);
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
