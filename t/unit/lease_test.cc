// Leases: what is sent to Redis byte by byte, and what a reply does.

#include "ratelimit/shared/lease.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "ratelimit/ratelimit.h"
#include "ratelimit/shared/wire.h"

namespace ratelimit {
namespace {

constexpr uint64_t kStart = 5000000;  // us

uint64_t little(const unsigned char* at, size_t bytes) {
  uint64_t value = 0;
  while (bytes-- > 0)
    value = value << 8 | at[bytes];
  return value;
}

// The fields of rows.lua's request in their order: bytes, and where they are.
constexpr unsigned kWidths[] = {8, 4, 1, 5, 4, 4, 4, 4, 3, 4, 4,
                                5, 4, 2, 1, 6, 2, 6, 6, 6, 6};

TEST(Wire, WritesEveryFieldInItsPlace) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 1000; ++round) {
    WireRequest r = {};
    uint64_t values[21];
    for (int i = 0; i < 21; ++i) {
      values[i] = random() >> (64 - 8 * kWidths[i]);
    }
    values[14] &= 0xd;  // no telling, nothing taken back
    r.row = values[0];
    r.number = static_cast<uint32_t>(values[1]);
    r.algorithm = static_cast<uint8_t>(values[2]);
    r.window_ms = values[3];
    r.quota_units = static_cast<uint32_t>(values[4]);
    r.capacity_units = static_cast<uint32_t>(values[5]);
    r.need_units = static_cast<uint32_t>(values[6]);
    r.waits_units = static_cast<uint32_t>(values[7]);
    r.want_units = static_cast<uint32_t>(values[8]);
    r.keep_units = static_cast<uint32_t>(values[9]);
    r.used_units = static_cast<uint32_t>(values[10]);
    r.age_ms = values[11];
    r.longest_ms = static_cast<uint32_t>(values[12]);
    r.shortest_ms = static_cast<uint16_t>(values[13]);
    r.flags = static_cast<uint8_t>(values[14]);
    r.latest_ms = values[15];
    r.slack_ms = static_cast<uint16_t>(values[16]);
    r.window_end_ms = values[17];
    r.begin_ms = values[18];
    r.end_ms = values[19];
    r.next_end_ms = values[20];
    unsigned char buf[RL_LEASE_REQUEST_LEN];
    ASSERT_EQ(kRequestLen, write_request(r, buf));
    size_t at = 0;
    for (int i = 0; i < 21; at += kWidths[i++]) {
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
  ASSERT_EQ(kRequestLen + 9, write_request(r, buf));
  EXPECT_EQ(7u, little(buf + kRequestLen, 4));
  EXPECT_EQ(70000u, little(buf + kRequestLen + 4, 5));
}

TEST(Wire, AValueTooLargeIsTheLargest) {
  WireRequest r = {};
  r.window_ms = UINT64_MAX;
  r.want_units = UINT32_MAX;
  unsigned char buf[RL_LEASE_REQUEST_LEN];
  write_request(r, buf);
  EXPECT_EQ(0xffffffffffu, little(buf + 13, 5));
  EXPECT_EQ(0xffffffu, little(buf + 34, 3));
}

// A reply as rows.lua packs it.
struct Reply {
  int status = kDone;
  uint32_t granted = 0;
  uint32_t lease_ms = 10;
  int32_t free_units = 0;
  uint32_t held = 0;
  uint64_t clock_ms = 1795880000000;
  uint64_t wait_ms = 0;
  uint64_t other_end_ms = 0;
  uint64_t left_ms = 0;
  uint64_t window_end_ms = 0;
  uint64_t generation = 0;

  std::string bytes() const {
    std::string out;
    const auto put = [&out](uint64_t value, int n) {
      for (int i = 0; i < n; ++i) {
        out.push_back(static_cast<char>(value >> (8 * i)));
      }
    };
    put(static_cast<uint64_t>(status), 1);
    put(granted, 4);
    put(lease_ms, 4);
    put(static_cast<uint64_t>(free_units), 4);
    put(held, 4);
    for (uint64_t ms :
         {clock_ms, wait_ms, other_end_ms, left_ms, window_end_ms}) {
      put(ms, 6);
    }
    put(generation, 8);
    EXPECT_EQ(size_t{RL_LEASE_REPLY_LEN}, out.size());
    return out;
  }
};

class LeaseTest : public testing::Test {
 protected:
  LeaseTest() { make(8); }

  void make(uint32_t n, int borrow = 0) {
    memory_.assign(rl_leases_size(n) / 8 + 1, 0);
    leases_ = rl_leases_create(memory_.data(), n, 1000, borrow);
  }

  rl_item_t item(uint64_t key, uint32_t units = 10, uint64_t ms = 60000) {
    rl_item_t item = {};
    policy_.algorithm = algorithm_;
    item.policy = &policy_;
    item.bucket = {key * 0x9e3779b97f4a7c15u, key};
    item.quota.units = item.capacity_units = units;
    item.quota.window_ms = ms;
    item.cost_units = 1;
    return item;
  }

  rl_lease_t* find(uint64_t key, uint32_t units = 10) {
    const rl_item_t it = item(key, units);
    return rl_lease_find(leases_, &it, 1);
  }

  // The request's field at a byte.
  uint64_t sent(size_t at, size_t bytes) const {
    return little(request_ + at, bytes);
  }

  size_t send(rl_lease_t* lease) {
    const rl_lease_send_t how = {now_, 1795880000000, 1000, 10, 50, exiting_};
    uint64_t ttl_ms;
    return rl_lease_send(lease, &clock_, &how, request_, &ttl_ms);
  }

  rl_lease_reply_e reply(rl_lease_t* lease, const Reply& r) {
    const std::string bytes = r.bytes();
    return rl_lease_reply(lease, &clock_,
                          reinterpret_cast<const unsigned char*>(bytes.data()),
                          now_, &generation_);
  }

  rl_verdict_e ask(const rl_lease_t* lease, const rl_waiter_t* waiter,
                   uint32_t units = 1) {
    return rl_lease_ask(lease, waiter, units, kStart, now_);
  }

  rl_algorithm_e algorithm_ = RL_SLIDING;
  rl_policy_t policy_ = {};
  std::vector<uint64_t> memory_;
  rl_leases_t* leases_ = nullptr;
  rl_clock_t clock_ = {};
  uint64_t now_ = kStart;
  uint64_t generation_ = 0;
  uint8_t exiting_ = 0;
  unsigned char request_[RL_LEASE_REQUEST_LEN] = {};
};

constexpr size_t kNumber = 8, kNeed = 26, kWaits = 30, kKeep = 37, kUsed = 41,
                 kAge = 45, kFlags = 56, kLatest = 57;

TEST_F(LeaseTest, WhoeverWaitsIsServedInOrder) {
  rl_lease_t* lease = find(1);
  rl_waiter_t a = {}, b = {};
  EXPECT_EQ(RL_PENDING, ask(lease, nullptr));
  ASSERT_EQ(RL_OK, rl_lease_wait(lease, &a, 2));
  ASSERT_EQ(RL_OK, rl_lease_wait(lease, &b, 3));
  EXPECT_TRUE(rl_lease_is_due(lease, now_));
  EXPECT_EQ(kRequestLen, send(lease));
  EXPECT_FALSE(rl_lease_is_due(lease, now_));
  EXPECT_EQ(kFirstRequest, sent(kFlags, 1));
  EXPECT_EQ(2u, sent(kNeed, 4));
  EXPECT_EQ(5u, sent(kWaits, 4));
  now_ += 1000;
  Reply r;
  r.granted = 4;
  EXPECT_EQ(RL_LEASE_TOLD, reply(lease, r));
  EXPECT_EQ(RL_ADMITTED, ask(lease, &a, 2));
  EXPECT_EQ(RL_PENDING, ask(lease, &b, 3));  // two are the first one's
  EXPECT_EQ(RL_PENDING, ask(lease, nullptr));
  rl_lease_leave(&a);
  rl_lease_use(lease, 2, now_);
  EXPECT_EQ(RL_PENDING, ask(lease, &b, 3));
  EXPECT_TRUE(rl_lease_is_due(lease, now_));
  send(lease);
  EXPECT_EQ(2u, sent(kKeep, 4));
  EXPECT_EQ(2u, sent(kUsed, 4));
  EXPECT_EQ(1u, sent(kNeed, 4));
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
  EXPECT_TRUE(rl_lease_is_due(lease, now_));
  send(lease);
  EXPECT_EQ(0u, sent(kKeep, 4));
  EXPECT_EQ(0u, sent(kNeed, 4));
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
  EXPECT_TRUE(rl_lease_is_due(lease, now_));
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
  rl_lease_use(lease, 1, now_);
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
  rl_lease_use(lease, 2, now_);
  rl_lease_leave(&a);
  rl_lease_wait(lease, &a, 1);
  send(lease);
  EXPECT_EQ(2u, sent(kUsed, 4));
  EXPECT_EQ(1795880060000u, sent(65, 6));
  r.window_end_ms += 60000;
  r.granted = 1;
  reply(lease, r);
  EXPECT_EQ(RL_ADMITTED, ask(lease, &a, 1));
  rl_lease_use(lease, 1, now_);
  rl_lease_leave(&a);
  rl_lease_wait(lease, &a, 1);
  send(lease);
  EXPECT_EQ(1u, sent(kUsed, 4));
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
  rl_lease_use(lease, 5, now_);
  now_ += 30000000;  // half a window
  rl_lease_use(lease, 7, now_);
  r.status = kTellAll;
  r.granted = 0;
  rl_lease_wait(lease, &a, 1);
  send(lease);
  EXPECT_EQ(RL_LEASE_AGAIN, reply(lease, r));
  EXPECT_EQ(kRequestLen + kSlidingTellingLen, send(lease));
  EXPECT_EQ(kTellsAll, sent(kFlags, 1));
  EXPECT_EQ(7u, sent(kRequestLen, 4));
  uint64_t sum = 0;
  for (size_t i = 1; i < kWireSlots; ++i) {
    const uint64_t n = sent(kRequestLen + 4 * i, 4);
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
  rl_lease_use(lease, 4, now_);
  now_ += 1024000;
  rl_lease_tell(lease);
  EXPECT_EQ(kRequestLen + kGcraTellingLen, send(lease));
  double debt_ms;
  std::memcpy(&debt_ms, request_ + kRequestLen, 8);
  EXPECT_NEAR(3977, debt_ms, 1);
  EXPECT_EQ(4u, sent(kRequestLen + 8, 4));
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
  rl_item_t it = item(2);
  EXPECT_EQ(nullptr, rl_lease_find(leases_, &it, 0));
  EXPECT_EQ(first, find(1));
  std::vector<rl_waiter_t> waiters(2);
  rl_lease_wait(find(3), &waiters[0], 1);
  rl_lease_wait(find(4), &waiters[1], 1);
  EXPECT_EQ(nullptr, find(5));
}

TEST_F(LeaseTest, ManyAreFoundAgain) {
  make(1000);
  for (uint64_t i = 0; i < 3000; ++i)
    find(i);
  rl_item_t it;
  for (uint64_t i = 0; i < 3000; ++i) {
    it = item(i);
    EXPECT_EQ(i >= 2000, rl_lease_find(leases_, &it, 0) != nullptr) << i;
  }
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
  rl_lease_key(rl_lease_find(leases_, &it, 1), two);
  EXPECT_NE(0, std::memcmp(one, two, sizeof(one)));
}

// A lease that may borrow, and the clock and Redis around it.
class BorrowingTest : public LeaseTest {
 protected:
  BorrowingTest() {
    make(8, 1);
    lease_ = find(1, 1000);
  }

  // One who waits is given what is asked for, and uses what it waited for.
  void wait_and_use(uint32_t units, uint32_t lease_ms = 3750) {
    rl_waiter_t waiter = {};
    rl_lease_wait(lease_, &waiter, units);
    send(lease_);
    answer(lease_ms);
    ASSERT_EQ(RL_ADMITTED, ask(lease_, &waiter, units));
    rl_lease_use(lease_, units, now_);
    rl_lease_leave(&waiter);
  }

  void answer(uint32_t lease_ms = 3750) {
    now_ += 1000;
    Reply r;
    r.granted = static_cast<uint32_t>(sent(kWant, 3));
    r.lease_ms = lease_ms;
    r.free_units = free_;
    EXPECT_EQ(RL_LEASE_TOLD, reply(lease_, r));
  }

  // Used every 10 ms, waited for or not, so that it borrows.
  void warm_up() {
    for (int i = 0; i < 100; ++i) {
      now_ += 10000;
      if (ask(lease_, nullptr, 1) == RL_ADMITTED) {
        rl_lease_use(lease_, 1, now_);
      } else {
        wait_and_use(1);
      }
    }
  }

  uint32_t left() const { return in_hand(*lease_, now_); }

  static constexpr size_t kWant = 34, kLongest = 50, kShortest = 54;
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
  EXPECT_FALSE(rl_lease_is_due(lease_, now_));
}

TEST_F(BorrowingTest, GrowsNoFasterThanTwice) {
  warm_up();
  uint64_t granted = 1;
  uint64_t used = 0;
  make(8, 1);
  lease_ = find(1, 100000);
  for (int i = 0; i < 12; ++i) {
    now_ += 1000;
    const uint32_t units = left() + 1;
    wait_and_use(units);
    EXPECT_LE(sent(kWant, 3), 2 * std::max(granted, used + units));
    granted = sent(kWant, 3);
    used = units;
  }
  EXPECT_GT(granted, 100u);
}

TEST_F(BorrowingTest, IsRenewedBeforeAllIsUsed) {
  warm_up();
  while (!rl_lease_is_due(lease_, now_)) {
    ASSERT_GT(left(), 1u);
    now_ += 10000;
    rl_lease_use(lease_, 1, now_);
  }
  EXPECT_GT(left(), 0u);
  const uint32_t kept = left();
  send(lease_);
  EXPECT_EQ(kept, sent(kKeep, 4));
  EXPECT_EQ(0u, sent(kNeed, 4));
  EXPECT_GT(sent(kWant, 3), 10u);
  rl_lease_use(lease_, 1, now_);  // what is kept can be used meanwhile
  answer();
  EXPECT_EQ(kept - 1 + sent(kWant, 3), left());
}

// The lease that is taken out of the wheel, at some time before its end.
TEST_F(BorrowingTest, IsRenewedBeforeItsEndIfItIsUsed) {
  warm_up();
  const uint64_t end_us = lease_->left_until_us;
  now_ += 10000;
  rl_lease_use(lease_, 1, now_);
  now_ += 10000;
  rl_lease_use(lease_, 1, now_);
  EXPECT_EQ(nullptr, rl_leases_ending(leases_, now_));
  now_ = rl_leases_next_us(leases_);
  ASSERT_LT(now_, end_us - 2 * 1000);
  ASSERT_GT(now_, end_us - 10 * 1000);
  EXPECT_EQ(lease_, rl_leases_ending(leases_, now_));
  EXPECT_EQ(nullptr, rl_leases_ending(leases_, now_));
  EXPECT_TRUE(rl_lease_is_due(lease_, now_));
  send(lease_);
  EXPECT_GT(sent(kKeep, 4), 0u);
  answer();
  EXPECT_GT(rl_leases_next_us(leases_), end_us);
}

TEST_F(BorrowingTest, GoesBackBeforeItsEndIfOthersMayNeedIt) {
  warm_up();
  free_ = 100;
  while (!rl_lease_is_due(lease_, now_))
    rl_lease_use(lease_, 1, now_);
  send(lease_);
  answer();
  ASSERT_GT(left(), 3u);
  now_ = rl_leases_next_us(leases_);
  EXPECT_EQ(lease_, rl_leases_ending(leases_, now_));
  EXPECT_TRUE(rl_lease_is_due(lease_, now_));
  send(lease_);
  EXPECT_EQ(0u, sent(kKeep, 4));
  EXPECT_EQ(0u, sent(kWant, 3));
  EXPECT_EQ(0u, left());
  answer();
  EXPECT_FALSE(rl_lease_is_due(lease_, now_));
  EXPECT_EQ(UINT64_MAX, rl_leases_next_us(leases_));
}

TEST_F(BorrowingTest, EndsOfItselfWhereThereIsEnough) {
  warm_up();
  while (!rl_lease_is_due(lease_, now_))
    rl_lease_use(lease_, 1, now_);
  send(lease_);
  answer();
  now_ = rl_leases_next_us(leases_);
  EXPECT_EQ(lease_, rl_leases_ending(leases_, now_));
  EXPECT_FALSE(rl_lease_is_due(lease_, now_));
}

TEST_F(BorrowingTest, StopsWhereNothingMoreThanWhatWaitsIsGiven) {
  warm_up();
  ASSERT_EQ(3750u, sent(kLongest, 4));
  Reply r;
  r.granted = 1;
  for (int i = 0; i < 100; ++i) {
    now_ += 10000;
    rl_waiter_t waiter = {};
    const uint32_t units = left() + 1;
    rl_lease_wait(lease_, &waiter, units);
    send(lease_);
    reply(lease_, r);
    rl_lease_use(lease_, units, now_);
    rl_lease_leave(&waiter);
  }
  EXPECT_EQ(10u, sent(kLongest, 4));
  EXPECT_EQ(sent(kWaits, 4), sent(kWant, 3));
}

TEST_F(BorrowingTest, AWorkerThatExitsBorrowsNothing) {
  warm_up();
  exiting_ = 1;
  while (left() > 0)
    rl_lease_use(lease_, 1, now_);
  wait_and_use(1);
  EXPECT_EQ(1u, sent(kWant, 3));
  EXPECT_EQ(10u, sent(kLongest, 4));
}

TEST_F(BorrowingTest, AtTheEndAllGoesBackWithTheRow) {
  EXPECT_FALSE(rl_lease_end(lease_, now_));  // Redis knows of none
  warm_up();
  ASSERT_GT(left(), 0u);
  rl_waiter_t waiter = {};
  rl_lease_wait(lease_, &waiter, 500);
  send(lease_);  // and there is no time for its reply
  EXPECT_TRUE(rl_lease_end(lease_, now_));
  EXPECT_TRUE(rl_lease_is_due(lease_, now_));
  send(lease_);
  EXPECT_EQ(kLastRequest, sent(kFlags, 1));
  EXPECT_EQ(0u, sent(kKeep, 4));
  EXPECT_EQ(0u, sent(kWant, 3));
  EXPECT_EQ(0u, sent(kNeed, 4));
  EXPECT_FALSE(rl_lease_is_due(lease_, now_));
}

// Redis's new row must not end before the lease that the units are under.
TEST_F(BorrowingTest, WhatIsKeptIsToldWithItsSpan) {
  warm_up();
  const uint64_t rest_us = lease_->left_until_us - now_;
  exiting_ = 1;  // it does not borrow: a short life
  rl_waiter_t waiter = {};
  rl_lease_wait(lease_, &waiter, left() + 1);
  rl_lease_tell(lease_);
  send(lease_);
  EXPECT_GT(sent(kKeep, 4), 0u);
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

// An item whose cost was charged.
class CorrectionTest : public LeaseTest {
 protected:
  rl_item_t charged(rl_lease_t* lease, uint32_t cost, uint32_t granted) {
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
    rl_lease_charge(lease, &it, now_);
    return it;
  }

  // What the next request takes back: units and their age.
  uint64_t back(rl_lease_t* lease, uint64_t* age_ms = nullptr) {
    send(lease);
    if ((sent(kFlags, 1) & kTakesBack) == 0) return 0;
    if (age_ms != nullptr) *age_ms = sent(kRequestLen + 4, 5);
    return sent(kRequestLen, 4);
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
  rl_lease_refund(lease, &it, now_);
  EXPECT_EQ(0, it.charged);
  EXPECT_EQ(53u, it.remaining_units);
  EXPECT_EQ(3u, in_hand(*lease, now_));
  EXPECT_TRUE(rl_lease_is_due(lease, now_));
  EXPECT_EQ(0u, back(lease));
  EXPECT_EQ(0u, sent(kUsed, 4));
}

TEST_F(CorrectionTest, AfterTheLeaseItIsAsIfItHadNotBeenUsed) {
  rl_lease_t* lease = find(1, 100);
  rl_item_t it = charged(lease, 3, 3);
  now_ += 5000000;
  rl_lease_refund(lease, &it, now_);
  EXPECT_EQ(0u, in_hand(*lease, now_));
  rl_waiter_t waiter = {};
  rl_lease_wait(lease, &waiter, 1);
  EXPECT_EQ(0u, back(lease));
  EXPECT_EQ(0u, sent(kUsed, 4));
  EXPECT_EQ(0u, sent(kKeep, 4));
}

TEST_F(CorrectionTest, WhatRedisWasToldOfIsTakenBackOnce) {
  rl_lease_t* lease = find(1, 100);
  rl_item_t it = charged(lease, 3, 3);
  send(lease);
  EXPECT_EQ(3u, sent(kUsed, 4));
  now_ += 1000;
  reply(lease, Reply());
  rl_lease_refund(lease, &it, now_);
  EXPECT_TRUE(rl_lease_is_due(lease, now_));
  uint64_t age_ms = 0;
  EXPECT_EQ(3u, back(lease, &age_ms));
  EXPECT_EQ(3u, sent(kUsed, 4));
  // A round trip, what it may be late, and what is cut off.
  EXPECT_EQ(1u + 1 + 50 + 2, age_ms);
  rl_lease_lost(lease);
  EXPECT_FALSE(rl_lease_is_due(lease, now_));
  EXPECT_EQ(0u, back(lease));
}

TEST_F(CorrectionTest, NothingIsTakenBackThatMayHaveLeft) {
  rl_lease_t* lease = find(1, 100);
  rl_item_t it = charged(lease, 3, 3);
  send(lease);
  reply(lease, Reply());
  now_ += 59940000;
  rl_lease_refund(lease, &it, now_);
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
  rl_lease_refund(lease, &it, now_);
  EXPECT_EQ(0u, back(lease));
  reply(lease, Reply());
  window_end_ += 60000;
  charged(lease, 1, 5);
  rl_lease_refund(lease, &pending, now_);
  EXPECT_EQ(0u, back(lease));
  EXPECT_EQ(1u, sent(kUsed, 4));
}

TEST_F(CorrectionTest, AfterALossNothingIsTakenBack) {
  rl_lease_t* lease = find(1, 100);
  rl_item_t it = charged(lease, 3, 3);
  send(lease);
  reply(lease, Reply());
  rl_lease_refund(lease, &it, now_);
  rl_lease_tell(lease);
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
  rl_lease_refund(lease, &it, now_);
  EXPECT_FALSE(rl_lease_is_due(lease, now_));
  now_ += 1000;
  charged(lease, 5, 5);
  rl_lease_refund(lease, &it, now_);
  EXPECT_EQ(0u, back(lease));
  EXPECT_EQ(5u, sent(kUsed, 4));
}

TEST_F(CorrectionTest, AFinalCostTakesUnitsInHandOrIsADebt) {
  rl_lease_t* lease = find(1, 100);
  rl_item_t it = charged(lease, 1, 4);
  rl_lease_settle(lease, &it, 3, now_);
  EXPECT_EQ(3u, it.cost_units);
  EXPECT_EQ(1u, in_hand(*lease, now_));
  EXPECT_EQ(51u, it.remaining_units);
  rl_lease_settle(lease, &it, 7, now_);
  EXPECT_EQ(0u, in_hand(*lease, now_));
  EXPECT_EQ(47u, it.remaining_units);
  EXPECT_TRUE(rl_lease_is_due(lease, now_));
  send(lease);
  EXPECT_EQ(7u, sent(kUsed, 4));
  EXPECT_FALSE(rl_lease_is_due(lease, now_));
  reply(lease, Reply());
  rl_lease_settle(lease, &it, 2, now_);
  EXPECT_EQ(1, it.charged);
  EXPECT_EQ(5u, back(lease));
  rl_lease_settle(lease, &it, 0, now_);
  EXPECT_EQ(0, it.charged);
  reply(lease, Reply());
  EXPECT_EQ(2u, back(lease));
}

TEST_F(CorrectionTest, AnUnchargedItemMayBeSettled) {
  rl_lease_t* lease = find(1, 100);
  rl_item_t it = charged(lease, 0, 0);
  EXPECT_EQ(0, it.charged);
  rl_lease_settle(lease, &it, 4, now_);
  EXPECT_EQ(1, it.charged);
  send(lease);
  EXPECT_EQ(4u, sent(kUsed, 4));
}

// Against a list: each is taken once, at its time, less a tick.
TEST(TimingWheel, GivesEachAtItsTime) {
  constexpr uint32_t kN = 200;
  constexpr uint64_t kTick = 1 << kWheelTickShift;
  std::mt19937_64 random(1);
  auto wheel = std::make_unique<TimingWheel>();
  wheel->clear();
  std::vector<WheelLink> links(kN);
  std::vector<uint64_t> times(kN, 0);  // 0: it is not in
  const auto link = [&links](uint32_t i) -> WheelLink& { return links[i]; };
  uint64_t now = 123456789;
  for (int step = 0; step < 20000; ++step) {
    const auto i = static_cast<uint32_t>(random() % kN);
    wheel->remove(i, link);
    times[i] = 0;
    if (random() % 4 > 0) {
      times[i] = now + random() % 15000000;
      wheel->insert(i, times[i], now, link);
    }
    now += random() % (step % 100 == 0 ? 2000000 : 5000);
    for (;;) {
      const uint32_t got = wheel->take(now, link);
      if (got == kNoLease) break;
      ASSERT_NE(0u, times[got]);
      ASSERT_LE(times[got] / kTick, now / kTick);
      times[got] = 0;
    }
    for (uint64_t at : times) {
      if (at == 0) continue;
      ASSERT_GT(at / kTick, now / kTick);
      ASSERT_GE(at, wheel->next_us);
    }
  }
}

TEST(TimingWheel, ASleepOfAnyLengthTakesAll) {
  auto wheel = std::make_unique<TimingWheel>();
  wheel->clear();
  std::vector<WheelLink> links(3);
  const auto link = [&links](uint32_t i) -> WheelLink& { return links[i]; };
  for (uint32_t i = 0; i < 3; ++i) {
    wheel->insert(i, 1000000 + i * 5000000, 1000000, link);
  }
  const uint64_t later = uint64_t{1} << 45;
  unsigned taken = 0;
  while (wheel->take(later, link) != kNoLease)
    taken++;
  EXPECT_EQ(3u, taken);
  EXPECT_EQ(UINT64_MAX, wheel->next_us);
}

TEST_F(LeaseTest, AKeyIsItsShardAndTheBucketsName) {
  rl_lease_t* lease = find(1);
  std::mt19937_64 random(1);
  for (int i = 0; i < 1000; ++i) {
    lease->name = {random(), random()};
    char wanted[64];
    std::snprintf(wanted, sizeof(wanted), "{%02x}%016llx%08x",
                  rl_lease_shard(lease),
                  static_cast<unsigned long long>(lease->name.lo),
                  static_cast<unsigned>(lease->name.hi >> 32));
    unsigned char key[RL_SHARED_KEY_LEN];
    rl_lease_key(lease, key);
    ASSERT_EQ(wanted, std::string(reinterpret_cast<char*>(key), sizeof(key)));
  }
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
