// Rows that the workers of a machine share: one request at a time, whoever is
// killed, and what is left of a row that was half written.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "lease_util.h"

namespace ratelimit {
namespace {

// Two workers, a and b, that share a machine's rows.
class RowTableTest : public LeaseTest {
 protected:
  void SetUp() override {
    other_ = std::make_unique<Worker>(rows_->get(), 8, 0);
    a_ = find(1, 100);
    b_ = find_of(other_->leases, 1);
  }

  rl_lease_t* find_of(rl_leases_t* leases, uint64_t key) {
    const rl_item_t it = item(key, 100);
    return rl_lease_find(leases, &it);
  }

  // The lease gets units, and somebody who waited for them uses `used`.
  void get(rl_lease_t* lease, uint64_t granted, uint64_t used = 0) {
    rl_waiter_t waiter = {};
    rl_lease_wait(lease, &waiter, granted);
    ASSERT_NE(0u, send(lease));
    now_ += 1000;
    Reply r;
    r.granted = granted;
    r.lease_ms = 1000;
    ASSERT_EQ(RL_LEASE_TOLD, reply(lease, r));
    if (used > 0) use(lease, used);
    rl_lease_leave(&waiter);
    now_ += 1000;
  }

  RowTable* table() const { return rows_->as<RowTable>(); }

