// Times as fields tell them.

#ifndef RATELIMIT_RESPONSE_TIME_TEXT_H_
#define RATELIMIT_RESPONSE_TIME_TEXT_H_

#include <cstddef>
#include <cstdint>

#include "ratelimit/base/text.h"
#include "ratelimit/ratelimit.h"

namespace ratelimit {

// The most that put_time writes: "5124095576030431h12m55.615s".
constexpr std::size_t kTimeLen = 32;

// A time ahead of `now`, in a format that is of times.
void put_time(rl_format_e format, std::uint64_t ahead_ms, const rl_time_t& now,
              Writer* out) noexcept;

// As rl_seconds_up; a division of 32 bits takes a third of the instructions.
inline std::uint64_t seconds_up(std::uint64_t ms) {
  return ms < UINT32_MAX - 999 ? (static_cast<std::uint32_t>(ms) + 999) / 1000
                               : rl_seconds_up(ms);
}

}  // namespace ratelimit

#endif  // RATELIMIT_RESPONSE_TIME_TEXT_H_
