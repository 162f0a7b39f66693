// Key sources at request time, read as an attacker would who wants two keys
// for one credential.

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "ratelimit/ratelimit.h"
#include "text_util.h"

namespace {

// Each returns the value, or "(none)".
constexpr const char* kNone = "(none)";

std::string bearer(const std::string& text) {
  const Exact in(text);
  rl_str_t out{};
  return rl_key_bearer(in, &out) ? str(out) : kNone;
}

std::string basic(const std::string& text) {
  const Exact in(text);
  Exact buf(text);
  rl_str_t out{};
  return rl_key_basic(in, buf.data(), &out) ? str(out) : kNone;
}

std::string header(const std::string& text) {
  const Exact in(text);
  rl_str_t out{};
  return rl_key_header(in, &out) ? str(out) : kNone;
}

std::string arg(const std::string& query, const std::string& name) {
  const Exact in(query);
  const Exact wanted(name);
  Exact buf(query);
  rl_str_t out{};
  return rl_key_arg(in, wanted, buf.data(), &out) ? str(out) : kNone;
}

std::string cookie(const std::string& text, const std::string& name) {
  const Exact in(text);
  const Exact wanted(name);
  Exact buf(text);
  rl_str_t out{};
  return rl_key_cookie(in, wanted, buf.data(), &out) ? str(out) : kNone;
}

TEST(Bearer, OneTokenOneKey) {
  const std::vector<std::string> writings = {"Bearer tok",
                                             "bearer tok",
                                             "BEARER tok",
                                             "bEaReR tok",
                                             "Bearer  tok",
                                             "Bearer     tok",
                                             "Bearer\ttok",
                                             "Bearer \t tok",
                                             "Bearer tok ",
                                             "Bearer tok\t",
                                             " Bearer tok",
                                             "\tBearer tok",
                                             "Bearer tok \t ",
                                             "Bearer\vtok",
                                             "Bearer tok\f",
                                             "Bearer tok\x7f",
                                             "Bearer\xa0tok",
                                             "Bearer tok\xa0",
                                             "Bearer tok\xc2\xa0",
                                             "Bearer \xe2\x80\x83tok",
                                             "Bearer tok\xe2\x80\x83",
                                             "Bearer tok\x85",
                                             "Bearer tok junk",
                                             "Bearer tok,junk",
                                             "Bearer tok, Basic x",
                                             "Bearer ,tok",
                                             "Bearer tok\x1fjunk",
                                             std::string("Bearer tok\0", 11)};
  for (const std::string& text : writings)
    EXPECT_EQ(bearer(text), "tok");
}

TEST(Bearer, Values) {
  EXPECT_EQ(bearer("Bearer a.b-c_d~e+f/g=="), "a.b-c_d~e+f/g==");
  EXPECT_EQ(bearer("Bearer 1|sanctum:\"x\""), "1|sanctum:\"x\"");
  EXPECT_EQ(bearer("Bearer Tok"), "Tok");
  const std::string large(1 << 20, 'x');
  EXPECT_EQ(bearer("Bearer " + large), large);
  // Not of RFC 6750, but somebody's credential: it must count.
  EXPECT_EQ(bearer("Bearer \xd0\xba\xd0\xbb"), "\xd0\xba\xd0\xbb");
  EXPECT_EQ(bearer("Bearer ,"), ",");
}

TEST(Bearer, None) {
  for (const std::string& text :
       {std::string(""), std::string("Bearer"), std::string("Bearer "),
        std::string("Bearer \t  "), std::string("Beare tok"),
        std::string("Bearertok"), std::string("Bearer=tok"),
        std::string("Bearers tok"), std::string("Basic dXNlcjpwYXNz"),
        std::string("tok"), std::string(" "), std::string("Bearer\0", 7),
        std::string("\xc2\xa0"), std::string(1 << 20, ' ')}) {
    EXPECT_EQ(bearer(text), kNone) << text.substr(0, 40);
  }
  rl_str_t out{};
  EXPECT_EQ(rl_key_bearer({0, nullptr}, &out), 0);
}

std::string base64(const std::string& text, bool padded) {
  static const char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    unsigned bits = 0;
    const std::size_t n = std::min<std::size_t>(3, text.size() - i);
    for (std::size_t j = 0; j < 3; j++) {
      bits = bits << 8 | (j < n ? static_cast<unsigned char>(text[i + j]) : 0);
    }
    for (std::size_t j = 0; j < 4; j++) {
      if (j <= n) {
        out += digits[bits >> (18 - 6 * j) & 63];
      } else if (padded) {
        out += '=';
      }
    }
  }
  return out;
}

