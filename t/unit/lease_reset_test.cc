// A key that machines share is reset: what a machine forgets of its row.

#include <cstring>

#include <gtest/gtest.h>

#include "lease_util.h"

namespace ratelimit {
namespace {

constexpr uint64_t kServer = 1795880000000;  // ms

class ResetTest : public LeaseTest {
 protected:
  // Redis did it so long ago, as it has just been told.
  int reset(uint64_t ago_ms) {
    rl_item_t it = item(1, 100);
    rl_override_t told;
    rl_shared_reset(&it, kServer - ago_ms, &told);
    EXPECT_EQ(it.bucket.lo, rl_shared_reset_bucket(&told));
    EXPECT_EQ(rl_key_id(&policy_, it.bucket.lo), told.key_id);
    EXPECT_EQ(RL_OVERRIDE_KEY_RESET, told.kind);
    return rl_leases_reset(leases_, &told, kServer, now_, now_);
  }
};

TEST_F(ResetTest, UsesBeforeItAreForgotten) {
  rl_lease_t* lease = lent(4);
  now_ += 100000;
  EXPECT_EQ(RL_OK, reset(50));
  EXPECT_EQ(6u, left(lease)) << "what is in hand stays";
  send(lease);
  EXPECT_EQ(0u, sent(kUsed, 7));
}

TEST_F(ResetTest, UsesAfterItCount) {
  rl_lease_t* lease = lent(4);
  now_ += 20000;
  EXPECT_EQ(RL_OK, reset(50));
  send(lease);
  EXPECT_EQ(4u, sent(kUsed, 7));
  rl_lease_lost(lease);
  rl_leases_lose(leases_, RL_SHARDS);
  send(lease);
  EXPECT_EQ(4u, sent(kRequestLen, 7)) << "told to a Redis that has lost them";
}

TEST_F(ResetTest, WhatIsOnItsWayIsNotTakenBack) {
  rl_lease_t* lease = lent(4);
  send(lease);
  EXPECT_EQ(4u, sent(kUsed, 7));
  use(lease, 1);
  now_ += 100000;
  EXPECT_EQ(RL_OK, reset(50));
  Reply r;
  reply(lease, r);
  send(lease);
  EXPECT_EQ(4u, sent(kUsed, 7));
}

TEST_F(ResetTest, WhatIsOwedIsForgottenIfItWasNotSent) {
  rl_lease_t* lease = lent(4);
  use(lease, 9);
  EXPECT_EQ(3u, row(lease).owed_units);
  send(lease);
  use(lease, 2);
  EXPECT_EQ(5u, row(lease).owed_units);
  now_ += 100000;
  EXPECT_EQ(RL_OK, reset(50));
  EXPECT_EQ(3u, row(lease).owed_units);
  reply(lease, Reply());
  EXPECT_EQ(0u, row(lease).owed_units);
}

TEST_F(ResetTest, ALostRedisIsNotToldOfThem) {
  rl_lease_t* lease = lent(4);
  now_ += 100000;
  EXPECT_EQ(RL_OK, reset(50));
  now_ += 100000;
  use(lease, 2);
  rl_leases_lose(leases_, RL_SHARDS);
  send(lease);
  ASSERT_EQ(kTellsAll, sent(kFlags, 1) & kTellsAll);
  EXPECT_EQ(2u, sent(kRequestLen, 7));
}

TEST_F(ResetTest, NorOfADebtThatWasToldBefore) {
  algorithm_ = RL_GCRA;
  rl_lease_t* lease = lent(4);
  EXPECT_EQ(700u, row(lease).left_ms);
  now_ += 100000;
  EXPECT_EQ(RL_OK, reset(200));
  EXPECT_EQ(700u, row(lease).left_ms) << "it was told afterwards";
  EXPECT_EQ(RL_OK, reset(50));
  EXPECT_EQ(0u, row(lease).left_ms);
}

TEST_F(ResetTest, WhatWasUsedBeforeItIsNotGivenBack) {
  rl_lease_t* lease = lent(0);
  rl_item_t it = item(1, 100);
  it.cost_units = 3;
  ASSERT_EQ(RL_ADMITTED, rl_lease_take(lease, nullptr, &it, 0, now_));
  now_ += 100000;
  EXPECT_EQ(RL_OK, reset(50));
  rl_leases_refund(leases_, &it, now_);
  EXPECT_EQ(7u, left(lease));
  EXPECT_EQ(0u, row(lease).back_units);
}

TEST_F(ResetTest, ARefusalHoldsNoLonger) {
  rl_lease_t* lease = find(1, 100);
  rl_waiter_t waiter = {};
  rl_lease_wait(lease, &waiter, 1);
  send(lease);
  now_ += 1000;
  Reply r;
  r.wait_ms = 4000;
  reply(lease, r);
  EXPECT_EQ(RL_REFUSED, ask(lease, &waiter));
  EXPECT_EQ(RL_OK, reset(0));
  EXPECT_EQ(RL_PENDING, ask(lease, &waiter));
}

TEST_F(ResetTest, AMachineWithoutARowHasNothingToForget) {
  EXPECT_EQ(RL_OK, reset(0));
}

TEST_F(ResetTest, ARowTellsTheRestOfABucketsName) {
  rl_item_t it = item(1, 100);
  EXPECT_FALSE(rl_leases_bucket(leases_, &it));
  lent(1);
  const rl_item_t known = item(1, 100);
  it = known;
  it.bucket.hi = 0;
  EXPECT_TRUE(rl_leases_bucket(leases_, &it));
  EXPECT_EQ(known.bucket.hi, it.bucket.hi);
  rl_item_t other = item(2, 100);
  EXPECT_FALSE(rl_leases_bucket(leases_, &other));
}

}  // namespace
}  // namespace ratelimit
