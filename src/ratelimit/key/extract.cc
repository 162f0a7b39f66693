// Key sources at request time: from what a client sent to the value that its
// bucket is named by.
//
// A client chooses these bytes, so whatever it may vary without the backend
// taking it for another credential must not make another key: blanks around a
// credential, its percent-encoding, quotes around a cookie.  Where backends
// differ, the coarser reading wins: two writings that share a bucket cost a
// client nothing, two buckets for one credential double its quota.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "ratelimit/base/bytes.h"
#include "ratelimit/key/extract.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/base/simd.h"
#include "ratelimit/base/text.h"

namespace ratelimit {
namespace {

#ifdef RATELIMIT_SSE2
inline __m128i load_16(const Byte* at) {
  __m128i bytes;
  std::memcpy(&bytes, at, sizeof(bytes));
  return bytes;
}

// Bit i: `set` holds at[i].
template <typename Set>
inline unsigned found_in(const Byte* at, const Set& set) {
  return static_cast<unsigned>(_mm_movemask_epi8(set.find(load_16(at))));
}
#endif

// The first byte from `at` on that `set` holds, or end.  Sixteen at a time
// where the processor can, the last of them read from before `at` where there
// are as many from `begin` on: a key of 16 bytes takes some 15 instructions,
// not 64.
template <typename Set>
inline const Byte* find_any(const Byte* begin, const Byte* at,
                            const Byte* end, const Set& set) {
#ifdef RATELIMIT_SSE2
  for (; end - at >= 16; at += 16) {
    const unsigned found = found_in(at, set);
    if (found != 0) return at + __builtin_ctz(found);
  }
  if (at == end) return end;
  if (end - begin >= 16) {
    const unsigned found = found_in(end - 16, set) >> (16 - (end - at));
    return found != 0 ? at + __builtin_ctz(found) : end;
  }
#else
  static_cast<void>(begin);
#endif
  while (at != end && !set.has(*at)) {
    at++;
  }
  return at;
}

template <typename Set>
inline const Byte* find_any(const Byte* at, const Byte* end, const Set& set) {
  return find_any(at, at, end, set);
}

// The first byte from `at` on that `set` holds, or one less than 64 before it.
template <typename Set>
inline const Byte* skip_long(const Byte* at, const Byte* end, const Set& set) {
#ifdef RATELIMIT_SSE2
  for (; end - at >= 64; at += 64) {
    const __m128i found = _mm_or_si128(
        _mm_or_si128(set.find(load_16(at)), set.find(load_16(at + 16))),
        _mm_or_si128(set.find(load_16(at + 32)), set.find(load_16(at + 48))));
    if (_mm_movemask_epi8(found) != 0) break;
  }
#else
  static_cast<void>(end);
  static_cast<void>(set);
#endif
  return at;
}

// What ends an argument or needs decoding.
struct Marks {
  static bool has(Byte c) { return c == '&' || c == '%'; }
#ifdef RATELIMIT_SSE2
  static __m128i find(__m128i bytes) {
    return _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('&')),
                        _mm_cmpeq_epi8(bytes, _mm_set1_epi8('%')));
  }
#endif
};

struct Semicolon {
  static bool has(Byte c) { return c == ';'; }
#ifdef RATELIMIT_SSE2
  static __m128i find(__m128i bytes) {
    return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(';'));
  }
#endif
};

struct Ampersand {
  static bool has(Byte c) { return c == '&'; }
#ifdef RATELIMIT_SSE2
  static __m128i find(__m128i bytes) {
    return _mm_cmpeq_epi8(bytes, _mm_set1_epi8('&'));
  }
#endif
};

bool equals_in_lower_case(const Byte* at, rl_str_t lower) {
  for (std::size_t i = 0; i < lower.len; i++) {
    if (to_lower(at[i]) != lower.data[i]) return false;
  }
  return true;
}

// The letters of eight bytes in lower case.
inline uint64_t in_lower_case(uint64_t bytes) {
  constexpr uint64_t kEach = 0x0101010101010101u;
  constexpr uint64_t kHigh = 0x80 * kEach;
  const uint64_t low = bytes & ~kHigh;
  const uint64_t from_a = low + (0x80 - 'A') * kEach;
  const uint64_t beyond_z = low + (0x7f - 'Z') * kEach;
  const uint64_t letters = (from_a ^ beyond_z) & ~bytes & kHigh;
  return bytes | letters >> 2;
}

// Most names are sent as they are configured, or are others altogether.
inline bool same_but_for_case(uint64_t a, uint64_t b) {
  constexpr uint64_t kCase = 0x2020202020202020u;
  if (a == b) return true;
  return ((a ^ b) & ~kCase) == 0 && in_lower_case(a) == in_lower_case(b);
}

