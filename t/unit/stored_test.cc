// Buckets as Redis has them, read by who only looks.

#include <cstring>
#include <string>

#include <gtest/gtest.h>

#include "ratelimit/ratelimit.h"

namespace {

std::string bytes(uint64_t value, unsigned n) {
  std::string out;
  for (unsigned i = 0; i < n; ++i)
    out += static_cast<char>(value >> 8 * i);
  return out;
}

// As rows.lua writes them: kind, last, used, held, next, wants, active, reset
// and closed.
std::string head(unsigned kind, uint64_t last, uint64_t used, uint64_t held,
                 uint64_t reset = 0) {
  return bytes(kind, 1) + bytes(last, 6) + bytes(used, 7) + bytes(held, 7) +
         bytes(0, 6) + bytes(0, 4) + bytes(0, 1) + bytes(2 * reset, 6);
}

std::string row(uint64_t held, uint64_t end, bool charged = false) {
  return std::string(19, 'r') + bytes(held, 7) + bytes(end, 6) + bytes(0, 3) +
         bytes(charged ? 1 : 0, 1);
}

struct Looked {
  rl_policy_t policy = {};
  rl_item_t item = {};
  rl_shared_bucket_t bucket = {};

  Looked(rl_algorithm_e algorithm, uint64_t window_ms) {
    policy.algorithm = algorithm;
    item.policy = &policy;
    item.quota.units = 100;
    item.quota.window_ms = window_ms;
    item.capacity_units = 100;
  }

