// Whether a text may have one of the names that are looked for.
//
// Of each name one byte is looked for that texts have seldom, and the one that
// stands two places behind it; so is a backslash, with the "0" of "\u0061".
// Both are looked up in tables by the lower half of a byte, all names at once.
// Where both are, the name is compared.

#include "ratelimit/usage/search.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "ratelimit/base/text.h"
#include "ratelimit/jwt/json_text.h"
#include "ratelimit/usage/vectors.h"

namespace ratelimit {
namespace {

// English letters and what stands around a name, the rarer first; what is not
// here is rarer still.
constexpr std::string_view kCommon = "zqxjk_vbpygwfmucdlrhsnioate\"";

std::size_t frequency(Byte c) {
  return kCommon.find(static_cast<char>(c)) + 1;
}

bool is_listed(const unsigned char table[16], Byte c) {
  return table[c & 15] == c;
}

// With a quote before it and behind it, as it stands in JSON.
Byte quoted(rl_str_t name, std::size_t i) {
  return i == 0 || i > name.len ? '"' : name.data[i - 1];
}

bool is_free(const unsigned char table[16], Byte c) {
  return is_listed(table, c) || !is_listed(table, table[c & 15]);
}

void list(unsigned char table[16], Byte c) {
  table[c & 15] = c;
}

// False: each of its bytes is in the way of what is listed already.
bool list_name(rl_usage_pointer_t* pointer, rl_usage_search_t* search) {
  const rl_str_t name = pointer->name;
  std::size_t least = kNever;
  for (std::size_t i = 0; i < name.len; i++) {
    const Byte first = quoted(name, i);
    if (frequency(first) < least && is_free(search->first, first) &&
        is_free(search->second, quoted(name, i + kSecond))) {
      least = frequency(first);
      pointer->place = i;
    }
  }
  if (least == kNever) return false;
  list(search->first, quoted(name, pointer->place));
  list(search->second, quoted(name, pointer->place + kSecond));
  return true;
}

// "\u0061", a letter that need not be escaped.
bool is_escaped_letter(const Byte* at, const Byte* end) {
  if (end - at < kEscapeLen || at[1] != 'u' || at[2] != '0' || at[3] != '0') {
    return false;
  }
  const int high = hex_value(at[4]);
  const int low = hex_value(at[5]);
  return high >= 0 && low >= 0 && is_plain(static_cast<Byte>(high << 4 | low));
}

bool is_name(const rl_usage_pointer_t& pointer, const Byte* at,
             rl_str_t text) {
  const rl_str_t name = pointer.name;
  const auto before = static_cast<std::size_t>(at - text.data);
  if (before < pointer.place ||
      text.len - (before - pointer.place) < name.len + 2) {
    return false;
  }
  at -= pointer.place;
  return at[0] == '"' && std::memcmp(at + 1, name.data, name.len) == 0 &&
         at[name.len + 1] == '"';
}

// At a place where both bytes are.
bool is_found(const rl_usage_search_t& search, const Byte* at, rl_str_t text) {
  if (*at == '\\') return is_escaped_letter(at, text.data + text.len);
  return std::any_of(
      search.pointers, search.pointers + search.n,
      [=](const rl_usage_pointer_t& each) { return is_name(each, at, text); });
}

}  // namespace

bool is_plain(Byte c) {
  return is_alpha(c) || is_digit(c) || c == '_' || c == '-';
}

const Byte* find_name_by_bytes(const rl_usage_search_t& search,
                               rl_str_t text) {
  if (text.len <= kSecond) return nullptr;
  if (search.everywhere) return text.data;
  const Byte* found = nullptr;
  const Byte* end = text.data + text.len - kSecond;
  for (std::size_t i = 0; i < sizeof(search.first); i++) {
    const Byte first = search.first[i];
    if ((first & 15) != i) continue;
    for (const Byte* at = text.data; at < end; at++) {
      at = static_cast<const Byte*>(
          std::memchr(at, first, static_cast<std::size_t>(end - at)));
      if (at == nullptr) break;
      if (is_listed(search.second, at[kSecond]) &&
          is_found(search, at, text)) {
        found = end = at;
        break;
      }
    }
  }
  return found;
}

RATELIMIT_VECTORS const Byte* find_name_by_vectors(
    const rl_usage_search_t& search, rl_str_t text) {
  const Byte* const last = last_places(text);
  for (const Byte* at = text.data;; at = std::min(at + kPlaces, last)) {
    Places places = next_places(search, at, last);
    for (; places.bits != 0; places.bits &= places.bits - 1) {
      const Byte* const place = places.at + __builtin_ctzll(places.bits);
      if (is_found(search, place, text)) return place;
    }
    at = places.at;
    if (at == last) return nullptr;
  }
}

}  // namespace ratelimit

void rl_usage_search(rl_usage_pointer_t* pointers, size_t n,
                     rl_usage_search_t* out) noexcept {
  using namespace ratelimit;
  *out = {};
  out->pointers = pointers;
  out->n = n;
  // What is not itself at its own place is not listed.
  out->first[0] = out->second[0] = 1;
  list(out->first, '\\');
  list(out->second, '0');
  for (size_t i = 0; i < n; i++) {
    if (!list_name(&pointers[i], out)) out->everywhere = 1;
  }
  out->vectors_from = out->everywhere ? kNever : vectors_from();
}
