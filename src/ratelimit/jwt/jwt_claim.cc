// What a token holds: base64url, claims, JSON pointers, dates.

#include <jansson.h>

#include <cstring>

#include "ratelimit/jwt/jwt.h"

namespace ratelimit {
namespace {

constexpr const char* kClaimPhrase =
    "must name a claim, or be a JSON pointer in which \"~0\" stands for \"~\" "
    "and \"~1\" for \"/\"";

constexpr Byte kNoDigit = 0xff;

struct Digits {
  Byte value[256];
};

constexpr Digits make_digits() {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  Digits digits{};
  for (Byte& value : digits.value) {
    value = kNoDigit;
  }
  Byte value = 0;
  for (const char c : kAlphabet) {
    digits.value[static_cast<Byte>(c)] = value++;
  }
  return digits;
}

constexpr Digits kDigits = make_digits();

// Whether the reference token of a JSON pointer stands for this name.
bool stands_for(rl_str_t token, std::string_view name) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < token.len; i++, n++) {
    Byte c = token.data[i];
    if (c == '~') c = token.data[++i] == '0' ? '~' : '/';
    if (n == name.size() || c != static_cast<Byte>(name[n])) return false;
  }
  return n == name.size();
}

// Walked, since names in jansson are terminated and these are not.
const json_t* find_member(const json_t* object, rl_str_t name, bool escaped) {
  // json_object_iter does not change what it is given.
  json_t* const members = const_cast<json_t*>(object);
  const char* key;
  json_t* value;
  json_object_foreach(members, key, value) {
    const std::string_view member(key);
    if (escaped ? stands_for(name, member) : equals(name, member)) {
      return value;
    }
  }
  return nullptr;
}

// RFC 6901: decimal without leading zeros.
const json_t* find_element(const json_t* array, rl_str_t token) {
  Reader in(token);
  std::uint64_t index = 0;
  if (token.len > 1 && token.data[0] == '0') return nullptr;
  if (!in.take_number(json_array_size(array), &index) || !in.done()) {
    return nullptr;
  }
  return json_array_get(array, static_cast<std::size_t>(index));
}

}  // namespace

const json_t* find_claim(const json_t* json, rl_str_t name) {
  if (name.data[0] != '/') return find_member(json, name, false);
  const Byte* at = name.data;
  const Byte* const end = name.data + name.len;
  while (at != end && json != nullptr) {
    const Byte* const start = at + 1;
    for (at = start; at != end && *at != '/'; at++) {
    }
    const rl_str_t token = slice(start, at);
    if (json_is_object(json)) {
      json = find_member(json, token, true);
    } else {
      json = json_is_array(json) ? find_element(json, token) : nullptr;
    }
  }
  return json;
}

bool base64url_decoded(rl_str_t text, Byte* buf, rl_str_t* out) {
  const std::size_t rest = text.len % 4;
  if (rest == 1) return false;
  Byte* to = buf;
  unsigned bits = 0;
  unsigned wrong = 0;
  for (std::size_t i = 0; i < text.len; i++) {
    const Byte digit = kDigits.value[text.data[i]];
    wrong |= digit;
    bits = bits << 6 | (digit & 63u);
    if (i % 4 == 0) continue;
    // The second, third and fourth digit complete a byte each.
    const unsigned left = 6 - 2 * static_cast<unsigned>(i % 4);
    *to++ = static_cast<Byte>(bits >> left);
  }
  if ((wrong & 0x80) != 0) return false;
  const unsigned unused = rest == 2 ? 4 : rest == 3 ? 2 : 0;
  if ((bits & ((1u << unused) - 1)) != 0) return false;
  *out = slice(buf, to);
  return true;
}

rl_str_t claim_value(const json_t* claims, rl_str_t name,
                     Byte buf[kIntegerLen]) {
  const json_t* const value = find_claim(claims, name);
  if (json_is_string(value)) return to_str(value);
  if (!json_is_integer(value)) return {0, buf};
  const json_int_t number = json_integer_value(value);
  const std::uint64_t magnitude = number < 0
                                      ? 0 - static_cast<std::uint64_t>(number)
                                      : static_cast<std::uint64_t>(number);
  Writer out{buf};
  if (number < 0) out.put('-');
  out.put_number(magnitude);
  return slice(buf, out.at);
}

// The one place with floating point: RFC 7519 allows fractions of a second.
bool date_ms(const json_t* date, std::int64_t* out) {
  // Some 140,000 years; a leeway may be added without overflow.
  constexpr std::int64_t kMaxSeconds = std::int64_t{1} << 42;
  if (json_is_string(date) && is_beyond_int64(to_str(date))) {
    const bool negative = json_string_value(date)[0] == '-';
    *out = (negative ? -kMaxSeconds : kMaxSeconds) * 1000;
    return true;
  }
  if (json_is_integer(date)) {
    json_int_t seconds = json_integer_value(date);
    if (seconds > kMaxSeconds) seconds = kMaxSeconds;
    if (seconds < -kMaxSeconds) seconds = -kMaxSeconds;
    *out = seconds * 1000;
    return true;
  }
  if (!json_is_real(date)) return false;
  double seconds = json_real_value(date);
  constexpr double kMax = static_cast<double>(kMaxSeconds);
  if (seconds > kMax) seconds = kMax;
  if (seconds < -kMax) seconds = -kMax;
  *out = static_cast<std::int64_t>(seconds * 1000);
  return true;
}

}  // namespace ratelimit

const char* rl_parse_claim(rl_str_t text) noexcept {
  if (text.len == 0) return ratelimit::kClaimPhrase;
  if (text.data[0] != '/') return nullptr;
  for (std::size_t i = 0; i < text.len; i++) {
    if (text.data[i] == '~' &&
        (i + 1 == text.len ||
         (text.data[i + 1] != '0' && text.data[i + 1] != '1'))) {
      return ratelimit::kClaimPhrase;
    }
  }
  return nullptr;
}
