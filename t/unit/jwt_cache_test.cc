// What is remembered of tokens: the right values, for the right tokens, in
// memory that does not grow.

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "jwt_util.h"

namespace {

std::string payload_of(int i) {
  return R"({"sub":"user-)" + std::to_string(i) + "\"}";
}

TEST(JwtCache, RemembersUntilItExpires) {
  Verifier verifier;
  verifier.line("HS256", kSecret);
  const std::string token =
      issue("HS256", R"({"sub":"alice","nbf":1700000010,"exp":1700000020})");
  const auto at = [&](std::uint64_t second) {
    verifier.now.wall_ms = 1700000000000 + second * 1000;
    return verifier(token);
  };
  EXPECT_EQ(at(0), "!is not valid yet");
  EXPECT_EQ(at(9), "!is not valid yet");
  EXPECT_EQ(at(10), "alice");
  EXPECT_EQ(at(19), "alice");
  EXPECT_EQ(at(20), "!has expired");
  EXPECT_EQ(at(12), "alice");  // the clock was set back
  verifier.drop_lines();
  EXPECT_EQ(at(13), "alice");
}

TEST(JwtCache, SeveralClaims) {
  Verifier verifier({"sub", "/org/id", "none", "n", "/sub"});
  verifier.line("HS256", kSecret);
  const std::string token =
      issue("HS256", R"({"sub":"alice","org":{"id":"o1"},"n":-7})");
  for (int i = 0; i < 2; i++) {
    EXPECT_EQ(verifier(token, 3), "-7");
    EXPECT_EQ(verifier(token, 0), "alice");
    EXPECT_EQ(verifier(token, 1), "o1");
    EXPECT_EQ(verifier(token, 2), "!has no such claim");
    EXPECT_EQ(verifier(token, 4), "alice");
  }
}

TEST(JwtCache, SeveralClaimsOfATokenThatWasNamedOnce) {
  Verifier verifier({"sub", "none", "/org/id"});
  verifier.line("HS256", kSecret);
  const std::string token =
      issue("HS256", R"({"sub":"alice","org":{"id":"o1"}})");
  EXPECT_EQ(verifier.several(token, 3), "alice ! o1 ");
  EXPECT_EQ(verifier.several(token + "A", 3), "! ! ! ");
  verifier.drop_lines();
  EXPECT_EQ(verifier.several(token, 3), "alice ! o1 ");
  const std::string longest(RL_JWT_MAX_TOKEN_LEN + 1, 'x');
  EXPECT_EQ(verifier.several(longest, 3), "! ! ! ");
}

// Whichever piece of it they stand in, and at its end.
TEST(JwtCache, EveryByteOfATokenCounts) {
  Verifier verifier;
  for (const std::size_t len : {0u, 700u, 1475u, 2200u}) {
    const std::string claims =
        R"({"sub":"alice","x":")" + std::string(len, 'x') + "\"}";
    std::string token = issue("HS256", claims);
    verifier.line("HS256", kSecret);
    ASSERT_EQ(verifier(token), "alice");
    verifier.drop_lines();
    for (char& c : token) {
      for (const int bit : {1, 128}) {
        c = static_cast<char>(c ^ bit);
        ASSERT_EQ(verifier(token).substr(0, 1), "!") << &c - &token[0];
        c = static_cast<char>(c ^ bit);
      }
    }
    ASSERT_EQ(verifier(token.substr(1)).substr(0, 1), "!");
    ASSERT_EQ(verifier(token.substr(0, token.size() - 1)).substr(0, 1), "!");
    ASSERT_EQ(verifier(token + std::string(1, 0)).substr(0, 1), "!");
    ASSERT_EQ(verifier(token), "alice");
  }
}

TEST(JwtCache, LinesOfAnotherLevelRememberForThemselves) {
  Verifier verifier;
  verifier.line("HS256", kSecret);
  const std::string token = issue("HS256", payload_of(1));
  EXPECT_EQ(verifier(token), "user-1");
  const std::string foreign = sign(R"({"alg":"HS256"})", payload_of(2),
                                   "HS256", "another secret, older");
  EXPECT_EQ(verifier(foreign), "!has a wrong signature");
  verifier.set_id = 2;
  verifier.line("HS256", "another secret, older");
  EXPECT_EQ(verifier(foreign), "user-2");
  verifier.set_id = 1;
  EXPECT_EQ(verifier(foreign), "!has a wrong signature");
}

