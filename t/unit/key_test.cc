// Key sources at request time, read as an attacker would who wants two keys
// for one credential.

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

// Wherever it stands in a token of any length.
TEST(Bearer, EveryByteThatEndsIt) {
  for (const std::size_t len : {1u, 15u, 17u, 63u, 64u, 65u, 150u}) {
    std::string token(len, 'x');
    for (std::size_t at = 1; at < len; at++) {
      for (int c = 0; c < 256; c++) {
        token[at] = static_cast<char>(c);
        const bool ends = c <= ' ' || c >= 0x7f || c == ',';
        ASSERT_EQ(bearer("Bearer " + token),
                  ends ? token.substr(0, at) : token)
            << len << ' ' << at << ' ' << c;
      }
      token[at] = 'x';
    }
  }
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

std::string trimmed(const std::string& text) {
  const auto is_blank = [](char c) {
    return (c >= 0 && c <= ' ') || c == 127;
  };
  std::size_t begin = 0;
  std::size_t end = text.size();
  while (begin != end && is_blank(text[begin])) {
    begin++;
  }
  while (begin != end && is_blank(text[end - 1])) {
    end--;
  }
  return text.substr(begin, end - begin);
}

// Of what needs no decoding: split by semicolons and at the first equals sign.
std::string plain_cookie(const std::string& text, const std::string& name) {
  std::size_t at = 0;
  while (at <= text.size()) {
    const std::size_t stop = std::min(text.find(';', at), text.size());
    const std::string pair = text.substr(at, stop - at);
    const std::size_t equal = pair.find('=');
    if (equal != std::string::npos && trimmed(pair.substr(0, equal)) == name &&
        !trimmed(pair.substr(equal + 1)).empty()) {
      return trimmed(pair.substr(equal + 1));
    }
    at = stop + 1;
  }
  return kNone;
}

TEST(Cookie, AsSplit) {
  std::mt19937 random(9);
  for (int i = 0; i < rounds(200000); i++) {
    const std::string text = random_text(&random, " \t==;;kks1", 40);
    if (text.find_first_of("%\"\\") != std::string::npos) continue;
    ASSERT_EQ(cookie(text, "k"), plain_cookie(text, "k")) << text;
    ASSERT_EQ(cookie(text, "ks"), plain_cookie(text, "ks")) << text;
  }
}

bool is_field(const std::string& field, const std::string& name) {
  Exact in(field);
  const Exact wanted(name);
  return rl_is_field(in.data(), wanted) != 0;
}

std::string in_lower_case(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

TEST(Field, LettersInAnyCaseAndNothingElse) {
  for (const std::size_t len : {1u, 3u, 4u, 7u, 8u, 9u, 16u, 19u}) {
    std::string name(len, '-');
    std::string field(len, '-');
    for (std::size_t at = 0; at < len; at++) {
      for (int c = 0; c < 256; c++) {
        for (const int other : {c, c ^ 0x20, c ^ 1, c ^ 0x80, c ^ 0xa0}) {
          name[at] = static_cast<char>(c);
          field[at] = static_cast<char>(other);
          ASSERT_EQ(is_field(field, name),
                    in_lower_case(field) == in_lower_case(name))
              << len << ' ' << at << ' ' << c << ' ' << other;
        }
      }
      name[at] = 'N';
      field[at] = 'n';
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
  }
}

}  // namespace
