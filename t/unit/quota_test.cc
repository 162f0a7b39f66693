// Quotas, windows, time zones and algorithms as configured.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "ratelimit/ratelimit.h"
#include "text_util.h"

namespace {

constexpr std::uint64_t kDayMs = 86400000;

// Fails the test on an error.
rl_quota_t quota_of(const std::string& text, bool months = false) {
  rl_quota_t quota{};
  const Exact in(text);
  EXPECT_EQ(rl_parse_quota(in, months, &quota), nullptr) << text;
  return quota;
}

std::string quota_error(const std::string& text, bool months = false) {
  rl_quota_t quota{};
  quota.units = 7;
  quota.window_ms = 8;
  const Exact in(text);
  const char* const error = rl_parse_quota(in, months, &quota);
  EXPECT_EQ(quota.units, 7u) << text;
  EXPECT_EQ(quota.window_ms, 8u) << text;
  return error == nullptr ? "" : error;
}

TEST(Quota, Valid) {
  const struct {
    const char* text;
    std::uint64_t units;
    std::uint64_t window_ms;
  } cases[] = {
      {"600/60s", 600, 60000},
      {"0/1h", 0, 3600000},
      {"1/1ms", 1, 1},
      {"30/500ms", 30, 500},
      {"10/1m", 10, 60000},
      {"5000/1d", 5000, kDayMs},
      {"999999999/366d", 999999999, 366 * kDayMs},
      {"999999999999999/366d", 999999999999999, 366 * kDayMs},
      {"1/31622400000ms", 1, RL_MAX_WINDOW_MS},
      {"1/8784h", 1, RL_MAX_WINDOW_MS},
      {"010/060s", 10, 60000},
  };
  for (const auto& c : cases) {
    for (const bool months : {false, true}) {
      const rl_quota_t quota = quota_of(c.text, months);
      EXPECT_EQ(quota.units, c.units) << c.text;
      EXPECT_EQ(quota.window_ms, c.window_ms) << c.text;
      EXPECT_EQ(quota.window_months, 0u) << c.text;
      EXPECT_EQ(quota.unlimited, 0) << c.text;
    }
  }
}

TEST(Quota, WindowTextIsASliceOfTheInput) {
  const std::string text = "600/60s";
  rl_quota_t quota{};
  ASSERT_EQ(rl_parse_quota(str(text), 0, &quota), nullptr);
  EXPECT_EQ(quota.window_text.data, str(text).data + 4);
  EXPECT_EQ(str(quota.window_text), "60s");
}

TEST(Quota, Unlimited) {
  EXPECT_TRUE(quota_of("unlimited").unlimited);
  EXPECT_TRUE(quota_of("").unlimited);
  rl_quota_t quota{};
  EXPECT_EQ(rl_parse_quota({0, nullptr}, 0, &quota), nullptr);
  EXPECT_TRUE(quota.unlimited);
}

TEST(Quota, Invalid) {
  const char* const phrase =
      "must be UNITS/WINDOW such as \"600/60s\", of 0 to 999999999999999 "
      "units and a window of 1ms to 366d in ms, s, m, h or d, or "
      "\"unlimited\"";
  const std::string nul("600/60s\0", 8);
  const std::vector<std::string> cases = {"600",
                                          "600/",
                                          "/60s",
                                          "600/60",
                                          "600/60x",
                                          "600/s",
                                          "600/m",
                                          "/",
                                          "600//60s",
                                          "600/60s/",
                                          "600/60s ",
                                          " 600/60s",
                                          "600 /60s",
                                          "600/ 60s",
                                          "+600/60s",
                                          "-1/60s",
                                          "600/+60s",
                                          "600/-60s",
                                          "600.5/60s",
                                          "600/1.5s",
                                          "600/0s",
                                          "600/0ms",
                                          "600/60S",
                                          "600/60Ms",
                                          "600/60mss",
                                          "600/60sm",
                                          "1000000000000000/1s",
                                          "99999999999999999999/1s",
                                          "18446744073709551616/1s",
                                          "0x10/60s",
                                          "1e3/60s",
                                          "600/367d",
                                          "600/31622400001ms",
                                          "600/18446744073709551617ms",
                                          "600/1y",
                                          "600/1w",
                                          "Unlimited",
                                          "unlimited ",
                                          "unlimite",
                                          "none",
                                          "off",
                                          "60s",
                                          "600/0M",
                                          "600/13M",
                                          "\xff/60s",
                                          "600/60\xff",
                                          "6\xc3\xa9/60s",
                                          nul,
                                          std::string(1, '\0'),
                                          std::string("600\0/60s", 8),
                                          std::string("600/\0s", 6),
                                          std::string(40, '9') + "/1s",
                                          "1/" + std::string(40, '9') + "s",
                                          std::string(1 << 20, '9'),
                                          std::string(1 << 20, '/'),
                                          "1/1" + std::string(1 << 20, 's')};
  for (const std::string& text : cases) {
    EXPECT_EQ(quota_error(text), phrase) << text.substr(0, 60);
  }
}

TEST(Quota, OnlyTheValueOverflowsNotItsLength) {
  EXPECT_EQ(quota_of(std::string(40, '0') + "7/1s").units, 7u);
}

TEST(Quota, Months) {
  for (unsigned n = 1; n <= 12; n++) {
    const std::string text = "5000/" + std::to_string(n) + "M";
    rl_quota_t quota{};
    ASSERT_EQ(rl_parse_quota(str(text), 1, &quota), nullptr);
    EXPECT_EQ(quota.window_months, n);
    EXPECT_EQ(quota.window_ms, n == 12 ? RL_MAX_WINDOW_MS : n * 31 * kDayMs);
    EXPECT_EQ(str(quota.window_text), std::to_string(n) + "M");
  }
  EXPECT_EQ(quota_error("5000/1M"),
            "has months (\"M\"), which need algorithm=calendar");
  EXPECT_EQ(quota_error("5000/13M", true),
            "must be UNITS/WINDOW such as \"600/60s\", of 0 to "
            "999999999999999 units and a window of 1ms to 366d in ms, s, m, h "
            "or d or of 1M to 12M, or \"unlimited\"");
  EXPECT_EQ(quota_error("5000/0M", true), quota_error("5000/13M", true));
}

TEST(Window, ValidAndInvalid) {
  rl_quota_t quota{};
  quota.units = 3;
  const std::string text = "90m";
  ASSERT_EQ(rl_parse_window(str(text), 0, &quota), nullptr);
  EXPECT_EQ(quota.window_ms, 5400000u);
  EXPECT_EQ(quota.units, 3u);
  EXPECT_EQ(str(quota.window_text), "90m");
  EXPECT_STREQ(rl_parse_window(str(""), 0, &quota),
               "must be an integer with ms, s, m, h or d behind it, of 1ms to "
               "366d");
  EXPECT_STREQ(rl_parse_window(str("13M"), 1, &quota),
               "must be an integer with ms, s, m, h or d behind it, of 1ms to "
               "366d, or 1M to 12M");
  EXPECT_STREQ(rl_parse_window(str("1M"), 0, &quota),
               "has months (\"M\"), which need algorithm=calendar");
  EXPECT_EQ(quota.window_ms, 5400000u);
  ASSERT_EQ(rl_parse_window(str("2M"), 1, &quota), nullptr);
  EXPECT_EQ(quota.window_months, 2u);
  ASSERT_EQ(rl_parse_window(str("1s"), 1, &quota), nullptr);
  EXPECT_EQ(quota.window_months, 0u);
}

TEST(Quota, RandomTextNeverBreaksTheBounds) {
  std::mt19937 random(1);
  int valid = 0;
  for (int i = 0; i < rounds(200000); i++) {
    const std::string text = random_text(&random, "0123456789/msdhM", 14);
    const Exact in(text);
    rl_quota_t quota{};
    if (rl_parse_quota(in, 1, &quota) != nullptr || quota.unlimited) continue;
    valid++;
    ASSERT_LE(quota.units, RL_MAX_UNITS) << text;
    ASSERT_GE(quota.window_ms, 1u) << text;
    ASSERT_LE(quota.window_ms, RL_MAX_WINDOW_MS) << text;
    ASSERT_LE(quota.window_months, RL_MAX_MONTHS) << text;
    ASSERT_EQ(text.substr(text.find('/') + 1), str(quota.window_text));
  }
  EXPECT_GT(valid, 100);
}

TEST(Quota, AVariablesUnitsAreTheMaximumBeyondIt) {
  rl_quota_t quota{};
  for (const std::string& units :
       {std::string("1000000000000000"), std::string(400, '9')}) {
    const std::string text = units + "/60s";
    EXPECT_NE(rl_parse_quota(str(text), 0, &quota), nullptr);
    EXPECT_EQ(rl_read_quota(str(text), 0, &quota), nullptr);
    EXPECT_EQ(quota.units, RL_MAX_UNITS);
    EXPECT_EQ(quota.window_ms, 60000u);
  }
  for (const char* text : {"1/367d", "1/0s", "-1/1s", "1.5/1s", "1/1M"}) {
    EXPECT_NE(rl_read_quota(str(text), 0, &quota), nullptr) << text;
  }
}

TEST(Algorithm, NamesAndBack) {
  const char* const names[] = {"sliding", "fixed", "calendar", "gcra"};
  for (int i = 0; i < 4; i++) {
    rl_algorithm_e algorithm = RL_SLIDING;
    ASSERT_EQ(rl_parse_algorithm(str(names[i]), &algorithm), nullptr);
    EXPECT_EQ(static_cast<int>(algorithm), i);
    EXPECT_STREQ(rl_algorithm_name(algorithm), names[i]);
  }
  for (const std::string& text :
       {std::string(""), std::string("Sliding"), std::string("slidin"),
        std::string("slidings"), std::string("gcra "),
        std::string("gcra\0", 5), std::string("fixed,gcra")}) {
    rl_algorithm_e algorithm = RL_GCRA;
    const Exact in(text);
    EXPECT_STREQ(rl_parse_algorithm(in, &algorithm),
                 "must be \"sliding\", \"fixed\", \"calendar\" or \"gcra\"");
    EXPECT_EQ(algorithm, RL_GCRA);
  }
}

TEST(Tz, ValidAndInvalid) {
  const struct {
    const char* text;
    std::int32_t ms;
  } valid[] = {
      {"Z", 0},
      {"+00:00", 0},
      {"-00:00", 0},
      {"+09:00", 32400000},
      {"-03:30", -12600000},
      {"+05:45", 20700000},
      {"+14:00", 50400000},
      {"-12:00", -43200000},
  };
  for (const auto& c : valid) {
    std::int32_t ms = 7;
    const Exact in(c.text);
    ASSERT_EQ(rl_parse_tz(in, &ms), nullptr) << c.text;
    EXPECT_EQ(ms, c.ms) << c.text;
  }
  for (const std::string& text :
       {std::string(""), std::string("z"), std::string("UTC"),
        std::string("09:00"), std::string("+9:00"), std::string("+0900"),
        std::string("+09"), std::string("+09:60"), std::string("+14:01"),
        std::string("+24:00"), std::string("+99:99"), std::string("+09:00 "),
        std::string("+09.00"), std::string("+0a:00"), std::string("++9:00"),
        std::string("+09:0\0", 6), std::string("Europe/Berlin")}) {
    std::int32_t ms = 7;
    const Exact in(text);
    EXPECT_STREQ(rl_parse_tz(in, &ms),
                 "must be \"Z\" or an offset of UTC such as \"+09:00\", of "
                 "-14:00 to +14:00")
        << text;
    EXPECT_EQ(ms, 7);
  }
}

TEST(Text, DigitsAgreeWithSnprintf) {
  std::mt19937_64 random(3);
  char expected[24];
  for (int i = 0; i < rounds(200000); i++) {
    std::uint64_t value = random() >> random() % 64;
    if (i < 64) value = std::uint64_t{1} << i;
    if (i == 64) value = 0;
    if (i == 65) value = std::numeric_limits<std::uint64_t>::max();
    if (i > 65 && i < 85) {
      value = static_cast<std::uint64_t>(std::pow(10.0L, i - 65));
    }
    if (i > 85 && i < 105) {
      value = static_cast<std::uint64_t>(std::pow(10.0L, i - 85)) - 1;
    }
    const int len = std::snprintf(expected, sizeof(expected), "%llu",
                                  static_cast<unsigned long long>(value));
    unsigned char buf[21] = {0};
    ASSERT_EQ(rl_render_u64(value, buf), static_cast<std::size_t>(len));
    ASSERT_STREQ(reinterpret_cast<char*>(buf), expected);
    std::snprintf(expected, sizeof(expected), "%016llx",
                  static_cast<unsigned long long>(value));
    unsigned char id[17] = {0};
    rl_render_key_id(value, id);
    ASSERT_STREQ(reinterpret_cast<char*>(id), expected);
  }
}

// As $request_time and $upstream_response_time are written.
TEST(Seconds, AreReadAsMilliseconds) {
  const struct {
    const char* text;
    uint64_t ms;
  } kCases[] = {
      {"0", 0},
      {"0.000", 0},
      {"0.001", 1},
      {"0.0001", 1},
      {"12.345", 12345},
      {"12.3450000", 12345},
      {"12.3450001", 12346},
      {"1.5", 1500},
      {"-", 0},
      {"0.1, 0.2", 300},
      {"0.1 : 0.2", 300},
      {"0.1, -, 0.2 : 1", 1300},
      {"99999999999999999999", RL_MAX_UNITS},
  };
  for (const auto& c : kCases) {
    uint64_t ms = 7;
    EXPECT_EQ(nullptr, rl_read_seconds(str(c.text), &ms)) << c.text;
    EXPECT_EQ(c.ms, ms) << c.text;
  }
  for (const char* text : {"", ".5", "1.", "1,2", "0.1,  0.2", "0.1 :", "1s",
                           "--", "-1", "0.1 0.2", " 1", "1 "}) {
    uint64_t ms = 7;
    EXPECT_NE(nullptr, rl_read_seconds(str(text), &ms)) << text;
    EXPECT_EQ(7U, ms) << text;
  }
}

}  // namespace
