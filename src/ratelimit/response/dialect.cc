// Dialects, the fields of which are templates: read at configuration.

#include <cstddef>
#include <string_view>

#include "ratelimit/base/choices.h"
#include "ratelimit/base/text.h"
#include "ratelimit/ratelimit.h"

namespace ratelimit {
namespace {

constexpr std::size_t kDialectFields = 3;

struct TemplateRow {
  bool prefixed;
  std::string_view text;  // empty: no more
};

struct DialectRow {
  rl_dialect_e kind;
  std::string_view usage;
  TemplateRow templates[kDialectFields];
};

// What stands behind "{reset" is reset='s.
constexpr std::string_view kReset = "Reset: {reset";

constexpr DialectRow kDialects[] = {
    {RL_DIALECT_X,
     "x-ratelimit",
     {{true, "Limit: {limit}"},
      {true, "Remaining: {remaining}"},
      {true, kReset}}},
    {RL_DIALECT_IETF,
     "ietf",
     {{false, "RateLimit-Policy: {policy:quota}"},
      {false, "RateLimit: {policy:limit}"},
      {false, ""}}},
    {RL_DIALECT_DRAFT3,
     "draft3",
     {{false, "RateLimit-Limit: {limit}"},
      {false, "RateLimit-Remaining: {remaining}"},
      {false, "RateLimit-Reset: {reset}"}}},
    {RL_DIALECT_PER_POLICY,
     "per-policy",
     {{true, "{policy}-interval-ms: {window:ms}"},
      {true, "{policy}-max: {limit}"},
      {true, "{policy}-remaining: {remaining}"}}},
    {RL_DIALECT_FIELDS, "fields", {{false, ""}, {false, ""}, {false, ""}}},
};
static_assert(in_order(kDialects), "indexed by rl_dialect_e");

struct ResetRow {
  rl_reset_e kind;
  std::string_view usage;
  std::string_view placeholder_end;
};

constexpr ResetRow kResets[] = {
    {RL_RESET_DELTA, "delta", "}"},
    {RL_RESET_UNIX, "unix", ":unix}"},
    {RL_RESET_UNIX_MS, "unix_ms", ":unix_ms}"},
};
static_assert(in_order(kResets), "indexed by rl_reset_e");

constexpr bool templates_fit() {
  for (const DialectRow& row : kDialects) {
    for (const TemplateRow& field : row.templates) {
      if (field.text.size() + 9 > RL_DIALECT_TEMPLATE_LEN(0)) return false;
    }
  }
  return true;
}
static_assert(templates_fit(), "with the longest end of {reset");

constexpr auto kDialectPhrase = must_be_one_of<kDialects>();
constexpr auto kResetPhrase = must_be_one_of<kResets>();
constexpr const char* kPrefixPhrase =
    "must not be empty and of letters, digits and !#$%&'*+-.^_`|~";

template <typename Rows, typename Kind>
bool find_kind(const Rows& rows, rl_str_t text, Kind* out) {
  for (const auto& row : rows) {
    if (!equals(text, row.usage)) continue;
    *out = row.kind;
    return true;
  }
  return false;
}

}  // namespace
}  // namespace ratelimit

const char* rl_parse_dialect(rl_str_t text, rl_dialect_e* out) noexcept {
  return ratelimit::find_kind(ratelimit::kDialects, text, out)
             ? nullptr
             : ratelimit::kDialectPhrase.text;
}

const char* rl_parse_reset(rl_str_t text, rl_reset_e* out) noexcept {
  return ratelimit::find_kind(ratelimit::kResets, text, out)
             ? nullptr
             : ratelimit::kResetPhrase.text;
}

const char* rl_parse_prefix(rl_str_t text, rl_str_t* out) noexcept {
  if (!ratelimit::is_token(text)) return ratelimit::kPrefixPhrase;
  *out = text;
  return nullptr;
}

std::size_t rl_dialect_template(rl_dialect_e dialect, rl_str_t prefix,
                                rl_reset_e reset, std::size_t i,
                                unsigned char* buf) noexcept {
  if (i >= ratelimit::kDialectFields) return 0;
  const auto& field = ratelimit::kDialects[dialect].templates[i];
  if (field.text.empty()) return 0;
  ratelimit::Writer out{buf};
  if (field.prefixed) out.put(prefix);
  out.put(field.text);
  if (field.text == ratelimit::kReset) {
    out.put(ratelimit::kResets[reset].placeholder_end);
  }
  return static_cast<std::size_t>(out.at - buf);
}