int yield(rl_str_t value, rl_str_t* out) {
  if (value.len == 0) return 0;
  *out = value;
  return 1;
}

// What a credential of RFC 9110 may be made of.  Some languages count bytes
// beyond ASCII as blanks (0xA0, U+2003) and trim them off.
constexpr bool is_visible(Byte c) {
  return c > ' ' && c < 0x7f;
}

// What a token ends at.  passport-jwt reads it up to the next blank, Laravel
// up to the next comma: what follows would be a key of the client's choice.
struct TokenEnds {
  static bool has(Byte c) { return !is_visible(c) || c == ','; }
#ifdef RATELIMIT_SSE2
  static __m128i find(__m128i bytes) {
    // Bytes beyond ASCII are negative here, and DEL is as well once it is one
    // more; 0xff is 0 then.
    const __m128i more = _mm_add_epi8(bytes, _mm_set1_epi8(1));
    return _mm_or_si128(_mm_cmplt_epi8(more, _mm_set1_epi8(' ' + 2)),
                        _mm_cmpeq_epi8(bytes, _mm_set1_epi8(',')));
  }
#endif
};

// What follows the scheme (given in lower case letters), trimmed; empty if the
// scheme is another one.  Python's split() and .NET's Trim() take far more
// than SP for a blank.
rl_str_t credential(rl_str_t field, std::string_view scheme) {
  rl_str_t text = trim(field.data, field.data + field.len);
  const rl_str_t none = {0, text.data};
  if (text.len <= scheme.size() || is_visible(text.data[scheme.size()])) {
    return none;
  }
  for (std::size_t i = 0; i < scheme.size(); i++) {
    if ((text.data[i] | 0x20) != scheme[i]) return none;
  }
  return trim(text.data + scheme.size(), text.data + text.len);
}

constexpr std::size_t kBearerLen = 7;

// "Bearer " in any case, and behind it what a token may begin with: as all
// tokens are sent.
inline bool is_plain_bearer(rl_str_t field) {
  if (field.len <= kBearerLen || TokenEnds::has(field.data[kBearerLen])) {
    return false;
  }
  const uint64_t first = load_le64(field.data);
  constexpr uint64_t kCase = 0x202020202020;
  constexpr uint64_t kSevenBytes = 0xffffffffffffff;
  return ((first | kCase) & kSevenBytes) == 0x20726572616562;  // "bearer "
}

// As rl_key_bearer, in all cases.
[[gnu::noinline]] int odd_bearer(rl_str_t authorization, rl_str_t* out) {
  const rl_str_t text = credential(authorization, "bearer");
  const Byte* const end = text.data + text.len;
  const Byte* begin = text.data;
  while (begin != end && TokenEnds::has(*begin)) {
    begin++;
  }
  const Byte* const stop = find_any(begin, end, TokenEnds());
  // A credential with no such byte is no token of RFC 6750, but a credential.
  if (begin == stop) return yield(text, out);
  return yield(slice(begin, stop), out);
}

// A text without "%" is its own decoding and is not copied.
rl_str_t percent_decoded(rl_str_t text, Byte* buf) {
  const Byte* at = text.data;
  const Byte* const end = at + text.len;
  if (find(at, end, '%') == nullptr) return text;
  Byte* to = buf;
  while (at != end) {
    *to++ = take_decoded(&at, end);
  }
  return slice(buf, to);
}

bool decodes_to(const Byte* at, const Byte* end, rl_str_t name) {
  std::size_t i = 0;
  while (at != end) {
    if (i == name.len || take_decoded(&at, end) != name.data[i]) return false;
    i++;
  }
  return i == name.len;
}

// A quoted cookie in Python's manner: \" is ", \101 is A.  buf may be where
// the text is.
rl_str_t unquoted(rl_str_t text, Byte* buf) {
  const Byte* at = text.data;
  const Byte* const end = at + text.len;
  if (find(at, end, '\\') == nullptr) return text;
  const auto octal = [](Byte c) { return c >= '0' && c <= '7'; };
  Byte* to = buf;
  while (at != end) {
    if (*at != '\\' || end - at == 1) {
      *to++ = *at++;
    } else if (end - at > 3 && at[1] <= '3' && octal(at[1]) && octal(at[2]) &&
               octal(at[3])) {
      *to++ = static_cast<Byte>((at[1] - '0') << 6 | (at[2] - '0') << 3 |
                                (at[3] - '0'));
      at += 4;
    } else {
      *to++ = at[1];
      at += 2;
    }
  }
  return slice(buf, to);
}

constexpr Byte kNoDigit = 0xff;

