// The body of a response, cut anywhere: what is found must not depend on where,
// and nothing is read or written outside of what was given.

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "ratelimit/ratelimit.h"

namespace {

constexpr size_t kMax = 512;

void require(bool condition) {
  if (!condition) std::abort();
}

rl_usage_pointer_t pointer(const char* text, uint64_t value) {
  size_t len = 0;
  while (text[len] != '\0')
    len++;
  rl_usage_pointer_t out;
  require(rl_parse_usage_pointer(
              {len, reinterpret_cast<const unsigned char*>(text)}, value,
              &out) == nullptr);
  return out;
}

struct Found {
  int any;
  uint64_t units;
};

Found read(rl_usage_form_e form, const unsigned char* data, size_t size,
           size_t piece) {
  const rl_usage_pointer_t pointers[] = {
      pointer("/usage/n", 0), pointer("/n", 0), pointer("/a~1b/0", 1),
      pointer("/m", 2)};
  rl_usage_t usage{};
  usage.form = form;
  usage.pointers = pointers;
  usage.n = sizeof(pointers) / sizeof(pointers[0]);
  std::vector<unsigned char> memory;
  for (size_t at = 0; at < size;) {
    const size_t len = size - at < piece ? size - at : piece;
    const std::unique_ptr<unsigned char[]> copy(new unsigned char[len]);
    for (size_t i = 0; i < len; i++)
      copy[i] = data[at + i];
    for (size_t taken = 0; taken < len;) {
      taken += rl_usage_take(&usage, {len - taken, copy.get() + taken});
      require(taken <= len && usage.held <= usage.room);
      if (taken == len) break;
      if (usage.room == kMax) {
        rl_usage_skip(&usage);
        continue;
      }
      const size_t room = usage.room == 0 ? 64 : 2 * usage.room;
      std::vector<unsigned char> larger(RL_USAGE_MEMORY(room));
      rl_usage_grow(&usage, larger.data(), room);
      memory.swap(larger);
    }
    at += len;
  }
  rl_usage_end(&usage);
  Found found{0, 0};
  found.any = rl_usage_units(&usage, &found.units);
  require(found.units <= RL_MAX_UNITS);
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const auto form = static_cast<rl_usage_form_e>(data[0] % 3);
  const size_t piece = 1 + data[1];
  data += 2;
  size -= 2;
  const Found pieces = read(form, data, size, piece);
  const Found bytes = read(form, data, size, 1);
  require(pieces.any == bytes.any && pieces.units == bytes.units);
  return 0;
}
