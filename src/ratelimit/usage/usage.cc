// What a response says that it has used: see ratelimit.h.
//
// Of a stream nearly all texts say nothing of that, and looking into each
// would cost more than nginx's own part of the response.  So a text is read as
// JSON only if the last name of a pointer stands in it somewhere.

#include <algorithm>
#include <cstring>

#include "ratelimit/base/text.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/usage/json.h"
#include "ratelimit/usage/search.h"
#include "ratelimit/usage/vectors.h"

namespace ratelimit {
namespace {

constexpr const char* kPointerPhrase =
    "must be JSON pointers such as \"/usage/total_tokens\", in which \"~0\" "
    "stands for \"~\" and \"~1\" for \"/\", separated by \"|\" where they "
    "give the same number";

constexpr std::string_view kData = "data:";
constexpr std::string_view kMark = "\xef\xbb\xbf";  // U+FEFF

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

// Of each text its length stands behind it.
using Length = std::uint32_t;

// Those that say something are not many, or jansson would cost most of what
// the response does: in some streams each does.  Of these the last counts, so
// they are read when there is no more room for others, from the last one on,
// until all values are there.
constexpr std::size_t kMaxEnded = 16384;

std::uint32_t all_values(const rl_usage_search_t& search) {
  std::uint32_t all = 0;
  for (std::size_t i = 0; i < search.n; i++) {
    all |= 1u << search.pointers[i].value;
  }
  return all;
}

void read_ended(rl_usage_t* usage) {
  const Byte* end = usage->memory + usage->ended;
  const std::uint32_t all = all_values(*usage->search);
  std::uint32_t found = 0;
  while (end != usage->memory && found != all) {
    Length len;
    end -= sizeof(len);
    std::memcpy(&len, end, sizeof(len));
    end -= len;
    Said said;
    const bool is_json = read_json({len, end}, *usage->search,
                                   usage->memory + usage->room, &said);
    usage->broken = !is_json;
    for (std::uint32_t i = 0; i < RL_MAX_USAGE_VALUES; i++) {
      if ((said.found & ~found) >> i & 1) usage->values[i] = said.values[i];
    }
    found |= said.found;
  }
  usage->found |= found;
  if (usage->held != 0) {
    std::memmove(usage->memory, usage->memory + usage->ended, usage->held);
  }
  usage->ended = 0;
}

// A text is complete.  The body's may begin with a mark, which is not JSON's;
// that of an event was passed over with its line's name.
void end_text(rl_usage_t* usage) {
  Byte* const start = usage->memory + usage->ended;
  rl_str_t text = {usage->held, start};
  const bool whole = !usage->too_long && text.len != 0;
  if (usage->at_start && text.len >= kMark.size() &&
      equals({kMark.size(), start}, kMark)) {
    text.len -= kMark.size();
    std::memmove(start, start + kMark.size(), text.len);
  }
  usage->held = 0;
  usage->too_long = 0;
  usage->has_data = 0;
  usage->at_start = 0;
  if (!whole || find_name(*usage->search, text) == nullptr) return;
  const auto len = static_cast<Length>(text.len);
  std::memcpy(start + len, &len, sizeof(len));
  usage->ended += len + sizeof(len);
}

// False: there is no room.
bool hold(rl_usage_t* usage, rl_str_t bytes) {
  if (usage->too_long || bytes.len == 0) return true;
  if (usage->ended > kMaxEnded) read_ended(usage);
  const std::size_t used = usage->ended + usage->held;
  if (used + bytes.len > usage->room) return false;
  std::memcpy(usage->memory + used, bytes.data, bytes.len);
  usage->held += bytes.len;
  return true;
}

const Byte* find(const Byte* at, const Byte* end, char c) {
  const void* const found =
      std::memchr(at, c, static_cast<std::size_t>(end - at));
  return found == nullptr ? end : static_cast<const Byte*>(found);
}

// Up to the end of a line, and whether there is one.
std::size_t take_json_line(rl_usage_t* usage, rl_str_t bytes) {
  const Byte* const end = bytes.data + bytes.len;
  const Byte* const line_end = find(bytes.data, end, '\n');
  const rl_str_t line = slice(bytes.data, line_end);
  if (!hold(usage, line)) return 0;
  if (line_end == end) return line.len;
  end_text(usage);
  return line.len + 1;
}

// ---- text/event-stream

// The mark that the body's first line may have; half of one is part of a name.
const Byte* match_mark(rl_usage_t* usage, const Byte* at, const Byte* end) {
  while (at != end && usage->marked < kMark.size() &&
         *at == static_cast<Byte>(kMark[usage->marked])) {
    usage->marked++;
    at++;
  }
  if (at == end) return at;
  if (usage->marked % kMark.size() != 0) usage->matched = kData.size() + 1;
  usage->at_start = 0;
  return at;
}

// The bytes of a line up to its name's end; what is no "data:" is passed over.
const Byte* match_name(rl_usage_t* usage, const Byte* at, const Byte* end) {
  if (usage->at_start) at = match_mark(usage, at, end);
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

// Up to the end of an event, if it is here.
std::size_t take_event(rl_usage_t* usage, rl_str_t bytes) {
  const Byte* at = bytes.data;
  const Byte* const end = at + bytes.len;
  bool ended = false;
  while (at != end && !ended) {
    if (usage->was_cr) {
      usage->was_cr = 0;
      if (*at == '\n' && ++at == end) break;
    }
    const Byte* const line_end = find(at, find(at, end, '\n'), '\r');
    ended = usage->matched == 0 && at == line_end && at != end;
    if (!take_line(usage, &at, line_end) || at == end) break;
    usage->was_cr = *at == '\r';
    at++;
    usage->at_start = 0;
    usage->matched = 0;
    usage->in_data = 0;
    if (ended) end_text(usage);
  }
  return static_cast<std::size_t>(at - bytes.data);
}

bool is_type(rl_str_t text, std::string_view type) {
  return text.len == type.size() &&
         std::equal(type.begin(), type.end(), text.data, [](char a, Byte b) {
           return static_cast<Byte>(a) == to_lower(b);
         });
}

// An event's last byte: the line before this line feed is empty.
bool ends_text(rl_usage_form_e form, const Byte* begin, const Byte* at) {
  if (*at != '\n' || at == begin) return false;
  return at[-1] == '\n' || form == RL_USAGE_LINES ||
         (at[-1] == '\r' && at - begin > 1 && at[-2] == '\n');
}

// How many bytes are whole texts, before one that does not end here.
std::size_t whole_texts(rl_usage_form_e form, rl_str_t bytes) {
  const Byte* end = bytes.data + bytes.len;
  while (end != bytes.data) {
    end = static_cast<const Byte*>(
        memrchr(bytes.data, '\n', static_cast<std::size_t>(end - bytes.data)));
    if (end == nullptr) return 0;
    if (ends_text(form, bytes.data, end)) {
      return static_cast<std::size_t>(end + 1 - bytes.data);
    }
  }
  return 0;
}

// How many bytes are whole texts that say nothing, as most of a stream is.
std::size_t pass_over(const rl_usage_t& usage, rl_str_t bytes) {
  const rl_str_t whole = {whole_texts(usage.form, bytes), bytes.data};
  const Byte* const name = find_name(*usage.search, whole);
  return name == nullptr ? whole.len
                         : whole_texts(usage.form, slice(bytes.data, name));
}

// One text, or what of it is here.
std::size_t take_text(rl_usage_t* usage, rl_str_t bytes) {
  const std::size_t taken = usage->form == RL_USAGE_EVENTS
                                ? take_event(usage, bytes)
                                : take_json_line(usage, bytes);
  usage->inside = usage->held != 0 || usage->matched != 0 || usage->has_data ||
                  usage->too_long || usage->was_cr || usage->at_start;
  return taken;
}

// What may say something, or ends within a text; what is left has no room.
[[gnu::noinline]] std::size_t take_some(rl_usage_t* usage, rl_str_t bytes) {
  if (usage->form == RL_USAGE_JSON) return hold(usage, bytes) ? 0 : bytes.len;
  const Byte* at = bytes.data;
  const Byte* const end = at + bytes.len;
  while (at != end) {
    if (!usage->inside) at += pass_over(*usage, slice(at, end));
    const std::size_t taken = take_text(usage, slice(at, end));
    at += taken;
    if (taken == 0) break;
  }
  return static_cast<std::size_t>(end - at);
}

// Whole texts and nothing else, as it is where each event is sent by itself.
bool are_texts(const rl_usage_t& usage, rl_str_t bytes) {
  return !usage.inside && bytes.len >= usage.search->vectors_from &&
         ends_text(usage.form, bytes.data, bytes.data + bytes.len - 1);
}

// Nearly all say nothing.
RATELIMIT_VECTORS std::size_t take_texts(rl_usage_t* usage, rl_str_t bytes) {
  const Places places =
      next_places(*usage->search, bytes.data, last_places(bytes));
  return places.bits == 0 ? 0 : take_some(usage, bytes);
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
  *out = {text, ratelimit::plain_name(text), value, 0};
  return nullptr;
}

rl_usage_form_e rl_usage_form(rl_str_t type) noexcept {
  for (const auto& row : ratelimit::kForms) {
    if (ratelimit::is_type(type, row.type)) return row.form;
  }
  return RL_USAGE_JSON;
}

void rl_usage_begin(rl_usage_t* usage, const rl_usage_search_t* search,
                    rl_usage_form_e form) noexcept {
  *usage = {};
  usage->search = search;
  usage->form = form;
  usage->inside = 1;
  usage->at_start = 1;
}

void rl_usage_grow(rl_usage_t* usage, unsigned char* memory,
                   size_t room) noexcept {
  const size_t used = usage->ended + usage->held;
  if (used != 0) std::memcpy(memory, usage->memory, used);
  usage->memory = memory;
  usage->room = room;
}

size_t rl_usage_take(rl_usage_t* usage, rl_str_t bytes) noexcept {
  return ratelimit::are_texts(*usage, bytes)
             ? ratelimit::take_texts(usage, bytes)
             : ratelimit::take_some(usage, bytes);
}

int rl_usage_make_room(rl_usage_t* usage) noexcept {
  if (usage->ended == 0) {
    rl_usage_skip(usage);
    return 0;
  }
  ratelimit::read_ended(usage);
  return 1;
}

void rl_usage_skip(rl_usage_t* usage) noexcept {
  usage->too_long = 1;
  usage->inside = 1;
  usage->held = 0;
}

void rl_usage_end(rl_usage_t* usage) noexcept {
  ratelimit::end_text(usage);
  ratelimit::read_ended(usage);
}

int rl_usage_units(rl_usage_t* usage, uint64_t* units) noexcept {
  ratelimit::read_ended(usage);
  uint64_t sum = 0;
  for (uint32_t i = 0; i < RL_MAX_USAGE_VALUES; ++i) {
    if ((usage->found >> i & 1) != 0) sum += usage->values[i];
  }
  *units = sum < RL_MAX_UNITS ? sum : RL_MAX_UNITS;
  return usage->found != 0;
}