TEST(Basic, Values) {
  EXPECT_EQ(basic("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), "Aladdin");
  EXPECT_EQ(basic("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ"), "Aladdin");
  EXPECT_EQ(basic("bASIC  \tQWxhZGRpbjpvcGVuIHNlc2FtZQ== "), "Aladdin");
  EXPECT_EQ(basic("Basic dXNlcjo="), "user");
  EXPECT_EQ(basic("Basic dXNlcjpwOmM="), "user");  // user:p:c
  EXPECT_EQ(basic("Basic dXNlcg=="), "user");      // no colon
  // The bits behind the last byte are not looked at.
  EXPECT_EQ(basic("Basic dXNlch=="), "user");
  EXPECT_EQ(basic("Basic " + base64("\xc3\xbc\xff:x", true)), "\xc3\xbc\xff");
  EXPECT_EQ(basic("Basic " + base64(std::string("a\0b:c", 5), true)),
            std::string("a\0b", 3));
}

TEST(Basic, None) {
  for (const char* text :
       {"", "Basic", "Basic ", "Basic \t", "Basi dXNlcjpw", "BasicdXNlcjpw",
        "Bearer dXNlcjpw", "Basic OnBhc3M="}) {  // :pass
    EXPECT_EQ(basic(text), kNone) << text;
  }
}

TEST(Basic, WhatIsNotBase64SharesOneKey) {
  for (const std::string& text :
       {std::string("d"), std::string("dXNlc"), std::string("dXN=cjpw"),
        std::string("dXNlcg="), std::string("dXNlcjo=="), std::string("="),
        std::string("=="), std::string("===="), std::string("dXNlcjpw="),
        std::string("dXNlcjpw===="), std::string("dXNl cjpw"),
        std::string("dXNl-cjpw"), std::string("dXNl_jpw"),
        std::string("dX.Nlcjpw"), std::string("dXNl\tcjpw"),
        std::string("dXNlcjpw\xc2\xa0"), std::string("\xff\xff\xff\xff"),
        std::string("dXNl\0cjpw", 9), std::string("dXNlcjpw,")}) {
    EXPECT_EQ(basic("Basic " + text), ":") << text;
  }
}

TEST(Basic, RoundTrip) {
  std::mt19937 random(5);
  for (int i = 0; i < rounds(50000); i++) {
    std::string user = random_text(&random, "abc\xc3\xa9-_?>", 24);
    user.erase(std::remove(user.begin(), user.end(), ':'), user.end());
    const std::string text =
        user + (random() % 4 ? ":" + random_text(&random, "p:", 9) : "");
    if (text.empty()) continue;
    ASSERT_EQ(basic("Basic " + base64(text, random() % 2)),
              user.empty() ? kNone : user);
  }
}

TEST(Basic, OneMegabyte) {
  const std::string user(1 << 20, 'u');
  EXPECT_EQ(basic("Basic " + base64(user + ":p", true)), user);
  EXPECT_EQ(basic("Basic " + std::string(1 << 20, '=')), ":");
}

TEST(Header, Trimmed) {
  EXPECT_EQ(header("tok"), "tok");
  EXPECT_EQ(header(" tok\t"), "tok");
  EXPECT_EQ(header("tok\v\f\x7f"), "tok");
  EXPECT_EQ(header("a b"), "a b");
  EXPECT_EQ(header("Jos\xc3\xa9"), "Jos\xc3\xa9");
  EXPECT_EQ(header(""), kNone);
  EXPECT_EQ(header(" \t "), kNone);
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

TEST(Cookie, Values) {
  const struct {
    const char* text;
    const char* expected;
  } cases[] = {
      {"k=v", "v"},
      {"a=b; k=v", "v"},
      {"a=b;k=v;c=d", "v"},
      {"a=b;\tk=v", "v"},
      {"k=v ; a=b", "v"},
      {" k = v ", "v"},
      {"k=v; k=w", "v"},
      {"k=; k=v", "v"},
      {"k=\"\"; k=v", "v"},
      {"k; k=v", "v"},
      {";;k=v;", "v"},
      {"k=\"v\"", "v"},
      {"k=\"v", "\"v"},
      {"k=v\"", "v\""},
      {"k=\"", "\""},
      {"k=a=b==", "a=b=="},
      {"k=a,b", "a,b"},
      {"k=a b", "a b"},
      {"k=a&b", "a&b"},
      {"kk=x; k=v", "v"},
      {"xk=x; k=v", "v"},
      {"K=x; k=v", "v"},
      {"%6b=x; k=v", "v"},
      {"k=%76", "v"},
      {"k=s%3Aabc.def%2b", "s:abc.def+"},
      {"k=%zz", "%zz"},
      {"k=\"\\166\"", "v"},
      {"k=\"\\v\"", "v"},
      {"k=\"a\\\"b\"", "a\"b"},
      {"k=\"a\\\\b\"", "a\\b"},
      {"k=\"\\47v\"", "47v"},
      {"k=\"\\400\"", "400"},
      {"k=\"a\\\"", "a\\"},
      {"k=\\166", "\\166"},
      {"", kNone},
      {"k", kNone},
      {"k=", kNone},
      {"k= ", kNone},
      {"k=\"\"", kNone},
      {"=v", kNone},
      {"a=\"k=v\"", kNone},
      {"K=v", kNone},
      {"$Path=/", kNone},
  };
  for (const auto& c : cases)
    EXPECT_EQ(cookie(c.text, "k"), c.expected) << c.text;
}

TEST(Cookie, OneMegabyte) {
  const std::string large(1 << 20, 'x');
  EXPECT_EQ(cookie("k=" + large, "k"), large);
  EXPECT_EQ(cookie("a=" + large + ";k=v", "k"), "v");
  EXPECT_EQ(cookie(std::string(1 << 20, ';') + "k=v", "k"), "v");
  EXPECT_EQ(cookie("k=\"" + std::string(1 << 20, '\\') + "\"", "k"),
            std::string(1 << 19, '\\'));
}

std::string addr(const std::string& text, int v4_bits, int v6_bits) {
  unsigned char bytes[16];
  std::size_t len = 4;
  if (inet_pton(AF_INET, text.c_str(), bytes) != 1) {
    EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), bytes), 1) << text;
    len = 16;
  }
  rl_source_t source{};
  source.kind = RL_SOURCE_ADDR;
  source.v4_bits = static_cast<std::uint8_t>(v4_bits);
  source.v6_bits = static_cast<std::uint8_t>(v6_bits);
  Exact buf(std::string(RL_ADDR_TEXT_LEN, 0));
  rl_str_t out{};
  return rl_key_addr(bytes, len, &source, buf.data(), &out) ? str(out) : kNone;
}