// For a minute: a good token may have been refused for lack of memory.
TEST(JwtCache, ForgetsRefusals) {
  Verifier verifier;
  verifier.line("HS256", kSecret);
  const std::string foreign = sign(R"({"alg":"HS256"})", payload_of(2),
                                   "HS256", "another secret, older");
  EXPECT_EQ(verifier(foreign), "!has a wrong signature");
  verifier.line("HS256", "another secret, older");
  verifier.now.wall_ms += 59999;
  EXPECT_EQ(verifier(foreign), "!has a wrong signature");
  verifier.now.wall_ms += 1;
  EXPECT_EQ(verifier(foreign), "user-2");
}

// Nor does a clock that was set back by a day keep one refused.
TEST(JwtCache, ForgetsRefusalsOfAnotherTime) {
  Verifier verifier;
  verifier.line("HS256", kSecret);
  const std::string foreign = sign(R"({"alg":"HS256"})", payload_of(2),
                                   "HS256", "another secret, older");
  EXPECT_EQ(verifier(foreign), "!has a wrong signature");
  verifier.line("HS256", "another secret, older");
  verifier.now.wall_ms -= 86400000;
  EXPECT_EQ(verifier(foreign), "user-2");
}

// More than the ring holds, of very different lengths, asked for at random:
// what is overwritten is checked again and nothing is ever mixed up.
TEST(JwtCache, Churn) {
  std::mt19937 random(7);
  Verifier verifier({"sub", "x"});
  verifier.line("HS256", kSecret);
  std::vector<std::pair<std::string, std::string>> tokens;
  for (int i = 0; i < 600; i++) {
    const std::size_t len = random() % 4 == 0 ? random() % 9000 : 3;
    const std::string x(len, static_cast<char>('a' + i % 26));
    tokens.emplace_back(issue("HS256", R"({"sub":"user-)" + std::to_string(i) +
                                           R"(","x":")" + x + "\"}"),
                        x);
  }
  for (int i = 0; i < rounds(20000); i++) {
    const std::size_t n = random() % tokens.size();
    ASSERT_EQ(verifier(tokens[n].first), "user-" + std::to_string(n));
    if (!tokens[n].second.empty()) {
      ASSERT_EQ(verifier(tokens[n].first, 1), tokens[n].second);
    }
    ASSERT_EQ(verifier(tokens[n].first + "A").substr(0, 1), "!");
  }
}

// The largest token, all of it a claim that is asked for twice, over and over.
TEST(JwtCache, LargestEntries) {
  Verifier verifier({"x", "/x", "none"});
  verifier.line("HS256", kSecret);
  for (int i = 0; i < 300; i++) {
    const std::string x = std::string(12150, 'x') + std::to_string(i);
    const std::string token = issue("HS256", "{\"x\":\"" + x + "\"}");
    ASSERT_LE(token.size(), std::size_t{RL_JWT_MAX_TOKEN_LEN});
    ASSERT_EQ(verifier(token), x);
    ASSERT_EQ(verifier(token, 1), x);
    ASSERT_EQ(verifier(token, 2), "!has no such claim");
  }
}

// A flood of tokens that do not verify leaves what is remembered alone.
TEST(JwtCache, Flood) {
  Verifier verifier;
  verifier.line("ES256", p256().pem());
  const std::string token = issue("ES256", payload_of(1));
  ASSERT_EQ(verifier(token), "user-1");
  const std::string prefix = token.substr(0, token.find('.') + 1);
  for (int i = 0; i < rounds(3000); i++) {
    ASSERT_EQ(verifier(prefix + b64(payload_of(i)) + "." +
                       b64(std::string(64, 'x'))),
              "!has a wrong signature");
  }
  verifier.drop_lines();
  EXPECT_EQ(verifier(token), "user-1");
  EXPECT_EQ(verifier(issue("ES256", payload_of(2))).substr(0, 1), "!");
}

TEST(JwtCache, Size) {
  EXPECT_LT(rl_jwt_cache_size(1), 1310720u);
  EXPECT_LT(rl_jwt_cache_size(64), 1310720u);
}

}  // namespace