  std::unique_ptr<Worker> other_;
  rl_lease_t* a_;
  rl_lease_t* b_;
};

TEST_F(RowTableTest, WhatOneWorkerGotAnotherUses) {
  get(a_, 5, 1);
  EXPECT_EQ(4u, left(b_));
  rl_item_t it = item(1, 100);
  int due = 0;
  EXPECT_TRUE(rl_leases_use(other_->leases, &it, now_, &due));
  EXPECT_EQ(3u, left(a_));
  EXPECT_NE(0u, send(b_));
  EXPECT_EQ(2u, sent(kNumber, 4));
  EXPECT_EQ(2u, sent(kUsed, 7));
}

TEST_F(RowTableTest, OneRequestAtATime) {
  rl_waiter_t a = {}, b = {};
  rl_lease_wait(a_, &a, 2);
  rl_lease_wait(b_, &b, 3);
  ASSERT_NE(0u, send(a_));
  EXPECT_EQ(RL_NOT_DUE, rl_lease_is_due(a_, now_));
  EXPECT_EQ(RL_DUE_LATER, rl_lease_is_due(b_, now_));
  EXPECT_EQ(0u, send(b_));
  rl_lease_block(b_, now_);
  EXPECT_EQ(b_, rl_leases_unblock(other_->leases));
  EXPECT_EQ(nullptr, rl_leases_unblock(other_->leases));
  Reply r;
  r.granted = 2;
  reply(a_, r);
  EXPECT_TRUE(rl_lease_wakes(a_));
  EXPECT_EQ(RL_DUE, rl_lease_is_due(b_, now_));
}

// Of more than a turn looks at, those that came first are not left behind.
TEST_F(RowTableTest, WhoWasBlockedFirstIsLookedAtFirst) {
  rl_waiter_t waiters[3] = {};
  rl_lease_t* leases[3];
  for (uint64_t key = 1; key <= 3; ++key) {
    send(find(key, 100));
    leases[key - 1] = find_of(other_->leases, key);
    rl_lease_wait(leases[key - 1], &waiters[key - 1], 1);
    rl_lease_block(leases[key - 1], now_);
  }
  EXPECT_EQ(leases[0], rl_leases_unblock(other_->leases));
  rl_lease_block(leases[0], now_);
  EXPECT_EQ(leases[1], rl_leases_unblock(other_->leases));
  EXPECT_EQ(leases[2], rl_leases_unblock(other_->leases));
  EXPECT_EQ(leases[0], rl_leases_unblock(other_->leases));
  EXPECT_EQ(nullptr, rl_leases_unblock(other_->leases));
  rl_lease_block(leases[1], now_);
  EXPECT_EQ(leases[1], rl_leases_unblock(other_->leases));
}

// Units that others wait for are asked for as well, and left for them.
TEST_F(RowTableTest, WhoIsBlockedIsNotLeftBehind) {
  rl_waiter_t a = {}, more = {}, b = {};
  rl_lease_wait(a_, &a, 1);
  send(a_);
  rl_lease_wait(b_, &b, 3);
  rl_lease_block(b_, now_);
  rl_lease_block(b_, now_);  // looked at again in vain
  Reply r;
  r.granted = 1;
  reply(a_, r);
  use(a_, 1);
  rl_lease_leave(&a);
  rl_lease_wait(a_, &more, 2);
  send(a_);
  EXPECT_EQ(2u, sent(kNeed, 7));
  EXPECT_EQ(5u, sent(kWaits, 7));
  r.granted = 5;
  now_ += 500;
  reply(a_, r);
  EXPECT_EQ(RL_ADMITTED, ask(b_, &b, 3));
  use(a_, 2);
  rl_lease_leave(&more);
  EXPECT_EQ(RL_PENDING, ask(a_, nullptr, 1));
  EXPECT_EQ(RL_NOT_DUE, rl_lease_is_due(a_, now_));  // they do not go back
  rl_waiter_t late = {};
  rl_lease_wait(a_, &late, 1);
  EXPECT_EQ(RL_DUE_NOTHING, rl_lease_is_due(a_, now_));  // and it is woken
  rl_lease_leave(&late);
  rl_item_t it = item(1, 100);
  it.cost_units = 3;
  EXPECT_EQ(RL_ADMITTED, rl_lease_take(b_, &b, &it, 0, now_));
  rl_lease_leave(&b);
  EXPECT_EQ(0u, left(a_));
  EXPECT_EQ(RL_NOT_DUE, rl_lease_is_due(a_, now_));
}

TEST_F(RowTableTest, WhatNobodyWaitsForAnyMoreIsNotAskedFor) {
  rl_waiter_t a = {}, b = {}, c = {};
  rl_lease_wait(a_, &a, 1);
  send(a_);
  rl_lease_wait(b_, &b, 3);
  rl_lease_wait(b_, &c, 4);
  rl_lease_block(b_, now_);
  rl_lease_leave(&b);
  reply(a_, Reply());
  send(a_);
  EXPECT_EQ(1u + 4, sent(kWaits, 7));
  rl_lease_leave(&c);  // too late
  reply(a_, Reply());
  rl_lease_wait(b_, &b, 3);
  send(a_);
  rl_lease_block(b_, now_);
  rl_lease_leave(&b);
  reply(a_, Reply());
  send(a_);
  EXPECT_EQ(1u, sent(kWaits, 7));
}

// Of a key that others wait for as well, so that the count does not end.
TEST_F(RowTableTest, AKilledWorkerWaitsNoMore) {
  rl_waiter_t a = {}, b = {};
  rl_lease_wait(a_, &a, 1);
  send(a_);
  rl_lease_wait(b_, &b, 1);
  rl_lease_block(b_, now_);
  EXPECT_EQ(2u, row(a_).waiting);
  const Worker third(rows_->get(), 8, 0);  // in b's place
  rl_process_leave(&other_->process);
  now_ += 100000;
  reply(a_, Reply());
  send(a_);
  EXPECT_EQ(1u, row(a_).waiting);
  reply(a_, Reply());
  EXPECT_FALSE(rl_lease_wakes(a_));
  rl_lease_leave(&a);
  EXPECT_EQ(0u, row(a_).waiting);
}

// Nobody who lives is left out by that for long, or counted twice.
TEST_F(RowTableTest, WhoStillWaitsIsCountedAgain) {
  rl_waiter_t a = {}, b = {};
  rl_lease_wait(a_, &a, 1);
  send(a_);
  rl_lease_wait(b_, &b, 1);
  rl_lease_block(b_, now_);
  const Worker third(rows_->get(), 8, 0);
  now_ += 1000;
  reply(a_, Reply());
  send(a_);
  EXPECT_EQ(1u, row(a_).waiting);
  rl_lease_block(b_, now_);
  rl_lease_block(b_, now_);
  EXPECT_EQ(2u, row(a_).waiting);
  rl_lease_leave(&b);
  rl_lease_leave(&a);
  EXPECT_EQ(0u, row(a_).waiting);
}

// The request of a worker that stands still is given up, and its reply is
// nobody's.
TEST_F(RowTableTest, AReplyToWhatWasGivenUpIsNotBelieved) {
  rl_waiter_t b = {};
  rl_lease_wait(b_, &b, 1);
  send(a_);
  now_ += 499000;
  EXPECT_EQ(RL_DUE_LATER, rl_lease_is_due(b_, now_));
  now_ += 2000;
  EXPECT_EQ(RL_DUE, rl_lease_is_due(b_, now_));
  send(b_);
  EXPECT_EQ(2u, sent(kNumber, 4));
  Reply r;
  r.granted = 7;
  r.lease_ms = 2000;
  EXPECT_EQ(RL_LEASE_AGAIN, reply(a_, r));
  EXPECT_EQ(0u, left(a_));
  EXPECT_EQ(RL_LEASE_TOLD, reply(b_, r));
  EXPECT_EQ(7u, left(a_));
}

TEST_F(RowTableTest, ADeadWorkersRequestIsTakenOverSoon) {
  send(a_);
  rl_waiter_t b = {};
  rl_lease_wait(b_, &b, 1);
  rl_process_leave(&worker_->process);
  EXPECT_EQ(RL_DUE_LATER, rl_lease_is_due(b_, now_));
  now_ += 20000;
  EXPECT_EQ(RL_DUE, rl_lease_is_due(b_, now_));
}

// A clock that was read before another worker's, and used after it.
TEST_F(RowTableTest, AUseIsDatedByTheLatestClockOfAll) {
  get(a_, 5);
  const uint64_t early = now_;
  now_ += 700;
  send(a_);
  reply(a_, Reply());
  get(a_, 5);
  rl_item_t it = item(1, 100);
  int due = 0;
  ASSERT_TRUE(rl_leases_use(other_->leases, &it, early, &due));
  EXPECT_GT(it.charge_id, early);
  EXPECT_EQ(it.charge_id, row(a_).last_use_us);
  EXPECT_GE(it.charge_id, row(a_).told_us);
}

TEST_F(RowTableTest, NoUnitsOfALeaseThatOthersHaveSeenEnd) {
  get(a_, 5);
  const uint64_t early = now_;
  now_ = row(a_).left_until_us;
  rl_item_t it = item(1, 100);
  EXPECT_EQ(RL_PENDING, rl_lease_take(a_, nullptr, &it, 0, now_));
  int due = 0;
  EXPECT_FALSE(rl_leases_use(other_->leases, &it, early, &due));
}

// A child of the test that is killed while it writes the row.
void die_writing(void* rows, const rl_hash_t& name) {
  const pid_t pid = fork();
  if (pid == 0) {
    rl_process_t process = {};
    rl_process_join(&process, process_table(), nullptr, 0);
    Entry entry(&process, static_cast<RowTable*>(rows), name);
    Row* row = entry.write();
    row->left_until_us += 1000000;  // and before left_units is
    raise(SIGKILL);
  }
  int status;
  ASSERT_EQ(pid, waitpid(pid, &status, 0));
  ASSERT_TRUE(WIFSIGNALED(status));
}

TEST_F(RowTableTest, ARowThatWasHalfWrittenIsForgotten) {
  get(a_, 5, 1);
  const uint64_t id = row(a_).id;
  die_writing(rows_->get(), a_->name);
  EXPECT_EQ(0u, left(b_));
  get(b_, 2, 1);
  EXPECT_NE(id, row(b_).id);
  EXPECT_EQ(1u, row(b_).used_units);
}

// Its reply would be taken for that of the bucket's next row.
TEST_F(RowTableTest, TheRequestOfAForgottenRowIsStillWaitedFor) {
  rl_waiter_t a = {};
  rl_lease_wait(a_, &a, 1);
  send(a_);
  die_writing(rows_->get(), a_->name);
  EXPECT_EQ(0u, left(b_));
  EXPECT_EQ(RL_NOT_DUE, rl_lease_is_due(a_, now_));
  EXPECT_EQ(0u, send(a_));
  Reply r;
  r.granted = 1;
  EXPECT_EQ(RL_LEASE_AGAIN, reply(a_, r));
  EXPECT_EQ(0u, left(a_));
  EXPECT_NE(0u, send(a_));
  EXPECT_EQ(1u, sent(kNumber, 4));
  EXPECT_EQ(kFirstRequest, sent(kFlags, 1));
}

TEST_F(RowTableTest, OneThatWasOnlyReadIsNot) {
  get(a_, 5, 1);
  const pid_t pid = fork();
  if (pid == 0) {
    rl_process_t process = {};
    rl_process_join(&process, process_table(), nullptr, 0);
    const Entry entry(&process, table(), a_->name);
    raise(SIGKILL);
  }
  waitpid(pid, nullptr, 0);
  EXPECT_EQ(4u, left(b_));
}

TEST_F(RowTableTest, TheRowThatWasNotUsedForLongestGivesWay) {
  rows_ = std::make_unique<SharedMemory>(sizeof(RowTable) + sizeof(RowSet) +
                                         2 * sizeof(uint32_t));
  rl_rows_create(rows_->get(), rows_->size(), 0, 1);
  ASSERT_EQ(1u, table()->sets);
  worker_ = std::make_unique<Worker>(rows_->get(), 16, 0);
  leases_ = worker_->leases;
  for (uint64_t key = 1; key <= 7; ++key)
    get(find(key), 1, 1);
  send(find(1));  // is under way
  get(find(8), 1, 1);
  EXPECT_NE(0u, row(find(1)).id);
  EXPECT_EQ(0u, row(find(2)).id);
  EXPECT_NE(0u, row(find(3)).id);
  now_ += 61000000;
  for (uint64_t key = 11; key <= 17; ++key)
    get(find(key), 1, 1);
  EXPECT_EQ(0u, row(find(1)).id);
}

// What is lost while it is told is told again.
TEST_F(RowTableTest, ALossMeanwhileIsTold) {
  get(a_, 1, 1);
  rl_leases_lose(leases_, RL_SHARDS);
  send(a_);
  rl_leases_lose(leases_, RL_SHARDS);
  reply(a_, Reply());
  EXPECT_EQ(RL_DUE, rl_lease_is_due(a_, now_));
}

TEST_F(RowTableTest, TheLastThatLeavesIsTold) {
  EXPECT_FALSE(rl_leases_leave(leases_));
  EXPECT_TRUE(rl_leases_leave(other_->leases));
}

// A reload's workers begin after those before it were told to leave.
TEST_F(RowTableTest, WhoIsAboutToBeginGoesOnWithTheRows) {
  rl_leases_leave(other_->leases);
  rl_rows_configure(rows_->get());
  rl_leases_join(leases_);
  EXPECT_FALSE(rl_leases_leave(leases_));
  const Worker third(rows_->get(), 8, 0);
  EXPECT_TRUE(rl_leases_leave(third.leases));
}

// One that found no place among the processes at first.
TEST_F(RowTableTest, WhoCameLaterIsNotTheLast) {
  rl_process_t process = {};
  std::vector<uint64_t> memory(rl_leases_size(8) / 8 + 1);
  rl_leases_t* leases =
      rl_leases_create(memory.data(), 8, &process, rows_->get(), 500, 0);
  rl_process_join(&process, process_table(), nullptr, 0);
  rl_leases_join(leases);
  rl_leases_leave(other_->leases);
  EXPECT_FALSE(rl_leases_leave(leases_));
  EXPECT_TRUE(rl_leases_leave(leases));
  rl_process_leave(&process);
}

// The worker that watched the end of what was borrowed ends.
TEST_F(RowTableTest, WhoUsesItNextRenewsWhatWasHandedOver) {
  const Worker ends(rows_->get(), 8, 1), goes_on(rows_->get(), 8, 1);
  rl_lease_t* lease = find_of(ends.leases, 1);
  for (int i = 0; i < 3; ++i)
    get(lease, 8, 8);
  get(lease, 8, 2);
  EXPECT_FALSE(rl_lease_hand_over(lease, now_));
  rl_item_t it = item(1, 100);
  int due = 0;
  ASSERT_TRUE(rl_leases_use(goes_on.leases, &it, now_, &due));
  EXPECT_TRUE(due);
  lease = find_of(goes_on.leases, 1);
  EXPECT_EQ(RL_DUE, rl_lease_is_due(lease, now_));
  EXPECT_NE(0u, send(lease));
  EXPECT_EQ(5u, sent(kKeep, 7));
}

TEST_F(RowTableTest, WhatIsNotInUseGoesBackAtAWorkersEnd) {
  const Worker ends(rows_->get(), 8, 1);
  rl_lease_t* lease = find_of(ends.leases, 1);
  for (int i = 0; i < 3; ++i)
    get(lease, 8, 8);
  get(lease, 8, 1);
  EXPECT_TRUE(rl_lease_hand_over(lease, now_));
  EXPECT_EQ(RL_DUE, rl_lease_is_due(lease, now_));
  exiting_ = 1;
  EXPECT_NE(0u, send(lease));
  EXPECT_EQ(0u, sent(kKeep, 7));
}

TEST_F(RowTableTest, AfterTheEndABucketHasAnotherRow) {
  get(a_, 5, 1);
  const uint64_t id = row(a_).id;
  uint32_t at = 0, all = 100;
  uint64_t held = 0;
  ASSERT_TRUE(rl_leases_held(leases_, &at, &all, now_, &held));
  EXPECT_EQ(4u, held);
  EXPECT_TRUE(rl_lease_end(rl_leases_at(leases_, at), now_));
  send(a_);
  EXPECT_EQ(kLastRequest, sent(kFlags, 1));
  get(b_, 1, 1);
  EXPECT_NE(id, row(b_).id);
}

}  // namespace
}  // namespace ratelimit
