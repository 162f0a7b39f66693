// Header fields: their names at configuration, their values at each response.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ratelimit/algorithm/bucket.h"
#include "ratelimit/base/choices.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/base/text.h"

namespace ratelimit {
namespace {

// How a dialect's fields are named: as they stand, behind a prefix, or behind
// a prefix and a policy's name.
enum class Naming { kFixed, kPrefixed, kPerPolicy };

struct DialectRow {
  rl_dialect_kind_e kind;
  Naming naming;
  std::string_view usage;
  std::size_t fields;
  std::string_view names[RL_DIALECT_FIELDS];
  std::string_view lower[RL_DIALECT_FIELDS];
};

constexpr DialectRow kDialects[] = {
    {RL_DIALECT_X,
     Naming::kPrefixed,
     "x-ratelimit",
     3,
     {"Limit", "Remaining", "Reset"},
     {"limit", "remaining", "reset"}},
    {RL_DIALECT_IETF,
     Naming::kFixed,
     "ietf",
     2,
     {"RateLimit-Policy", "RateLimit"},
     {"ratelimit-policy", "ratelimit"}},
    {RL_DIALECT_DRAFT3,
     Naming::kFixed,
     "draft3",
     3,
     {"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"},
     {"ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"}},
    {RL_DIALECT_PER_POLICY,
     Naming::kPerPolicy,
     "per-policy",
     3,
     {"-interval-ms", "-max", "-remaining"},
     {"-interval-ms", "-max", "-remaining"}},
};
static_assert(in_order(kDialects), "indexed by rl_dialect_kind_e");

struct ResetRow {
  rl_reset_e kind;
  std::string_view usage;
};

constexpr ResetRow kResets[] = {
    {RL_RESET_DELTA, "delta"},
    {RL_RESET_UNIX, "unix"},
    {RL_RESET_UNIX_MS, "unix_ms"},
};
static_assert(in_order(kResets), "indexed by rl_reset_e");

constexpr auto kDialectPhrase = must_be_one_of<kDialects>();
constexpr auto kResetPhrase = must_be_one_of<kResets>();
constexpr const char* kPrefixPhrase =
    "must not be empty and of letters, digits and !#$%&'*+-.^_`|~";

// What names are rendered of, in bytes of both cases.
constexpr std::size_t suffixes_len(const DialectRow& row) {
  std::size_t len = 0;
  for (const std::string_view name : row.names) {
    len += 2 * name.size();
  }
  return len;
}
static_assert(suffixes_len(kDialects[RL_DIALECT_X]) <=
                  RL_DIALECT_NAMES_LEN(0, 0),
              "");
static_assert(suffixes_len(kDialects[RL_DIALECT_PER_POLICY]) <=
                  RL_DIALECT_NAMES_LEN(0, 0),
              "");

template <typename Rows, typename Kind>
bool find_kind(const Rows& rows, rl_str_t text, Kind* out) {
  for (const auto& row : rows) {
    if (!equals(text, row.usage)) continue;
    *out = row.kind;
    return true;
  }
  return false;
}

rl_str_t render_name(const DialectRow& row, rl_str_t prefix,
                     rl_str_t policy_name, std::string_view suffix,
                     Writer* out) {
  Byte* const start = out->at;
  out->put(prefix);
  if (row.naming == Naming::kPerPolicy) {
    for (std::size_t i = 0; i < policy_name.len; i++) {
      const Byte c = policy_name.data[i];
      out->put(c == '_' ? '-' : static_cast<char>(c));
    }
  }
  out->put(suffix);
  return slice(start, out->at);
}

rl_str_t put_value(std::uint64_t value, Writer* out) {
  Byte* const start = out->at;
  out->put_number(value);
  return slice(start, out->at);
}

// That of most items is rendered already.
rl_str_t put_limit(const rl_item_t& item, Writer* out) {
  const rl_policy_t& policy = *item.policy;
  if (item.limit_units == policy.rendered_limit_units &&
      policy.rendered_limit_text.len != 0) {
    return policy.rendered_limit_text;
  }
  return put_value(item.limit_units, out);
}

std::uint64_t add_saturated(std::uint64_t a, std::uint64_t b) {
  return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

// As rl_seconds_up; a division of 32 bits takes a third of the instructions.
inline std::uint64_t seconds_up(std::uint64_t ms) {
  return ms < UINT32_MAX - 999 ? (static_cast<std::uint32_t>(ms) + 999) / 1000
                               : rl_seconds_up(ms);
}

// As Retry-After where refused, which is at least 1.
std::uint64_t delta_seconds(std::uint64_t ms, bool refused) {
  const std::uint64_t seconds = seconds_up(ms);
  return seconds == 0 && refused ? 1 : seconds;
}

std::uint64_t reset_value(rl_reset_e reset, const rl_item_t& item,
                          const rl_time_t& now) {
  switch (reset) {
    case RL_RESET_UNIX:
      return rl_unix_seconds(&now, item.reset_ms);
    case RL_RESET_UNIX_MS:
      return add_saturated(now.wall_ms, item.reset_ms);
    case RL_RESET_DELTA:
      break;
  }
  return delta_seconds(item.reset_ms, !item.admitted);
}

// As rl_render_values.
[[gnu::noinline]] std::size_t render_any_values(
    const rl_dialect_t& dialect, const rl_item_t& item, const rl_time_t& now,
    Byte* buf, rl_str_t values[RL_DIALECT_FIELDS]) {
  Writer out{buf};
  if (dialect.kind == RL_DIALECT_PER_POLICY) {
    values[0] = put_value(item.quota.window_ms, &out);
    values[1] = put_limit(item, &out);
    values[2] = put_value(item.remaining_units, &out);
  } else {
    const rl_reset_e reset =
        dialect.kind == RL_DIALECT_X ? dialect.reset : RL_RESET_DELTA;
    values[0] = put_limit(item, &out);
    values[1] = put_value(item.remaining_units, &out);
    values[2] = put_value(reset_value(reset, item, now), &out);
  }
  return static_cast<std::size_t>(out.at - buf);
}

// Rounded up to seconds it is less than kShortEnd.
constexpr std::uint64_t kShortResetMs = (kShortEnd - 1) * 1000;

// ---- ietf: structured fields of RFC 9651 (draft -11, sections 3 and 4)

__extension__ typedef unsigned __int128 Wide;

// The largest integer of a structured field: 15 digits.
constexpr std::uint64_t kMaxInteger = 999999999999999;

// "w": whole seconds only, so 0 (left out) where the window is not, nor where
// it is months, of which no two in a row need be of one length.
std::uint64_t window_seconds(const rl_item_t& item) {
  if (item.quota.window_months != 0) return 0;
  std::uint64_t window_ms = item.quota.window_ms;
  if (item.policy->algorithm == RL_GCRA &&
      item.capacity_units != item.quota.units) {
    // The time that fills an empty bucket.
    const Wide fill_ms = Wide{window_ms} * item.capacity_units;
    const Wide units = item.quota.units;
    if (units == 0 || fill_ms % units != 0 ||
        fill_ms / units / 1000 > kMaxInteger) {
      return 0;
    }
    window_ms = static_cast<std::uint64_t>(fill_ms / units);
  }
  if (window_ms % 1000 != 0 || window_ms / 1000 > kMaxInteger) return 0;
  return window_ms / 1000;
}

constexpr std::string_view kSeparator = ", ";
constexpr std::string_view kQuotaParameter = "\";q=";
constexpr std::string_view kWindowParameter = ";w=";
constexpr std::string_view kRestParameter = "\";r=";
constexpr std::string_view kTimeParameter = ";t=";
constexpr std::size_t kUnitsDigits = 10;    // of 2^32
constexpr std::size_t kSecondsDigits = 20;  // of 2^64

// One item in both fields, without the policy's name, which is of [a-z0-9_]
// and needs no escape.
constexpr std::size_t kItemLen =
    2 * (kSeparator.size() + 1 + kUnitsDigits + kSecondsDigits) +
    kQuotaParameter.size() + kWindowParameter.size() + kRestParameter.size() +
    kTimeParameter.size();

bool is_shown(const rl_item_t& item, const unsigned char* skip,
              std::size_t i) {
  return !item.policy->hidden && (skip == nullptr || !skip[i]);
}

// What has been rendered of it at configuration is right.
inline bool is_rendered(const rl_item_t& item) {
  return item.limit_units == item.policy->rendered_limit_units &&
         item.policy->rendered_item_text.len != 0;
}

inline void put_name(const rl_item_t& item, Writer* out) {
  out->put('"');
  const rl_str_t name = item.policy->name;
  for (std::size_t i = 0; i < name.len; i++) {  // short
    *out->at++ = name.data[i];
  }
}

// An item of RateLimit-Policy.
void put_quota(const rl_item_t& item, Writer* out) {
  put_name(item, out);
  out->put(kQuotaParameter);
  out->put_number(item.limit_units);
  const std::uint64_t window_s = window_seconds(item);
  if (window_s != 0) {
    out->put(kWindowParameter);
    out->put_number(window_s);
  }
}

// An item of RateLimit.
inline void put_rest(const rl_item_t& item, std::uint64_t retry_s,
                     Writer* out) {
  put_name(item, out);
  out->put(kRestParameter);
  out->put_number(item.remaining_units);
  const std::uint64_t next_s = seconds_up(item.next_ms);
  if (next_s != 0 && (retry_s == 0 || next_s <= retry_s)) {
    out->put(kTimeParameter);
    out->put_number(next_s);
  }
}

static_assert(kUnitsDigits + 1 + kQuotaParameter.size() + kUnitsDigits +
                      kWindowParameter.size() + kSecondsDigits <=
                  RL_RENDERED_LEN(0),
              "rl_policy_render_quota has room");

}  // namespace
}  // namespace ratelimit

using ratelimit::Naming;
using ratelimit::Writer;

const char* rl_parse_dialect(rl_str_t text, rl_dialect_kind_e* out) noexcept {
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

std::size_t rl_dialect_names(const rl_dialect_t* dialect, rl_str_t policy_name,
                             unsigned char* buf, std::size_t buf_len,
                             rl_field_t out[RL_DIALECT_FIELDS]) noexcept {
  const auto& row = ratelimit::kDialects[dialect->kind];
  if (row.naming == Naming::kFixed) {
    for (std::size_t i = 0; i < row.fields; i++) {
      out[i] = {ratelimit::literal(row.names[i]),
                ratelimit::literal(row.lower[i]),
                {0, nullptr}};
    }
    return row.fields;
  }

  const rl_str_t prefix = dialect->prefix;
  const std::size_t stem_len =
      prefix.len + (row.naming == Naming::kPerPolicy ? policy_name.len : 0);
  if (buf_len < 2 * row.fields * stem_len + ratelimit::suffixes_len(row)) {
    return 0;
  }
  Writer text{buf};
  for (std::size_t i = 0; i < row.fields; i++) {
    out[i].name =
        ratelimit::render_name(row, prefix, policy_name, row.names[i], &text);
    unsigned char* const lower = text.at;
    for (std::size_t j = 0; j < out[i].name.len; j++) {
      *text.at++ = ratelimit::to_lower(out[i].name.data[j]);
    }
    out[i].lower = ratelimit::slice(lower, text.at);
    out[i].value = {0, nullptr};
  }
  return row.fields;
}

void rl_policy_render_quota(rl_policy_t* policy, const rl_quota_t* quota,
                            int constant, unsigned char* buf) noexcept {
  Writer out{buf};
  policy->rendered_limit_units = quota->units;
  policy->rendered_limit_code = ratelimit::encode_limit(quota->units);
  policy->rendered_limit_text = ratelimit::put_value(quota->units, &out);
  policy->rendered_item_text = {0, nullptr};
  if (!constant) return;
  rl_item_t item{};
  item.policy = policy;
  item.quota = *quota;
  item.capacity_units = quota->units;
  item.limit_units = quota->units;
  unsigned char* const start = out.at;
  ratelimit::put_quota(item, &out);
  policy->rendered_item_text = ratelimit::slice(start, out.at);
}

std::size_t rl_render_values(const rl_dialect_t* dialect,
                             const rl_item_t* item, const rl_time_t* now,
                             unsigned char* buf,
                             rl_str_t values[RL_DIALECT_FIELDS]) noexcept {
  const rl_policy_t& policy = *item->policy;
  if (dialect->kind == RL_DIALECT_PER_POLICY ||
      dialect->reset != RL_RESET_DELTA ||
      (item->reset_ms == 0 && !item->admitted) ||
      item->remaining_units >= ratelimit::kShortEnd ||
      item->reset_ms > ratelimit::kShortResetMs ||
      item->limit_units != policy.rendered_limit_units ||
      policy.rendered_limit_text.len == 0) {
    return ratelimit::render_any_values(*dialect, *item, *now, buf, values);
  }
  unsigned char* const reset =
      ratelimit::put_short(item->remaining_units, buf);
  unsigned char* const end = ratelimit::put_short(
      (static_cast<unsigned>(item->reset_ms) + 999) / 1000, reset);
  values[0] = policy.rendered_limit_text;
  values[1] = ratelimit::slice(buf, reset);
  values[2] = ratelimit::slice(reset, end);
  return static_cast<std::size_t>(end - buf);
}

std::size_t rl_ietf_len(const rl_item_t* items, std::size_t n) noexcept {
  std::size_t len = 0;
  for (std::size_t i = 0; i < n; i++) {
    len += ratelimit::kItemLen + 2 * items[i].policy->name.len;
  }
  return len;
}

std::size_t rl_render_ietf(const rl_item_t* items, std::size_t n,
                           const unsigned char* skip,
                           std::uint64_t retry_after_ms, unsigned char* buf,
                           rl_str_t values[RL_IETF_FIELDS]) noexcept {
  Writer out{buf};
  if (n == 1 && ratelimit::is_rendered(items[0]) && retry_after_ms == 0 &&
      ratelimit::is_shown(items[0], skip, 0)) {
    ratelimit::put_rest(items[0], 0, &out);
    values[0] = items[0].policy->rendered_item_text;
    values[1] = ratelimit::slice(buf, out.at);
    return values[1].len;
  }

  for (std::size_t i = 0; i < n; i++) {
    if (!ratelimit::is_shown(items[i], skip, i)) continue;
    if (out.at != buf) out.put(ratelimit::kSeparator);
    if (ratelimit::is_rendered(items[i])) {
      out.put(items[i].policy->rendered_item_text);
    } else {
      ratelimit::put_quota(items[i], &out);
    }
  }
  values[0] = ratelimit::slice(buf, out.at);

  unsigned char* const limits = out.at;
  const std::uint64_t retry_s =
      ratelimit::delta_seconds(retry_after_ms, retry_after_ms != 0);
  for (std::size_t i = 0; i < n; i++) {
    if (!ratelimit::is_shown(items[i], skip, i)) continue;
    if (out.at != limits) out.put(ratelimit::kSeparator);
    ratelimit::put_rest(items[i], retry_s, &out);
  }
  values[1] = ratelimit::slice(limits, out.at);
  return static_cast<std::size_t>(out.at - buf);
}

std::uint64_t rl_seconds_up(std::uint64_t ms) noexcept {
  return ms / 1000 + (ms % 1000 != 0);
}

std::uint64_t rl_unix_seconds(const rl_time_t* now,
                              std::uint64_t delta_ms) noexcept {
  return rl_seconds_up(ratelimit::add_saturated(now->wall_ms, delta_ms));
}
