// What a JSON text says at JSON pointers.

#ifndef RATELIMIT_USAGE_JSON_H_
#define RATELIMIT_USAGE_JSON_H_

#include <cstdint>

#include "ratelimit/base/text.h"
#include "ratelimit/ratelimit.h"

namespace ratelimit {

struct Said {
  std::uint32_t found;  // a bit for each value
  std::uint64_t values[RL_MAX_USAGE_VALUES];
};

// Of an array each element as well, the last that has it.  buf is of
// RL_USAGE_MEMORY(text.len) - text.len bytes.  False: the text is no object
// and no array.
bool read_json(rl_str_t text, const rl_usage_search_t& search, Byte* buf,
               Said* said);

}  // namespace ratelimit

#endif  // RATELIMIT_USAGE_JSON_H_
