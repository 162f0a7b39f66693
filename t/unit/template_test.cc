// Templates of header fields.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "fields_util.h"

namespace {

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
      "{retry_after}, {window}, {waited_ms} and {policy}";
  for (const char* const text :
       {"X: {", "X: {limit", "X: {}", "X: {Limit}", "X: {limit }", "X: a}b",
        "X: {{limit}}", "X: {quota:ms}"}) {
    EXPECT_EQ(refused(text), pieces) << text;
  }
  for (const char* const text :
       {"X: {limit:ms}", "X: {waited_ms:ms}", "X: {reset:}",
        "X: {reset:seconds}", "X: {window:unix}", "X: {policy:ms}",
        "X: {reset:quota}"}) {
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

TEST(Template, Waited) {
  const Policy policy("p", RL_GCRA);
  rl_item_t item = item_of(policy, 1, 1000, 0, 5000, 0);
  EXPECT_EQ(one("{waited_ms}", item), "0");
  item.waited_ms = UINT32_MAX;
  EXPECT_EQ(one("{policy} {waited_ms}", item), "p 4294967295");
  EXPECT_EQ(Fields(Texts{"X: {waited_ms}"}).want_waited, 1);
  EXPECT_EQ(Fields(Texts{"X: {limit}", "Y: {window}"}).want_waited, 0);
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

}  // namespace
