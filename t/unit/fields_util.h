// Fields of a dialect or of templates, and what they say of items.

#ifndef RATELIMIT_T_UNIT_FIELDS_UTIL_H_
#define RATELIMIT_T_UNIT_FIELDS_UTIL_H_

#include <gtest/gtest.h>

#include <cctype>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "ratelimit/ratelimit.h"
#include "text_util.h"

constexpr std::uint64_t kMax = UINT64_MAX;

struct Policy : rl_policy_t {
  Policy(const char* policy_name, rl_algorithm_e policy_algorithm,
         bool is_hidden = false)
      : rl_policy_t(), text(policy_name) {
    name = str(text);
    algorithm = policy_algorithm;
    hidden = is_hidden;
  }
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;

  std::string text;
};

inline rl_item_t item_of(const rl_policy_t& policy, std::uint64_t units,
                         std::uint64_t window_ms, std::uint64_t remaining,
                         std::uint64_t reset_ms, std::uint64_t next_ms) {
  rl_item_t item{};
  item.policy = &policy;
  item.quota.units = units;
  item.quota.window_ms = window_ms;
  item.capacity_units = units;
  item.cost_units = 1;
  item.admitted = 1;
  item.limit_units = units;
  item.remaining_units = remaining;
  item.reset_ms = reset_ms;
  item.next_ms = next_ms;
  return item;
}

using Texts = std::vector<std::string>;

// One dialect's fields, or those of templates.
struct Fields : rl_fields_t {
  explicit Fields(rl_dialect_e dialect, const std::string& prefix = "X-",
                  rl_reset_e reset = RL_RESET_DELTA)
      : rl_fields_t() {
    for (std::size_t i = 0;; i++) {
      Exact buf(std::string(RL_DIALECT_TEMPLATE_LEN(prefix.size()), 0));
      const std::size_t len =
          rl_dialect_template(dialect, str(prefix), reset, i, buf.data());
      if (len == 0) break;
      text.push_back(str({len, buf.data()}));
    }
    add_all();
  }
  explicit Fields(const Texts& templates) : rl_fields_t(), text(templates) {
    add_all();
  }
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;

  void add_all() {
    for (const std::string& field : text) {
      rl_template_t parsed{};
      EXPECT_EQ(rl_parse_template(str(field), &parsed), nullptr) << field;
      EXPECT_EQ(rl_fields_add(this, &parsed), 1) << field;
    }
  }

  Texts text;
};

inline bool within(rl_str_t value, const unsigned char* buf, std::size_t len) {
  return value.data >= buf && value.data + value.len <= buf + len;
}

inline Texts values_of(const rl_fields_t& fields, const rl_item_t& item,
                       const rl_time_t& now,
                       std::uint64_t retry_after_ms = 0) {
  const std::size_t len = fields.shape == RL_SHAPE_COMMON
                              ? RL_COMMON_LEN
                              : rl_fields_len(&fields, &item, 1);
  Exact buf(std::string(len, 0));  // its end is the sanitizer's
  rl_str_t values[RL_MAX_FIELDS]{};
  rl_render_values(&fields, &item, &now, retry_after_ms, buf.data(), values);
  Texts texts;
  for (std::size_t i = 0; i < fields.n; i++) {
    EXPECT_TRUE(values[i].len == 0 || within(values[i], buf.data(), len) ||
                values[i].data == item.policy->rendered_limit_text.data);
    texts.push_back(str(values[i]));
  }
  return texts;
}

inline Texts lists_of(const rl_fields_t& fields,
                      const std::vector<rl_item_t>& items,
                      std::uint64_t retry_after_ms = 0,
                      const unsigned char* skip = nullptr) {
  Exact buf(
      std::string(rl_fields_len(&fields, items.data(), items.size()), 0));
  const rl_time_t now = {5, 1700000000500};
  rl_str_t values[RL_MAX_FIELDS]{};
  rl_render_lists(&fields, items.data(), items.size(), skip, &now,
                  retry_after_ms, buf.data(), values);
  Texts texts;
  for (std::size_t i = 0; i < fields.n; i++) {
    texts.push_back(str(values[i]));
  }
  return texts;
}

inline std::string ietf(const std::vector<rl_item_t>& items,
                        std::uint64_t retry_after_ms = 0,
                        const unsigned char* skip = nullptr) {
  const Fields fields(RL_DIALECT_IETF);
  const Texts texts = lists_of(fields, items, retry_after_ms, skip);
  return texts[0] + " | " + texts[1];
}

// A template on its own, of an item that is admitted.
inline std::string one(const std::string& value, const rl_item_t& item,
                       std::uint64_t retry_after_ms = 0) {
  const Fields fields(Texts{"X: " + value});
  const rl_time_t now = {5, 1700000000500};  // 2023-11-14T22:13:20.5Z
  return fields.scope == RL_LISTED
             ? lists_of(fields, {item}, retry_after_ms)[0]
             : values_of(fields, item, now, retry_after_ms)[0];
}

inline Texts names_of(rl_dialect_e dialect, const std::string& prefix,
                      const std::string& policy) {
  const Fields fields(dialect, prefix);
  Texts names;
  for (std::size_t i = 0; i < fields.n; i++) {
    const rl_template_t& field = fields.templates[i];
    Exact buf(std::string(RL_FIELD_NAME_LEN(&field, policy.size()), 0));
    rl_str_t name{};
    rl_str_t lower{};
    rl_field_name(&field, str(policy), buf.data(), &name, &lower);
    names.push_back(str(name));
    std::string expected = names.back();
    for (char& c : expected)
      c = static_cast<char>(std::tolower(c));
    EXPECT_EQ(str(lower), expected);
  }
  return names;
}

#endif  // RATELIMIT_T_UNIT_FIELDS_UTIL_H_
