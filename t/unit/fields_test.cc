// Names and values of header fields, every dialect.

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "fields_util.h"

namespace {

TEST(Dialect, Names) {
  EXPECT_EQ(names_of(RL_DIALECT_X, "X-RateLimit-", ""),
            (Texts{"X-RateLimit-Limit", "X-RateLimit-Remaining",
                   "X-RateLimit-Reset"}));
  EXPECT_EQ(names_of(RL_DIALECT_X, "X-Rate-Limit-", "ignored"),
            (Texts{"X-Rate-Limit-Limit", "X-Rate-Limit-Remaining",
                   "X-Rate-Limit-Reset"}));
  EXPECT_EQ(names_of(RL_DIALECT_IETF, "", ""),
            (Texts{"RateLimit-Policy", "RateLimit"}));
  EXPECT_EQ(
      names_of(RL_DIALECT_DRAFT3, "", ""),
      (Texts{"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"}));
  EXPECT_EQ(names_of(RL_DIALECT_PER_POLICY, "x-rate-limit-", "api_token"),
            (Texts{"x-rate-limit-api-token-interval-ms",
                   "x-rate-limit-api-token-max",
                   "x-rate-limit-api-token-remaining"}));
  EXPECT_EQ(names_of(RL_DIALECT_FIELDS, "", ""), Texts{});
}

TEST(Dialect, Templates) {
  EXPECT_EQ(Fields(RL_DIALECT_X, "X-A-", RL_RESET_UNIX).text,
            (Texts{"X-A-Limit: {limit}", "X-A-Remaining: {remaining}",
                   "X-A-Reset: {reset:unix}"}));
  EXPECT_EQ(Fields(RL_DIALECT_IETF).text,
            (Texts{"RateLimit-Policy: {policy:quota}",
                   "RateLimit: {policy:limit}"}));
  EXPECT_EQ(Fields(RL_DIALECT_X).scope, RL_REPORTED);
  EXPECT_EQ(Fields(RL_DIALECT_X).shape, RL_SHAPE_COMMON);
  EXPECT_EQ(Fields(RL_DIALECT_DRAFT3).shape, RL_SHAPE_COMMON);
  EXPECT_EQ(Fields(RL_DIALECT_X, "X-", RL_RESET_UNIX).shape, RL_SHAPE_ANY);
  EXPECT_EQ(Fields(RL_DIALECT_IETF).scope, RL_LISTED);
  EXPECT_EQ(Fields(RL_DIALECT_IETF).shape, RL_SHAPE_IETF);
  EXPECT_EQ(Fields(RL_DIALECT_IETF).want_next, 1);
  EXPECT_EQ(Fields(RL_DIALECT_X).want_next, 0);
  EXPECT_EQ(Fields(RL_DIALECT_PER_POLICY).scope, RL_EACH);
}

TEST(Dialect, Parsing) {
  const char* const names[] = {"x-ratelimit", "ietf", "draft3", "per-policy",
                               "fields"};
  for (int i = 0; i < 5; i++) {
    rl_dialect_e kind = RL_DIALECT_X;
    ASSERT_EQ(rl_parse_dialect(str(names[i]), &kind), nullptr);
    EXPECT_EQ(static_cast<int>(kind), i);
  }
  for (const std::string& text :
       {std::string(""), std::string("X-RateLimit"), std::string("ietf "),
        std::string("draft"), std::string("ietf\0", 5),
        std::string(1 << 20, 'i')}) {
    rl_dialect_e kind = RL_DIALECT_DRAFT3;
    const Exact in(text);
    EXPECT_STREQ(rl_parse_dialect(in, &kind),
                 "must be \"x-ratelimit\", \"ietf\", \"draft3\", "
                 "\"per-policy\" or \"fields\"");
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
  EXPECT_EQ(values_of(Fields(RL_DIALECT_X), item, now),
            (Texts{"600", "599", "60"}));
  EXPECT_EQ(values_of(Fields(RL_DIALECT_X, "X-", RL_RESET_UNIX), item, now),
            (Texts{"600", "599", "1700000060"}));  // 1700000059.501
  EXPECT_EQ(values_of(Fields(RL_DIALECT_X, "X-", RL_RESET_UNIX_MS), item, now),
            (Texts{"600", "599", "1700000059501"}));
  EXPECT_EQ(values_of(Fields(RL_DIALECT_DRAFT3), item, now),
            (Texts{"600", "599", "60"}));
  EXPECT_EQ(values_of(Fields(RL_DIALECT_PER_POLICY), item, now),
            (Texts{"60000", "600", "599"}));
}

// What is rendered without a look at the pieces is what they would give.
TEST(Values, TheCommonShapeIsAsItsPieces) {
  std::mt19937 random(1);
  unsigned char usual[RL_RENDERED_LEN(1)];
  Policy policy("p", RL_SLIDING);
  const rl_quota_t quota = {600, 60000, {0, nullptr}, 0, 0};
  rl_policy_render_quota(&policy, &quota, 1, usual);
  const Fields common(RL_DIALECT_X);
  const Fields apart(
      Texts{"A: {limit}", "B: {remaining}", "C: {reset}", "D: x"});
  ASSERT_EQ(apart.shape, RL_SHAPE_ANY);
  for (int i = 0; i < rounds(20000); i++) {
    const rl_time_t now = {random(), random()};
    rl_item_t item = item_of(policy, random() % 2 ? 600 : random() % 20000,
                             60000, random() >> random() % 32,
                             std::uint64_t{random()} * 2 >> random() % 33, 0);
    item.admitted = random() % 2;
    Texts expected = values_of(apart, item, now);
    expected.pop_back();
    ASSERT_EQ(values_of(common, item, now), expected);
  }
}

TEST(Values, ExtremesFit) {
  const Policy policy("p", RL_FIXED);
  rl_item_t item = item_of(policy, UINT32_MAX, kMax, UINT32_MAX, kMax, kMax);
  const rl_time_t now = {kMax, kMax};
  for (const rl_reset_e reset :
       {RL_RESET_DELTA, RL_RESET_UNIX, RL_RESET_UNIX_MS}) {
    EXPECT_EQ(values_of(Fields(RL_DIALECT_X, "X-", reset), item, now)[2],
              reset == RL_RESET_UNIX_MS ? "18446744073709551615"
                                        : "18446744073709552");
  }
  EXPECT_EQ(values_of(Fields(RL_DIALECT_PER_POLICY), item, now),
            (Texts{"18446744073709551615", "4294967295", "4294967295"}));
  for (const char* const format :
       {"", ":ms", ":decimal", ":go", ":unix", ":unix_ms", ":unix_decimal",
        ":rfc3339", ":http"}) {
    const Fields fields(Texts{std::string("X: {reset") + format + "}"});
    EXPECT_NE(values_of(fields, item, now)[0], "");
  }
}

TEST(Values, ARefusalsResetIsItsRetryAfter) {
  const Policy policy("p", RL_FIXED);
  rl_item_t item = item_of(policy, 1, 1000, 0, 1, 1);
  item.admitted = 0;
  const rl_time_t now = {};
  const Fields fields(RL_DIALECT_X);
  EXPECT_EQ(values_of(fields, item, now)[2], "1");
  item.reset_ms = 0;
  EXPECT_EQ(values_of(fields, item, now)[2], "1");
  item.admitted = 1;
  EXPECT_EQ(values_of(fields, item, now)[2], "0");
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
  const auto gcra = [&](std::uint64_t units, std::uint64_t window_ms,
                        std::uint64_t capacity) {
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
            "\"p\";q=999999999999999 | \"p\";r=0");
  EXPECT_EQ(gcra(RL_MAX_UNITS, RL_MAX_WINDOW_MS, RL_MAX_UNITS),
            "\"p\";q=999999999999999;w=31622400 | \"p\";r=0");
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
