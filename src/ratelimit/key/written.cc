// A key's value as an operator writes it: what a source would make of it, so
// that an address finds the bucket of its prefix.

#include <arpa/inet.h>

#include <cstddef>
#include <cstring>

#include "ratelimit/ratelimit.h"
#include "ratelimit/base/text.h"

namespace ratelimit {
namespace {

bool holds(rl_str_t text, char c) {
  return std::memchr(text.data, c, text.len) != nullptr;
}

int written_address(rl_str_t text, const rl_source_t* source, Byte* buf,
                    rl_str_t* out) {
  char terminated[RL_ADDR_TEXT_LEN];
  if (text.len >= sizeof(terminated) || holds(text, '\0')) return 0;
  std::memcpy(terminated, text.data, text.len);
  terminated[text.len] = '\0';
  Byte address[16];
  const std::size_t len = holds(text, ':') ? 16 : 4;
  return inet_pton(len == 16 ? AF_INET6 : AF_INET, terminated, address) == 1
             ? rl_key_addr(address, len, source, buf, out)
             : 0;
}

// Where rl_key_bearer's token ends there is none of it.
bool is_bearer(rl_str_t text) {
  for (std::size_t i = 0; i < text.len; i++) {
    const Byte c = text.data[i];
    if (c <= ' ' || c >= 0x7f || c == ',') return false;
  }
  return true;
}

// What is before the first colon, or the one for what is no base64.
bool is_basic(rl_str_t text) { return text.len == 1 || !holds(text, ':'); }

bool is_header(rl_str_t text) {
  rl_str_t trimmed;
  return rl_key_header(text, &trimmed) && trimmed.len == text.len;
}

}  // namespace
}  // namespace ratelimit

int rl_key_written(rl_str_t text, const rl_source_t* source,
                   unsigned char* buf, rl_str_t* out) noexcept {
  if (text.len == 0 ||
      (source->kind == RL_SOURCE_BEARER && !ratelimit::is_bearer(text)) ||
      (source->kind == RL_SOURCE_BASIC && !ratelimit::is_basic(text)) ||
      (source->kind == RL_SOURCE_HEADER && !ratelimit::is_header(text))) {
    return 0;
  }
  if (source->kind == RL_SOURCE_ADDR) {
    return ratelimit::written_address(text, source, buf, out);
  }
  *out = text;
  return 1;
}
