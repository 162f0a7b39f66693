// The bucket of a ban: beside that of a policy and key, under a name that
// follows from it.

#ifndef RATELIMIT_DECIDE_BAN_NAME_H_
#define RATELIMIT_DECIDE_BAN_NAME_H_

#include <cstdint>

#include "ratelimit/algorithm/ban.h"
#include "ratelimit/ratelimit.h"

namespace ratelimit {

inline rl_item_t ban_of(const rl_item_t& item) {
  rl_item_t ban = item;
  ban.bucket.lo ^= kBanLo;
  ban.bucket.hi ^= kBanHi;
  return ban;
}

}  // namespace ratelimit

#endif  // RATELIMIT_DECIDE_BAN_NAME_H_
