// Key sources as PHP, and other back ends in the manner of CGI, read them.
//
// Such a back end makes variables of names: "?%20api.key=", "?api[key=" and
// "?api_key%00x=" are all its api_key, as X_API_Key is its X-API-Key.  What is
// done to names here is what PHP 8 does, to the letter: a name that is taken
// for another one gives a client a counter of its choice as surely as one that
// is overlooked.
//
// And of a value that is sent twice some take the first, others the last, or
// both: who sends two that differ has a key that all such requests share.

#include <cstddef>
#include <cstring>
#include <string_view>

#include "ratelimit/key/extract.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/base/text.h"

namespace ratelimit {
namespace {

constexpr const char* kNamePhrase =
    "must not be empty as \"names=cgi\" reads it";

bool same(rl_str_t a, rl_str_t b) {
  return a.len == b.len &&
         (a.len == 0 || std::memcmp(a.data, b.data, a.len) == 0);
}

// Cookies that a browser accepts from their own site only: PHP does not make
// these names out of others.
bool is_reserved(const Byte* at, const Byte* end) {
  for (const std::string_view start : {"__Host-", "__Secure-"}) {
    if (static_cast<std::size_t>(end - at) >= start.size() &&
        equals({start.size(), at}, start)) {
      return true;
    }
  }
  return false;
}

// The variable that an argument or a cookie is, in place; empty if it is none.
// Of an array's element, the array.
rl_str_t fold_variable(Byte* at, Byte* end) {
  end = at + (find_or_end(at, end, '\0') - at);
  while (at != end && *at == ' ') {
    at++;
  }
  const bool reserved = is_reserved(at, end);
  Byte* const bracket = at + (find_or_end(at, end, '[') - at);
  if (bracket == at || find(bracket, end, ']') != nullptr) end = bracket;
  for (Byte* c = at; c != end; c++) {
    if (*c == ' ' || *c == '.' || *c == '[') *c = '_';
  }
  if (!reserved && is_reserved(at, end)) end = at;
  return slice(at, end);
}

Byte fold_field(Byte c) {
  return c == '-' ? '_' : to_lower(c);
}

// As a form's: a plus is a blank.  Returns the end of what was written.
Byte* decode_form(const Byte* at, const Byte* end, Byte* to) {
  while (at != end) {
    const bool plus = *at == '+';
    const Byte c = take_decoded(&at, end);
    *to++ = plus ? ' ' : c;
  }
  return to;
}

void add(rl_str_t value, rl_values_t* values) {
  if (values->any != 0 && !same(values->value, value)) values->differ = 1;
  if (values->any == 0) values->value = value;
  values->any = 1;
}

// What C's isspace() takes for a blank.
bool is_space(Byte c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

void add_cookies(rl_str_t field, rl_str_t name, Byte* buf,
                 rl_values_t* values) {
  const Byte* at = field.data;
  const Byte* const end = at + field.len;
  while (at != end) {
    const Byte* const stop = find_or_end(at, end, ';');
    while (at != stop && is_space(*at)) {
      at++;
    }
    const Byte* const equal = find_or_end(at, stop, '=');
    // Each part of buf is that of the same part of the field.
    Byte* const to = buf + (at - field.data);
    Writer text{to};
    text.put(slice(at, equal));
    if (same(fold_variable(to, text.at), name)) {
      add(equal == stop ? slice(stop, stop)
                        : cookie_value(equal + 1, stop, text.at),
          values);
    }
    at = stop == end ? end : stop + 1;
  }
}

}  // namespace
}  // namespace ratelimit

using ratelimit::Byte;

const char* rl_cgi_source(rl_source_t* source, unsigned char* buf) noexcept {
  ratelimit::Writer text{buf};
  text.put(source->name);
  rl_str_t name = ratelimit::slice(buf, text.at);
  switch (source->kind) {
    case RL_SOURCE_HEADER:
      for (Byte* c = buf; c != text.at; c++) {
        *c = ratelimit::fold_field(*c);
      }
      break;
    case RL_SOURCE_ARG:
    case RL_SOURCE_COOKIE:
      name = ratelimit::fold_variable(buf, text.at);
      if (name.len == 0) return ratelimit::kNamePhrase;
      break;
    default:
      return nullptr;
  }
  source->name = name;
  return nullptr;
}

int rl_cgi_is_field(rl_str_t field, rl_str_t name) noexcept {
  if (field.len != name.len) return 0;
  for (std::size_t i = 0; i < name.len; i++) {
    if (ratelimit::fold_field(field.data[i]) != name.data[i]) return 0;
  }
  return 1;
}

void rl_cgi_field(const rl_source_t* source, rl_str_t field,
                  unsigned char* buf, rl_values_t* values) noexcept {
  rl_str_t value{};
  switch (source->kind) {
    case RL_SOURCE_COOKIE:
      ratelimit::add_cookies(field, source->name, buf, values);
      return;
    case RL_SOURCE_BEARER:
      rl_key_bearer(field, &value);
      break;
    case RL_SOURCE_BASIC:
      rl_key_basic(field, buf, &value);
      break;
    default:
      rl_key_header(field, &value);
      break;
  }
  ratelimit::add(value, values);
}

void rl_cgi_args(rl_str_t query, rl_str_t name, unsigned char* buf,
                 rl_values_t* values) noexcept {
  const Byte* at = query.data;
  const Byte* const end = at + query.len;
  while (at != end) {
    const Byte* const amp = ratelimit::find_or_end(at, end, '&');
    const Byte* const equal = ratelimit::find_or_end(at, amp, '=');
    // Each part of buf is that of the same part of the query.
    Byte* const to = buf + (at - query.data);
    Byte* const name_end = ratelimit::decode_form(at, equal, to);
    if (ratelimit::same(ratelimit::fold_variable(to, name_end), name)) {
      const Byte* const from = equal == amp ? amp : equal + 1;
      Byte* const value = buf + (from - query.data);
      ratelimit::add(
          ratelimit::slice(value, ratelimit::decode_form(from, amp, value)),
          values);
    }
    at = amp == end ? end : amp + 1;
  }
}

int rl_cgi_value(const rl_values_t* values, rl_str_t* out) noexcept {
  if (values->any == 0) return 0;
  *out = values->differ != 0 ? ratelimit::literal(":") : values->value;
  return out->len != 0;
}

rl_str_t rl_key_lower(rl_str_t text, unsigned char* buf) noexcept {
  for (std::size_t i = 0; i < text.len; i++) {
    buf[i] = ratelimit::to_lower(text.data[i]);
  }
  return {text.len, buf};
}
