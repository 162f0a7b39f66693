#include "ratelimit/usage/json.h"

#include <jansson.h>

#include <algorithm>
#include <cmath>

#include "ratelimit/jwt/jwt.h"

namespace ratelimit {
namespace {

// What a number counts, rounded up; false: it is none, or below 0.
bool units_of(const json_t* value, std::uint64_t* out) {
  constexpr double kMost = RL_MAX_UNITS;
  if (json_is_integer(value)) {
    const json_int_t number = json_integer_value(value);
    if (number < 0) return false;
    *out = std::min<std::uint64_t>(static_cast<std::uint64_t>(number),
                                   RL_MAX_UNITS);
    return true;
  }
  if (json_is_real(value)) {
    const double number = std::ceil(json_real_value(value));
    if (!(number >= 0)) return false;
    *out = number < kMost ? static_cast<std::uint64_t>(number) : RL_MAX_UNITS;
    return true;
  }
  if (!json_is_string(value) || !is_beyond_int64(to_str(value)) ||
      json_string_value(value)[0] == '-') {
    return false;
  }
  *out = RL_MAX_UNITS;
  return true;
}

void find_values(const json_t* json, const rl_usage_search_t& search,
                 Said* said) {
  for (std::size_t i = 0; i < search.n; i++) {
    const rl_usage_pointer_t& pointer = search.pointers[i];
    if (units_of(find_claim(json, pointer.pointer),
                 &said->values[pointer.value])) {
      said->found |= 1u << pointer.value;
    }
  }
}

}  // namespace

bool read_json(rl_str_t text, const rl_usage_search_t& search, Byte* buf,
               Said* said) {
  *said = {};
  json_t* const json = parse_loosely(text, buf);
  find_values(json, search, said);
  if (json_is_array(json)) {
    for (std::size_t i = 0; i < json_array_size(json); i++) {
      find_values(json_array_get(json, i), search, said);
    }
  }
  const bool is_json = json != nullptr;
  json_decref(json);
  return is_json;
}

}  // namespace ratelimit
