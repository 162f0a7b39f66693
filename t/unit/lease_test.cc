// Leases of shared buckets: what a reply does to them, and what is told.

#include <algorithm>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lease_util.h"

namespace ratelimit {
namespace {

TEST_F(LeaseTest, WhoeverWaitsIsServedInOrder) {
  rl_lease_t* lease = find(1);
  rl_waiter_t a = {}, b = {};
  EXPECT_EQ(RL_PENDING, ask(lease, nullptr));
  ASSERT_EQ(RL_OK, rl_lease_wait(lease, &a, 2));
  ASSERT_EQ(RL_OK, rl_lease_wait(lease, &b, 3));
  EXPECT_EQ(RL_DUE, rl_lease_is_due(lease, now_));
  EXPECT_EQ(kRequestLen, send(lease));
  EXPECT_EQ(RL_NOT_DUE, rl_lease_is_due(lease, now_));
  EXPECT_EQ(kFirstRequest, sent(kFlags, 1));
  EXPECT_EQ(2u, sent(kNeed, 7));
  EXPECT_EQ(5u, sent(kWaits, 7));
  now_ += 1000;
  Reply r;
  r.granted = 4;
  EXPECT_EQ(RL_LEASE_TOLD, reply(lease, r));
  EXPECT_EQ(RL_ADMITTED, ask(lease, &a, 2));
  EXPECT_EQ(RL_PENDING, ask(lease, &b, 3));  // two are the first one's
  EXPECT_EQ(RL_PENDING, ask(lease, nullptr));
  rl_lease_leave(&a);
  use(lease, 2);
  EXPECT_EQ(RL_PENDING, ask(lease, &b, 3));
  EXPECT_EQ(RL_DUE, rl_lease_is_due(lease, now_));
  send(lease);
  EXPECT_EQ(2u, sent(kKeep, 7));
  EXPECT_EQ(2u, sent(kUsed, 7));
  EXPECT_EQ(1u, sent(kNeed, 7));
  EXPECT_EQ(0u, sent(kFlags, 1));
  rl_lease_leave(&b);
  EXPECT_EQ(nullptr, rl_lease_waiters(lease));
}

TEST_F(LeaseTest, UnitsThatNobodyWaitsForGoBackAndAreGone) {
  rl_lease_t* lease = find(1);
  rl_waiter_t a = {};
  rl_lease_wait(lease, &a, 1);
  send(lease);
  Reply r;
  r.granted = 1;
  reply(lease, r);
  rl_lease_leave(&a);
  EXPECT_EQ(RL_DUE, rl_lease_is_due(lease, now_));
  send(lease);
  EXPECT_EQ(0u, sent(kKeep, 7));
  EXPECT_EQ(0u, sent(kNeed, 7));
  EXPECT_EQ(RL_PENDING, ask(lease, nullptr));
}

TEST_F(LeaseTest, UnitsEndALittleBeforeTheirSpanSinceTheSending) {
  rl_lease_t* lease = find(1);
  rl_waiter_t a = {};
  rl_lease_wait(lease, &a, 1);
  send(lease);
  now_ += 9000;
  Reply r;
  r.granted = 1;
  reply(lease, r);
  EXPECT_EQ(RL_ADMITTED, ask(lease, &a));
  now_ = kStart + 10000 - 10000 / 1024 - 2;
  EXPECT_EQ(RL_ADMITTED, ask(lease, &a));
  now_ += 3;
  EXPECT_EQ(RL_PENDING, ask(lease, &a));
  EXPECT_EQ(RL_DUE, rl_lease_is_due(lease, now_));
}

TEST_F(LeaseTest, AReplyThatComesTooLateGivesNothing) {
  rl_lease_t* lease = find(1);
  rl_waiter_t a = {};
  rl_lease_wait(lease, &a, 1);
  send(lease);
  now_ += 10001;
  Reply r;
  r.granted = 1;
  reply(lease, r);
  EXPECT_EQ(RL_PENDING, ask(lease, &a));
}

TEST_F(LeaseTest, AnAgeIsToldLess) {
  rl_lease_t* lease = find(1);
  rl_waiter_t a = {};
  rl_lease_wait(lease, &a, 1);
  send(lease);
  Reply r;
  r.granted = 1;
  reply(lease, r);
  use(lease, 1);
  rl_lease_leave(&a);
  now_ += 20480000;
  rl_lease_wait(lease, &a, 1);
  send(lease);
  EXPECT_EQ(20460u, sent(kAge, 5));
}

TEST_F(LeaseTest, ARefusalHoldsUntilItsTime) {
  rl_lease_t* lease = find(1);
  rl_waiter_t a = {};
  rl_lease_wait(lease, &a, 3);
  send(lease);
  Reply r;
  r.free_units = 2;
  r.wait_ms = 700;
  reply(lease, r);
  EXPECT_EQ(RL_REFUSED, ask(lease, &a, 3));
  EXPECT_EQ(RL_PENDING, ask(lease, nullptr, 2));
  rl_lease_leave(&a);
  rl_item_t it = item(1);
  it.cost_units = 3;
  rl_lease_answer(lease, RL_REFUSED, now_ + 100000, &it);
  EXPECT_FALSE(it.admitted);
  EXPECT_EQ(600u, it.retry_after_ms);
  EXPECT_EQ(600u, it.reset_ms);
  EXPECT_EQ(2u, it.remaining_units);
  EXPECT_EQ(10u, it.limit_units);
  now_ += 700000;
  EXPECT_EQ(RL_PENDING, ask(lease, nullptr, 3));
  now_ = kStart;
  EXPECT_EQ(RL_PENDING, ask(find(1, 11), nullptr, 3));  // a larger quota
}

TEST_F(LeaseTest, ARefusalIsShortWhereOthersHoldUnits) {
  rl_lease_t* lease = find(1);
  rl_waiter_t a = {};
  rl_lease_wait(lease, &a, 1);
  send(lease);
  Reply r;
  r.held = 1;
  r.other_end_ms = 8;
  reply(lease, r);
  EXPECT_EQ(RL_REFUSED, ask(lease, &a));
  now_ += 2500;
  EXPECT_EQ(RL_PENDING, ask(lease, &a));
}

TEST_F(LeaseTest, AnotherWindowForgetsWhatWasUsed) {
  algorithm_ = RL_FIXED;
  rl_lease_t* lease = find(1);
  rl_waiter_t a = {};
  rl_lease_wait(lease, &a, 2);
  send(lease);
  Reply r;
  r.granted = 2;
  r.window_end_ms = 1795880060000;
  r.left_ms = 60000;
  reply(lease, r);
  EXPECT_EQ(RL_ADMITTED, ask(lease, &a, 2));
  use(lease, 2);
  rl_lease_leave(&a);
  rl_lease_wait(lease, &a, 1);
  send(lease);
  EXPECT_EQ(2u, sent(kUsed, 7));
  EXPECT_EQ(1795880060000u, sent(83, 6));
  r.window_end_ms += 60000;
  r.granted = 1;
  reply(lease, r);
  EXPECT_EQ(RL_ADMITTED, ask(lease, &a, 1));
  use(lease, 1);
  rl_lease_leave(&a);
  rl_lease_wait(lease, &a, 1);
  send(lease);
  EXPECT_EQ(1u, sent(kUsed, 7));
}

// A young answer to a first request makes no row: the next is a first one.
TEST_F(LeaseTest, ANewRedisGivesNothingYet) {
  rl_lease_t* lease = find(1);
  rl_waiter_t a = {};
  rl_lease_wait(lease, &a, 1);
  send(lease);
  Reply r;
  r.status = kYoung;
  r.wait_ms = 500;
  r.generation = 77;
  EXPECT_EQ(RL_LEASE_YOUNG, reply(lease, r));
  EXPECT_EQ(77u, generation_);
  EXPECT_EQ(RL_PENDING, ask(lease, &a));
  send(lease);
  EXPECT_EQ(kFirstRequest, sent(kFlags, 1));
  EXPECT_EQ(2u, sent(kNumber, 4));
}

TEST_F(LeaseTest, TellsItsOwnUsesByAge) {
  rl_lease_t* lease = find(1, 100);
  rl_waiter_t a = {};
  rl_lease_wait(lease, &a, 30);
  send(lease);
  Reply r;
  r.granted = 30;
  r.lease_ms = 60000;
  reply(lease, r);
  rl_lease_leave(&a);
  use(lease, 5);
  now_ += 30000000;  // half a window
  use(lease, 7);
  r.status = kTellAll;
  r.granted = 0;
  rl_lease_wait(lease, &a, 1);
  send(lease);
  EXPECT_EQ(RL_LEASE_AGAIN, reply(lease, r));
  EXPECT_EQ(kRequestLen + kSlidingTellingLen, send(lease));
  EXPECT_EQ(kTellsAll, sent(kFlags, 1));
  EXPECT_EQ(7u, sent(kRequestLen, 7));
  uint64_t sum = 0;
  for (size_t i = 1; i < kWireSlots; ++i) {
    const uint64_t n = sent(kRequestLen + kUnitsLen * i, kUnitsLen);
    sum += n;
    if (n > 0) {
      EXPECT_EQ(6u, i);  // eight sixteenths, told as two younger
    }
  }
  EXPECT_EQ(5u, sum);
}

TEST_F(LeaseTest, TellsDebtAndWhatWasUsedSince) {
  algorithm_ = RL_GCRA;
  rl_lease_t* lease = find(1, 100);
  rl_waiter_t a = {};
  rl_lease_wait(lease, &a, 30);
  send(lease);
  Reply r;
  r.granted = 30;
  r.lease_ms = 60000;
  r.left_ms = 5000;
  reply(lease, r);
  use(lease, 4);
  now_ += 1024000;
  rl_leases_lose(leases_, rl_lease_shard(lease));
  EXPECT_EQ(kRequestLen + kGcraTellingLen, send(lease));
  double debt_ms;
  std::memcpy(&debt_ms, request_ + kRequestLen, 8);
  EXPECT_NEAR(3977, debt_ms, 1);
  EXPECT_EQ(4u, sent(kRequestLen + 8, 7));
}

TEST_F(LeaseTest, NoticesThatRedissClockWasSet) {
  rl_lease_t* lease = find(1);
  rl_lease_t* other = find(2);
  rl_waiter_t a = {}, b = {};
  rl_lease_wait(lease, &a, 1);
  rl_lease_wait(other, &b, 1);
  Reply r;
  for (rl_lease_t* l : {lease, other}) {
    send(l);
    reply(l, r);
  }
  now_ += 1000000;
  r.clock_ms += 1000;
  send(lease);
  EXPECT_EQ(r.clock_ms + 1, sent(kLatest, 6));
  r.status = kLate;
  EXPECT_EQ(RL_LEASE_AGAIN, reply(lease, r));  // merely late
  send(lease);
  r.clock_ms += 20000;
  EXPECT_EQ(RL_LEASE_CLOCK_SET, reply(lease, r));
  send(lease);
  EXPECT_EQ(kOldClock, sent(kFlags, 1));
  EXPECT_EQ(r.clock_ms - 20000 + 1, sent(kLatest, 6));
  r.status = kDone;
  now_ += 1000;
  reply(lease, r);
  send(lease);
  EXPECT_EQ(0u, sent(kFlags, 1));
  EXPECT_EQ(r.clock_ms + 2, sent(kLatest, 6));
}

TEST_F(LeaseTest, TheOldestThatNobodyWaitsForGivesWay) {
  make(3);
  rl_lease_t* first = find(1);
  rl_waiter_t a = {};
  rl_lease_wait(first, &a, 1);
  rl_lease_t* second = find(2);
  find(3);
  EXPECT_EQ(second, find(4));
  EXPECT_EQ(first, find(1));
  std::vector<rl_waiter_t> waiters(2);
  rl_lease_wait(find(3), &waiters[0], 1);
  rl_lease_wait(find(4), &waiters[1], 1);
  EXPECT_EQ(nullptr, find(5));
}

TEST_F(LeaseTest, IsUsedAtOnceIfAllIsInHandAndNobodyWaits) {
  rl_item_t it = item(1);
  int due = 0;
  const auto used = [&](uint64_t cost) {
    it.cost_units = cost;
    return rl_leases_use(leases_, &it, now_, &due) != 0;
  };
  EXPECT_FALSE(used(1));
  rl_lease_t* lease = find(1);
  EXPECT_FALSE(used(1));
  rl_waiter_t a = {};
  rl_lease_wait(lease, &a, 3);
  send(lease);
  Reply r;
  r.granted = 9;
  reply(lease, r);
  EXPECT_FALSE(used(2));
  rl_lease_leave(&a);
  now_ += 1000;
  EXPECT_FALSE(used(10));
  EXPECT_FALSE(used(0));
  EXPECT_TRUE(used(4));
  EXPECT_TRUE(due);  // what is left goes back
  EXPECT_TRUE(it.admitted && it.charged && it.leased);
  it.quota.units = it.capacity_units = 12;
  EXPECT_TRUE(used(5));
  EXPECT_FALSE(due);
  EXPECT_EQ(12u, it.limit_units);
  EXPECT_EQ(9u, row(lease).used_units);
  rl_leases_refund(leases_, &it, now_);
  EXPECT_FALSE(it.charged);
  EXPECT_EQ(5u, left(lease));
  now_ = row(lease).left_until_us;
  EXPECT_FALSE(used(1));
}

TEST_F(LeaseTest, OnlySoManyAreMade) {
  make(1000);
  for (uint64_t i = 0; i < 3000; ++i)
    find(i);
  int n = 0;
  for (rl_lease_t* l = nullptr; (l = rl_lease_next(leases_, l)) != nullptr;) {
    n++;
  }
  EXPECT_EQ(1000, n);
}

TEST_F(LeaseTest, WaitersAreBounded) {
  rl_lease_t* lease = find(1);
  std::vector<rl_waiter_t> waiters(RL_MAX_WAITERS + 1);
  for (uint32_t i = 0; i < RL_MAX_WAITERS; ++i) {
    ASSERT_EQ(RL_OK, rl_lease_wait(lease, &waiters[i], 1));
  }
  EXPECT_EQ(RL_ERROR, rl_lease_wait(lease, &waiters[RL_MAX_WAITERS], 1));
}

TEST_F(LeaseTest, ABucketBelongsToItsWindow) {
  unsigned char one[RL_SHARED_KEY_LEN], two[RL_SHARED_KEY_LEN];
  rl_lease_key(find(1), one);
  const rl_item_t it = item(1, 10, 61000);
  rl_lease_key(rl_lease_find(leases_, &it), two);
  EXPECT_NE(0, std::memcmp(one, two, sizeof(one)));
}

TEST_F(LeaseTest, AKeyIsItsShardAndTheBucketsName) {
  rl_lease_t* lease = find(1);
  const auto key_of = [lease](uint64_t lo, uint64_t hi) {
    lease->name = {lo, hi};
    unsigned char key[RL_SHARED_KEY_LEN];
    rl_lease_key(lease, key);
    return std::string(reinterpret_cast<char*>(key), sizeof(key));
  };
  EXPECT_EQ("{00}AAAAAAAAAAAAAA", key_of(0, 0));
  EXPECT_EQ("{ff}______________", key_of(~0ull, ~0ull));
  EXPECT_EQ("{a5}BAAAAAAAAAAAAA", key_of(0xa5ull << 56 | 1, 0));
  const char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::mt19937_64 random(1);
  for (int i = 0; i < 100; ++i) {
    const uint64_t lo = random(), hi = random();
    std::set<std::string> keys = {key_of(lo, hi)};
    for (int bit = 0; bit < 64; ++bit) keys.insert(key_of(lo ^ 1ull << bit, hi));
    for (int bit = 36; bit < 64; ++bit) {
      keys.insert(key_of(lo, hi ^ 1ull << bit));
    }
    EXPECT_EQ(1u + 92, keys.size());
    for (const std::string& key : keys) {
      EXPECT_EQ('{', key[0]);
      EXPECT_EQ('}', key[3]);
      EXPECT_EQ(std::string::npos, key.find_first_not_of(digits, 4));
    }
  }
}

}  // namespace
}  // namespace ratelimit
