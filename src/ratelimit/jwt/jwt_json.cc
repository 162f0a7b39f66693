// The JSON of a token, or of a response, made into JSON that jansson takes.
//
// jansson refuses a text for a value that its own types cannot hold, wherever
// that stands.  But a token says who a client is by one claim, whatever an
// issuer has put into the others: a name that was cut in the middle of an
// emoji, a number of 20 digits.  So these are written anew before jansson sees
// them:
//
//   "\ud83d", half of a pair              "\ufffd"
//   "\u0000" in the name of a member      "\ufffd"
//   12345678901234567890, beyond int64    "12345678901234567890"
//   1e999, beyond double                  9e99, beyond all dates
//
// All else is copied as it stands, so that what is no JSON remains none.

#include <jansson.h>

#include <cmath>
#include <cstdlib>
#include <cstring>

#include "ratelimit/jwt/json_text.h"
#include "ratelimit/jwt/jwt.h"

namespace ratelimit {
namespace {

constexpr std::string_view kReplacement = "\\ufffd";

// Two quotes more for each integer of 19 digits or more.
constexpr std::size_t kMaxPreparedLen = kMaxDecodedLen / 9 * 10 + 2;

// Whether what ends here is the name of a member.
bool is_name(const Byte* at, const Byte* end) {
  while (at != end && is_space(*at)) {
    at++;
  }
  return at != end && *at == ':';
}

// Behind the closing quote of the string at `at`.
const Byte* string_end(const Byte* at, const Byte* end) {
  for (at++; at != end; at++) {
    if (*at == '"') return at + 1;
    if (*at == '\\' && ++at == end) break;
  }
  return end;
}

void put_string(const Byte* at, const Byte* end, bool name, Writer* out) {
  while (at != end) {
    const void* const escape =
        std::memchr(at, '\\', static_cast<std::size_t>(end - at));
    const Byte* const plain_end =
        escape == nullptr ? end : static_cast<const Byte*>(escape);
    out->put(slice(at, plain_end));
    at = plain_end;
    if (at == end) return;
    const int unit = code_unit(at, end);
    std::ptrdiff_t len = end - at > 1 ? 2 : 1;
    if (unit >= 0) len = kEscapeLen;
    if (is_high(unit) && is_low(code_unit(at + kEscapeLen, end))) {
      out->put(slice(at, at + 2 * kEscapeLen));
      len = 2 * kEscapeLen;
    } else if (is_high(unit) || is_low(unit) || (unit == 0 && name)) {
      out->put(kReplacement);
    } else {
      out->put(slice(at, at + len));
    }
    at += len;
  }
}

// `number` is not the end of the text: strtod stops at what follows.
void put_number(rl_str_t number, bool name, Writer* out) {
  if (!name && is_beyond_int64(number)) {
    out->put('"');
    out->put(number);
    out->put('"');
  } else if (number_of(number) == Number::kReal &&
             std::isinf(std::strtod(reinterpret_cast<const char*>(number.data),
                                    nullptr))) {
    out->put(number.data[0] == '-' ? "-9e99" : "9e99");
  } else {
    out->put(number);
  }
}

rl_str_t prepared(rl_str_t text, Byte* buf) {
  const Byte* at = text.data;
  const Byte* const end = at + text.len;
  Writer out{buf};
  while (at != end) {
    const Byte* const start = at;
    if (*at == '"') {
      at = string_end(at, end);
      put_string(start, at, is_name(at, end), &out);
    } else if (is_of_number(*at)) {
      while (at != end && is_of_number(*at)) {
        at++;
      }
      const rl_str_t number = slice(start, at);
      if (at == end) {
        out.put(number);
      } else {
        put_number(number, is_name(at, end), &out);
      }
    } else {
      out.put(static_cast<char>(*at++));
    }
  }
  return slice(buf, out.at);
}

json_t* load(rl_str_t text, std::size_t flags) {
  json_error_t error;
  return json_loadb(reinterpret_cast<const char*>(text.data), text.len,
                    flags | JSON_ALLOW_NUL, &error);
}

json_t* load_object(rl_str_t text, std::size_t flags) {
  json_t* const json = load(text, flags);
  if (json_is_object(json)) return json;
  json_decref(json);
  return nullptr;
}

}  // namespace

bool is_beyond_int64(rl_str_t text) {
  if (number_of(text) != Number::kInteger) return false;
  const bool negative = text.data[0] == '-';
  std::string_view digits = to_view(text);
  if (negative) digits.remove_prefix(1);
  const std::string_view most =
      negative ? "9223372036854775808" : "9223372036854775807";
  return digits.size() != most.size() ? digits.size() > most.size()
                                      : digits > most;
}

json_t* parse_key_set(rl_str_t text) {
  return load_object(text, JSON_REJECT_DUPLICATES);
}

json_t* parse_part(rl_str_t text) {
  Byte buf[kMaxPreparedLen];
  return load_object(prepared(text, buf), 0);
}

json_t* parse_loosely(rl_str_t text, Byte* buf) {
  return load(prepared(text, buf), 0);
}

}  // namespace ratelimit
