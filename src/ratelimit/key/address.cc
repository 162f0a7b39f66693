// Client addresses as keys: masked, and in the one canonical text.
//
// Rendered here because inet_ntop goes through sprintf, at 1,000 to 2,000
// instructions an address.

#include <cstddef>
#include <cstring>

#include "ratelimit/ratelimit.h"
#include "ratelimit/base/text.h"

namespace ratelimit {
namespace {

constexpr std::size_t kV4Len = 4;
constexpr std::size_t kV6Len = 16;
constexpr Byte kMappedPrefix[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// Most often nothing is masked.
void mask(Byte* address, std::size_t len, unsigned bits) {
  const std::size_t whole = bits / 8;
  if (whole >= len) return;
  address[whole] &= static_cast<Byte>(0xff00 >> (bits % 8));
  std::memset(address + whole + 1, 0, len - whole - 1);
}

void put_octet(Byte value, Writer* out) {
  if (value < 10) return out->put(static_cast<char>('0' + value));
  if (value >= 100) out->put(static_cast<char>('0' + value / 100));
  put_two(value % 100, out->at);
  out->at += 2;
}

void put_v4(const Byte* address, Writer* out) {
  for (std::size_t i = 0; i < kV4Len; i++) {
    if (i != 0) out->put('.');
    put_octet(address[i], out);
  }
}

void put_hex(unsigned group, Writer* out) {
  int shift = 12;
  while (shift > 0 && group >> shift == 0) {
    shift -= 4;
  }
  for (; shift >= 0; shift -= 4) {
    out->put("0123456789abcdef"[group >> shift & 15]);
  }
}

// RFC 5952: lower case, no leading zeros, "::" for the first of the longest
// runs of two or more zero groups.  Always hexadecimal.
void put_v6(const Byte* address, Writer* out) {
  constexpr int kGroups = 8;
  unsigned groups[kGroups];
  const Byte* at = address;
  int run = 0;
  int best_len = 1;
  int best_end = -1;
  for (int i = 0; i < kGroups; i++) {
    groups[i] = static_cast<unsigned>(at[0] << 8 | at[1]);
    at += 2;
    run = groups[i] == 0 ? run + 1 : 0;
    if (run > best_len) {
      best_len = run;
      best_end = i;
    }
  }
  const int best_start = best_end - best_len + 1;
  for (int i = 0; i < kGroups; i++) {
    if (best_end >= 0 && i == best_start) {
      out->put("::");
      i = best_end;
      continue;
    }
    if (i != 0 && i != best_end + 1) out->put(':');
    put_hex(groups[i], out);
  }
}

}  // namespace
}  // namespace ratelimit

int rl_key_addr(const unsigned char* address, std::size_t len,
                const rl_source_t* source, unsigned char* buf,
                rl_str_t* out) noexcept {
  using ratelimit::kV4Len;
  using ratelimit::kV6Len;
  if (len == kV6Len && std::memcmp(address, ratelimit::kMappedPrefix,
                                   sizeof(ratelimit::kMappedPrefix)) == 0) {
    address += sizeof(ratelimit::kMappedPrefix);
    len = kV4Len;
  }
  if (len != kV4Len && len != kV6Len) return 0;

  unsigned char masked[kV6Len];
  ratelimit::Writer text{buf};
  if (len == kV4Len) {
    std::memcpy(masked, address, kV4Len);
    ratelimit::mask(masked, kV4Len, source->v4_bits);
    ratelimit::put_v4(masked, &text);
  } else {
    std::memcpy(masked, address, kV6Len);
    ratelimit::mask(masked, kV6Len, source->v6_bits);
    ratelimit::put_v6(masked, &text);
  }
  *out = ratelimit::slice(buf, text.at);
  return 1;
}
