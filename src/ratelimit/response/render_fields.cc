// Values of header fields, at each response.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ratelimit/algorithm/bucket.h"
#include "ratelimit/algorithm/calendar.h"
#include "ratelimit/base/text.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/response/time_text.h"

namespace ratelimit {
namespace {

// That of most items is rendered already.
inline bool has_rendered_limit(const rl_item_t& item) {
  return item.limit_units == item.policy->rendered_limit_units &&
         item.policy->rendered_limit_text.len != 0;
}

// As Retry-After where refused, which is at least 1.
std::uint64_t delta_seconds(std::uint64_t ms, bool refused) {
  const std::uint64_t seconds = seconds_up(ms);
  return seconds == 0 && refused ? 1 : seconds;
}

// Rounded up to seconds in 32 bits, which is less than kMiddleEnd: 49 days.
constexpr std::uint64_t kMiddleResetMs = UINT32_MAX - 999;
static_assert(UINT32_MAX / 1000 < kMiddleEnd, "as said");

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
constexpr std::string_view kConcurrentParameter =
    ";qu=\"concurrent-requests\"";
constexpr std::string_view kRestParameter = "\";r=";
constexpr std::string_view kTimeParameter = ";t=";
constexpr std::size_t kUnitsDigits = 20;    // of 2^64
constexpr std::size_t kSecondsDigits = 20;  // the same

bool is_shown(const rl_item_t& item, const unsigned char* skip,
              std::size_t i) {
  return !item.policy->hidden && (skip == nullptr || !skip[i]);
}

// What has been rendered of it at configuration is right.
inline bool is_rendered(const rl_item_t& item) {
  return item.limit_units == item.policy->rendered_limit_units &&
         item.policy->rendered_item_text.len != 0;
}

[[gnu::always_inline]] inline void put_name(const rl_item_t& item,
                                            Writer* out) {
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
  if (item.policy->algorithm == RL_CONCURRENT) {
    return out->put(kConcurrentParameter);
  }
  const std::uint64_t window_s = window_seconds(item);
  if (window_s != 0) {
    out->put(kWindowParameter);
    out->put_number(window_s);
  }
}

// An item of RateLimit.
[[gnu::always_inline]] inline void put_rest(const rl_item_t& item,
                                            std::uint64_t retry_s,
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
                      RL_RENDERED_LEN(0) &&
                  kUnitsDigits + 1 + kQuotaParameter.size() + kUnitsDigits +
                          kConcurrentParameter.size() <=
                      RL_RENDERED_LEN(0),
              "rl_policy_render_quota has room");

// ---- templates

// What the values of a response are made of.
struct Told {
  rl_scope_e scope;
  const rl_time_t& now;
  std::uint64_t retry_after_ms;  // of the response
};

// {reset}: a refusal's is never 0.
std::uint64_t reset_ms(const rl_item_t& item) {
  return item.reset_ms == 0 && !item.admitted ? 1 : item.reset_ms;
}

// {retry_after}, 0 being none: the response's, or, where several policies are
// told of, this one's, which is no more.
std::uint64_t retry_after_ms(const rl_item_t& item, const Told& told) {
  if (told.scope == RL_REPORTED || told.retry_after_ms == 0) {
    return told.retry_after_ms;
  }
  if (item.admitted || item.dry_run) return 0;
  const std::uint64_t own_ms =
      item.retry_after_ms == 0 ? 1 : item.retry_after_ms;
  return own_ms < told.retry_after_ms ? own_ms : told.retry_after_ms;
}

void put_policy(rl_format_e format, const rl_item_t& item, const Told& told,
                Writer* out) {
  switch (format) {
    case RL_FORMAT_QUOTA:
      if (is_rendered(item)) return out->put(item.policy->rendered_item_text);
      return put_quota(item, out);
    case RL_FORMAT_LIMIT:
      return put_rest(
          item, delta_seconds(told.retry_after_ms, told.retry_after_ms != 0),
          out);
    default:
      return out->put(item.policy->name);
  }
}

// False where it has no value.
bool put_piece(const rl_piece_t& piece, const rl_item_t& item,
               const Told& told, Writer* out) {
  switch (piece.what) {
    case RL_PIECE_TEXT:
      out->put(piece.text);
      break;
    case RL_PIECE_LIMIT:
      out->put_number(item.limit_units);
      break;
    case RL_PIECE_REMAINING:
      out->put_number(item.remaining_units);
      break;
    case RL_PIECE_USED:
      out->put_number(rl_used_units(&item));
      break;
    case RL_PIECE_RESET:
      if (item.policy->algorithm == RL_CONCURRENT) return false;
      put_time(piece.format, reset_ms(item), told.now, out);
      break;
    case RL_PIECE_RETRY_AFTER: {
      const std::uint64_t ms = retry_after_ms(item, told);
      if (ms == 0) return false;
      put_time(piece.format, ms, told.now, out);
      break;
    }
    case RL_PIECE_WINDOW:
      if (item.policy->algorithm == RL_CONCURRENT) return false;
      put_time(piece.format, rl_window_ms(item.policy, &item.quota, &told.now),
               told.now, out);
      break;
    case RL_PIECE_WAITED_MS:
      out->put_number(item.waited_ms);
      break;
    case RL_PIECE_POLICY:
      put_policy(piece.format, item, told, out);
      break;
  }
  return true;
}

// Nothing where one of its pieces has no value.
void put_value(const rl_template_t& field, const rl_item_t& item,
               const Told& told, Writer* out) {
  Byte* const start = out->at;
  for (std::uint32_t i = 0; i < field.pieces; i++) {
    if (!put_piece(field.value[i], item, told, out)) {
      out->at = start;
      return;
    }
  }
}

// As rl_render_values.  What it needs of the stack, its caller does not.
[[gnu::noinline]] void render_any_values(const rl_fields_t& fields,
                                         const rl_item_t& item,
                                         const rl_time_t& now,
                                         std::uint64_t retry_after_ms,
                                         Byte* buf, rl_str_t* values) {
  const Told told = {fields.scope, now, retry_after_ms};
  Writer out{buf};
  for (std::uint32_t i = 0; i < fields.n; i++) {
    Byte* const start = out.at;
    put_value(fields.templates[i], item, told, &out);
    values[i] = slice(start, out.at);
  }
}

// As rl_render_lists.
[[gnu::noinline]] void render_any_lists(const rl_fields_t& fields,
                                        const rl_item_t* items, std::size_t n,
                                        const unsigned char* skip,
                                        const rl_time_t& now,
                                        std::uint64_t retry_after_ms,
                                        Byte* buf, rl_str_t* values) {
  const Told told = {RL_LISTED, now, retry_after_ms};
  Writer out{buf};
  for (std::uint32_t i = 0; i < fields.n; i++) {
    Byte* const start = out.at;
    Byte* end = start;  // of the last member
    for (std::size_t j = 0; j < n; j++) {
      if (!is_shown(items[j], skip, j)) continue;
      if (end != start) out.put(kSeparator);
      Byte* const member = out.at;
      put_value(fields.templates[i], items[j], told, &out);
      if (out.at != member) end = out.at;
      out.at = end;
    }
    values[i] = slice(start, end);
  }
}

}  // namespace
}  // namespace ratelimit

