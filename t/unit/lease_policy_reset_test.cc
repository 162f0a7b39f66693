// All keys of a policy that machines share are reset: rows of before go on as
// others, whoever says so first, the machine's own overrides or the bucket.

#include <gtest/gtest.h>

#include "lease_util.h"

namespace ratelimit {
namespace {

constexpr uint64_t kReset = 1795890000000;
constexpr size_t kResetAt = 89;

class PolicyResetTest : public LeaseTest {
 protected:
  rl_item_t reset_item() {
    rl_item_t it = item(1, 100);
    it.reset = kReset;
    return it;
  }

  // Who comes now is not told more than before.
  rl_lease_t* renewed() {
    rl_lease_t* lease = lent(4);
    rl_item_t it = reset_item();
    EXPECT_EQ(RL_PENDING, rl_lease_take(lease, nullptr, &it, 0, now_));
    return lease;
  }
};

TEST_F(PolicyResetTest, WhatIsInHandIsUsedNoMore) {
  rl_lease_t* lease = lent(4);
  int due;
  rl_item_t it = item(1, 100);
  EXPECT_TRUE(rl_leases_use(leases_, &it, now_, &due));
  it = reset_item();
  EXPECT_FALSE(rl_leases_use(leases_, &it, now_, &due));
  EXPECT_EQ(5u, left(lease));
  EXPECT_EQ(RL_PENDING, rl_lease_take(lease, nullptr, &it, 0, now_));
  EXPECT_EQ(0u, left(lease));
}

TEST_F(PolicyResetTest, TheNextRequestIsAnotherRowsFirst) {
  rl_lease_t* lease = lent(4);
  send(lease);
  const uint64_t before = sent(0, 8);
  EXPECT_EQ(0u, sent(kResetAt, 6));
  rl_lease_lost(lease);
  rl_item_t it = reset_item();
  rl_lease_take(lease, nullptr, &it, 0, now_);
  send(lease);
  EXPECT_NE(before, sent(0, 8));
  EXPECT_EQ(1u, sent(kNumber, 4));
  EXPECT_EQ(0u, sent(kUsed, 7));
  EXPECT_EQ(kFirstRequest, sent(kFlags, 1));
  EXPECT_EQ(kReset, sent(kResetAt, 6));
}

TEST_F(PolicyResetTest, AReplyOfBeforeIsNotBelieved) {
  rl_lease_t* lease = lent(4);
  send(lease);
  rl_item_t it = reset_item();
  EXPECT_EQ(RL_PENDING, rl_lease_take(lease, nullptr, &it, 0, now_));
  Reply r;
  r.granted = 10;
  EXPECT_EQ(RL_LEASE_AGAIN, reply(lease, r));
  EXPECT_EQ(0u, left(lease));
  EXPECT_EQ(RL_PENDING, rl_lease_take(lease, nullptr, &it, 0, now_));
}

TEST_F(PolicyResetTest, ABucketSaysThatItWas) {
  rl_lease_t* lease = lent(4);
  rl_waiter_t waiter = {};
  rl_lease_wait(lease, &waiter, 20);
  send(lease);
  Reply r;
  r.status = kBeforeReset;
  r.wait_ms = kReset;
  EXPECT_EQ(RL_LEASE_AGAIN, reply(lease, r));
  EXPECT_EQ(0u, left(lease));
  // Who does not know it yet does not have it forgotten.
  EXPECT_EQ(lease, find(1, 100));
  send(lease);
  EXPECT_EQ(kReset, sent(kResetAt, 6));
  EXPECT_EQ(kFirstRequest, sent(kFlags, 1));
  r = Reply();
  r.granted = 20;
  EXPECT_EQ(RL_LEASE_TOLD, reply(lease, r));
  rl_item_t it = item(1, 100);
  it.cost_units = 20;
  EXPECT_EQ(RL_ADMITTED, rl_lease_take(lease, &waiter, &it, 0, now_));
}

TEST_F(PolicyResetTest, WhereNobodyWaitsThereIsNoMoreToSay) {
  rl_lease_t* lease = lent(4);
  send(lease);
  Reply r;
  r.status = kBeforeReset;
  r.wait_ms = kReset;
  EXPECT_EQ(RL_LEASE_TOLD, reply(lease, r));
  EXPECT_EQ(RL_NOT_DUE, rl_lease_is_due(lease, now_));
}

TEST_F(PolicyResetTest, ALostRedisIsNotToldOfBefore) {
  rl_lease_t* lease = renewed();
  rl_leases_lose(leases_, RL_SHARDS);
  send(lease);
  EXPECT_EQ(kFirstRequest, sent(kFlags, 1));
  reply(lease, Reply());
  rl_leases_lose(leases_, RL_SHARDS);
  send(lease);
  EXPECT_EQ(kTellsAll, sent(kFlags, 1));
  EXPECT_EQ(kReset, sent(kResetAt, 6)) << "which it is told of with the rest";
}

TEST_F(PolicyResetTest, WhatWasUsedBeforeIsNotGivenBack) {
  rl_lease_t* lease = lent(4);
  rl_item_t before = item(1, 100);
  int due;
  ASSERT_TRUE(rl_leases_use(leases_, &before, now_, &due));
  rl_item_t it = reset_item();
  rl_lease_take(lease, nullptr, &it, 0, now_);
  send(lease);
  now_ += 1000;
  reply(lease, Reply());
  rl_leases_refund(leases_, &before, now_);
  EXPECT_EQ(0u, row(lease).back_units);
  EXPECT_EQ(0u, row(lease).used_units);
  EXPECT_EQ(RL_OK, rl_leases_settle(leases_, &before, 3, now_));
  EXPECT_EQ(2u, row(lease).used_units) << "what comes after it counts";
  EXPECT_EQ(kReset, row(lease).terms.reset);
}

TEST_F(PolicyResetTest, ALookSeesTheWholeQuota) {
  for (const rl_algorithm_e algorithm :
       {RL_SLIDING, RL_FIXED, RL_CALENDAR, RL_GCRA}) {
    algorithm_ = algorithm;
    make(8);
    lent(4);
    rl_item_t it = item(1, 100);
    ASSERT_TRUE(rl_leases_look(leases_, now_, &it));
    EXPECT_GT(100u, it.remaining_units);
    it = reset_item();
    ASSERT_TRUE(rl_leases_look(leases_, now_, &it));
    EXPECT_EQ(100u, it.remaining_units);
    EXPECT_EQ(0u, it.reset_ms);
  }
}

}  // namespace
}  // namespace ratelimit