TEST(Addr, Values) {
  EXPECT_EQ(addr("192.0.2.255", 32, 64), "192.0.2.255");
  EXPECT_EQ(addr("192.0.2.255", 24, 64), "192.0.2.0");
  EXPECT_EQ(addr("192.0.2.255", 25, 64), "192.0.2.128");
  EXPECT_EQ(addr("192.0.2.255", 31, 64), "192.0.2.254");
  EXPECT_EQ(addr("192.0.2.255", 1, 64), "128.0.0.0");
  EXPECT_EQ(addr("192.0.2.255", 0, 64), "0.0.0.0");
  EXPECT_EQ(addr("2001:db8:1:2:3:4:5:6", 32, 64), "2001:db8:1:2::");
  EXPECT_EQ(addr("2001:db8:1:2:3:4:5:6", 32, 56), "2001:db8:1::");
  EXPECT_EQ(addr("2001:db8:1:2:3:4:5:6", 32, 47), "2001:db8::");
  EXPECT_EQ(addr("2001:db8:1:2:3:4:5:6", 32, 128), "2001:db8:1:2:3:4:5:6");
  EXPECT_EQ(addr("2001:db8:1:2:3:4:5:6", 32, 0), "::");
  EXPECT_EQ(addr("::ffff:192.0.2.255", 32, 64), "192.0.2.255");
  EXPECT_EQ(addr("::ffff:192.0.2.255", 24, 0), "192.0.2.0");
  EXPECT_EQ(addr("::1", 32, 128), "::1");
  EXPECT_EQ(addr("::", 32, 128), "::");
  EXPECT_EQ(addr("1::", 32, 128), "1::");
  EXPECT_EQ(addr("1:0:0:2:0:0:0:3", 32, 128), "1:0:0:2::3");
  EXPECT_EQ(addr("1:0:0:2:0:0:3:4", 32, 128), "1::2:0:0:3:4");
  EXPECT_EQ(addr("1:0:2:3:4:5:6:7", 32, 128), "1:0:2:3:4:5:6:7");
  EXPECT_EQ(addr("0:1:2:3:4:5:6:7", 32, 128), "0:1:2:3:4:5:6:7");
  EXPECT_EQ(addr("1:2:3:4:5:6:7:0", 32, 128), "1:2:3:4:5:6:7:0");
  EXPECT_EQ(addr("1:2:3:4:5:6:0:0", 32, 128), "1:2:3:4:5:6::");
  EXPECT_EQ(addr("0:0:3:4:5:6:7:8", 32, 128), "::3:4:5:6:7:8");
  EXPECT_EQ(addr("ABCD:ef01:10:100:1000:0:0:f", 32, 128),
            "abcd:ef01:10:100:1000::f");
  const std::string longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
  EXPECT_EQ(addr(longest, 32, 128), longest);
}

