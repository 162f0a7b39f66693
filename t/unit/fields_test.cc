// Names and values of header fields, every dialect.

#include <gtest/gtest.h>

#include <cctype>
#include <cstdint>
#include <random>
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

bool within(rl_str_t value, const unsigned char* buf, std::size_t len) {
  return value.data >= buf && value.data + value.len <= buf + len;
}

Texts values_of(const rl_fields_t& fields, const rl_item_t& item,
                const rl_time_t& now, std::uint64_t retry_after_ms = 0) {
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

Texts lists_of(const rl_fields_t& fields, const std::vector<rl_item_t>& items,
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

std::string ietf(const std::vector<rl_item_t>& items,
                 std::uint64_t retry_after_ms = 0,
                 const unsigned char* skip = nullptr) {
  const Fields fields(RL_DIALECT_IETF);
  const Texts texts = lists_of(fields, items, retry_after_ms, skip);
  return texts[0] + " | " + texts[1];
}

// A template on its own, of an item that is admitted.
std::string one(const std::string& value, const rl_item_t& item,
                std::uint64_t retry_after_ms = 0) {
  const Fields fields(Texts{"X: " + value});
  const rl_time_t now = {5, 1700000000500};  // 2023-11-14T22:13:20.5Z
  return fields.scope == RL_LISTED
             ? lists_of(fields, {item}, retry_after_ms)[0]
             : values_of(fields, item, now, retry_after_ms)[0];
}

Texts names_of(rl_dialect_e dialect, const std::string& prefix,
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

std::string refused(const std::string& text) {
  rl_template_t field{};
  field.pieces = 77;
  const Exact in(text);
  const char* const allowed = rl_parse_template(in, &field);
  EXPECT_TRUE(allowed == nullptr || field.pieces == 77) << "untouched";
  return allowed == nullptr ? "" : allowed;
}

TEST(Template, Scope) {
  const auto scope = [](const std::string& text) {
    rl_template_t field{};
    EXPECT_EQ(rl_parse_template(str(text), &field), nullptr) << text;
    return field.scope;
  };
  EXPECT_EQ(scope("X: {limit}"), RL_REPORTED);
  EXPECT_EQ(scope("X: a constant"), RL_REPORTED);
  EXPECT_EQ(scope("X:{policy}={limit}"), RL_LISTED);
  EXPECT_EQ(scope("X-{policy}: {limit}"), RL_EACH);
  EXPECT_EQ(scope("{policy}: {policy}"), RL_EACH);
}

TEST(Template, Refused) {
  const std::string shape =
      "must be \"Name: template\", the name of letters, digits, {policy} and "
      "!#$%&'*+-.^_`|~";
  for (const char* const text :
       {"", "X", "X:", "X:  ", ": {limit}", "X Y: {limit}", "X\r\nY: {limit}",
        "{limit}: {limit}", "{policy}{policy}: {limit}", "X=: {limit}"}) {
    EXPECT_EQ(refused(text), shape) << text;
  }
  const std::string reserved = "must not be a field that nginx sends itself";
  for (const char* const text :
       {"Retry-After: {retry_after}", "DATE: {reset:http}", "server: x",
        "Transfer-Encoding: chunked", "content-length: {limit}"}) {
    EXPECT_EQ(refused(text), reserved) << text;
  }
  const std::string pieces =
      "must have of {} only {limit}, {remaining}, {used}, {reset}, "
      "{retry_after}, {window} and {policy}";
  for (const char* const text :
       {"X: {", "X: {limit", "X: {}", "X: {Limit}", "X: {limit }", "X: a}b",
        "X: {{limit}}", "X: {quota:ms}"}) {
    EXPECT_EQ(refused(text), pieces) << text;
  }
  for (const char* const text :
       {"X: {limit:ms}", "X: {reset:}", "X: {reset:seconds}",
        "X: {window:unix}", "X: {policy:ms}", "X: {reset:quota}"}) {
    EXPECT_EQ(refused(text),
              "must have only the formats ms, decimal, go of {window}, "
              "{reset} and {retry_after}, and unix, unix_ms, unix_decimal, "
              "rfc3339, http of the latter two")
        << text;
  }
  for (const char* const text :
       {"X: $x", "X: a\r\nY: {limit}", "X: \xc3\xa9", "X: a\tb"}) {
    EXPECT_EQ(refused(text),
              "must be of ASCII and without \"$\" and controls: add_header "
              "takes variables")
        << text;
  }
  std::string twelve = "X: ";
  for (int i = 0; i < 6; i++)
    twelve += "{limit}/";
  EXPECT_EQ(refused(twelve), "");
  EXPECT_EQ(refused(twelve + "{used}"),
            "must have at most 12 texts and placeholders");
}

TEST(Template, FieldsOfOneScopeStandTogether) {
  rl_template_t plain{};
  rl_template_t each{};
  ASSERT_EQ(rl_parse_template(str("X: {limit}"), &plain), nullptr);
  ASSERT_EQ(rl_parse_template(str("{policy}: {limit}"), &each), nullptr);
  rl_fields_t fields{};
  EXPECT_EQ(rl_fields_add(&fields, &plain), 1);
  EXPECT_EQ(rl_fields_add(&fields, &each), 0);
  for (int i = 1; i < RL_MAX_FIELDS; i++) {
    EXPECT_EQ(rl_fields_add(&fields, &plain), 1);
  }
  EXPECT_EQ(rl_fields_add(&fields, &plain), 0);
}

TEST(Template, Placeholders) {
  const Policy policy("per_day", RL_SLIDING);
  const rl_item_t item = item_of(policy, 40, 360000, 8, 59001, 1);
  EXPECT_EQ(one("{limit}", item), "40");
  EXPECT_EQ(one("{remaining}", item), "8");
  EXPECT_EQ(one("{used}/{limit}", item), "32/40");
  EXPECT_EQ(one("{window}", item), "360");
  EXPECT_EQ(one("{window:ms}", item), "360000");
  EXPECT_EQ(one("{window:go}", item), "6m0s");
  EXPECT_EQ(one("{window:decimal}", item), "360.000");
  EXPECT_EQ(one("{policy};w={window}", item), "per_day;w=360");
  EXPECT_EQ(one("a constant", item), "a constant");
  rl_item_t over = item;  // a quota that shrank
  over.remaining_units = 41;
  EXPECT_EQ(one("{used}", over), "0");
}

TEST(Template, Times) {
  const Policy policy("p", RL_SLIDING);
  const auto reset = [&](const std::string& format, std::uint64_t ms) {
    return one("{reset" + format + "}", item_of(policy, 1, 1, 0, ms, 0));
  };
  EXPECT_EQ(reset("", 59001), "60");
  EXPECT_EQ(reset("", 0), "0");
  EXPECT_EQ(reset(":ms", 59001), "59001");
  EXPECT_EQ(reset(":decimal", 59001), "59.001");
  EXPECT_EQ(reset(":decimal", 0), "0.000");
  EXPECT_EQ(reset(":decimal", 7120), "7.120");
  EXPECT_EQ(reset(":unix", 59001), "1700000060");
  EXPECT_EQ(reset(":unix_ms", 59001), "1700000059501");
  EXPECT_EQ(reset(":unix_decimal", 59001), "1700000059.501");
  EXPECT_EQ(reset(":rfc3339", 59001), "2023-11-14T22:14:20Z");
  EXPECT_EQ(reset(":http", 59001), "Tue, 14 Nov 2023 22:14:20 GMT");
  EXPECT_EQ(reset(":rfc3339", std::uint64_t{86400000} * 107),
            "2024-02-29T22:13:21Z");
  EXPECT_EQ(reset(":http", std::uint64_t{86400000} * 48),
            "Mon, 01 Jan 2024 22:13:21 GMT");
  EXPECT_EQ(reset(":rfc3339", kMax), "9999-12-31T23:59:59Z");
  EXPECT_EQ(reset(":go", 0), "0s");
  EXPECT_EQ(reset(":go", 17), "17ms");
  EXPECT_EQ(reset(":go", 1000), "1s");
  EXPECT_EQ(reset(":go", 1500), "1.5s");
  EXPECT_EQ(reset(":go", 59999), "59.999s");
  EXPECT_EQ(reset(":go", 60000), "1m0s");
  EXPECT_EQ(reset(":go", 361020), "6m1.02s");
  EXPECT_EQ(reset(":go", 3600000), "1h0m0s");
  EXPECT_EQ(reset(":go", 90061001), "25h1m1.001s");
}

TEST(Template, RetryAfter) {
  const Policy policy("p", RL_SLIDING);
  rl_item_t item = item_of(policy, 1, 1000, 0, 5000, 0);
  EXPECT_EQ(one("wait {retry_after}", item), "");    // nothing to wait for
  EXPECT_EQ(one("{retry_after}", item, 1001), "2");  // the response's
  EXPECT_EQ(one("{policy}={retry_after}", item, 1001), "");  // not this one's
  item.admitted = 0;
  item.retry_after_ms = 5000;
  EXPECT_EQ(one("{policy}={retry_after}", item, 9000), "p=5");
  EXPECT_EQ(one("{policy}={retry_after}", item, 3000), "p=3");  // a cap
  EXPECT_EQ(one("{policy}={retry_after}", item, 0), "");  // refused by none
  item.dry_run = 1;
  EXPECT_EQ(one("{policy}={retry_after}", item, 9000), "");
  item.dry_run = 0;
  item.retry_after_ms = 0;
  EXPECT_EQ(one("{policy}={retry_after:ms}", item, 9000), "p=1");
}

TEST(Template, ListsLeaveOutWhatHasNoValue) {
  const Policy a("a", RL_SLIDING);
  const Policy b("b", RL_SLIDING);
  const Policy c("c", RL_SLIDING);
  std::vector<rl_item_t> items = {item_of(a, 1, 1000, 1, 0, 0),
                                  item_of(b, 2, 1000, 2, 0, 0),
                                  item_of(c, 3, 1000, 3, 0, 0)};
  items[1].admitted = 0;
  items[1].retry_after_ms = 1000;
  const Fields fields(Texts{"X: {policy};r={retry_after}", "Y: {policy}"});
  EXPECT_EQ(lists_of(fields, items, 1000), (Texts{"b;r=1", "a, b, c"}));
  EXPECT_EQ(lists_of(fields, items), (Texts{"", "a, b, c"}));
}

TEST(Template, MonthsHaveTheirOwnLength) {
  const Policy policy("p", RL_CALENDAR);
  rl_item_t item = item_of(policy, 1, 31 * std::uint64_t{86400000}, 0, 0, 0);
  item.quota.window_months = 1;
  EXPECT_EQ(one("{window:ms}", item), "2592000000");  // a November
  EXPECT_EQ(one("{window}", item), "2592000");
  const rl_time_t february = {0, 1707000000000};  // of 2024
  EXPECT_EQ(rl_window_ms(&policy, &item.quota, &february), 29u * 86400000);
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
  const rl_quota_t quota = {600, 0, 60000, {0, nullptr}, 0};
  rl_policy_render_quota(&policy, &quota, 1, usual);
  const Fields common(RL_DIALECT_X);
  const Fields apart(
      Texts{"A: {limit}", "B: {remaining}", "C: {reset}", "D: x"});
  ASSERT_EQ(apart.shape, RL_SHAPE_ANY);
  for (int i = 0; i < rounds(20000); i++) {
    const rl_time_t now = {random(), random()};
    rl_item_t item = item_of(policy, random() % 2 ? 600 : random() % 20000,
                             60000, random() % 20000 >> random() % 15,
                             random() % 20000000 >> random() % 25, 0);
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
