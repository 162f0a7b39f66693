// Names and values of header fields, every dialect.

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "ratelimit/ratelimit.h"
#include "text_util.h"

namespace {

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

rl_item_t item_of(const rl_policy_t& policy, std::uint32_t units,
                  std::uint64_t window_ms, std::uint32_t remaining,
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

std::vector<std::string> values_of(const rl_dialect_t& dialect,
                                   const rl_item_t& item,
                                   const rl_time_t& now) {
  Exact buf(std::string(RL_VALUES_LEN, 0));
  rl_str_t values[RL_DIALECT_FIELDS]{};
  const std::size_t len =
      rl_render_values(&dialect, &item, &now, buf.data(), values);
  EXPECT_LE(len, static_cast<std::size_t>(RL_VALUES_LEN));
  EXPECT_EQ(values[0].len + values[1].len + values[2].len, len);
  return {str(values[0]), str(values[1]), str(values[2])};
}

std::string ietf(const std::vector<rl_item_t>& items,
                 std::uint64_t retry_after_ms = 0,
                 const unsigned char* skip = nullptr) {
  Exact buf(std::string(rl_ietf_len(items.data(), items.size()), 0));
  rl_str_t values[RL_DIALECT_FIELDS]{};
  const std::size_t len = rl_render_ietf(items.data(), items.size(), skip,
                                         retry_after_ms, buf.data(), values);
  EXPECT_EQ(values[0].len + values[1].len, len);
  return str(values[0]) + " | " + str(values[1]);
}

std::vector<std::string> names_of(rl_dialect_kind_e kind,
                                  const std::string& prefix,
                                  const std::string& policy) {
  rl_dialect_t dialect{};
  dialect.kind = kind;
  dialect.prefix = str(prefix);
  const std::size_t len = RL_DIALECT_NAMES_LEN(prefix.size(), policy.size());
  Exact buf(std::string(len, 0));
  rl_field_t fields[RL_DIALECT_FIELDS]{};
  const std::size_t n =
      rl_dialect_names(&dialect, str(policy), buf.data(), len, fields);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < n; i++) {
    names.push_back(str(fields[i].name));
    std::string lower = names.back();
    for (char& c : lower)
      c = static_cast<char>(std::tolower(c));
    EXPECT_EQ(str(fields[i].lower), lower);
    EXPECT_EQ(fields[i].value.len, 0u);
  }
  return names;
}

using Names = std::vector<std::string>;

TEST(Dialect, Names) {
  EXPECT_EQ(names_of(RL_DIALECT_X, "X-RateLimit-", ""),
            (Names{"X-RateLimit-Limit", "X-RateLimit-Remaining",
                   "X-RateLimit-Reset"}));
  EXPECT_EQ(names_of(RL_DIALECT_X, "X-Rate-Limit-", "ignored"),
            (Names{"X-Rate-Limit-Limit", "X-Rate-Limit-Remaining",
                   "X-Rate-Limit-Reset"}));
  EXPECT_EQ(names_of(RL_DIALECT_IETF, "", ""),
            (Names{"RateLimit-Policy", "RateLimit"}));
  EXPECT_EQ(
      names_of(RL_DIALECT_DRAFT3, "", ""),
      (Names{"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"}));
  EXPECT_EQ(names_of(RL_DIALECT_PER_POLICY, "x-rate-limit-", "api_token"),
            (Names{"x-rate-limit-api-token-interval-ms",
                   "x-rate-limit-api-token-max",
                   "x-rate-limit-api-token-remaining"}));
}

TEST(Dialect, NamesNeedRoom) {
  rl_dialect_t dialect{};
  dialect.kind = RL_DIALECT_PER_POLICY;
  const std::string prefix = "P-";
  const std::string policy = "abc";
  dialect.prefix = str(prefix);
  rl_field_t fields[RL_DIALECT_FIELDS]{};
  for (std::size_t len = 0; len < 2 * (3 * 5 + 26); len++) {
    Exact buf(std::string(len, 0));
    ASSERT_EQ(rl_dialect_names(&dialect, str(policy), buf.data(), len, fields),
              0u);
  }
}

TEST(Dialect, Parsing) {
  const char* const names[] = {"x-ratelimit", "ietf", "draft3", "per-policy"};
  for (int i = 0; i < 4; i++) {
    rl_dialect_kind_e kind = RL_DIALECT_X;
    ASSERT_EQ(rl_parse_dialect(str(names[i]), &kind), nullptr);
    EXPECT_EQ(static_cast<int>(kind), i);
  }
  for (const std::string& text :
       {std::string(""), std::string("X-RateLimit"), std::string("ietf "),
        std::string("draft"), std::string("ietf\0", 5),
        std::string(1 << 20, 'i')}) {
    rl_dialect_kind_e kind = RL_DIALECT_DRAFT3;
    const Exact in(text);
    EXPECT_STREQ(rl_parse_dialect(in, &kind),
                 "must be \"x-ratelimit\", \"ietf\", \"draft3\" or "
                 "\"per-policy\"");
    EXPECT_EQ(kind, RL_DIALECT_DRAFT3);
  }

  const char* const resets[] = {"delta", "unix", "unix_ms"};
  for (int i = 0; i < 3; i++) {
    rl_reset_e reset = RL_RESET_DELTA;
    ASSERT_EQ(rl_parse_reset(str(resets[i]), &reset), nullptr);
    EXPECT_EQ(static_cast<int>(reset), i);
  }
  rl_reset_e reset = RL_RESET_UNIX;
  EXPECT_STREQ(rl_parse_reset(str("unixms"), &reset),
               "must be \"delta\", \"unix\" or \"unix_ms\"");
  EXPECT_STREQ(rl_parse_reset(str(""), &reset),
               "must be \"delta\", \"unix\" or \"unix_ms\"");
  EXPECT_EQ(reset, RL_RESET_UNIX);
}

TEST(Dialect, Prefix) {
  rl_str_t prefix{};
  const std::string good = "X-RateLimit-";
  EXPECT_EQ(rl_parse_prefix(str(good), &prefix), nullptr);
  EXPECT_EQ(prefix.data, str(good).data);
  for (const std::string& text :
       {std::string(""), std::string("X Rate"), std::string("X:"),
        std::string("X\r\nSet-Cookie"), std::string("X\0", 2),
        std::string("\xc3\xa9"), std::string("X=")}) {
    const Exact in(text);
    EXPECT_STREQ(rl_parse_prefix(in, &prefix),
                 "must not be empty and of letters, digits and "
                 "!#$%&'*+-.^_`|~");
  }
}

TEST(Values, EveryDialect) {
  const Policy policy("token", RL_SLIDING);
  const rl_item_t item = item_of(policy, 600, 60000, 599, 59001, 1);
  const rl_time_t now = {5, 1700000000500};
  rl_dialect_t dialect{};
  EXPECT_EQ(values_of(dialect, item, now), (Names{"600", "599", "60"}));
  dialect.reset = RL_RESET_UNIX;
  EXPECT_EQ(values_of(dialect, item, now),
            (Names{"600", "599", "1700000060"}));  // 1700000059.501
  dialect.reset = RL_RESET_UNIX_MS;
  EXPECT_EQ(values_of(dialect, item, now),
            (Names{"600", "599", "1700000059501"}));
  dialect.kind = RL_DIALECT_DRAFT3;  // has no other reset
  EXPECT_EQ(values_of(dialect, item, now), (Names{"600", "599", "60"}));
  dialect.kind = RL_DIALECT_PER_POLICY;
  EXPECT_EQ(values_of(dialect, item, now), (Names{"60000", "600", "599"}));
}

TEST(Values, ExtremesFit) {
  const Policy policy("p", RL_FIXED);
  rl_item_t item = item_of(policy, UINT32_MAX, kMax, UINT32_MAX, kMax, kMax);
  const rl_time_t now = {kMax, kMax};
  rl_dialect_t dialect{};
  for (const rl_reset_e reset :
       {RL_RESET_DELTA, RL_RESET_UNIX, RL_RESET_UNIX_MS}) {
    dialect.reset = reset;
    EXPECT_EQ(values_of(dialect, item, now)[2], reset == RL_RESET_UNIX_MS
                                                    ? "18446744073709551615"
                                                    : "18446744073709552");
  }
  dialect.kind = RL_DIALECT_PER_POLICY;
  EXPECT_EQ(values_of(dialect, item, now),
            (Names{"18446744073709551615", "4294967295", "4294967295"}));
  item.policy = &policy;
  EXPECT_LE(ietf({item}).size(), 2 * rl_ietf_len(&item, 1));
}

TEST(Values, ARefusalsResetIsItsRetryAfter) {
  const Policy policy("p", RL_FIXED);
  rl_item_t item = item_of(policy, 1, 1000, 0, 1, 1);
  item.admitted = 0;
  const rl_time_t now = {};
  rl_dialect_t dialect{};
  EXPECT_EQ(values_of(dialect, item, now)[2], "1");
  item.reset_ms = 0;
  EXPECT_EQ(values_of(dialect, item, now)[2], "1");
  item.admitted = 1;
  EXPECT_EQ(values_of(dialect, item, now)[2], "0");
}

TEST(Values, SecondsRoundUp) {
  EXPECT_EQ(rl_seconds_up(0), 0u);
  EXPECT_EQ(rl_seconds_up(1), 1u);
  EXPECT_EQ(rl_seconds_up(999), 1u);
  EXPECT_EQ(rl_seconds_up(1000), 1u);
  EXPECT_EQ(rl_seconds_up(1001), 2u);
  EXPECT_EQ(rl_seconds_up(kMax), 18446744073709552u);
  const rl_time_t now = {0, 1999};
  EXPECT_EQ(rl_unix_seconds(&now, 0), 2u);
  EXPECT_EQ(rl_unix_seconds(&now, 1), 2u);
  EXPECT_EQ(rl_unix_seconds(&now, 2), 3u);
  EXPECT_EQ(rl_unix_seconds(&now, kMax), 18446744073709552u);
}

TEST(Ietf, Items) {
  const Policy token("token", RL_SLIDING);
  const Policy day("per_day", RL_CALENDAR);
  EXPECT_EQ(ietf({item_of(token, 600, 60000, 599, 59001, 3501)}),
            "\"token\";q=600;w=60 | \"token\";r=599;t=4");
  EXPECT_EQ(ietf({item_of(token, 600, 60000, 599, 60000, 60000),
                  item_of(day, 0, 86400000, 0, 1, 1)}),
            "\"token\";q=600;w=60, \"per_day\";q=0;w=86400 | "
            "\"token\";r=599;t=60, \"per_day\";r=0;t=1");
  EXPECT_EQ(ietf({}), " | ");
}

TEST(Ietf, WindowsOfWholeSecondsOnly) {
  const Policy policy("p", RL_SLIDING);
  EXPECT_EQ(ietf({item_of(policy, 5, 1500, 5, 0, 0)}),
            "\"p\";q=5 | \"p\";r=5");
  EXPECT_EQ(ietf({item_of(policy, 5, 1000, 5, 0, 0)}),
            "\"p\";q=5;w=1 | \"p\";r=5");
  rl_item_t month = item_of(policy, 5, 2678400000, 5, 0, 0);
  month.quota.window_months = 1;
  EXPECT_EQ(ietf({month}), "\"p\";q=5 | \"p\";r=5");
}

TEST(Ietf, GcraTellsItsCapacity) {
  const Policy policy("p", RL_GCRA);
  const auto gcra = [&](std::uint32_t units, std::uint64_t window_ms,
                        std::uint32_t capacity) {
    rl_item_t item = item_of(policy, units, window_ms, 0, 0, 0);
    item.capacity_units = capacity;
    item.limit_units = capacity;
    return ietf({item});
  };
  EXPECT_EQ(gcra(10, 60000, 10), "\"p\";q=10;w=60 | \"p\";r=0");
  EXPECT_EQ(gcra(10, 60000, 21), "\"p\";q=21;w=126 | \"p\";r=0");
  EXPECT_EQ(gcra(10, 1000, 21), "\"p\";q=21 | \"p\";r=0");  // 2.1 s
  EXPECT_EQ(gcra(7, 60000, 20), "\"p\";q=20 | \"p\";r=0");  // 171.43 s
  EXPECT_EQ(gcra(2, 500, 4), "\"p\";q=4;w=1 | \"p\";r=0");  // 2 * 0.5 s
  EXPECT_EQ(gcra(7, 1, 7001), "\"p\";q=7001 | \"p\";r=0");  // 1.00014 s
  EXPECT_EQ(gcra(0, 60000, 0), "\"p\";q=0;w=60 | \"p\";r=0");
  EXPECT_EQ(gcra(0, 60000, 1), "\"p\";q=1 | \"p\";r=0");
  // 10^9 years are no integer of a structured field.
  EXPECT_EQ(gcra(1, RL_MAX_WINDOW_MS, RL_MAX_UNITS),
            "\"p\";q=999999999 | \"p\";r=0");
  EXPECT_EQ(gcra(RL_MAX_UNITS, RL_MAX_WINDOW_MS, RL_MAX_UNITS),
            "\"p\";q=999999999;w=31622400 | \"p\";r=0");
}

TEST(Ietf, TimeIsLeftOutWhereItExceedsRetryAfter) {
  const Policy policy("p", RL_SLIDING);
  const auto shown = [&](std::uint64_t next_ms, std::uint64_t retry_ms) {
    rl_item_t item = item_of(policy, 1, 1000, 0, 0, next_ms);
    const std::string text = ietf({item}, retry_ms);
    return text.substr(text.find("r=0") + 3);
  };
  EXPECT_EQ(shown(0, 0), "");  // nothing is out
  EXPECT_EQ(shown(0, 5000), "");
  EXPECT_EQ(shown(5000, 5000), ";t=5");
  EXPECT_EQ(shown(4999, 4001), ";t=5");
  EXPECT_EQ(shown(5001, 5000), "");
  EXPECT_EQ(shown(1, 1), ";t=1");
  EXPECT_EQ(shown(60000, 1), "");
  EXPECT_EQ(shown(60000, 0), ";t=60");  // not refused
}

TEST(Ietf, HiddenAndSkippedAreNotShown) {
  const Policy a("a", RL_SLIDING);
  const Policy b("b", RL_SLIDING, true);
  const Policy c("c", RL_SLIDING);
  const std::vector<rl_item_t> items = {item_of(a, 1, 1000, 1, 0, 0),
                                        item_of(b, 2, 1000, 2, 0, 0),
                                        item_of(c, 3, 1000, 3, 0, 0)};
  EXPECT_EQ(ietf(items),
            "\"a\";q=1;w=1, \"c\";q=3;w=1 | \"a\";r=1, \"c\";r=3");
  const unsigned char skip[] = {1, 0, 0};
  EXPECT_EQ(ietf(items, 0, skip), "\"c\";q=3;w=1 | \"c\";r=3");
  const unsigned char all[] = {1, 1, 1};
  EXPECT_EQ(ietf(items, 0, all), " | ");
}

TEST(Ietf, LengthSufficesForExtremes) {
  const Policy policy(std::string(300, 'a').c_str(), RL_FIXED);
  std::vector<rl_item_t> items;
  for (unsigned i = 0; i < RL_MAX_ITEMS; i++) {
    items.push_back(item_of(policy, UINT32_MAX, 999999999999999000, UINT32_MAX,
                            kMax, kMax));
  }
  // Exact's end is the sanitizer's.
  EXPECT_NE(ietf(items).find(";w=999999999999999"), std::string::npos);
}

}  // namespace