TEST(Addr, OnlyAddresses) {
  const unsigned char bytes[17] = {1};
  unsigned char buf[RL_ADDR_TEXT_LEN];
  rl_source_t source{};
  rl_str_t out{};
  for (std::size_t len = 0; len <= 17; len++) {
    EXPECT_EQ(rl_key_addr(bytes, len, &source, buf, &out),
              len == 4 || len == 16);
  }
}

TEST(Addr, AgreesWithInetNtop) {
  std::mt19937 random(7);
  for (int i = 0; i < rounds(200000); i++) {
    const bool v6 = random() % 4 != 0;
    unsigned char bytes[16];
    for (unsigned char& byte : bytes) {
      byte = random() % 2 ? 0 : static_cast<unsigned char>(random());
    }
    rl_source_t source{};
    source.v4_bits = static_cast<std::uint8_t>(random() % 33);
    source.v6_bits = static_cast<std::uint8_t>(random() % 129);
    const int bits = v6 ? source.v6_bits : source.v4_bits;
    unsigned char masked[16] = {0};
    for (int bit = 0; bit < bits; bit++) {
      masked[bit / 8] |= bytes[bit / 8] & (0x80 >> bit % 8);
    }
    unsigned char buf[RL_ADDR_TEXT_LEN];
    rl_str_t out{};
    ASSERT_TRUE(rl_key_addr(bytes, v6 ? 16 : 4, &source, buf, &out));
    const int family = v6 ? AF_INET6 : AF_INET;
    unsigned char back[16] = {0};
    ASSERT_EQ(inet_pton(family, str(out).c_str(), back), 1) << str(out);
    ASSERT_EQ(std::memcmp(back, masked, v6 ? 16 : 4), 0) << str(out);
    char text[INET6_ADDRSTRLEN];
    inet_ntop(family, masked, text, sizeof(text));
    // glibc writes ::1.2.3.4 for what was IPv4-compatible once.
    if (!v6 || std::strchr(text, '.') == nullptr) {
      ASSERT_EQ(str(out), text);
    }
  }
}

TEST(Key, RandomTextIsSafe) {
  std::mt19937 random(8);
  for (int i = 0; i < rounds(100000); i++) {
    const std::string text =
        random_text(&random, " \t=;&%\"\\k01bearBEAR,", 32);
    bearer(text);
    bearer("Bearer " + text);
    basic("Basic " + text);
    header(text);
    cookie(text, "k");
    arg(text, "k");
  }
}

}  // namespace
