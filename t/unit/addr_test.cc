// Addresses as keys.

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>

#include "ratelimit/ratelimit.h"
#include "text_util.h"

namespace {

constexpr const char* kNone = "(none)";

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

}  // namespace
