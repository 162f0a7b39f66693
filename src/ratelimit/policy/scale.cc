// Scales of a quota, as configured, and a quota under them.

#include <cstddef>
#include <cstdint>

#include "ratelimit/base/text.h"
#include "ratelimit/policy/origin.h"
#include "ratelimit/ratelimit.h"

namespace ratelimit {
namespace {

constexpr const char* kScalePhrase =
    "must be a percentage such as \"50%\" or \"12.5%\", of 0% to 10000% with "
    "at most three decimals";

// Thousandths of a percent; 100 % is 100000.
constexpr std::uint32_t kScaleOne = 100000;
constexpr std::uint32_t kScaleMaxPercent = 10000;

// As many scales are multiplied without rounding in between; a configuration
// with more is rounded down once after each so many.
constexpr std::size_t kExactScales = 16;

std::uint64_t bounded(std::uint64_t scaled) {
  if (scaled > RL_MAX_UNITS) return RL_MAX_UNITS;
  return scaled == 0 ? 1 : scaled;
}

// By one scale, as most are: of whole multiples of its divisor, and of what is
// left of the units, each product fits a word.
std::uint64_t scale_once(std::uint64_t units, std::uint32_t scale) {
  const std::uint64_t whole = units / kScaleOne;
  if (whole > RL_MAX_UNITS / scale) return RL_MAX_UNITS;
  return bounded(whole * scale + units % kScaleOne * scale / kScaleOne);
}

// A scale of less than 2^32 adds at most one limb to a product.
std::uint64_t scale_exactly(std::uint64_t units, const std::uint32_t* scales,
                            std::size_t n) {
  std::uint32_t limbs[kExactScales + 2] = {
      static_cast<std::uint32_t>(units),
      static_cast<std::uint32_t>(units >> 32)};
  std::size_t len = 2;
  for (std::size_t i = 0; i < n; i++) {
    std::uint64_t carry = 0;
    for (std::size_t j = 0; j < len; j++) {
      carry += std::uint64_t{limbs[j]} * scales[i];
      limbs[j] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    if (carry != 0) limbs[len++] = static_cast<std::uint32_t>(carry);
  }
  // Rounding down by each divisor in turn is rounding down by their product.
  for (std::size_t i = 0; i < n; i++) {
    std::uint64_t rest = 0;
    for (std::size_t j = len; j-- > 0;) {
      rest = rest << 32 | limbs[j];
      limbs[j] = static_cast<std::uint32_t>(rest / kScaleOne);
      rest %= kScaleOne;
    }
    if (len > 2 && limbs[len - 1] == 0) len--;
  }
  if (len > 2) return RL_MAX_UNITS;
  return bounded(std::uint64_t{limbs[1]} << 32 | limbs[0]);
}

// The digits behind a point, as thousandths.  Of a variable's, the result of a
// division perhaps, those behind the third are dropped, but nothing becomes 0.
bool take_thousandths(Reader* in, Origin origin, std::uint64_t* value) {
  const unsigned char* const start = in->at;
  std::uint64_t worth = 100;
  bool rest = false;
  for (; !in->done() && is_digit(*in->at); in->at++) {
    if (worth == 0 && origin == Origin::kConstant) return false;
    *value += worth * static_cast<std::uint64_t>(*in->at - '0');
    rest = rest || *in->at != '0';
    worth /= 10;
  }
  if (*value == 0 && rest) *value = 1;
  return in->at != start;
}

const char* parse_scale(rl_str_t text, Origin origin, std::uint32_t* out) {
  constexpr std::uint64_t kMost = kScaleMaxPercent * std::uint64_t{1000};
  if (text.len == 0) {
    *out = kScaleOne;
    return nullptr;
  }
  Reader in(text);
  std::uint64_t value = 0;
  if (!take_number(&in, kScaleMaxPercent, origin, &value)) {
    return kScalePhrase;
  }
  value *= 1000;
  if (in.take('.') && !take_thousandths(&in, origin, &value)) {
    return kScalePhrase;
  }
  if (value > kMost && origin == Origin::kVariable) value = kMost;
  if (!in.take('%') || !in.done() || value > kMost) {
    return kScalePhrase;
  }
  *out = static_cast<std::uint32_t>(value);
  return nullptr;
}

}  // namespace
}  // namespace ratelimit

using ratelimit::Origin;

const char* rl_parse_scale(rl_str_t text, std::uint32_t* out) noexcept {
  return ratelimit::parse_scale(text, Origin::kConstant, out);
}

const char* rl_read_scale(rl_str_t text, std::uint32_t* out) noexcept {
  return ratelimit::parse_scale(text, Origin::kVariable, out);
}

std::uint64_t rl_scale_units(std::uint64_t units, const std::uint32_t* scales,
                             std::size_t n) noexcept {
  if (units == 0) return 0;
  for (std::size_t i = 0; i < n; i++) {
    if (scales[i] == 0) return 0;
  }
  if (n == 1) return ratelimit::scale_once(units, scales[0]);
  while (n > ratelimit::kExactScales) {
    units = ratelimit::scale_exactly(units, scales, ratelimit::kExactScales);
    scales += ratelimit::kExactScales;
    n -= ratelimit::kExactScales;
  }
  return ratelimit::scale_exactly(units, scales, n);
}
