// What a verified token says: claims, JSON pointers, times.

#include <gtest/gtest.h>

#include <string>

#include "jwt_util.h"

namespace {

constexpr std::uint64_t kNow = 1700000000;

std::string claim(const char* name, const std::string& payload) {
  Verifier verifier({name});
  verifier.line("HS256", kSecret);
  return verifier(issue("HS256", payload));
}

TEST(JwtClaim, Types) {
  const std::string none = "!has no such claim";
  EXPECT_EQ(claim("c", R"({"c":"alice"})"), "alice");
  EXPECT_EQ(claim("c", R"({"c":""})"), none);
  EXPECT_EQ(claim("c", R"({"c":0})"), "0");
  EXPECT_EQ(claim("c", R"({"c":-0})"), "0");
  EXPECT_EQ(claim("c", R"({"c":42})"), "42");
  EXPECT_EQ(claim("c", R"({"c":-17})"), "-17");
  EXPECT_EQ(claim("c", R"({"c":9007199254740993})"), "9007199254740993");
  EXPECT_EQ(claim("c", R"({"c":9223372036854775807})"), "9223372036854775807");
  EXPECT_EQ(claim("c", R"({"c":-9223372036854775808})"),
            "-9223372036854775808");
  EXPECT_EQ(claim("c", R"({"c":1.0})"), none);
  EXPECT_EQ(claim("c", R"({"c":1e3})"), none);
  EXPECT_EQ(claim("c", R"({"c":true})"), none);
  EXPECT_EQ(claim("c", R"({"c":false})"), none);
  EXPECT_EQ(claim("c", R"({"c":null})"), none);
  EXPECT_EQ(claim("c", R"({"c":{}})"), none);
  EXPECT_EQ(claim("c", R"({"c":["a"]})"), none);
  EXPECT_EQ(claim("c", R"({"C":"alice"})"), none);
  EXPECT_EQ(claim("c", R"({})"), none);
  EXPECT_EQ(claim("c", R"({"x":{"c":"alice"}})"), none);
}

// Bytes as they are: nothing is cut at a NUL or changed.
TEST(JwtClaim, Bytes) {
  EXPECT_EQ(claim("c", R"({"c":"a\u0000b"})"), std::string("a\0b", 3));
  EXPECT_EQ(claim("c", R"({"c":"\u0000"})"), std::string(1, 0));
  EXPECT_EQ(claim("c", "{\"c\":\"z\xc3\xbcrich\"}"), "z\xc3\xbcrich");
  EXPECT_EQ(claim("c", R"({"c":"z\u00fcrich"})"), "z\xc3\xbcrich");
  EXPECT_EQ(claim("c", R"({"c":"\ud83d\ude00"})"), "\xf0\x9f\x98\x80");
  EXPECT_EQ(claim("c", R"({"c":" a b\r\n"})"), " a b\r\n");
  const std::string big(9000, 'x');
  EXPECT_EQ(claim("c", "{\"c\":\"" + big + "\"}"), big);
}

TEST(JwtClaim, Names) {
  EXPECT_EQ(claim("https://example.com/id",
                  R"({"https://example.com/id":"a","id":"b"})"),
            "a");
  EXPECT_EQ(claim("a.b", R"({"a":{"b":"x"},"a.b":"y"})"), "y");
  EXPECT_EQ(claim("a~b", R"({"a~b":"y"})"), "y");
  EXPECT_EQ(claim("z\xc3\xbcrich", R"({"z\u00fcrich":"y"})"), "y");
  EXPECT_EQ(claim("0", R"({"0":"y"})"), "y");
}

// The examples of RFC 6901, section 5, and more.
TEST(JwtClaim, Pointers) {
  const std::string none = "!has no such claim";
  const std::string json =
      R"({"foo":["bar","baz"],"":10,"a/b":1,"c%d":2,"e^f":3,"g|h":4,)"
      R"("i\\j":5,"k\"l":6," ":7,"m~n":8,"org":{"id":"o1","":{"x":"y"},)"
      R"("list":[1,{"deep":"z"},[9]],"0":"zero"}})";
  EXPECT_EQ(claim("/foo", json), none);
  EXPECT_EQ(claim("/foo/0", json), "bar");
  EXPECT_EQ(claim("/foo/1", json), "baz");
  EXPECT_EQ(claim("/foo/2", json), none);
  EXPECT_EQ(claim("/foo/-", json), none);
  EXPECT_EQ(claim("/foo/00", json), none);
  EXPECT_EQ(claim("/foo/01", json), none);
  EXPECT_EQ(claim("/foo/+1", json), none);
  EXPECT_EQ(claim("/foo/1 ", json), none);
  EXPECT_EQ(claim("/foo/", json), none);
  EXPECT_EQ(claim("/foo/18446744073709551616", json), none);
  EXPECT_EQ(claim("/", json), "10");
  EXPECT_EQ(claim("/a~1b", json), "1");
  EXPECT_EQ(claim("/c%d", json), "2");
  EXPECT_EQ(claim("/e^f", json), "3");
  EXPECT_EQ(claim("/g|h", json), "4");
  EXPECT_EQ(claim("/i\\j", json), "5");
  EXPECT_EQ(claim("/k\"l", json), "6");
  EXPECT_EQ(claim("/ ", json), "7");
  EXPECT_EQ(claim("/m~0n", json), "8");
  EXPECT_EQ(claim("/org/id", json), "o1");
  EXPECT_EQ(claim("/org/0", json), "zero");
  EXPECT_EQ(claim("/org//x", json), "y");
  EXPECT_EQ(claim("/org/list/0", json), "1");
  EXPECT_EQ(claim("/org/list/1/deep", json), "z");
  EXPECT_EQ(claim("/org/list/2/0", json), "9");
  EXPECT_EQ(claim("/org/list/2/0/0", json), none);
  EXPECT_EQ(claim("/org/id/x", json), none);
  EXPECT_EQ(claim("/org/i", json), none);
  EXPECT_EQ(claim("/org/idx", json), none);
  EXPECT_EQ(claim("/org", json), none);
  // ~01 is ~1, not /.
  EXPECT_EQ(claim("/a~01b", R"({"a/b":1,"a~1b":2})"), "2");
  EXPECT_EQ(claim("/~1org~1id", R"({"/org/id":3})"), "3");
}

TEST(JwtClaim, Parse) {
  for (const char* text : {"sub", "/", "/a", "/a/b", "//", "/~0~1", "a~2",
                           "https://x/y", "~", "a/~"}) {
    const Exact in(text);
    EXPECT_EQ(rl_parse_claim(in), nullptr) << text;
  }
  for (const char* text : {"", "/~", "/~2", "/a~", "/a/~x", "/~~"}) {
    const Exact in(text);
    EXPECT_STREQ(rl_parse_claim(in),
                 "must name a claim, or be a JSON pointer in which \"~0\" "
                 "stands for \"~\" and \"~1\" for \"/\"")
        << text;
  }
}

TEST(JwtClaim, Payloads) {
  const std::string wrong = "!has a payload that is no JSON object";
  for (const char* payload :
       {"", "null", "[]", "\"sub\"", "{\"sub\":\"a\"}{}",
        "{\"sub\":\"\xff\"}", "{\"sub\":\"\xed\xa0\x80\"}",
        "{\"sub\":\"\xc0\x80\"}", "{\"sub\":\"a", "{\"sub\":a}",
        "{\"sub\":NaN}", "{\"sub\":01}", "{\"sub\":0x1}", "{\"sub\":+1}",
        "{\"sub\":012345678901234567890}", "{\"sub\":-}",
        "{\"sub\":12345678901234567890", "{\"sub\":1e999",
        "{\"sub\":12345678901234567890x}", "{\"sub\":1e999.}",
        "{\"sub\":.1e999}", "{\"sub\":1.e999}", "{\"sub\":1e+}",
        "{12345678901234567890:1}", "{1e999:1}", "12345678901234567890",
        "{\"sub\":\"\\ud83\"}", "{\"sub\":\"\\ud83x\"}", "{\"sub\":\"\\u\"}",
        "{\"sub\":\"\\ud83d", "{\"sub\":\"\\", "{\"sub\":\"\\ud83d\\"}) {
    EXPECT_EQ(claim("sub", payload), wrong) << payload;
  }
  EXPECT_EQ(claim("sub", std::string("{\"sub\":\"a\0b\"}", 13)), wrong);
  EXPECT_EQ(claim("sub", std::string("{\"sub\":\"a\"}\0", 12)), wrong);
}

// What other claims hold does not matter unless it breaks JSON's grammar.
TEST(JwtClaim, OtherClaims) {
  for (const char* other :
       {R"("\ud83d")", R"("\udE00")", R"("\ud83d\ud83d\ude00")",
        R"("\ude00\ud83d")", R"("\ud83d\n")", R"("\ud83d\\ude00")",
        R"("\\ud83d")", R"("a\u0000b")", R"(12345678901234567890)",
        R"(-9223372036854775809)", R"(1e999)", R"(-1e999)", R"(1E+999)",
        R"(0e999)", R"(1e-999)", R"(0.1e400)", R"(1e99999999999999999999)",
        R"([9223372036854775808,-1e309,"\udfff"])", R"({"\ud83d":1})",
        R"({"\u0000":1,"\u0000":2})", R"({"y":1,"y":2})"}) {
    const std::string x = std::string("\"x\" : ") + other;
    EXPECT_EQ(claim("sub", "{\"sub\":\"alice\"," + x + "}"), "alice") << x;
    EXPECT_EQ(claim("sub", "{" + x + " , \"sub\":\"alice\"}"), "alice") << x;
  }
  std::string many = R"({"sub":"alice","x":[1e999)";
  while (many.size() < 12000) {
    many += ",9223372036854775808";
  }
  EXPECT_EQ(claim("sub", many + "]}"), "alice");
  const std::string deep = std::string(2500, '[') + std::string(2500, ']');
  EXPECT_EQ(claim("sub", R"({"sub":"alice","x":)" + deep + "}"),
            "!has a payload that is no JSON object");
}

TEST(JwtClaim, BeyondWhatJanssonHolds) {
  const std::string none = "!has no such claim";
  EXPECT_EQ(claim("c", R"({"c":9223372036854775808})"), "9223372036854775808");
  EXPECT_EQ(claim("c", R"({"c":-9223372036854775809})"),
            "-9223372036854775809");
  EXPECT_EQ(claim("c", R"({"c":12345678901234567890})"),
            "12345678901234567890");
  EXPECT_EQ(claim("/a/1", R"({"a":[0,12345678901234567891]})"),
            "12345678901234567891");
  EXPECT_EQ(claim("c", R"({"c":1e999})"), none);
  EXPECT_EQ(claim("c", R"({"c":12345678901234567890.0})"), none);
  EXPECT_EQ(claim("c", R"({"c":12345678901234567890e0})"), none);
  EXPECT_EQ(claim("c", R"({"c":"\ud83d"})"), "\xef\xbf\xbd");
  EXPECT_EQ(claim("c", R"({"c":"a\udE00b\ud83d"})"),
            "a\xef\xbf\xbd"
            "b\xef\xbf\xbd");
  EXPECT_EQ(claim("c", R"({"c":"\ud83d\ud83d\ude00"})"),
            "\xef\xbf\xbd\xf0\x9f\x98\x80");
  EXPECT_EQ(claim("c", R"({"c":"\\ud83d"})"), "\\ud83d");
  EXPECT_EQ(claim("sub", R"({"s\u0000ub":1})"), none);
  EXPECT_EQ(claim("s\xef\xbf\xbdub", R"({"s\u0000ub":1})"), "1");
}

// RFC 7519: the last one.
TEST(JwtClaim, AMemberTwice) {
  EXPECT_EQ(claim("sub", R"({"sub":"a","sub":"b"})"), "b");
  EXPECT_EQ(claim("sub", R"({"sub":"a","s\u0075b":"b"})"), "b");
  EXPECT_EQ(claim("/o/id", R"({"o":{"id":1},"o":{"id":2,"id":3}})"), "3");
  EXPECT_EQ(claim("sub", R"({"sub":"a","sub":null})"), "!has no such claim");
}

std::string at(std::uint64_t now_ms, const std::string& members,
               std::uint64_t leeway_ms = 0) {
  Verifier verifier;
  verifier.line("HS256", kSecret, leeway_ms);
  verifier.now.wall_ms = now_ms;
  const std::string token =
      issue("HS256", "{\"sub\":\"alice\"," + members + "}");
  const std::string first = verifier(token);
  EXPECT_EQ(verifier(token), first) << "remembered, " << members;
  return first;
}

TEST(JwtClaim, Expiry) {
  const std::string expired = "!has expired";
  const std::string exp = "\"exp\":1700000000";
  EXPECT_EQ(at(kNow * 1000 - 1, exp), "alice");
  EXPECT_EQ(at(kNow * 1000, exp), expired);
  EXPECT_EQ(at(kNow * 1000 + 29999, exp, 30000), "alice");
  EXPECT_EQ(at(kNow * 1000 + 30000, exp, 30000), expired);
  EXPECT_EQ(at(kNow * 1000 + 499, "\"exp\":1700000000.5"), "alice");
  EXPECT_EQ(at(kNow * 1000 + 500, "\"exp\":1700000000.5"), expired);
  EXPECT_EQ(at(kNow * 1000, "\"exp\":0"), expired);
  EXPECT_EQ(at(kNow * 1000, "\"exp\":-1"), expired);
  EXPECT_EQ(at(kNow * 1000, "\"exp\":-9223372036854775808"), expired);
  EXPECT_EQ(at(kNow * 1000, "\"exp\":-1e300"), expired);
  EXPECT_EQ(at(kNow * 1000, "\"exp\":1e300"), "alice");
  EXPECT_EQ(at(kNow * 1000, "\"exp\":9223372036854775807"), "alice");
  EXPECT_EQ(at(kNow * 1000, "\"exp\":1e300", UINT64_MAX), "alice");
  EXPECT_EQ(at(kNow * 1000, "\"exp\":0", UINT64_MAX), "alice");
  EXPECT_EQ(at(kNow * 1000, "\"exp\":1.7e9"), expired);
  EXPECT_EQ(at(kNow * 1000, "\"exp\":1.8e9"), "alice");
}

TEST(JwtClaim, TimesBeyondInt64) {
  const std::string expired = "!has expired";
  const std::string early = "!is not valid yet";
  EXPECT_EQ(at(kNow * 1000, "\"exp\":99999999999999999999"), "alice");
  EXPECT_EQ(at(kNow * 1000, "\"exp\":-99999999999999999999"), expired);
  EXPECT_EQ(at(kNow * 1000, "\"nbf\":99999999999999999999"), early);
  EXPECT_EQ(at(kNow * 1000, "\"nbf\":-99999999999999999999"), "alice");
  EXPECT_EQ(at(kNow * 1000, "\"exp\":1e999"), "alice");
  EXPECT_EQ(at(kNow * 1000, "\"exp\":-1e999"), expired);
  EXPECT_EQ(at(kNow * 1000, "\"exp\":0,\"exp\":1e999"), "alice");
  EXPECT_EQ(at(kNow * 1000, "\"exp\":1e-999"), expired);
  EXPECT_EQ(at(kNow * 1000, "\"exp\":\"1800000000\""),
            "!has an invalid \"exp\"");
}

TEST(JwtClaim, NotBefore) {
  const std::string early = "!is not valid yet";
  const std::string nbf = "\"nbf\":1700000000";
  EXPECT_EQ(at(kNow * 1000 - 1, nbf), early);
  EXPECT_EQ(at(kNow * 1000, nbf), "alice");
  EXPECT_EQ(at(kNow * 1000 - 30001, nbf, 30000), early);
  EXPECT_EQ(at(kNow * 1000 - 30000, nbf, 30000), "alice");
  EXPECT_EQ(at(kNow * 1000, "\"nbf\":1e300"), early);
  EXPECT_EQ(at(kNow * 1000, "\"nbf\":9223372036854775807"), early);
  EXPECT_EQ(at(kNow * 1000, "\"nbf\":-1e300"), "alice");
  EXPECT_EQ(at(kNow * 1000, "\"nbf\":-1e300", UINT64_MAX), "alice");
  EXPECT_EQ(at(kNow * 1000, "\"nbf\":1600000000,\"exp\":1800000000"), "alice");
  EXPECT_EQ(at(kNow * 1000, "\"nbf\":1800000000,\"exp\":1600000000"), early);
}

TEST(JwtClaim, TimesAreNumbers) {
  for (const std::string value :
       {"\"1800000000\"", "true", "null", "[1800000000]", "{}", "\"\""}) {
    EXPECT_EQ(at(kNow * 1000, "\"exp\":" + value), "!has an invalid \"exp\"");
    EXPECT_EQ(at(kNow * 1000, "\"nbf\":" + value), "!has an invalid \"nbf\"");
  }
  EXPECT_EQ(at(kNow * 1000, "\"iat\":\"yesterday\""), "alice");
}

}  // namespace
