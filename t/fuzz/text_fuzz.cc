// Rendering: JSON escapes of any bytes, and fields of any numbers, stay
// within the sizes promised.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "ratelimit/ratelimit.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void escape(rl_str_t text) {
  const std::size_t len = rl_json_escape(text, nullptr);
  require(len >= text.len / 4 && len <= text.len * RL_JSON_EXPANSION);
  std::vector<unsigned char> buf(len);
  require(rl_json_escape(text, buf.data()) == len);
  std::vector<unsigned char> plain;  // all but the escapes
  for (std::size_t i = 0; i < len; i++) {
    require(buf[i] >= 0x20 && buf[i] != '"');
    if (buf[i] == '\\') {
      require(i + 1 < len && std::strchr("\"\\bfnrtu", buf[i + 1]) != nullptr);
      i++;
    } else {
      plain.push_back(buf[i]);
    }
  }
  // What was replaced is valid now, and stays.
  std::vector<unsigned char> again(plain.size() * RL_JSON_EXPANSION);
  const std::size_t again_len =
      rl_json_escape({plain.size(), plain.data()}, again.data());
  require(again_len == plain.size());
  require(again_len == 0 ||
          std::memcmp(again.data(), plain.data(), again_len) == 0);
}

// Fills items from the bytes as they come.
void render(rl_str_t text) {
  constexpr std::size_t kItems = 3;
  rl_policy_t policies[kItems];
  rl_item_t items[kItems];
  const unsigned char* at = text.data;
  const unsigned char* const end = at + text.len;
  const auto next = [&](std::size_t n) {
    std::uint64_t value = 0;
    for (; n > 0 && at != end; n--)
      value = value << 8 | *at++;
    return value;
  };
  static const unsigned char name[] = "policy_name";
  for (std::size_t i = 0; i < kItems; i++) {
    std::memset(&policies[i], 0, sizeof(policies[i]));
    std::memset(&items[i], 0, sizeof(items[i]));
    policies[i].name = {1 + next(1) % 11, name};
    policies[i].algorithm = static_cast<rl_algorithm_e>(next(1) % 4);
    policies[i].hidden = next(1) % 4 == 0;
    items[i].policy = &policies[i];
    items[i].admitted = next(1) % 2;
    items[i].dry_run = next(1) % 2;
    items[i].quota.units = static_cast<std::uint32_t>(next(4));
    items[i].quota.window_months = static_cast<std::uint32_t>(next(1) / 200);
    items[i].quota.window_ms = next(8);
    items[i].capacity_units = static_cast<std::uint32_t>(next(4));
    items[i].limit_units = static_cast<std::uint32_t>(next(4));
    items[i].remaining_units = static_cast<std::uint32_t>(next(4));
    items[i].reset_ms = next(8);
    items[i].next_ms = next(8);
    items[i].waited_ms = static_cast<std::uint32_t>(next(4));
  }
  const rl_time_t now = {next(8), next(8)};
  const std::uint64_t retry_after_ms = next(8);
  static const char* const templates[] = {
      "A: {limit}{remaining}{used}{window}{window:go}{retry_after:go}{waited_ms}",
      "A: {reset}{reset:ms}{reset:decimal}{reset:go}{reset:unix}"
      "{reset:unix_ms}{reset:unix_decimal}{reset:rfc3339}{reset:http}",
      "A: {policy}{policy:quota}{policy:limit}{retry_after}",
      "A: {policy:limit}",
  };
  std::vector<unsigned char> buf;
  for (const char* const text : templates) {
    rl_template_t field;
    rl_fields_t fields;
    std::memset(&fields, 0, sizeof(fields));
    require(rl_parse_template({std::strlen(text),
                               reinterpret_cast<const unsigned char*>(text)},
                              &field) == nullptr);
    require(rl_fields_add(&fields, &field));
    rl_str_t values[RL_MAX_FIELDS];
    if (fields.scope == RL_LISTED) {
      buf.assign(rl_fields_len(&fields, items, kItems), 0);
      rl_render_lists(&fields, items, kItems, nullptr, &now, retry_after_ms,
                      buf.data(), values);
    } else {
      buf.assign(rl_fields_len(&fields, items, 1), 0);
      rl_render_values(&fields, items, &now, retry_after_ms, buf.data(),
                       values);
    }
    require(values[0].len <= buf.size());
  }
  buf.assign(rl_problem_len(items, kItems), 0);
  require(rl_render_problem(items, kItems, static_cast<unsigned>(next(4)),
                            buf.data()) <= buf.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  escape({size, data});
  render({size, data});
  return 0;
}
