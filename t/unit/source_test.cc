// Key sources as configured.

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "ratelimit/ratelimit.h"
#include "text_util.h"

namespace {

TEST(Source, Valid) {
  const struct {
    const char* text;
    rl_source_e kind;
    const char* name;
    int v4_bits;
    int v6_bits;
    const char* tag;
  } cases[] = {
      {"bearer", RL_SOURCE_BEARER, "", 0, 0, "bearer"},
      {"basic", RL_SOURCE_BASIC, "", 0, 0, "basic"},
      {"header=X-API-Key", RL_SOURCE_HEADER, "X-API-Key", 0, 0, "header"},
      {"header=!#$%&'*+-.^_`|~9aZ", RL_SOURCE_HEADER, "!#$%&'*+-.^_`|~9aZ", 0,
       0, "header"},
      {"arg=api_key", RL_SOURCE_ARG, "api_key", 0, 0, "arg"},
      {"arg=a=b", RL_SOURCE_ARG, "a=b", 0, 0, "arg"},
      {"arg=sch\xc3\xbcssel", RL_SOURCE_ARG, "sch\xc3\xbcssel", 0, 0, "arg"},
      {"arg=a b", RL_SOURCE_ARG, "a b", 0, 0, "arg"},
      {"cookie=sid", RL_SOURCE_COOKIE, "sid", 0, 0, "cookie"},
      {"jwt=sub", RL_SOURCE_JWT, "sub", 0, 0, "jwt"},
      {"jwt=/org/id", RL_SOURCE_JWT, "/org/id", 0, 0, "jwt"},
      {"addr", RL_SOURCE_ADDR, "", 32, 64, "addr"},
      {"addr=24/56", RL_SOURCE_ADDR, "", 24, 56, "addr"},
      {"addr=0/0", RL_SOURCE_ADDR, "", 0, 0, "addr"},
      {"addr=32/128", RL_SOURCE_ADDR, "", 32, 128, "addr"},
      {"$x", RL_SOURCE_VAR, "x", 0, 0, "var"},
      {"${x_1}", RL_SOURCE_VAR, "x_1", 0, 0, "var"},
      {"$http_x_api_key", RL_SOURCE_VAR, "http_x_api_key", 0, 0, "var"},
  };
  for (const auto& c : cases) {
    rl_source_t source{};
    const Exact in(c.text);
    ASSERT_EQ(rl_parse_source(in, &source), nullptr) << c.text;
    EXPECT_EQ(source.kind, c.kind) << c.text;
    EXPECT_EQ(str(source.name), c.name) << c.text;
    EXPECT_EQ(source.v4_bits, c.v4_bits) << c.text;
    EXPECT_EQ(source.v6_bits, c.v6_bits) << c.text;
    EXPECT_EQ(str(rl_source_tag(source.kind)), c.tag) << c.text;
  }
}

TEST(Source, Invalid) {
  const char* const any =
      "must be \"bearer\", \"basic\", \"header=NAME\", \"arg=NAME\", "
      "\"cookie=NAME\", \"jwt=CLAIM\", \"addr[=V4/V6]\" or \"$variable\"";
  const char* const token =
      "must have a name of letters, digits and !#$%&'*+-.^_`|~ behind the =";
  const char* const empty = "must have a name behind the =";
  const char* const addr =
      "must be \"addr=V4/V6\" with prefix lengths of 0 to 32 and 0 to 128";
  const char* const variable =
      "must be \"$variable\" with a name of letters, digits and \"_\"";
  const struct {
    std::string text;
    const char* phrase;
  } cases[] = {
      {"", any},
      {"Bearer", any},
      {"bearer=", any},
      {"bearer=x", any},
      {"basic=x", any},
      {" bearer", any},
      {"bearer ", any},
      {"header", any},
      {"arg", any},
      {"cookie", any},
      {"jwt", any},
      {"var", any},
      {"var=x", any},
      {"ip", any},
      {"=x", any},
      {"=", any},
      {std::string("bearer\0", 7), any},
      {std::string("\0", 1), any},
      {"\xff", any},
      {std::string(1 << 20, 'a'), any},
      {"header=", token},
      {"header=X Y", token},
      {"header=X:Y", token},
      {"header=\"X\"", token},
      {"header=X\xc3\xa9", token},
      {std::string("header=X\0", 9), token},
      {"header=X\x7f", token},
      {"header=a=b", token},
      {"cookie=", token},
      {"cookie=a;b", token},
      {"arg=", empty},
      {"jwt=", empty},
      {"addr=", addr},
      {"addr=24", addr},
      {"addr=24/", addr},
      {"addr=/64", addr},
      {"addr=33/64", addr},
      {"addr=32/129", addr},
      {"addr=-1/64", addr},
      {"addr=+1/64", addr},
      {"addr=24/64/1", addr},
      {"addr=24 /64", addr},
      {"addr=" + std::string(40, '1') + "/64", addr},
      {"addr=4294967320/64", addr},
      {"$", variable},
      {"${}", variable},
      {"${", variable},
      {"${x", variable},
      {"${xy", variable},
      {"$x}", variable},
      {"$x-y", variable},
      {"$x$y", variable},
      {"x$y", any},
      {"$x.y", variable},
      {"$\xc3\xa9", variable},
      {std::string("$x\0", 3), variable},
  };
  for (const auto& c : cases) {
    rl_source_t source{};
    source.v4_bits = 77;
    const Exact in(c.text);
    EXPECT_STREQ(rl_parse_source(in, &source), c.phrase)
        << c.text.substr(0, 60);
    EXPECT_EQ(source.v4_bits, 77) << c.text.substr(0, 60);
  }
}

TEST(Source, RandomTextIsSafe) {
  const std::vector<std::string> starts = {"addr=", "header=", "arg=", "$",
                                           "${",    "cookie=", ""};
  std::mt19937 random(4);
  for (int i = 0; i < rounds(100000); i++) {
    const std::string text = starts[random() % starts.size()] +
                             random_text(&random, "0123/ab_{}$=", 8);
    const Exact in(text);
    rl_source_t source{};
    if (rl_parse_source(in, &source) != nullptr) continue;
    ASSERT_LE(source.v4_bits, 32);
    ASSERT_LE(source.v6_bits, 128);
    ASSERT_LE(source.name.len, text.size());
  }
}

// What rl_key_written makes of a value; "-": the source never yields it.
std::string written(const std::string& source, const std::string& value) {
  rl_source_t parsed{};
  EXPECT_EQ(nullptr, rl_parse_source(str(source), &parsed)) << source;
  unsigned char buf[RL_ADDR_TEXT_LEN];
  rl_str_t out{};
  if (!rl_key_written(str(value), &parsed, buf, &out)) return "-";
  return {reinterpret_cast<const char*>(out.data), out.len};
}

TEST(Written, AnAddressIsMaskedAsTheSourceMasks) {
  EXPECT_EQ("2001:db8:1:2::", written("addr", "2001:DB8:1:2:3:4:5:6"));
  EXPECT_EQ("2001:db8:1:2::", written("addr", "2001:db8:1:2::"));
  EXPECT_EQ("2001:db8::1", written("addr=24/128", "2001:db8::1"));
  EXPECT_EQ("192.0.2.0", written("addr=24/128", "192.0.2.77"));
  EXPECT_EQ("192.0.2.77", written("addr", "::ffff:192.0.2.77"));
  for (const char* bad : {"", "acme", "192.0.2", "2001:db8::/64", "1.2.3.4 "}) {
    EXPECT_EQ("-", written("addr", bad)) << bad;
  }
  EXPECT_EQ("-", written("addr", std::string(60, '1')));
  EXPECT_EQ("-", written("addr", std::string("::1\0", 4)));
}

TEST(Written, OtherSourcesYieldAValueOrNeverDo) {
  EXPECT_EQ("abc", written("bearer", "abc"));
  EXPECT_EQ("-", written("bearer", "a b"));
  EXPECT_EQ("-", written("bearer", "a,b"));
  EXPECT_EQ("bob", written("basic", "bob"));
  EXPECT_EQ(":", written("basic", ":"));
  EXPECT_EQ("-", written("basic", "bob:x"));
  EXPECT_EQ("a b", written("header=X", "a b"));
  EXPECT_EQ("-", written("header=X", " a"));
  EXPECT_EQ(" a", written("arg=x", " a"));
  EXPECT_EQ("-", written("arg=x", ""));
}

}  // namespace