struct Base64 {
  Byte value[256];
};

constexpr Base64 make_base64() {
  Base64 table{};
  for (Byte& value : table.value) {
    value = kNoDigit;
  }
  Byte digit = 0;
  for (const char c : std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "abcdefghijklmnopqrstuvwxyz"
                                       "0123456789+/")) {
    table.value[static_cast<Byte>(c)] = digit++;
  }
  return table;
}

constexpr Base64 kBase64 = make_base64();

// The length of text without its padding, which may be left out but must not
// be wrong; 0 if text cannot be base64.
std::size_t unpadded_len(rl_str_t text) {
  std::size_t len = text.len;
  while (len != 0 && text.len - len < 2 && text.data[len - 1] == '=') {
    len--;
  }
  if (len % 4 == 1 || (len != text.len && text.len % 4 != 0)) return 0;
  return len;
}

// Decodes into buf; false if text is not base64.
bool base64_decoded(rl_str_t text, Byte* buf, rl_str_t* out) {
  const std::size_t len = unpadded_len(text);
  if (len == 0) return false;
  const Byte* at = text.data;
  Byte* to = buf;
  unsigned seen = 0;  // kNoDigit has bits that no digit has
  const auto take = [&] {
    const unsigned digit = kBase64.value[*at++];
    seen |= digit;
    return digit;
  };
  for (std::size_t n = len / 4; n > 0; n--) {
    unsigned bits = take() << 18;
    bits |= take() << 12;
    bits |= take() << 6;
    bits |= take();
    *to++ = static_cast<Byte>(bits >> 16);
    *to++ = static_cast<Byte>(bits >> 8);
    *to++ = static_cast<Byte>(bits);
  }
  if (len % 4 != 0) {
    // Two or three digits; the bits left over are not looked at.
    unsigned bits = take() << 18;
    bits |= take() << 12;
    *to++ = static_cast<Byte>(bits >> 16);
    if (len % 4 == 3) *to++ = static_cast<Byte>((bits | take() << 6) >> 8);
  }
  *out = slice(buf, to);
  return seen < 64;
}

// Behind "name=", if that is what stands there.  Names are short: comparing
// them byte by byte takes less than a call.
inline const Byte* value_of(const Byte* at, const Byte* end, rl_str_t name) {
  if (static_cast<std::size_t>(end - at) <= name.len ||
      at[name.len] != '=') {
    return nullptr;
  }
  for (std::size_t i = 0; i < name.len; i++) {
    if (at[i] != name.data[i]) return nullptr;
  }
  return at + name.len + 1;
}

inline const Byte* skip_blanks(const Byte* at, const Byte* end) {
  while (at != end && is_blank(*at)) {
    at++;
  }
  return at;
}

// Behind "name=" of a Cookie field, blanks around the name, if that is what
// stands there.
inline const Byte* cookie_of(const Byte* at, const Byte* end, rl_str_t name) {
  at = skip_blanks(at, end);
  if (static_cast<std::size_t>(end - at) <= name.len) return nullptr;
  for (std::size_t i = 0; i < name.len; i++) {
    if (at[i] != name.data[i]) return nullptr;
  }
  at = skip_blanks(at + name.len, end);
  return at != end && *at == '=' ? at + 1 : nullptr;
}

// As rl_key_arg, in all cases.
int escaped_arg(rl_str_t query, rl_str_t name, Byte* buf, rl_str_t* out) {
  const Byte* at = query.data;
  const Byte* const end = at + query.len;
  while (at != end) {
    const Byte* const amp = find_or_end(at, end, '&');
    const Byte* const equal = find(at, amp, '=');
    if (equal != nullptr && equal + 1 != amp && decodes_to(at, equal, name)) {
      *out = percent_decoded(slice(equal + 1, amp), buf);
      return 1;
    }
    at = amp == end ? end : amp + 1;
  }
  return 0;
}

}  // namespace

rl_str_t cookie_value(const Byte* begin, const Byte* end, Byte* buf) {
  rl_str_t value = trim(begin, end);
  if (value.len > 1 && value.data[0] == '"' &&
      value.data[value.len - 1] == '"') {
    value = unquoted({value.len - 2, value.data + 1}, buf);
  }
  // PHP and Express decode a cookie's value, others keep it.
  return percent_decoded(value, buf);
}

}  // namespace ratelimit

using ratelimit::Byte;

int rl_key_bearer(rl_str_t authorization, rl_str_t* out) noexcept {
  if (ratelimit::is_plain_bearer(authorization)) {
    const Byte* const end = authorization.data + authorization.len;
    const Byte* const token = authorization.data + ratelimit::kBearerLen;
    const ratelimit::TokenEnds ends;
    const Byte* const at = ratelimit::skip_long(token, end, ends);
    *out = ratelimit::slice(token, ratelimit::find_any(token, at, end, ends));
    return 1;
  }
  return ratelimit::odd_bearer(authorization, out);
}

