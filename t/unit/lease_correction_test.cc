// Charges of shared quotas that are given back or settled.

#include <algorithm>

#include <gtest/gtest.h>

#include "lease_util.h"

namespace ratelimit {
namespace {

// An item whose cost was charged.
class CorrectionTest : public LeaseTest {
 protected:
  rl_item_t charged(rl_lease_t* lease, uint64_t cost, uint32_t granted) {
    rl_waiter_t waiter = {};
    rl_lease_wait(lease, &waiter, cost);
    send(lease);
    now_ += 1000;
    Reply r;
    r.granted = granted;
    r.lease_ms = 3000;
    r.free_units = 50;
    r.window_end_ms = window_end_;
    reply(lease, r);
    rl_lease_leave(&waiter);
    now_ += 1000;
    rl_item_t it = item(1, 100);
    it.cost_units = cost;
    if (cost > 0) {
      EXPECT_EQ(RL_ADMITTED, rl_lease_take(lease, nullptr, &it, 0, now_));
    }
    it.leased = 1;
    return it;
  }

  // What the next request takes back: units and their age.
  uint64_t back(rl_lease_t* lease, uint64_t* age_ms = nullptr) {
    send(lease);
    if ((sent(kFlags, 1) & kTakesBack) == 0) return 0;
    if (age_ms != nullptr) *age_ms = sent(kRequestLen + 7, 5);
    return sent(kRequestLen, 7);
  }

