// How much a lease borrows, and when it is renewed or goes back.

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "lease_util.h"

namespace ratelimit {
namespace {

// A lease that may borrow, and the clock and Redis around it.
class BorrowingTest : public LeaseTest {
 protected:
  BorrowingTest() {
    make(8, 1);
    lease_ = find(1, 1000);
  }

  // One who waits is given what is asked for, and uses what it waited for.
  void wait_and_use(uint64_t units, uint32_t lease_ms = 3750) {
    rl_waiter_t waiter = {};
    rl_lease_wait(lease_, &waiter, units);
    send(lease_);
    answer(lease_ms);
    ASSERT_EQ(RL_ADMITTED, ask(lease_, &waiter, units));
    use(lease_, units);
    rl_lease_leave(&waiter);
  }

  void answer(uint32_t lease_ms = 3750) {
    now_ += 1000;
    Reply r;
    r.granted = sent(kWant, 3);
    r.lease_ms = lease_ms;
    r.free_units = free_;
    EXPECT_EQ(RL_LEASE_TOLD, reply(lease_, r));
  }

  // Used every 10 ms, waited for or not, so that it borrows.
  void warm_up() {
    for (int i = 0; i < 100; ++i) {
      now_ += 10000;
      if (ask(lease_, nullptr, 1) == RL_ADMITTED) {
        use(lease_, 1);
      } else {
        wait_and_use(1);
      }
    }
  }

  uint32_t left() const { return LeaseTest::left(lease_); }