int rl_key_basic(rl_str_t authorization, unsigned char* buf,
                 rl_str_t* out) noexcept {
  const rl_str_t text = ratelimit::credential(authorization, "basic");
  if (text.len == 0) return 0;
  rl_str_t decoded{};
  if (!ratelimit::base64_decoded(text, buf, &decoded)) {
    return ratelimit::yield(ratelimit::literal(":"), out);
  }
  // Without a colon all of it is the user, as for those that accept it.
  const Byte* const colon =
      ratelimit::find_or_end(decoded.data, decoded.data + decoded.len, ':');
  return ratelimit::yield(ratelimit::slice(decoded.data, colon), out);
}

int rl_key_header(rl_str_t value, rl_str_t* out) noexcept {
  return ratelimit::yield(ratelimit::trim(value.data, value.data + value.len),
                          out);
}

int rl_is_field(const unsigned char* field, rl_str_t name) noexcept {
  using ratelimit::load_few;
  using ratelimit::load_le64;
  const Byte* const text = name.data;
  const std::size_t len = name.len;
  if (len < 8) {
    const auto n = static_cast<unsigned>(len);
    return n == 0 ||
           ratelimit::same_but_for_case(load_few(field, n), load_few(text, n));
  }
  // The last eight bytes overlap those before them.
  for (std::size_t at = 0; at + 8 < len; at += 8) {
    if (!ratelimit::same_but_for_case(load_le64(field + at),
                                      load_le64(text + at))) {
      return 0;
    }
  }
  return ratelimit::same_but_for_case(load_le64(field + len - 8),
                                      load_le64(text + len - 8));
}

int rl_is_plain_arg(rl_str_t name) noexcept {
  for (std::size_t i = 0; i < name.len; i++) {
    const Byte c = name.data[i];
    if (c == '&' || c == '%' || c == '=') return 0;
  }
  return 1;
}

// Only "&" separates: where ";" does not for the backend (nowhere since 2021),
// "k=a;b" is one value, and to cut it would give "k=a;1", "k=a;2", ... one
// key.
int rl_key_plain_arg(rl_str_t query, rl_str_t name, rl_str_t* out) noexcept {
  const Byte* at = query.data;
  const Byte* const end = at + query.len;
  for (;;) {
    const Byte* const value = ratelimit::value_of(at, end, name);
    const Byte* stop;
    if (value != nullptr) {
      stop = ratelimit::find_any(query.data, value, end, ratelimit::Marks());
      if (stop != value && (stop == end || *stop == '&')) {
        *out = ratelimit::slice(value, stop);
        return 1;
      }
    } else {
      stop = ratelimit::find_any(query.data, at, end, ratelimit::Marks());
    }
    if (stop == end || *stop == '%') return 0;
    at = stop + 1;
  }
}

int rl_key_arg(rl_str_t query, rl_str_t name, unsigned char* buf,
               rl_str_t* out) noexcept {
  return (rl_is_plain_arg(name) && rl_key_plain_arg(query, name, out)) ||
         ratelimit::escaped_arg(query, name, buf, out);
}

int rl_key_raw_arg(rl_str_t query, rl_str_t name, rl_str_t* out) noexcept {
  const Byte* at = query.data;
  const Byte* const end = at + query.len;
  while (at != end) {
    const Byte* const amp =
        ratelimit::find_any(at, end, ratelimit::Ampersand());
    const std::size_t len = static_cast<std::size_t>(amp - at);
    if (len > name.len && at[name.len] == '=' &&
        ratelimit::equals_in_lower_case(at, name)) {
      return ratelimit::yield(ratelimit::slice(at + name.len + 1, amp), out);
    }
    at = amp == end ? end : amp + 1;
  }
  return 0;
}

int rl_key_cookie(rl_str_t cookie, rl_str_t name, unsigned char* buf,
                  rl_str_t* out) noexcept {
  const Byte* at = cookie.data;
  const Byte* const end = at + cookie.len;

  while (at != end) {
    const Byte* const value = ratelimit::cookie_of(at, end, name);
    const Byte* const stop =
        ratelimit::find_any(cookie.data, value != nullptr ? value : at, end,
                            ratelimit::Semicolon());
    if (value != nullptr &&
        ratelimit::yield(ratelimit::cookie_value(value, stop, buf), out)) {
      return 1;
    }
    at = stop == end ? end : stop + 1;
  }
  return 0;
}