using ratelimit::Writer;

void rl_policy_render_quota(rl_policy_t* policy, const rl_quota_t* quota,
                            int constant, unsigned char* buf) noexcept {
  Writer out{buf};
  const std::uint64_t limit_units = rl_capacity_units(policy, quota);
  policy->rendered_limit_units = limit_units;
  policy->rendered_limit_code = ratelimit::encode_limit(limit_units);
  out.put_number(limit_units);
  // Without it no reset is rendered where there is none.
  policy->rendered_limit_text = policy->algorithm == RL_CONCURRENT
                                    ? rl_str_t{0, nullptr}
                                    : ratelimit::slice(buf, out.at);
  policy->rendered_item_text = {0, nullptr};
  if (!constant) return;
  rl_item_t item{};
  item.policy = policy;
  item.quota = *quota;
  item.capacity_units = limit_units;
  item.limit_units = limit_units;
  unsigned char* const start = out.at;
  ratelimit::put_quota(item, &out);
  policy->rendered_item_text = ratelimit::slice(start, out.at);
}

std::size_t rl_fields_len(const rl_fields_t* fields, const rl_item_t* items,
                          std::size_t n) noexcept {
  std::size_t len = 0;
  for (std::size_t i = 0; i < n; i++) {
    len += RL_ITEM_LEN(fields, &items[i]);
  }
  return len;
}

void rl_render_values(const rl_fields_t* fields, const rl_item_t* item,
                      const rl_time_t* now, std::uint64_t retry_after_ms,
                      unsigned char* buf, rl_str_t* values) noexcept {
  if (fields->shape != RL_SHAPE_COMMON ||
      (item->reset_ms == 0 && !item->admitted) ||
      item->remaining_units >= ratelimit::kMiddleEnd ||
      item->reset_ms > ratelimit::kMiddleResetMs ||
      !ratelimit::has_rendered_limit(*item)) {
    return ratelimit::render_any_values(*fields, *item, *now, retry_after_ms,
                                        buf, values);
  }
  unsigned char* const reset =
      ratelimit::put_middle(static_cast<unsigned>(item->remaining_units), buf);
  unsigned char* const end = ratelimit::put_middle(
      (static_cast<unsigned>(item->reset_ms) + 999) / 1000, reset);
  values[0] = item->policy->rendered_limit_text;
  values[1] = ratelimit::slice(buf, reset);
  values[2] = ratelimit::slice(reset, end);
}

void rl_render_lists(const rl_fields_t* fields, const rl_item_t* items,
                     std::size_t n, const unsigned char* skip,
                     const rl_time_t* now, std::uint64_t retry_after_ms,
                     unsigned char* buf, rl_str_t* values) noexcept {
  if (fields->shape != RL_SHAPE_IETF || n != 1 || retry_after_ms != 0 ||
      !ratelimit::is_rendered(items[0]) ||
      !ratelimit::is_shown(items[0], skip, 0)) {
    return ratelimit::render_any_lists(*fields, items, n, skip, *now,
                                       retry_after_ms, buf, values);
  }
  Writer out{buf};
  ratelimit::put_rest(items[0], 0, &out);
  values[0] = items[0].policy->rendered_item_text;
  values[1] = ratelimit::slice(buf, out.at);
}

std::uint64_t rl_used_units(const rl_item_t* item) noexcept {
  return item->remaining_units < item->limit_units
             ? item->limit_units - item->remaining_units
             : 0;
}

std::uint64_t rl_window_ms(const rl_policy_t* policy, const rl_quota_t* quota,
                           const rl_time_t* now) noexcept {
  if (quota->window_months == 0) return quota->window_ms;
  const ratelimit::Span window = ratelimit::calendar_window(
      now->wall_ms, quota->window_ms, quota->window_months, policy->tz_ms);
  return static_cast<std::uint64_t>(window.end_ms - window.begin_ms);
}
