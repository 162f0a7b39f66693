// What is sent to Redis, byte by byte.

#include <random>
#include <string>

#include <gtest/gtest.h>

#include "lease_util.h"

namespace ratelimit {
namespace {

// The fields of rows.lua's request in their order: bytes, and where they are.
constexpr unsigned kWidths[] = {8, 4, 1, 5, 7, 7, 7, 7, 3, 7, 7,
                                5, 4, 2, 1, 6, 2, 6, 6, 6, 6, 6};

TEST(Wire, WritesEveryFieldInItsPlace) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 1000; ++round) {
    WireRequest r = {};
    uint64_t values[22];
    for (int i = 0; i < 22; ++i) {
      values[i] = random() >> (64 - 8 * kWidths[i]);
    }
    values[14] &= 0xd;  // no telling, nothing taken back
    r.row = values[0];
    r.number = static_cast<uint32_t>(values[1]);
    r.algorithm = static_cast<uint8_t>(values[2]);
    r.window_ms = values[3];
    r.quota_units = values[4];
    r.capacity_units = values[5];
    r.need_units = values[6];
    r.waits_units = values[7];
    r.want_units = static_cast<uint32_t>(values[8]);
    r.keep_units = values[9];
    r.used_units = values[10];
    values[10] %= kUsedWraps;
    r.age_ms = values[11];
    r.longest_ms = static_cast<uint32_t>(values[12]);
    r.shortest_ms = static_cast<uint16_t>(values[13]);
    r.flags = static_cast<uint8_t>(values[14]);
    r.latest_ms = values[15];
    r.slack_ms = static_cast<uint16_t>(values[16]);
    r.window_end_ms = values[17];
    r.reset = values[18];
    r.begin_ms = values[19];
    r.end_ms = values[20];
    r.next_end_ms = values[21];
    unsigned char buf[RL_LEASE_REQUEST_LEN];
    ASSERT_EQ(kRequestLen, write_request(r, buf));
    size_t at = 0;
    for (int i = 0; i < 22; at += kWidths[i++]) {
      ASSERT_EQ(values[i], little(buf + at, kWidths[i])) << "field " << i;
    }
    ASSERT_EQ(kRequestLen, at);
  }
}

TEST(Wire, WhatIsTakenBackStandsBehind) {
  WireRequest r = {};
  r.flags = kTakesBack;
  r.back_units = 7;
  r.back_age_ms = 70000;
  unsigned char buf[RL_LEASE_REQUEST_LEN];
  ASSERT_EQ(kRequestLen + 12, write_request(r, buf));
  EXPECT_EQ(7u, little(buf + kRequestLen, 7));
  EXPECT_EQ(70000u, little(buf + kRequestLen + 7, 5));
}

TEST(Wire, AValueTooLargeIsTheLargest) {
  WireRequest r = {};
  r.window_ms = UINT64_MAX;
  r.want_units = UINT32_MAX;
  unsigned char buf[RL_LEASE_REQUEST_LEN];
  write_request(r, buf);
  EXPECT_EQ(0xffffffffffu, little(buf + 13, 5));
  EXPECT_EQ(0xffffffu, little(buf + 46, 3));
}

rl_str_t str(const std::string& s) {
  return {s.size(), reinterpret_cast<const unsigned char*>(s.data())};
}

TEST(HashSlot, IsThatOfACluster) {
  EXPECT_EQ(12739u, rl_hash_slot(str("123456789")));
  EXPECT_EQ(rl_hash_slot(str("user1000")),
            rl_hash_slot(str("{user1000}.following")));
  EXPECT_EQ(rl_hash_slot(str("{bar")), rl_hash_slot(str("foo{{bar}}zap")));
  EXPECT_NE(rl_hash_slot(str("")), rl_hash_slot(str("foo{}{bar}")));
}

}  // namespace
}  // namespace ratelimit
