// What a response says that it has used: see ratelimit.h.
//
// Of a stream nearly all texts say nothing of that, and parsing each would
// cost more than nginx's own part of the response.  So a text goes to jansson
// only if the last name of a pointer stands in it somewhere.

#include <jansson.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "ratelimit/base/text.h"
#include "ratelimit/jwt/jwt.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/usage/search.h"

namespace ratelimit {
namespace {

constexpr const char* kPointerPhrase =
    "must be JSON pointers such as \"/usage/total_tokens\", in which \"~0\" "
    "stands for \"~\" and \"~1\" for \"/\", separated by \"|\" where they "
    "give the same number";

constexpr std::string_view kData = "data:";

bool is_plain(Byte c) {
  const Byte lower = c | 0x20;
  return (lower >= 'a' && lower <= 'z') || is_digit(c) || c == '_' || c == '-';
}

// The last name of a pointer, if JSON cannot spell it in another way but with
// escapes of plain letters; not a number, which may be an element's.
rl_str_t plain_name(rl_str_t pointer) {
  const Byte* const end = pointer.data + pointer.len;
  const Byte* at = end;
  bool digits = true;
  while (at[-1] != '/') {
    at--;
    if (!is_plain(*at)) return {0, end};
    digits = digits && is_digit(*at);
  }
  return digits ? rl_str_t{0, end} : slice(at, end);
}

// What a number counts; false: it is none, or below 0.
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

void find_values(const json_t* json, rl_usage_t* usage) {
  for (std::size_t i = 0; i < usage->n; i++) {
    const rl_usage_pointer_t& pointer = usage->pointers[i];
    if (units_of(find_claim(json, pointer.pointer),
                 &usage->values[pointer.value])) {
      usage->found |= 1u << pointer.value;
    }
  }
}

// A text is complete.
void read_text(rl_usage_t* usage) {
  const rl_str_t text = {usage->held, usage->memory};
  const bool read = !usage->too_long && text.len != 0;
  usage->held = 0;
  usage->too_long = 0;
  usage->has_data = 0;
  if (!read || !may_have_any(*usage, text)) return;
  json_t* const json = parse_loosely(text, usage->memory + usage->room);
  usage->broken = json == nullptr;
  find_values(json, usage);
  if (json_is_array(json)) {
    for (std::size_t i = 0; i < json_array_size(json); i++) {
      find_values(json_array_get(json, i), usage);
    }
  }
  json_decref(json);
}

// False: there is no room.
bool hold(rl_usage_t* usage, rl_str_t bytes) {
  if (usage->too_long || bytes.len == 0) return true;
  if (bytes.len > usage->room - usage->held) return false;
  std::memcpy(usage->memory + usage->held, bytes.data, bytes.len);
  usage->held += bytes.len;
  return true;
}

const Byte* find(const Byte* at, const Byte* end, char c) {
  const void* const found =
      std::memchr(at, c, static_cast<std::size_t>(end - at));
  return found == nullptr ? end : static_cast<const Byte*>(found);
}

std::size_t take_lines(rl_usage_t* usage, rl_str_t bytes) {
  const Byte* at = bytes.data;
  const Byte* const end = at + bytes.len;
  while (at != end) {
    const Byte* const line_end = find(at, end, '\n');
    if (!hold(usage, slice(at, line_end))) break;
    at = line_end;
    if (at == end) break;
    at++;
    read_text(usage);
  }
  return static_cast<std::size_t>(at - bytes.data);
}

// ---- text/event-stream

void begin_line(rl_usage_t* usage) {
  usage->matched = 0;
  usage->in_data = 0;
}

void end_line(rl_usage_t* usage, bool empty) {
  begin_line(usage);
  if (empty) read_text(usage);
}

// The bytes of a line up to its name's end; what is no "data:" is passed over.
const Byte* match_name(rl_usage_t* usage, const Byte* at, const Byte* end) {
  while (at != end && usage->matched < kData.size()) {
    if (*at != static_cast<Byte>(kData[usage->matched])) {
      usage->matched = kData.size() + 1;
      return at;
    }
    usage->matched++;
    at++;
  }
  if (usage->matched == kData.size() && !usage->in_data) {
    usage->in_data = 1;
    usage->at_value = 1;
  }
  return at;
}

// What is left of a line; *at stays where there is no room.
bool take_line(rl_usage_t* usage, const Byte** at, const Byte* end) {
  constexpr Byte kNewline = '\n';
  *at = match_name(usage, *at, end);
  if (!usage->in_data) {
    *at = end;
    return true;
  }
  if (*at == end) return true;
  if (usage->at_value) {
    if (usage->has_data && !hold(usage, {1, &kNewline})) return false;
    usage->has_data = 1;
    usage->at_value = 0;
    if (**at == ' ') ++*at;
  }
  if (!hold(usage, slice(*at, end))) return false;
  *at = end;
  return true;
}

std::size_t take_events(rl_usage_t* usage, rl_str_t bytes) {
  const Byte* at = bytes.data;
  const Byte* const end = at + bytes.len;
  while (at != end) {
    if (usage->was_cr) {
      usage->was_cr = 0;
      if (*at == '\n' && ++at == end) break;
    }
    const Byte* const line_end = find(at, find(at, end, '\n'), '\r');
    const bool begins = usage->matched == 0;
    if (begins && at == line_end) {
      if (at != end) end_line(usage, true);
    } else if (!take_line(usage, &at, line_end)) {
      break;
    } else if (at != end) {
      end_line(usage, false);
    }
    if (at == end) break;
    usage->was_cr = *at == '\r';
    at++;
  }
  return static_cast<std::size_t>(at - bytes.data);
}

bool is_type(rl_str_t text, std::string_view type) {
  return text.len == type.size() &&
         std::equal(type.begin(), type.end(), text.data, [](char a, Byte b) {
           return static_cast<Byte>(a) == to_lower(b);
         });
}

// An event ends behind this line feed: the line before it is empty.
bool ends_event(const Byte* begin, const Byte* newline) {
  return newline != begin &&
         (newline[-1] == '\n' || (newline[-1] == '\r' &&
                                  newline - begin > 1 && newline[-2] == '\n'));
}

bool ends_text(rl_usage_form_e form, const Byte* begin, const Byte* newline) {
  return form == RL_USAGE_LINES || ends_event(begin, newline);
}

// Whole texts that say nothing, as most of a stream is.
bool says_nothing(const rl_usage_t& usage, rl_str_t bytes) {
  if (usage.inside || bytes.len == 0 || usage.form == RL_USAGE_JSON) {
    return false;
  }
  const Byte* const newline = bytes.data + bytes.len - 1;
  return *newline == '\n' && ends_text(usage.form, bytes.data, newline) &&
         !may_have_any(usage, bytes);
}

// How many bytes are whole texts, before one that does not end here.
std::size_t whole_texts(rl_usage_form_e form, rl_str_t bytes) {
  const Byte* end = bytes.data + bytes.len;
  while (end != bytes.data) {
    end = static_cast<const Byte*>(memrchr(
        bytes.data, '\n', static_cast<std::size_t>(end - bytes.data)));
    if (end == nullptr) return 0;
    if (ends_text(form, bytes.data, end)) {
      return static_cast<std::size_t>(end + 1 - bytes.data);
    }
  }
  return 0;
}

std::size_t take_texts(rl_usage_t* usage, rl_str_t bytes) {
  std::size_t passed = 0;
  if (!usage->inside) {
    const std::size_t whole = whole_texts(usage->form, bytes);
    if (whole != bytes.len && says_nothing(*usage, {whole, bytes.data})) {
      passed = whole;
    }
  }
  const rl_str_t rest = {bytes.len - passed, bytes.data + passed};
  return passed + (usage->form == RL_USAGE_EVENTS ? take_events(usage, rest)
                                                  : take_lines(usage, rest));
}

// What says something, or ends within a text.
[[gnu::noinline]] std::size_t take_some(rl_usage_t* usage, rl_str_t bytes) {
  if (usage->form == RL_USAGE_JSON) return hold(usage, bytes) ? bytes.len : 0;
  const std::size_t taken = take_texts(usage, bytes);
  usage->inside = usage->held != 0 || usage->matched != 0 || usage->has_data ||
                  usage->too_long || usage->was_cr;
  return taken;
}

struct FormRow {
  std::string_view type;
  rl_usage_form_e form;
};

constexpr FormRow kForms[] = {
    {"text/event-stream", RL_USAGE_EVENTS},
    {"application/x-ndjson", RL_USAGE_LINES},
    {"application/ndjson", RL_USAGE_LINES},
    {"application/jsonl", RL_USAGE_LINES},
    {"application/x-jsonlines", RL_USAGE_LINES},
};

}  // namespace
}  // namespace ratelimit

