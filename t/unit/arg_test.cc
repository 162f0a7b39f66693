// Arguments of a query as keys.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "ratelimit/ratelimit.h"
#include "text_util.h"

namespace {

// The value, or "(none)".
constexpr const char* kNone = "(none)";

std::string arg(const std::string& query, const std::string& name) {
  const Exact in(query);
  const Exact wanted(name);
  Exact buf(query);
  rl_str_t out{};
  return rl_key_arg(in, wanted, buf.data(), &out) ? str(out) : kNone;
}

TEST(Arg, Values) {
  const struct {
    const char* query;
    const char* expected;
  } cases[] = {
      {"k=v", "v"},           {"a=b&k=v", "v"},
      {"k=v&a=b", "v"},       {"a=b&k=v&c=d", "v"},
      {"k=v&k=w", "v"},       {"k=&k=v", "v"},
      {"k&k=v", "v"},         {"&&k=v&&", "v"},
      {"k==v", "=v"},         {"k=a=b", "a=b"},
      {"k=a;b", "a;b"},       {"a=b;k=v&k=w", "w"},
      {"kk=x&k=v", "v"},      {"k2=x&k=v", "v"},
      {"xk=x&k=v", "v"},      {"K=x&k=v", "v"},
      {"k=%76", "v"},         {"%6b=v", "v"},
      {"%6B=v", "v"},         {"%6b=%76", "v"},
      {"%6bx=w&k=v", "v"},    {"%6b=&k=v", "v"},
      {"%4B=w&k=v", "v"},     {"x=%26k=w&k=v", "v"},
      {"k=a+b", "a+b"},       {"k=a%2Bb", "a+b"},
      {"k=a%2bb", "a+b"},     {"k=a%20b", "a b"},
      {"k=%25%37%36", "%76"}, {"k=%", "%"},
      {"k=%7", "%7"},         {"k=%zz", "%zz"},
      {"k=%7z", "%7z"},       {"k=%%76", "%v"},
      {"k=%7%36", "%76"},     {"k=%c3%BC", "\xc3\xbc"},
      {"k=\xff", "\xff"},     {"", kNone},
      {"k", kNone},           {"k=", kNone},
      {"k=&k=", kNone},       {"=v", kNone},
      {"&", kNone},           {"K=v", kNone},
      {"a=k=v", kNone},       {"%6=v", kNone},
      {"%=v", kNone},         {"k%00=v", kNone},
  };
  for (const auto& c : cases)
    EXPECT_EQ(arg(c.query, "k"), c.expected) << c.query;
  EXPECT_EQ(arg("k=%00", "k"), std::string(1, '\0'));
  EXPECT_EQ(arg(std::string("k=a\0b", 5), "k"), std::string("a\0b", 3));
  EXPECT_EQ(arg("a%26b%3Dc=v", "a&b=c"), "v");
  EXPECT_EQ(arg("a%=v", "a%"), "v");
  EXPECT_EQ(arg("a%25=v", "a%"), "v");
  EXPECT_EQ(arg("a%20b=v", "a b"), "v");
  // A name is not found where a backend sees another one.
  EXPECT_EQ(arg("a&b=v", "a&b"), kNone);
  EXPECT_EQ(arg("a%62=v", "a%62"), kNone);
  EXPECT_EQ(arg("a%2562=v", "a%62"), "v");
  EXPECT_EQ(arg("a=b=v", "a=b"), kNone);
}

TEST(Arg, IsNotCopiedWithoutEscapes) {
  const std::string query = "x=%41&k=value&y=%42";
  std::string buf = query;
  rl_str_t out{};
  ASSERT_TRUE(rl_key_arg(str(query), str("k"),
                         reinterpret_cast<unsigned char*>(&buf[0]), &out));
  EXPECT_EQ(out.data, str(query).data + 8);
  EXPECT_EQ(buf, query);
}

// What rl_key_arg should find, step by step and by copies.
std::string slow_decoded(const std::string& text) {
  const std::string hex = "0123456789abcdef0123456789ABCDEF";
  std::string out;
  for (std::size_t i = 0; i < text.size(); i++) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const std::size_t high = hex.find(text[i + 1]);
      const std::size_t low = hex.find(text[i + 2]);
      if (high != std::string::npos && low != std::string::npos) {
        out += static_cast<char>(high % 16 * 16 + low % 16);
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

std::string slow_arg(const std::string& query, const std::string& name) {
  std::size_t at = 0;
  while (at <= query.size()) {
    const std::size_t amp = std::min(query.find('&', at), query.size());
    const std::string pair = query.substr(at, amp - at);
    const std::size_t equal = pair.find('=');
    if (equal != std::string::npos && equal + 1 < pair.size() &&
        slow_decoded(pair.substr(0, equal)) == name) {
      return slow_decoded(pair.substr(equal + 1));
    }
    at = amp + 1;
  }
  return kNone;
}

TEST(Arg, AgreesWithASlowModel) {
  std::mt19937 random(6);
  const char* const names[] = {"k", "kk", "%", "6", "k6"};
  int found = 0;
  for (int i = 0; i < rounds(300000); i++) {
    const std::string query = random_text(&random, "kkk66bB%%%&&==", 40);
    const std::string name = names[random() % 5];
    const std::string expected = slow_arg(query, name);
    ASSERT_EQ(arg(query, name), expected) << query << " " << name;
    found += expected != kNone;
  }
  EXPECT_GT(found, 1000);
}

// nginx's own reading of $arg_NAME: the first place where the name, in any
// case, stands at the start or behind a "&" and before a "=".
std::string slow_raw_arg(const std::string& query, const std::string& name) {
  std::string lower = query;
  std::transform(lower.begin(), lower.end(), lower.begin(), ::tolower);
  for (size_t at = 0; (at = lower.find(name + "=", at)) != std::string::npos;
       at++) {
    if (at != 0 && query[at - 1] != '&') continue;
    const size_t begin = at + name.size() + 1;
    const std::string value = query.substr(begin, query.find('&', at) - begin);
    return value.empty() ? kNone : value;
  }
  return kNone;
}

TEST(Arg, RawAsNginxReadsIt) {
  std::mt19937 random(7);
  const char* const names[] = {"k", "kk", "6", "k6"};
  int found = 0;
  for (int i = 0; i < rounds(300000); i++) {
    const std::string query = random_text(&random, "kkKK66B%&&==", 40);
    const std::string name = names[random() % 4];
    const Exact in(query);
    rl_str_t out{};
    const std::string value =
        rl_key_raw_arg(in, str(name), &out) ? str(out) : kNone;
    ASSERT_EQ(value, slow_raw_arg(query, name)) << query << " " << name;
    found += value != kNone;
  }
  EXPECT_GT(found, 1000);
  rl_str_t out{};
  EXPECT_FALSE(rl_key_raw_arg({0, nullptr}, str("k"), &out));
}

TEST(Arg, OneMegabyte) {
  const std::string large(1 << 20, '%');
  EXPECT_EQ(arg("k=" + large, "k"), large);
  EXPECT_EQ(arg(std::string(1 << 20, '&') + "k=v", "k"), "v");
  EXPECT_EQ(arg(std::string(1 << 20, '=') + "&k=v", "k"), "v");
  EXPECT_EQ(arg(large + "=x&k=v", "k"), "v");
  std::string many;
  for (int i = 0; i < 100000; i++)
    many += "%6c=x&";
  EXPECT_EQ(arg(many + "k=v", "k"), "v");
}

TEST(Arg, RandomTextIsSafe) {
  std::mt19937 random(8);
  for (int i = 0; i < rounds(100000); i++) {
    arg(random_text(&random, " \t=;&%\"\\k01", 32), "k");
  }
}

}  // namespace