  uint64_t window_end_ = 0;
};

TEST_F(CorrectionTest, WhatRedisWasNotToldOfIsInHandAgain) {
  rl_lease_t* lease = find(1, 100);
  rl_item_t it = charged(lease, 3, 3);
  EXPECT_EQ(1, it.charged);
  EXPECT_EQ(1, it.leased);
  EXPECT_EQ(50u, it.remaining_units);
  now_ += 1000;
  rl_leases_refund(leases_, &it, now_);
  EXPECT_EQ(0, it.charged);
  EXPECT_EQ(53u, it.remaining_units);
  EXPECT_EQ(3u, left(lease));
  EXPECT_EQ(RL_DUE, rl_lease_is_due(lease, now_));
  EXPECT_EQ(0u, back(lease));
  EXPECT_EQ(0u, sent(kUsed, 7));
}

TEST_F(CorrectionTest, AfterTheLeaseItIsAsIfItHadNotBeenUsed) {
  rl_lease_t* lease = find(1, 100);
  rl_item_t it = charged(lease, 3, 3);
  now_ += 5000000;
  rl_leases_refund(leases_, &it, now_);
  EXPECT_EQ(0u, left(lease));
  rl_waiter_t waiter = {};
  rl_lease_wait(lease, &waiter, 1);
  EXPECT_EQ(0u, back(lease));
  EXPECT_EQ(0u, sent(kUsed, 7));
  EXPECT_EQ(0u, sent(kKeep, 7));
}

TEST_F(CorrectionTest, WhatRedisWasToldOfIsTakenBackOnce) {
  rl_lease_t* lease = find(1, 100);
  rl_item_t it = charged(lease, 3, 3);
  send(lease);
  EXPECT_EQ(3u, sent(kUsed, 7));
  now_ += 1000;
  reply(lease, Reply());
  rl_leases_refund(leases_, &it, now_);
  EXPECT_EQ(RL_DUE, rl_lease_is_due(lease, now_));
  uint64_t age_ms = 0;
  EXPECT_EQ(3u, back(lease, &age_ms));
  EXPECT_EQ(3u, sent(kUsed, 7));
  // A round trip, what it may be late, and what is cut off.
  EXPECT_EQ(1u + 1 + 50 + 2, age_ms);
  rl_lease_lost(lease);
  EXPECT_EQ(RL_NOT_DUE, rl_lease_is_due(lease, now_));
  EXPECT_EQ(0u, back(lease));
}

TEST_F(CorrectionTest, NothingIsTakenBackThatMayHaveLeft) {
  rl_lease_t* lease = find(1, 100);
  rl_item_t it = charged(lease, 3, 3);
  send(lease);
  reply(lease, Reply());
  now_ += 59940000;
  rl_leases_refund(leases_, &it, now_);
  EXPECT_EQ(0u, back(lease));
}

TEST_F(CorrectionTest, NothingIsTakenBackFromAnotherWindow) {
  algorithm_ = RL_FIXED;
  window_end_ = 1795880060000;
  rl_lease_t* lease = find(1, 100);
  rl_item_t it = charged(lease, 3, 3);
  rl_item_t pending = it;
  send(lease);
  reply(lease, Reply());  // of no window
  rl_leases_refund(leases_, &it, now_);
  EXPECT_EQ(0u, back(lease));
  reply(lease, Reply());
  window_end_ += 60000;
  charged(lease, 1, 5);
  rl_leases_refund(leases_, &pending, now_);
  EXPECT_EQ(0u, back(lease));
  EXPECT_EQ(1u, sent(kUsed, 7));
}

TEST_F(CorrectionTest, AfterALossNothingIsTakenBack) {
  rl_lease_t* lease = find(1, 100);
  rl_item_t it = charged(lease, 3, 3);
  send(lease);
  reply(lease, Reply());
  rl_leases_refund(leases_, &it, now_);
  rl_leases_lose(leases_, rl_lease_shard(lease));
  send(lease);
  EXPECT_EQ(kTellsAll, sent(kFlags, 1));
  uint64_t told = 0;
  for (size_t i = 0; i < kWireSlots; ++i)
    told += sent(kRequestLen + 4 * i, 4);
  EXPECT_EQ(0u, told);
  reply(lease, Reply());
  EXPECT_EQ(0u, back(lease));
}

TEST_F(CorrectionTest, OfAnotherRowNothingIsKnown) {
  rl_lease_t* lease = find(1, 100);
  rl_item_t it = charged(lease, 3, 3);
  make(8);
  lease = find(1, 100);
  rl_leases_refund(leases_, &it, now_);
  EXPECT_EQ(RL_NOT_DUE, rl_lease_is_due(lease, now_));
  now_ += 1000;
  charged(lease, 5, 5);
  rl_leases_refund(leases_, &it, now_);
  EXPECT_EQ(0u, back(lease));
  EXPECT_EQ(5u, sent(kUsed, 7));
}

TEST_F(CorrectionTest, AFinalCostTakesUnitsInHandOrIsADebt) {
  rl_lease_t* lease = find(1, 100);
  rl_item_t it = charged(lease, 1, 4);
  rl_leases_settle(leases_, &it, 3, now_);
  EXPECT_EQ(3u, it.cost_units);
  EXPECT_EQ(1u, left(lease));
  EXPECT_EQ(51u, it.remaining_units);
  rl_leases_settle(leases_, &it, 7, now_);
  EXPECT_EQ(0u, left(lease));
  EXPECT_EQ(47u, it.remaining_units);
  EXPECT_EQ(RL_DUE, rl_lease_is_due(lease, now_));
  send(lease);
  EXPECT_EQ(7u, sent(kUsed, 7));
  EXPECT_EQ(RL_NOT_DUE, rl_lease_is_due(lease, now_));
  reply(lease, Reply());
  rl_leases_settle(leases_, &it, 2, now_);
  EXPECT_EQ(1, it.charged);
  EXPECT_EQ(5u, back(lease));
  rl_leases_settle(leases_, &it, 0, now_);
  EXPECT_EQ(0, it.charged);
  reply(lease, Reply());
  EXPECT_EQ(2u, back(lease));
}

TEST_F(CorrectionTest, AnUnchargedItemMayBeSettled) {
  rl_lease_t* lease = find(1, 100);
  rl_item_t it = charged(lease, 0, 0);
  EXPECT_EQ(0, it.charged);
  rl_leases_settle(leases_, &it, 4, now_);
  EXPECT_EQ(1, it.charged);
  send(lease);
  EXPECT_EQ(4u, sent(kUsed, 7));
}

// A request that is under way is not told of it.
TEST_F(CorrectionTest, WhatWasOwedAndComesBackIsNotInHand) {
  rl_lease_t* lease = find(1, 100);
  rl_item_t it = charged(lease, 1, 4);
  rl_leases_settle(leases_, &it, 9, now_);  // Redis is away meanwhile
  EXPECT_EQ(0u, left(lease));
  rl_leases_settle(leases_, &it, 3, now_);
  EXPECT_EQ(1u, left(lease));
  send(lease);
  EXPECT_EQ(3u, sent(kUsed, 7));
}

// A row that was idle for so long goes on as another one.
TEST_F(CorrectionTest, AFinalCostThatComesLateIsStillCounted) {
  for (const rl_algorithm_e algorithm : {RL_SLIDING, RL_GCRA}) {
    algorithm_ = algorithm;
    make(8);
    rl_lease_t* lease = find(1, 100);
    rl_item_t it = charged(lease, 1, 1);
    send(lease);
    reply(lease, Reply());
    const uint64_t id = row(lease).id;
    now_ += 80000000;
    rl_leases_settle(leases_, &it, 8, now_);
    EXPECT_EQ(RL_DUE, rl_lease_is_due(lease, now_));
    send(lease);
    EXPECT_NE(id, row(lease).id);
    EXPECT_EQ(kFirstRequest, sent(kFlags, 1));
    EXPECT_EQ(7u, sent(kUsed, 7));
    EXPECT_EQ(0u, sent(kAge, 5));
    reply(lease, Reply());
    send(lease);
    EXPECT_EQ(7u, sent(kUsed, 7));
  }
}

// Redis does not count it in the window that is over, and opens none for it.
TEST_F(CorrectionTest, AFinalCostAfterTheWindowIsOwedInTheNext) {
  algorithm_ = RL_FIXED;
  window_end_ = 1795880060000;
  rl_lease_t* lease = find(1, 100);
  rl_item_t it = charged(lease, 1, 1);
  send(lease);
  Reply r;
  r.window_end_ms = window_end_;
  reply(lease, r);
  now_ += 61000000;
  rl_leases_settle(leases_, &it, 8, now_);
  send(lease);
  EXPECT_EQ(8u, sent(kUsed, 7));
  reply(lease, Reply());  // there is no window
  EXPECT_EQ(RL_NOT_DUE, rl_lease_is_due(lease, now_));
  now_ += 1000000;
  rl_waiter_t waiter = {};
  rl_lease_wait(lease, &waiter, 1);
  send(lease);
  r.granted = 1;
  r.window_end_ms += 62000;
  reply(lease, r);
  rl_lease_leave(&waiter);
  EXPECT_EQ(RL_DUE, rl_lease_is_due(lease, now_));
  send(lease);
  EXPECT_EQ(7u, sent(kUsed, 7));
  r.granted = 0;
  reply(lease, r);
  EXPECT_EQ(RL_NOT_DUE, rl_lease_is_due(lease, now_));
  r.window_end_ms += 60000;
  now_ += 10000000;
  send(lease);
  reply(lease, r);  // it was counted once
  EXPECT_EQ(0u, row(lease).used_units);
}

TEST_F(CorrectionTest, WhatIsOwedForAWholeWindowIsForgotten) {
  algorithm_ = RL_FIXED;
  window_end_ = 1795880060000;
  rl_lease_t* lease = find(1, 100);
  rl_item_t it = charged(lease, 1, 1);
  now_ += 61000000;
  rl_leases_settle(leases_, &it, 8, now_);
  send(lease);
  reply(lease, Reply());
  now_ += 60000000;
  charged(lease, 1, 1);
  EXPECT_EQ(RL_NOT_DUE, rl_lease_is_due(lease, now_));
  EXPECT_EQ(1u, row(lease).used_units);
}

// All leases are in use by others that wait.
TEST_F(CorrectionTest, NoLeaseIsNeeded) {
  make(1);
  rl_item_t it = charged(find(1, 100), 1, 1);
  rl_waiter_t waiter = {};
  rl_lease_wait(find(2, 100), &waiter, 1);
  ASSERT_EQ(nullptr, find(1, 100));
  EXPECT_EQ(RL_OK, rl_leases_settle(leases_, &it, 8, now_));
  rl_lease_leave(&waiter);
  EXPECT_EQ(RL_DUE, rl_lease_is_due(find(1, 100), now_));
}

}  // namespace
}  // namespace ratelimit
