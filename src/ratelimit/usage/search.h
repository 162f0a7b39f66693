// Whether a text may have one of the names that are looked for.
//
// Every byte of a body goes through here, so this is nearly all that reading
// it costs.

#ifndef RATELIMIT_USAGE_SEARCH_H_
#define RATELIMIT_USAGE_SEARCH_H_

#include <cstddef>
#include <cstdint>

#include "ratelimit/base/text.h"
#include "ratelimit/ratelimit.h"

namespace ratelimit {

// The byte of a name that is looked for: the rarer in texts the cheaper.  Not
// the first, where there is another: the one before it is compared as well.
std::uint32_t rarest_byte(rl_str_t name);

// A name stands in a text.
bool contains(rl_str_t text, const rl_usage_pointer_t& pointer);

// "\u0061": a letter that need not be escaped, perhaps of a name.
bool has_escaped_letter(rl_str_t text);

// Of how many places there must be at least to look for a pair of bytes by
// find_pair; the most that there is: the processor has no AVX2.
std::size_t least_places();

// By 128 bytes at a time: where the first block with the pair begins, whose
// second byte is at "at" or behind, at "last" + 127 at most; nullptr: none.
const Byte* find_pair(const Byte* at, const Byte* last, const Byte* pair);

// False: no value can be found in this text.
inline bool may_have_any(const rl_usage_t& usage, rl_str_t text) {
  const rl_usage_pointer_t* const end = usage.pointers + usage.n;
  for (const rl_usage_pointer_t* at = usage.pointers; at != end; at++) {
    rl_str_t rest = text;
    if (text.len >= at->avx2_from) {
      const Byte* const second = text.data + at->rare;
      const Byte* const found =
          find_pair(second, second + (text.len - at->avx2_from),
                    at->name.data + at->rare - 1);
      if (found == nullptr) continue;
      rest = slice(found - at->rare, text.data + text.len);
    }
    if (contains(rest, *at)) return true;
  }
  return has_escaped_letter(text);
}

}  // namespace ratelimit

#endif  // RATELIMIT_USAGE_SEARCH_H_
