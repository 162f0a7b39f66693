// Key sources as configured: what a key is made of.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ratelimit/base/choices.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/base/text.h"

namespace ratelimit {
namespace {

// What stands behind a source's name.
enum class Argument { kNone, kToken, kText, kPrefixes, kVariable };

struct SourceRow {
  rl_source_e kind;
  Argument argument;
  std::string_view tag;
  std::string_view usage;
};

constexpr SourceRow kSources[] = {
    {RL_SOURCE_BEARER, Argument::kNone, "bearer", "bearer"},
    {RL_SOURCE_BASIC, Argument::kNone, "basic", "basic"},
    {RL_SOURCE_HEADER, Argument::kToken, "header", "header=NAME"},
    {RL_SOURCE_ARG, Argument::kText, "arg", "arg=NAME"},
    {RL_SOURCE_COOKIE, Argument::kToken, "cookie", "cookie=NAME"},
    {RL_SOURCE_JWT, Argument::kText, "jwt", "jwt=CLAIM"},
    {RL_SOURCE_ADDR, Argument::kPrefixes, "addr", "addr[=V4/V6]"},
    {RL_SOURCE_VAR, Argument::kVariable, "var", "$variable"},
};
static_assert(in_order(kSources), "indexed by rl_source_e");

constexpr auto kSourcePhrase = must_be_one_of<kSources>();

constexpr const char* kTokenPhrase =
    "must have a name of letters, digits and !#$%&'*+-.^_`|~ behind the =";
constexpr const char* kTextPhrase = "must have a name behind the =";
constexpr const char* kPrefixesPhrase =
    "must be \"addr=V4/V6\" with prefix lengths of 0 to 32 and 0 to 128";
constexpr const char* kVariablePhrase =
    "must be \"$variable\" with a name of letters, digits and \"_\"";

constexpr std::uint8_t kDefaultV4Bits = 32;
constexpr std::uint8_t kDefaultV6Bits = 64;

const char* parse_prefixes(rl_str_t text, rl_source_t* source) {
  Reader in(text);
  std::uint64_t v4_bits = 0;
  std::uint64_t v6_bits = 0;
  if (!in.take_number(32, &v4_bits) || !in.take('/') ||
      !in.take_number(128, &v6_bits) || !in.done()) {
    return kPrefixesPhrase;
  }
  source->v4_bits = static_cast<std::uint8_t>(v4_bits);
  source->v6_bits = static_cast<std::uint8_t>(v6_bits);
  return nullptr;
}

// "x" of "$x" and of "${x}".
const char* parse_variable(rl_str_t text, rl_source_t* source) {
  const Byte* begin = text.data + 1;
  const Byte* end = text.data + text.len;
  if (begin != end && *begin == '{') {
    if (end[-1] != '}') return kVariablePhrase;
    begin++;
    end--;
  }
  if (begin >= end) return kVariablePhrase;
  for (const Byte* c = begin; c != end; c++) {
    if (!is_alpha(*c) && !is_digit(*c) && *c != '_') return kVariablePhrase;
  }
  source->name = slice(begin, end);
  return nullptr;
}

// argument is what stands behind "=", if that is there.
const char* parse_argument(const SourceRow& row, bool has_argument,
                           rl_str_t argument, rl_source_t* source) {
  switch (row.argument) {
    case Argument::kNone:
      return has_argument ? kSourcePhrase.text : nullptr;
    case Argument::kPrefixes:
      source->v4_bits = kDefaultV4Bits;
      source->v6_bits = kDefaultV6Bits;
      return has_argument ? parse_prefixes(argument, source) : nullptr;
    case Argument::kToken:
    case Argument::kText:
      break;
    case Argument::kVariable:
      return kSourcePhrase.text;
  }
  if (!has_argument) return kSourcePhrase.text;
  if (row.argument == Argument::kToken && !is_token(argument)) {
    return kTokenPhrase;
  }
  if (argument.len == 0) return kTextPhrase;
  source->name = argument;
  return nullptr;
}

}  // namespace
}  // namespace ratelimit

const char* rl_parse_source(rl_str_t text, rl_source_t* out) noexcept {
  rl_source_t source{};
  const char* error = ratelimit::kSourcePhrase.text;
  if (text.len != 0 && text.data[0] == '$') {
    source.kind = RL_SOURCE_VAR;
    error = ratelimit::parse_variable(text, &source);
  } else if (text.len != 0) {
    const void* const found = std::memchr(text.data, '=', text.len);
    const unsigned char* const end = text.data + text.len;
    const unsigned char* const equal =
        found == nullptr ? end : static_cast<const unsigned char*>(found);
    const rl_str_t name = ratelimit::slice(text.data, equal);
    const rl_str_t argument =
        ratelimit::slice(found == nullptr ? end : equal + 1, end);
    for (const auto& row : ratelimit::kSources) {
      if (!ratelimit::equals(name, row.tag)) continue;
      source.kind = row.kind;
      error =
          ratelimit::parse_argument(row, found != nullptr, argument, &source);
    }
  }
  if (error == nullptr) *out = source;
  return error;
}

rl_str_t rl_source_tag(rl_source_e kind) noexcept {
  return ratelimit::literal(ratelimit::kSources[kind].tag);
}
