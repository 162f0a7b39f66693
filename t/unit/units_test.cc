// Units as they are written, and scales of quotas.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "ratelimit/ratelimit.h"
#include "text_util.h"

namespace {

TEST(Units, ValidAndInvalid) {
  std::uint64_t units = 7;
  const char* const phrase = "must be an integer of 0 to 999999999999999";
  for (const std::string& text :
       {std::string(""), std::string("+1"), std::string("-1"),
        std::string("1 "), std::string(" 1"), std::string("1.0"),
        std::string("1000000000000000"), std::string(40, '1'),
        std::string("x"), std::string("1\0", 2), std::string("\xd9\xa1"),
        std::string("1e1")}) {
    const Exact in(text);
    EXPECT_STREQ(rl_parse_units(in, &units), phrase) << text;
    EXPECT_EQ(units, 7u);
  }
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{9},
        std::uint64_t{10}, std::uint64_t{12345}, std::uint64_t{1} << 32,
        RL_MAX_UNITS}) {
    ASSERT_EQ(rl_parse_units(str(std::to_string(value)), &units), nullptr);
    EXPECT_EQ(units, value);
  }
}

TEST(Units, AVariablesAreTheMaximumBeyondItAndRoundedUp) {
  const struct {
    std::string text;
    std::uint64_t units;
  } cases[] = {{"0", 0},
               {"007", 7},
               {"4294967296", std::uint64_t{1} << 32},
               {"999999999999999", RL_MAX_UNITS},
               {"1000000000000000", RL_MAX_UNITS},
               {"18446744073709551617", RL_MAX_UNITS},
               {std::string(400, '9'), RL_MAX_UNITS},
               {std::string(400, '0') + "12", 12},
               {"0.123", 1},
               {"12.5", 13},
               {"12.000", 12},
               {"0.0", 0},
               {"999999999999999.1", RL_MAX_UNITS},
               {"3." + std::string(400, '0') + "1", 4}};
  for (const auto& c : cases) {
    std::uint64_t units = 77;
    EXPECT_EQ(rl_read_units(Exact(c.text), &units), nullptr) << c.text;
    EXPECT_EQ(units, c.units) << c.text;
  }
  for (const std::string& text :
       {std::string(""), std::string("+1"), std::string("-1"),
        std::string("1 "), std::string(" 1"), std::string("1e9"),
        std::string("0x10"), std::string("1."), std::string(".5"),
        std::string("1.5.5"), std::string("1,5"), std::string("1\0", 2),
        std::string("9999999999x"), std::string("\xd9\xa1")}) {
    std::uint64_t units = 77;
    EXPECT_NE(rl_read_units(Exact(text), &units), nullptr) << text;
    EXPECT_EQ(units, 77u);
  }
}

TEST(Scale, AVariablesMayHaveMoreDigits) {
  const struct {
    const char* text;
    std::uint32_t value;
  } cases[] = {{"50%", 50000},          {"10001%", 10000000},
               {"10000.5%", 10000000},  {"99999999999999999999%", 10000000},
               {"33.33333333%", 33333}, {"0.0000001%", 1},
               {"0.0000%", 0},          {"", 100000}};
  for (const auto& c : cases) {
    std::uint32_t value = 7;
    EXPECT_EQ(rl_read_scale(str(c.text), &value), nullptr) << c.text;
    EXPECT_EQ(value, c.value) << c.text;
  }
  std::uint32_t value = 7;
  for (const char* text : {"-1%", "50", "1.%", "1e2%", "%"}) {
    EXPECT_NE(rl_read_scale(str(text), &value), nullptr) << text;
  }
}

TEST(Scale, ValidAndInvalid) {
  const struct {
    const char* text;
    std::uint32_t value;
  } valid[] = {
      {"", 100000},
      {"100%", 100000},
      {"50%", 50000},
      {"12.5%", 12500},
      {"0%", 0},
      {"0.001%", 1},
      {"0.1%", 100},
      {"10000%", 10000000},
      {"10000.000%", 10000000},
      {"33.333%", 33333},
      {"007%", 7000},
      {"0.010%", 10},
  };
  for (const auto& c : valid) {
    std::uint32_t value = 7;
    const Exact in(c.text);
    ASSERT_EQ(rl_parse_scale(in, &value), nullptr) << c.text;
    EXPECT_EQ(value, c.value) << c.text;
  }
  for (const std::string& text :
       {std::string("50"), std::string("%"), std::string(".5%"),
        std::string("5.%"), std::string("1.2345%"), std::string("-5%"),
        std::string("+5%"), std::string("50 %"), std::string("50%%"),
        std::string("10001%"), std::string("10000.001%"),
        std::string(40, '9') + "%", std::string("5,5%"), std::string("1e2%"),
        std::string("50%\0", 4), std::string("0." + std::string(99, '0'))}) {
    std::uint32_t value = 7;
    const Exact in(text);
    EXPECT_STREQ(rl_parse_scale(in, &value),
                 "must be a percentage such as \"50%\" or \"12.5%\", of 0% to "
                 "10000% with at most three decimals")
        << text;
    EXPECT_EQ(value, 7u);
  }
}

TEST(Scale, RoundsOnceAtTheEnd) {
  const std::uint32_t halves[] = {50000, 50000};
  EXPECT_EQ(rl_scale_units(7, halves, 2), 1u);  // 1.75
  const std::uint32_t thirds[] = {33333, 300000};
  EXPECT_EQ(rl_scale_units(10, thirds, 2), 9u);          // 9.9999; else 3 * 3
  const std::uint32_t there_and_back[] = {1, 10000000};  // 0.1 %
  EXPECT_EQ(rl_scale_units(3, there_and_back, 2), 1u);   // 0.003: at least 1
  EXPECT_EQ(rl_scale_units(5000, there_and_back, 2), 5u);
}