  int at(uint64_t now_ms, const std::string& value) {
    return rl_shared_bucket(
        &item, reinterpret_cast<const unsigned char*>(value.data()),
        value.size(), now_ms, &bucket);
  }
};

TEST(Stored, SlidingCountsWhatIsInTheWindow) {
  Looked look(RL_SLIDING, 16000);
  std::string ring;
  for (unsigned i = 0; i < 17; ++i)
    ring += bytes(i == 0 ? 5 : 1, 2);
  const uint64_t last = 1700000;  // in slot 1700, whose count is the first
  const std::string value =
      head(2, last, 21, 7) + ring + row(4, last + 500) + row(3, last + 5000);
  ASSERT_EQ(RL_OK, look.at(last, value));
  EXPECT_EQ(21U, look.bucket.used_units);
  EXPECT_EQ(7U, look.bucket.held_units);
  EXPECT_EQ(2U, look.bucket.rows);
  // A slot has left, and a lease has ended: its units count from then on.
  ASSERT_EQ(RL_OK, look.at(last + 1000, value));
  EXPECT_EQ(20U + 4U, look.bucket.used_units);
  EXPECT_EQ(3U, look.bucket.held_units);
  // The newest count stays for the whole window, and a sixteenth.
  ASSERT_EQ(RL_OK, look.at(last + 16999, value));
  EXPECT_EQ(5U + 3U, look.bucket.used_units);
  ASSERT_EQ(RL_OK, look.at(last + 30000, value));
  EXPECT_EQ(0U, look.bucket.used_units);
  EXPECT_EQ(0U, look.bucket.held_units);
}

// It is among the used units then, and the row says what it was of them.
TEST(Stored, WhatALeaseHeldIsCountedOnceAfterIt) {
  const uint64_t last = 1700000;
  for (const rl_algorithm_e algorithm : {RL_FIXED, RL_CALENDAR}) {
    Looked look(algorithm, 16000);
    const std::string value = head(algorithm * 16 + 2, last, 20, 3) +
                              bytes(last + 9000, 6) +
                              row(4, last - 10, true) + row(3, last + 500);
    ASSERT_EQ(RL_OK, look.at(last, value));
    EXPECT_EQ(20U, look.bucket.used_units);
    EXPECT_EQ(3U, look.bucket.held_units);
    ASSERT_EQ(RL_OK, look.at(last + 1000, value));
    EXPECT_EQ(20U + 3U, look.bucket.used_units);
  }
}

TEST(Stored, LargeQuotasHaveWiderCounts) {
  Looked look(RL_SLIDING, 16000);
  std::string ring;
  for (unsigned i = 0; i < 17; ++i)
    ring += bytes(70000, 4);
  ASSERT_EQ(RL_OK, look.at(1700000, head(4, 1700000, 0, 0) + ring));
  EXPECT_EQ(17U * 70000U, look.bucket.used_units);
}

TEST(Stored, AWindowThatIsOverCountsNothing) {
  for (const auto algorithm : {RL_FIXED, RL_CALENDAR}) {
    Looked look(algorithm, 60000);
    const std::string value =
        head(16 * algorithm + 2, 1000, 30, 5) + bytes(50000, 6) + row(5, 2000);
    ASSERT_EQ(RL_OK, look.at(1500, value));
    EXPECT_EQ(30U, look.bucket.used_units);
    EXPECT_EQ(5U, look.bucket.held_units);
    ASSERT_EQ(RL_OK, look.at(2000, value));
    EXPECT_EQ(35U, look.bucket.used_units);
    ASSERT_EQ(RL_OK, look.at(50000, value));
    EXPECT_EQ(0U, look.bucket.used_units);
    EXPECT_EQ(0U, look.bucket.held_units);
    EXPECT_EQ(1U, look.bucket.rows);
  }
}

TEST(Stored, ADebtDrains) {
  Looked look(RL_GCRA, 1000);  // 100 a second
  const double lasts = 500;
  uint64_t bits;
  std::memcpy(&bits, &lasts, sizeof(bits));
  const std::string value =
      head(16 * RL_GCRA + 2, 1000, 0, 0) + bytes(bits, 8);
  ASSERT_EQ(RL_OK, look.at(1000, value));
  EXPECT_EQ(50U, look.bucket.used_units);
  ASSERT_EQ(RL_OK, look.at(1495, value));
  EXPECT_EQ(1U, look.bucket.used_units);
  ASSERT_EQ(RL_OK, look.at(1500, value));
  EXPECT_EQ(0U, look.bucket.used_units);
}

TEST(Stored, OfBeforeAResetNothingCounts) {
  Looked look(RL_FIXED, 60000);
  const auto value = [](uint64_t reset) {
    return head(16 * RL_FIXED + 2, 1000, 30, 5, reset) + bytes(50000, 6) +
           row(5, 2000);
  };
  look.item.reset = 9000;
  ASSERT_EQ(RL_OK, look.at(1500, value(8000)));
  EXPECT_EQ(0U, look.bucket.used_units);
  EXPECT_EQ(0U, look.bucket.held_units);
  EXPECT_EQ(0U, look.bucket.rows);
  ASSERT_EQ(RL_OK, look.at(1500, value(9000)));
  EXPECT_EQ(30U, look.bucket.used_units);
  EXPECT_EQ(5U, look.bucket.held_units);
  ASSERT_EQ(RL_OK, look.at(9000, value(8000))) << "it is over";
  EXPECT_EQ(35U, look.bucket.used_units);
}

TEST(Stored, RefusesOtherBytes) {
  Looked look(RL_SLIDING, 16000);
  const std::string good = head(2, 1000, 0, 0) + std::string(34, '\0');
  ASSERT_EQ(RL_OK, look.at(1000, good));
  for (size_t n = 0; n < good.size(); ++n) {
    EXPECT_EQ(RL_ERROR, look.at(1000, good.substr(0, n))) << n;
  }
  EXPECT_EQ(RL_ERROR, look.at(1000, good + "x"));
  EXPECT_EQ(RL_ERROR, look.at(1000, head(3, 1000, 0, 0) + good.substr(38)));
  EXPECT_EQ(RL_ERROR, look.at(1000, head(18, 1000, 0, 0) + good.substr(38)));
  look.item.quota.window_ms = 0;
  EXPECT_EQ(RL_ERROR, look.at(1000, good));
}

}  // namespace