const char* rl_parse_usage_pointer(rl_str_t text, uint32_t value,
                                   rl_usage_pointer_t* out) noexcept {
  if (text.len < 2 || text.data[0] != '/' || rl_parse_claim(text) != nullptr) {
    return ratelimit::kPointerPhrase;
  }
  const rl_str_t name = ratelimit::plain_name(text);
  const size_t least =
      name.len > 1 ? ratelimit::least_places() : static_cast<size_t>(-1);
  *out = {text, name, value, ratelimit::rarest_byte(name),
          least + name.len - 1 < least ? least : least + name.len - 1};
  return nullptr;
}

rl_usage_form_e rl_usage_form(rl_str_t type) noexcept {
  for (const auto& row : ratelimit::kForms) {
    if (ratelimit::is_type(type, row.type)) return row.form;
  }
  return RL_USAGE_JSON;
}

void rl_usage_grow(rl_usage_t* usage, unsigned char* memory,
                   size_t room) noexcept {
  if (usage->held != 0) std::memcpy(memory, usage->memory, usage->held);
  usage->memory = memory;
  usage->room = room;
}

size_t rl_usage_take(rl_usage_t* usage, rl_str_t bytes) noexcept {
  if (ratelimit::says_nothing(*usage, bytes)) return bytes.len;
  return ratelimit::take_some(usage, bytes);
}

void rl_usage_skip(rl_usage_t* usage) noexcept {
  usage->too_long = 1;
  usage->inside = 1;
  usage->held = 0;
}

void rl_usage_end(rl_usage_t* usage) noexcept {
  ratelimit::read_text(usage);
}

int rl_usage_units(const rl_usage_t* usage, uint64_t* units) noexcept {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < RL_MAX_USAGE_VALUES; ++i) {
    if ((usage->found >> i & 1) != 0) sum += usage->values[i];
  }
  *units = sum < RL_MAX_UNITS ? sum : RL_MAX_UNITS;
  return usage->found != 0;
}
