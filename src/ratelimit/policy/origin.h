// Whether a number is of the configuration, or of a request.

#ifndef RATELIMIT_POLICY_ORIGIN_H_
#define RATELIMIT_POLICY_ORIGIN_H_

#include <cstdint>

#include "ratelimit/base/text.h"

namespace ratelimit {

// A configuration's constant beyond a bound is a mistake to be told.  A
// variable's is a number all the same, and the greatest that there is: taken
// for none, it would switch a limit off.
enum class Origin { kConstant, kVariable };

inline bool take_number(Reader* in, std::uint64_t max, Origin origin,
                        std::uint64_t* out) {
  return origin == Origin::kConstant ? in->take_number(max, out)
                                     : in->take_at_most(max, out);
}

}  // namespace ratelimit

#endif  // RATELIMIT_POLICY_ORIGIN_H_
