// Whether a text may have one of the names that are looked for.
//
// Every byte of a body goes through here, so this is nearly all that reading
// it costs.

#ifndef RATELIMIT_USAGE_SEARCH_H_
#define RATELIMIT_USAGE_SEARCH_H_

#include <cstddef>

#include "ratelimit/base/text.h"
#include "ratelimit/ratelimit.h"

namespace ratelimit {

// The name has letters that JSON spells in one way only, but for escapes.
bool is_plain(Byte c);

// Where the first name stands, or an escaped letter that may be of one, in a
// text that need not be JSON; nullptr: no value can be found in it.  Any byte
// of the name, or the text's first byte if names are not known.
const Byte* find_name_by_bytes(const rl_usage_search_t& search, rl_str_t text);
const Byte* find_name_by_vectors(const rl_usage_search_t& search,
                                 rl_str_t text);

inline const Byte* find_name(const rl_usage_search_t& search, rl_str_t text) {
  return text.len < search.vectors_from ? find_name_by_bytes(search, text)
                                        : find_name_by_vectors(search, text);
}

}  // namespace ratelimit

#endif  // RATELIMIT_USAGE_SEARCH_H_
