// JSON bodies: escaping, and the problem document.

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "ratelimit/ratelimit.h"
#include "text_util.h"

namespace {

const std::string kFffd = "\xef\xbf\xbd";

std::string escaped(const std::string& text) {
  const Exact in(text);
  const std::size_t len = rl_json_escape(in, nullptr);
  EXPECT_LE(len, text.size() * RL_JSON_EXPANSION);
  Exact buf(std::string(len, 0));
  EXPECT_EQ(rl_json_escape(in, buf.data()), len);
  return std::string(reinterpret_cast<char*>(buf.data()), len);
}

TEST(Json, Escapes) {
  EXPECT_EQ(escaped(""), "");
  EXPECT_EQ(escaped("plain / text"), "plain / text");
  EXPECT_EQ(escaped("\"\\\b\f\n\r\t"), "\\\"\\\\\\b\\f\\n\\r\\t");
  EXPECT_EQ(escaped(std::string("a\0b", 3)), "a\\u0000b");
  EXPECT_EQ(escaped("\x01\x1f\x0b"), "\\u0001\\u001f\\u000b");
  EXPECT_EQ(escaped("\x7f"), "\x7f");
  EXPECT_EQ(rl_json_escape({0, nullptr}, nullptr), 0u);
}

TEST(Json, ValidUtf8Stays) {
  for (const char* text :
       {"\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
        "\xc3\xa9t\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\xe2\x80\xa8"}) {
    EXPECT_EQ(escaped(text), text);
  }
}

TEST(Json, InvalidUtf8IsReplacedPerMaximalSubpart) {
  const struct {
    std::string text;
    std::string expected;
  } cases[] = {
      {"\x80", kFffd},
      {"\xbf\xbf", kFffd + kFffd},
      {"\xff", kFffd},
      {"\xfe\xff", kFffd + kFffd},
      {"\xc0\x80", kFffd + kFffd},              // overlong
      {"\xc1\xbf", kFffd + kFffd},              // overlong
      {"\xe0\x80\x80", kFffd + kFffd + kFffd},  // overlong
      {"\xe0\x9f\xbf", kFffd + kFffd + kFffd},  // overlong
      {"\xf0\x80\x80\x80", kFffd + kFffd + kFffd + kFffd},
      {"\xed\xa0\x80", kFffd + kFffd + kFffd},              // surrogate
      {"\xed\xbf\xbf", kFffd + kFffd + kFffd},              // surrogate
      {"\xf4\x90\x80\x80", kFffd + kFffd + kFffd + kFffd},  // > U+10FFFF
      {"\xf5\x80\x80\x80", kFffd + kFffd + kFffd + kFffd},
      {"\xc3", kFffd},
      {"\xc3x", kFffd + "x"},
      {"\xc3\"", kFffd + "\\\""},
      {"\xe2\x82", kFffd},
      {"\xe2\x82z", kFffd + "z"},
      {"\xe2\x82\xe2\x82\xac", kFffd + "\xe2\x82\xac"},
      {"\xf0\x9f\x98", kFffd},
      {"\xf0\x9f\x98\n", kFffd + "\\n"},
      {"\xf0\x9f", kFffd},
      {"\xf0", kFffd},
      // The example of the Unicode standard, table 3-8 and around it.
      {"\x61\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64",
       "a" + kFffd + kFffd + kFffd + "b" + kFffd + "c" + kFffd + kFffd + "d"},
      {"\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41",
       kFffd + kFffd + kFffd + kFffd + kFffd + kFffd + kFffd + kFffd + "A"},
      {"\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41",
       kFffd + kFffd + kFffd + kFffd + kFffd + kFffd + kFffd + kFffd + "A"},
      {"\xf4\x91\x92\x93\xff\x41\x80\xbf\x42",
       kFffd + kFffd + kFffd + kFffd + kFffd + "A" + kFffd + kFffd + "B"},
      {"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41",
       kFffd + kFffd + kFffd + kFffd + "A"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(escaped(c.text), c.expected);
}

// An independent strict reader of a JSON string's inside: code points, or
// false.
bool read_json(const std::string& text, std::vector<std::uint32_t>* out) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t j) -> std::uint32_t {
      return j < text.size() ? static_cast<unsigned char>(text[j]) : 0;
    };
    std::uint32_t c = byte(i);
    if (c < 0x20 || c == '"') return false;
    if (c == '\\') {
      const std::string shorts = "\"\\/bfnrt";
      const std::string meanings = "\"\\/\b\f\n\r\t";
      if (i + 1 == text.size()) return false;
      const std::size_t at = shorts.find(text[i + 1]);
      if (at != std::string::npos) {
        out->push_back(static_cast<unsigned char>(meanings[at]));
        i += 2;
        continue;
      }
      if (text[i + 1] != 'u' || i + 6 > text.size()) return false;
      out->push_back(static_cast<std::uint32_t>(
          std::stoul(text.substr(i + 2, 4), nullptr, 16)));
      i += 6;
      continue;
    }
    std::size_t n = 1;
    std::uint32_t least = 0;
    if (c >= 0xf0) {
      n = 4, c &= 7, least = 0x10000;
    } else if (c >= 0xe0) {
      n = 3, c &= 15, least = 0x800;
    } else if (c >= 0xc0) {
      n = 2, c &= 31, least = 0x80;
    } else if (c >= 0x80) {
      return false;
    }
    for (std::size_t j = 1; j < n; j++) {
      if (byte(i + j) >> 6 != 2) return false;
      c = c << 6 | (byte(i + j) & 63);
    }
    if (c < least || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return false;
    out->push_back(c);
    i += n;
  }
  return true;
}

TEST(Json, WhatComesOutIsAlwaysAString) {
  std::mt19937 random(9);
  for (int i = 0; i < rounds(200000); i++) {
    const std::string text = random_text(
        &random, "a\"\\\n\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\xa0", 16);
    std::vector<std::uint32_t> points;
    ASSERT_TRUE(read_json(escaped(text), &points)) << escaped(text);
  }
}

TEST(Json, ValidTextComesBack) {
  std::mt19937 random(10);
  for (int i = 0; i < rounds(100000); i++) {
    std::string text;
    std::vector<std::uint32_t> points;
    for (unsigned n = random() % 8; n > 0; n--) {
      std::uint32_t c = random() % 0x110000 >> random() % 21;
      if (c >= 0xd800 && c < 0xe000) c = 'x';
      points.push_back(c);
      if (c < 0x80) {
        text += static_cast<char>(c);
      } else if (c < 0x800) {
        text += static_cast<char>(0xc0 | c >> 6);
        text += static_cast<char>(0x80 | (c & 63));
      } else if (c < 0x10000) {
        text += static_cast<char>(0xe0 | c >> 12);
        text += static_cast<char>(0x80 | (c >> 6 & 63));
        text += static_cast<char>(0x80 | (c & 63));
      } else {
        text += static_cast<char>(0xf0 | c >> 18);
        text += static_cast<char>(0x80 | (c >> 12 & 63));
        text += static_cast<char>(0x80 | (c >> 6 & 63));
        text += static_cast<char>(0x80 | (c & 63));
      }
    }
    std::vector<std::uint32_t> back;
    ASSERT_TRUE(read_json(escaped(text), &back));
    ASSERT_EQ(back, points);
  }
}

TEST(Json, OneMegabyte) {
  EXPECT_EQ(escaped(std::string(1 << 20, '\0')).size(), 6u << 20);
  EXPECT_EQ(escaped(std::string(1 << 20, '\xf0')).size(), 3u << 20);
  EXPECT_EQ(escaped(std::string(1 << 20, 'x')), std::string(1 << 20, 'x'));
}

std::string problem(const std::vector<rl_item_t>& items, unsigned status) {
  const std::size_t room = rl_problem_len(items.data(), items.size());
  Exact buf(std::string(room, 0));
  const std::size_t len =
      rl_render_problem(items.data(), items.size(), status, buf.data());
  EXPECT_LE(len, room);
  return std::string(reinterpret_cast<char*>(buf.data()), len);
}

TEST(Problem, NamesWhatRefusedAndMayBeShown) {
  rl_policy_t policies[5]{};
  const char* const names[] = {"token", "search", "secret", "trial", "fine"};
  std::vector<rl_item_t> items(5);
  for (std::size_t i = 0; i < 5; i++) {
    policies[i].name = {std::string(names[i]).size(),
                        reinterpret_cast<const unsigned char*>(names[i])};
    items[i].policy = &policies[i];
  }
  policies[2].hidden = 1;
  items[3].dry_run = 1;
  items[4].admitted = 1;
  const std::string start =
      "{\"type\":\"https://iana.org/assignments/http-problem-types"
      "#quota-exceeded\",\"title\":\"Request cannot be satisfied as assigned "
      "quota has been exceeded\",\"status\":";
  EXPECT_EQ(problem(items, 429),
            start + "429,\"violated-policies\":[\"token\",\"search\"]}");
  EXPECT_EQ(problem({items[0]}, 503),
            start + "503,\"violated-policies\":[\"token\"]}");
  EXPECT_EQ(problem({items[2]}, 429), start + "429,\"violated-policies\":[]}");
  EXPECT_EQ(problem({items[2], items[1]}, 429),
            start + "429,\"violated-policies\":[\"search\"]}");
  EXPECT_EQ(problem({items[0]}, UINT32_MAX),
            start + "4294967295,\"violated-policies\":[\"token\"]}");
}

}  // namespace
