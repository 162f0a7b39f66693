// A number in a JSON text, where a JSON pointer says that it is.

#include "ratelimit/usage/json.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "ratelimit/base/text.h"
#include "ratelimit/jwt/json_text.h"

namespace ratelimit {
namespace {

void skip_space(Reader* in) {
  while (!in->done() && is_space(*in->at)) {
    in->at++;
  }
}

// Behind the quote that opens a string; false: none closes it.
bool skip_string(Reader* in) {
  const Byte* const start = in->at;
  while (!in->done()) {
    const void* const quote =
        std::memchr(in->at, '"', static_cast<std::size_t>(in->end - in->at));
    if (quote == nullptr) return false;
    const Byte* at = static_cast<const Byte*>(quote);
    in->at = at + 1;
    while (at != start && at[-1] == '\\') {
      at--;
    }
    if ((in->at - at) % 2 != 0) return true;
  }
  return false;
}

// Behind the bracket that opens an object or an array.
bool skip_nested(Reader* in) {
  for (std::size_t depth = 1; !in->done();) {
    const Byte c = *in->at++;
    if (c == '"') {
      if (!skip_string(in)) return false;
    } else if (c == '{' || c == '[') {
      depth++;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return true;
    }
  }
  return false;
}

bool skip_scalar(Reader* in) {
  const Byte* const start = in->at;
  while (!in->done() && (is_of_number(*in->at) || is_alpha(*in->at))) {
    in->at++;
  }
  const rl_str_t text = slice(start, in->at);
  return number_of(text) != Number::kNone || equals(text, "null") ||
         equals(text, "true") || equals(text, "false");
}

// With the space around it.
bool take_value(Reader* in, rl_str_t* value) {
  skip_space(in);
  const Byte* const start = in->at;
  bool whole = false;
  if (in->take('"')) {
    whole = skip_string(in);
  } else if (in->take('{') || in->take('[')) {
    whole = skip_nested(in);
  } else {
    whole = skip_scalar(in);
  }
  *value = slice(start, in->at);
  skip_space(in);
  return whole;
}

struct Character {
  Byte utf8[4];
  std::size_t len;
};

Character encode(unsigned point) {
  const auto tail = [](unsigned bits) {
    return static_cast<Byte>(0x80 | (bits & 0x3f));
  };
  if (point < 0x80) return {{static_cast<Byte>(point)}, 1};
  if (point < 0x800) {
    return {{static_cast<Byte>(0xc0 | point >> 6), tail(point)}, 2};
  }
  if (point < 0x10000) {
    return {
        {static_cast<Byte>(0xe0 | point >> 12), tail(point >> 6), tail(point)},
        3};
  }
  return {{static_cast<Byte>(0xf0 | point >> 18), tail(point >> 12),
           tail(point >> 6), tail(point)},
          4};
}

// An escape at a backslash, or nothing.
Character take_escape(Reader* in) {
  constexpr std::string_view kEscapes = "\"\\/bfnrt";
  constexpr std::string_view kEscaped = "\"\\/\b\f\n\r\t";
  constexpr unsigned kReplacement = 0xfffd;
  const int unit = code_unit(in->at, in->end);
  if (unit < 0) {
    const std::size_t i = in->end - in->at < 2
                              ? std::string_view::npos
                              : kEscapes.find(static_cast<char>(in->at[1]));
    if (i == std::string_view::npos) return {{}, 0};
    in->at += 2;
    return {{static_cast<Byte>(kEscaped[i])}, 1};
  }
  in->at += kEscapeLen;
  const int low = is_high(unit) ? code_unit(in->at, in->end) : -1;
  if (is_low(low)) {
    in->at += kEscapeLen;
    return encode(static_cast<unsigned>(0x10000 + ((unit - 0xd800) << 10) +
                                        (low - 0xdc00)));
  }
  return encode(is_high(unit) || is_low(unit) || unit == 0
                    ? kReplacement
                    : static_cast<unsigned>(unit));
}

// The next byte of a reference token: "~1" is "/", "~0" is "~".
bool takes(Reader* token, Byte c) {
  if (token->done()) return false;
  Byte expected = *token->at++;
  if (expected == '~') expected = *token->at++ == '0' ? '~' : '/';
  return expected == c;
}

// Whether the name of a member, between its quotes, is what a token names;
// nearly all begin with another letter.
bool is_named(rl_str_t name, rl_str_t reference) {
  if (name.len != 0 && reference.len != 0 &&
      name.data[0] != reference.data[0] && name.data[0] != '\\' &&
      reference.data[0] != '~') {
    return false;
  }
  Reader in(name);
  Reader token(reference);
  while (!in.done()) {
    Character c = {{*in.at}, 1};
    if (*in.at == '\\') {
      c = take_escape(&in);
    } else {
      in.at++;
    }
    if (c.len == 0 || !std::all_of(c.utf8, c.utf8 + c.len, [&token](Byte b) {
          return takes(&token, b);
        })) {
      return false;
    }
  }
  return token.done();
}

// The rest of an object behind its bracket.
bool find_member(Reader* in, rl_str_t token, rl_str_t* found) {
  skip_space(in);
  if (in->take('}')) return true;
  do {
    rl_str_t name;
    rl_str_t value;
    skip_space(in);
    if (in->done() || *in->at != '"' || !take_value(in, &name) ||
        !in->take(':') || !take_value(in, &value)) {
      return false;
    }
    if (is_named({name.len - 2, name.data + 1}, token)) *found = value;
  } while (in->take(','));
  return in->take('}');
}

// RFC 6901: decimal without leading zeros.
bool is_index(rl_str_t token, std::uint64_t* index) {
  Reader in(token);
  return (token.len == 1 || token.data[0] != '0') &&
         in.take_number(std::uint64_t{1} << 32, index) && in.done();
}

// The rest of an array behind its bracket.
bool find_element(Reader* in, rl_str_t token, rl_str_t* found) {
  std::uint64_t index = 0;
  const bool named = token.len != 0 && is_index(token, &index);
  rl_str_t element;
  for (std::uint64_t i = 0; next_element(in, &element); i++) {
    if (named && i == index) *found = element;
  }
  return in->take(']');
}

rl_str_t take_token(Reader* pointer) {
  const Byte* const start = ++pointer->at;
  while (!pointer->done() && *pointer->at != '/') {
    pointer->at++;
  }
  return slice(start, pointer->at);
}

}  // namespace

rl_str_t trimmed(rl_str_t text) {
  Reader in(text);
  skip_space(&in);
  return slice(in.at, in.end);
}

bool next_element(Reader* in, rl_str_t* element) {
  return take_value(in, element) &&
         (in->take(',') || (!in->done() && *in->at == ']'));
}

bool find_value(rl_str_t text, rl_str_t pointer, rl_str_t* value) {
  Reader in(trimmed(text));
  Reader tokens(pointer);
  bool whole = !in.done() && (*in.at == '{' || *in.at == '[');
  *value = {0, text.data};
  while (whole && !tokens.done()) {
    const rl_str_t token = take_token(&tokens);
    rl_str_t found = {0, text.data};
    if (in.take('{')) {
      whole = find_member(&in, token, &found);
    } else if (in.take('[')) {
      whole = find_element(&in, token, &found);
    } else {
      break;
    }
    skip_space(&in);
    whole = whole && in.done();
    if (found.len == 0) return whole;
    if (tokens.done()) *value = found;
    in = Reader(found);
  }
  return whole;
}

bool units_of(rl_str_t value, std::uint64_t* units) {
  constexpr double kMost = RL_MAX_UNITS;
  const Number kind = number_of(value);
  if (kind == Number::kNone) return false;
  Reader in(value);
  std::uint64_t whole = 0;
  if (kind == Number::kInteger) {
    const bool negative = in.take('-');
    if (!in.take_at_most(RL_MAX_UNITS, &whole) || (negative && whole != 0)) {
      return false;
    }
    *units = whole;
    return true;
  }
  const double number = std::ceil(
      std::strtod(reinterpret_cast<const char*>(value.data), nullptr));
  if (!(number >= 0)) return false;
  *units = number < kMost ? static_cast<std::uint64_t>(number) : RL_MAX_UNITS;
  return true;
}

}  // namespace ratelimit
