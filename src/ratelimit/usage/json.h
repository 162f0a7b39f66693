// A number in a JSON text, where a JSON pointer says that it is.
//
// Only what stands on the way there is looked at; of the rest its brackets and
// strings must close.  So a text costs some ten instructions a byte and no
// memory.  jansson, which takes all of it apart, needs 180, and there are back
// ends that tell their usage in each of thousands of events.

#ifndef RATELIMIT_USAGE_JSON_H_
#define RATELIMIT_USAGE_JSON_H_

#include <cstdint>

#include "ratelimit/base/text.h"
#include "ratelimit/ratelimit.h"

namespace ratelimit {

// False: the text is no object and no array.  *value: of several members of
// that name the last one's, as it is written; empty: there is none.
bool find_value(rl_str_t text, rl_str_t pointer, rl_str_t* value);

// Without the space before it.
rl_str_t trimmed(rl_str_t text);

// The next element of an array behind its bracket; false: there is none.
bool next_element(Reader* in, rl_str_t* element);

// What a number counts, rounded up; false: it is none, or below 0.  A byte
// that is of no number follows it.
bool units_of(rl_str_t value, std::uint64_t* units);

}  // namespace ratelimit

#endif  // RATELIMIT_USAGE_JSON_H_