  static constexpr size_t kWant = 46, kLongest = 68, kShortest = 72;
  rl_lease_t* lease_;
  int32_t free_ = 900;
};

TEST_F(BorrowingTest, IsByTheRateOfUse) {
  wait_and_use(1);
  EXPECT_EQ(1u, sent(kWant, 3));
  EXPECT_EQ(10u, sent(kLongest, 4));
  EXPECT_EQ(0u, left());
  warm_up();
  // 100 a second and a lease of a sixteenth of a minute.
  EXPECT_EQ(3750u, sent(kLongest, 4));
  EXPECT_EQ(24u, sent(kShortest, 2));
  EXPECT_GT(left(), 50u);
  EXPECT_LT(left(), 1000u);
  EXPECT_EQ(RL_NOT_DUE, rl_lease_is_due(lease_, now_));
}

TEST_F(BorrowingTest, GrowsNoFasterThanTwice) {
  warm_up();
  uint64_t granted = 1;
  uint64_t used = 0;
  make(8, 1);
  lease_ = find(1, 100000);
  for (int i = 0; i < 12; ++i) {
    now_ += 1000;
    const uint64_t units = left() + 1;
    wait_and_use(units);
    EXPECT_LE(sent(kWant, 3), 2 * std::max(granted, used + units));
    granted = sent(kWant, 3);
    used = units;
  }
  EXPECT_GT(granted, 100u);
}

TEST_F(BorrowingTest, IsRenewedBeforeAllIsUsed) {
  warm_up();
  while (rl_lease_is_due(lease_, now_) == RL_NOT_DUE) {
    ASSERT_GT(left(), 1u);
    now_ += 10000;
    use(lease_, 1);
  }
  EXPECT_GT(left(), 0u);
  const uint32_t kept = left();
  send(lease_);
  EXPECT_EQ(kept, sent(kKeep, 7));
  EXPECT_EQ(0u, sent(kNeed, 7));
  EXPECT_GT(sent(kWant, 3), 10u);
  use(lease_, 1);  // what is kept can be used meanwhile
  answer();
  EXPECT_EQ(kept - 1 + sent(kWant, 3), left());
}

// The lease that is taken out of the wheel, at some time before its end.
TEST_F(BorrowingTest, IsRenewedBeforeItsEndIfItIsUsed) {
  warm_up();
  const uint64_t end_us = row(lease_).left_until_us;
  now_ += 10000;
  use(lease_, 1);
  now_ += 10000;
  use(lease_, 1);
  EXPECT_EQ(nullptr, rl_leases_ending(leases_, now_));
  now_ = rl_leases_next_us(leases_);
  ASSERT_LT(now_, end_us - 2 * 1000);
  ASSERT_GT(now_, end_us - 10 * 1000);
  EXPECT_EQ(lease_, rl_leases_ending(leases_, now_));
  EXPECT_EQ(nullptr, rl_leases_ending(leases_, now_));
  EXPECT_EQ(RL_DUE, rl_lease_is_due(lease_, now_));
  send(lease_);
  EXPECT_GT(sent(kKeep, 7), 0u);
  answer();
  EXPECT_GT(rl_leases_next_us(leases_), end_us);
}

TEST_F(BorrowingTest, GoesBackBeforeItsEndIfOthersMayNeedIt) {
  warm_up();
  free_ = 100;
  while (rl_lease_is_due(lease_, now_) == RL_NOT_DUE)
    use(lease_, 1);
  send(lease_);
  answer();
  ASSERT_GT(left(), 3u);
  now_ = rl_leases_next_us(leases_);
  EXPECT_EQ(lease_, rl_leases_ending(leases_, now_));
  EXPECT_EQ(RL_DUE, rl_lease_is_due(lease_, now_));
  send(lease_);
  EXPECT_EQ(0u, sent(kKeep, 7));
  EXPECT_EQ(0u, sent(kWant, 3));
  EXPECT_EQ(0u, left());
  answer();
  EXPECT_EQ(RL_NOT_DUE, rl_lease_is_due(lease_, now_));
  EXPECT_EQ(UINT64_MAX, rl_leases_next_us(leases_));
}

TEST_F(BorrowingTest, EndsOfItselfWhereThereIsEnough) {
  warm_up();
  while (rl_lease_is_due(lease_, now_) == RL_NOT_DUE)
    use(lease_, 1);
  send(lease_);
  answer();
  now_ = rl_leases_next_us(leases_);
  EXPECT_EQ(lease_, rl_leases_ending(leases_, now_));
  EXPECT_EQ(RL_NOT_DUE, rl_lease_is_due(lease_, now_));
}

TEST_F(BorrowingTest, StopsWhereNothingMoreThanWhatWaitsIsGiven) {
  warm_up();
  ASSERT_EQ(3750u, sent(kLongest, 4));
  Reply r;
  r.granted = 1;
  for (int i = 0; i < 100; ++i) {
    now_ += 10000;
    rl_waiter_t waiter = {};
    const uint64_t units = left() + 1;
    rl_lease_wait(lease_, &waiter, units);
    send(lease_);
    reply(lease_, r);
    use(lease_, units);
    rl_lease_leave(&waiter);
  }
  EXPECT_EQ(10u, sent(kLongest, 4));
  EXPECT_EQ(sent(kWaits, 7), sent(kWant, 3));
}

TEST_F(BorrowingTest, AWorkerThatExitsBorrowsNothing) {
  warm_up();
  exiting_ = 1;
  while (left() > 0)
    use(lease_, 1);
  wait_and_use(1);
  EXPECT_EQ(1u, sent(kWant, 3));
  EXPECT_EQ(10u, sent(kLongest, 4));
}

// A Redis that lacks the last counts would grant what others have used.
TEST_F(BorrowingTest, NothingIsAskedForWhileOthersTell) {
  warm_up();
  rl_waiter_t waiter = {};
  rl_lease_wait(lease_, &waiter, left() + 1);
  rl_leases_lose(leases_, RL_SHARDS);
  closed_ = 1;
  const uint64_t kept = left();
  send(lease_);
  EXPECT_EQ(kTellsAll, sent(kFlags, 1));
  EXPECT_EQ(kept, sent(kKeep, 7));
  EXPECT_EQ(0u, sent(kNeed, 7));
  EXPECT_EQ(0u, sent(kWaits, 7));
  EXPECT_EQ(0u, sent(kWant, 3));
}

TEST_F(BorrowingTest, AtTheEndAllGoesBackWithTheRow) {
  EXPECT_FALSE(rl_lease_end(lease_, now_));  // Redis knows of none
  warm_up();
  ASSERT_GT(left(), 0u);
  rl_waiter_t waiter = {};
  rl_lease_wait(lease_, &waiter, 500);
  send(lease_);  // and there is no time for its reply
  EXPECT_TRUE(rl_lease_end(lease_, now_));
  EXPECT_EQ(RL_DUE, rl_lease_is_due(lease_, now_));
  send(lease_);
  EXPECT_EQ(kLastRequest, sent(kFlags, 1));
  EXPECT_EQ(0u, sent(kKeep, 7));
  EXPECT_EQ(0u, sent(kWant, 3));
  EXPECT_EQ(0u, sent(kNeed, 7));
  EXPECT_EQ(RL_NOT_DUE, rl_lease_is_due(lease_, now_));
}

// Redis's new row must not end before the lease that the units are under.
TEST_F(BorrowingTest, WhatIsKeptIsToldWithItsSpan) {
  warm_up();
  const uint64_t rest_us = row(lease_).left_until_us - now_;
  exiting_ = 1;  // it does not borrow: a short life
  rl_waiter_t waiter = {};
  rl_lease_wait(lease_, &waiter, left() + 1);
  rl_leases_lose(leases_, rl_lease_shard(lease_));
  send(lease_);
  EXPECT_GT(sent(kKeep, 7), 0u);
  EXPECT_GE(1000 * sent(kLongest, 4), rest_us);
  EXPECT_LE(sent(kLongest, 4), 3750u);
}

TEST_F(BorrowingTest, ALeaseThatGivesWayIsWatchedNoMore) {
  warm_up();
  ASSERT_NE(UINT64_MAX, rl_leases_next_us(leases_));
  for (uint64_t key = 2; key < 12; ++key)
    find(key);
  EXPECT_EQ(UINT64_MAX, rl_leases_next_us(leases_));
}

}  // namespace
}  // namespace ratelimit
