// Every parser of the configuration: what is accepted is within its bounds,
// what is refused leaves the result alone.

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "ratelimit/ratelimit.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void quota(rl_str_t text, int months) {
  rl_quota_t out;
  std::memset(&out, 0x5a, sizeof(out));
  rl_quota_t before = out;
  if (rl_parse_quota(text, months, &out) != nullptr) {
    require(std::memcmp(&before, &out, sizeof(out)) == 0);
    return;
  }
  if (out.unlimited) return;
  require(out.units <= RL_MAX_UNITS);
  require(out.window_ms >= 1 && out.window_ms <= RL_MAX_WINDOW_MS);
  require(out.window_months <= (months ? RL_MAX_MONTHS : 0));
  require(out.window_text.data > text.data &&
          out.window_text.data + out.window_text.len == text.data + text.len);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const rl_str_t text = {size, data};
  quota(text, 0);
  quota(text, 1);

  std::uint64_t units = 7;
  if (rl_parse_units(text, &units) == nullptr) {
    require(units <= RL_MAX_UNITS);
  }
  units = 7;
  if (rl_read_units(text, &units) == nullptr) {
    require(units <= RL_MAX_UNITS);
  }
  std::uint32_t number = 7;
  if (rl_read_scale(text, &number) == nullptr) {
    require(number <= 10000000);
  }
  number = 7;
  if (rl_parse_scale(text, &number) == nullptr) {
    require(number <= 10000000);
  }
  std::int32_t tz_ms = 0;
  if (rl_parse_tz(text, &tz_ms) == nullptr) {
    require(tz_ms >= -50400000 && tz_ms <= 50400000);
  }
  rl_algorithm_e algorithm = RL_SLIDING;
  if (rl_parse_algorithm(text, &algorithm) == nullptr) {
    const char* const name = rl_algorithm_name(algorithm);
    require(size == std::strlen(name) && std::memcmp(data, name, size) == 0);
  }
  rl_source_t source;
  if (rl_parse_source(text, &source) == nullptr) {
    require(source.v4_bits <= 32 && source.v6_bits <= 128);
    require(source.name.len <= size);
    require(rl_source_tag(source.kind).len != 0);
  }
  rl_dialect_e dialect = RL_DIALECT_X;
  rl_parse_dialect(text, &dialect);
  rl_reset_e reset = RL_RESET_DELTA;
  rl_parse_reset(text, &reset);
  rl_str_t prefix;
  rl_parse_prefix(text, &prefix);
  rl_template_t field;
  rl_parse_template(text, &field);

  // The bytes as scales.
  std::uint32_t scales[32];
  const std::size_t n = size / 4 < 32 ? size / 4 : 32;
  bool zero = false;
  for (std::size_t i = 0; i < n; i++) {
    std::memcpy(&scales[i], data + 4 * i, 4);
    zero = zero || scales[i] == 0;
  }
  const std::uint32_t scaled = rl_scale_units(RL_MAX_UNITS, scales, n);
  require(scaled <= RL_MAX_UNITS && (scaled == 0) == zero);
  return 0;
}