// 100 % as a second one changes nothing, but how it is multiplied.
TEST(Scale, OneIsAsExactAsSeveral) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100000; i++) {
    const std::uint64_t units = random() >> random() % 64;
    const auto scale =
        static_cast<std::uint32_t>(random() >> (32 + random() % 32));
    const std::uint32_t scales[] = {scale, 100000};
    EXPECT_EQ(rl_scale_units(units, scales, 1),
              rl_scale_units(units, scales, 2))
        << units << " by " << scale;
  }
}

TEST(Scale, Bounds) {
  EXPECT_EQ(rl_scale_units(7, nullptr, 0), 7u);
  const std::uint32_t zero[] = {10000000, 0, 10000000};
  EXPECT_EQ(rl_scale_units(7, zero, 3), 0u);
  const std::uint32_t one[] = {1};
  EXPECT_EQ(rl_scale_units(0, one, 1), 0u);
  EXPECT_EQ(rl_scale_units(1, one, 1), 1u);
  EXPECT_EQ(rl_scale_units(RL_MAX_UNITS, one, 1), 9999999999u);

  // Back and forth by as much as scales can, without overflow or loss.
  std::vector<std::uint32_t> scales(16, 10000000);
  EXPECT_EQ(rl_scale_units(RL_MAX_UNITS, scales.data(), 16), RL_MAX_UNITS);
  std::vector<std::uint32_t> mixed;
  for (int i = 0; i < 8; i++)
    mixed.push_back(10000000);
  for (int i = 0; i < 8; i++)
    mixed.push_back(1000);  // 1 %
  EXPECT_EQ(rl_scale_units(12345, mixed.data(), mixed.size()), 12345u);
  const std::vector<std::uint32_t> extreme(16, 4294967295u);
  EXPECT_EQ(rl_scale_units(4294967295u, extreme.data(), 16), RL_MAX_UNITS);
  // More of them round after each sixteen.
  const std::vector<std::uint32_t> many(100, 50000);
  EXPECT_EQ(rl_scale_units(RL_MAX_UNITS, many.data(), 100), 1u);
  const std::vector<std::uint32_t> same(1000, 100000);
  EXPECT_EQ(rl_scale_units(777, same.data(), 1000), 777u);
}

TEST(Scale, AgreesWithWideArithmetic) {
  std::mt19937_64 random(2);
  for (int i = 0; i < rounds(200000); i++) {
    const std::uint64_t units = random() % (RL_MAX_UNITS + 1) >> random() % 50;
    const std::size_t n = random() % 4;  // all that fits into 128 bits
    std::uint32_t scales[3];
    __extension__ unsigned __int128 product = units;
    __extension__ unsigned __int128 divisor = 1;
    bool zero = units == 0;
    for (std::size_t j = 0; j < n; j++) {
      scales[j] =
          static_cast<std::uint32_t>(random() % 10000001 >> random() % 24);
      product *= scales[j];
      divisor *= 100000;
      zero = zero || scales[j] == 0;
    }
    const auto exact = product / divisor;
    const std::uint64_t expected = zero                   ? 0
                                   : exact > RL_MAX_UNITS ? RL_MAX_UNITS
                                   : exact == 0
                                       ? 1
                                       : static_cast<std::uint64_t>(exact);
    ASSERT_EQ(rl_scale_units(units, scales, n), expected) << units << " " << n;
  }
}

// Powers of ten, of units alone: in a window "M" is a month.
TEST(Units, Suffixes) {
  const std::pair<const char*, uint64_t> kCases[] = {
      {"0k", 0},
      {"1k", 1000},
      {"10M", 10000000},
      {"50G", 50000000000},
      {"999T", 999000000000000},
      {"999999999999k", 999999999999000},
      {"0T", 0},
  };
  for (const auto& [text, units] : kCases) {
    uint64_t out = 7;
    EXPECT_EQ(nullptr, rl_parse_units(str(text), &out)) << text;
    EXPECT_EQ(units, out) << text;
    EXPECT_EQ(nullptr, rl_read_units(str(text), &out)) << text;
    EXPECT_EQ(units, out) << text;
    const std::string quota_text = std::string(text) + "/1M";
    rl_quota_t quota;
    EXPECT_EQ(nullptr, rl_parse_quota(str(quota_text), 1, &quota)) << text;
    EXPECT_EQ(units, quota.units) << text;
    EXPECT_EQ(1u, quota.window_months) << text;
  }
  for (const char* text :
       {"1000T", "1000000G", "1000000000M", "999999999999999k"}) {
    uint64_t out = 7;
    EXPECT_NE(nullptr, rl_parse_units(str(text), &out)) << text;
    EXPECT_EQ(7u, out) << text;
    EXPECT_EQ(nullptr, rl_read_units(str(text), &out)) << text;
    EXPECT_EQ(RL_MAX_UNITS, out) << text;
    rl_quota_t quota;
    const std::string quota_text = std::string(text) + "/1d";
    EXPECT_NE(nullptr, rl_parse_quota(str(quota_text), 0, &quota)) << text;
    EXPECT_EQ(nullptr, rl_read_quota(str(quota_text), 0, &quota)) << text;
    EXPECT_EQ(RL_MAX_UNITS, quota.units) << text;
  }
  for (const char* text :
       {"k", "1K", "1m", "1g", "1kk", "1 k", "1.5k", "1k.5x", "-1k"}) {
    uint64_t out = 7;
    EXPECT_NE(nullptr, rl_parse_units(str(text), &out)) << text;
  }
}

}  // namespace
