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

// English letters, the rarer first; what is not here is rarer still.
constexpr std::string_view kCommon = "zqxjk_vbpygwfmucdlrhsnioate";

// The byte of a plain name that is looked for: memchr goes past a vector at a
// time, so the rarer it is the cheaper, and much cheaper than memmem.
std::uint32_t rarest(rl_str_t name) {
  std::uint32_t best = 0;
  std::size_t least = std::string_view::npos;
  for (std::uint32_t i = 0; i < name.len; i++) {
    const std::size_t at = kCommon.find(static_cast<char>(name.data[i])) + 1;
    if (at < least) {
      least = at;
      best = i;
    }
  }
  return best;
}

bool contains(rl_str_t text, const rl_usage_pointer_t& pointer) {
  const rl_str_t name = pointer.name;
  if (text.len < name.len) return false;
  const Byte rare = name.data[pointer.rare];
  const Byte* at = text.data + pointer.rare;
  const Byte* const end = at + (text.len - name.len) + 1;
  while (at < end) {
    at = static_cast<const Byte*>(
        std::memchr(at, rare, static_cast<std::size_t>(end - at)));
    if (at == nullptr) return false;
    const Byte* const start = at - pointer.rare;
    if (*start == *name.data &&
        std::memcmp(start, name.data, name.len) == 0) {
      return true;
    }
    at++;
  }
  return false;
}

// "\u0061": a letter that need not be escaped.
bool has_escaped_letter(rl_str_t text) {
  const Byte* at = text.data;
  const Byte* const end = at + text.len;
  while (end - at >= 6) {
    at = static_cast<const Byte*>(
        std::memchr(at, '\\', static_cast<std::size_t>(end - at)));
    if (at == nullptr || end - at < 6) return false;
    if (at[1] == 'u' && at[2] == '0' && at[3] == '0' && at[4] >= '2' &&
        at[4] <= '7') {
      return true;
    }
    at += 2;
  }
  return false;
}

bool may_have_any(const rl_usage_t& usage, rl_str_t text) {
  for (std::size_t i = 0; i < usage.n; i++) {
    const rl_usage_pointer_t& pointer = usage.pointers[i];
    if (pointer.name.len == 0 || contains(text, pointer)) return true;
  }
  return has_escaped_letter(text);
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

// Behind the last text that ends here; nullptr: none does.
const Byte* last_end(rl_usage_form_e form, rl_str_t bytes) {
  const Byte* end = bytes.data + bytes.len;
  while (end != bytes.data) {
    const auto* const newline = static_cast<const Byte*>(memrchr(
        bytes.data, '\n', static_cast<std::size_t>(end - bytes.data)));
    if (newline == nullptr) return nullptr;
    if (form == RL_USAGE_LINES) return newline + 1;
    if (newline != bytes.data && newline[-1] == '\n') return newline + 1;
    end = newline;
  }
  return nullptr;
}

// How many bytes are whole texts that say nothing, as most of a stream is.
std::size_t pass_over(const rl_usage_t& usage, rl_str_t bytes) {
  if (usage.held != 0 || usage.has_data || usage.too_long || usage.was_cr ||
      usage.matched != 0) {
    return 0;
  }
  const Byte* const end = last_end(usage.form, bytes);
  if (end == nullptr) return 0;
  const rl_str_t texts = slice(bytes.data, end);
  return may_have_any(usage, texts) ? 0 : texts.len;
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
  *out = {text, name, value, ratelimit::rarest(name)};
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
  if (usage->form == RL_USAGE_JSON) {
    return ratelimit::hold(usage, bytes) ? bytes.len : 0;
  }
  const size_t passed = ratelimit::pass_over(*usage, bytes);
  bytes.data += passed;
  bytes.len -= passed;
  return passed + (usage->form == RL_USAGE_EVENTS
                       ? ratelimit::take_events(usage, bytes)
                       : ratelimit::take_lines(usage, bytes));
}

void rl_usage_skip(rl_usage_t* usage) noexcept {
  usage->too_long = 1;
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
