// What Redis has lost and is told: every row once, in the order of the shards,
// by whichever worker comes to it.

#include <algorithm>
#include <memory>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "lease_util.h"

namespace ratelimit {
namespace {

// Two workers of a machine, and rows of which a unit was used.
class TellingTest : public LeaseTest {
 protected:
  void begin(uint64_t keys) {
    make(static_cast<uint32_t>(2 * keys));
    other_ = std::make_unique<Worker>(rows_->get(),
                                      static_cast<uint32_t>(2 * keys), 0);
    for (uint64_t key = 1; key <= keys; ++key)
      use_one(key);
  }

  void use_one(uint64_t key) {
    rl_lease_t* lease = find(key);
    rl_waiter_t waiter = {};
    rl_lease_wait(lease, &waiter, 1);
    send(lease);
    Reply r;
    r.granted = 1;
    reply(lease, r);
    use(lease, 1);
    rl_lease_leave(&waiter);
  }

  // A worker's turn, of so many rows at the most.
  std::vector<rl_lease_t*> turn(rl_leases_t* leases, size_t most = 1000000) {
    std::vector<rl_lease_t*> all;
    for (uint32_t shard = 0; shard < RL_SHARDS; ++shard) {
      rl_lease_t* untold[16];
      size_t n;
      do {
        uint32_t looks = 1000000;
        n = rl_leases_untold(leases, shard, now_, &looks, untold,
                             std::min(size_t{16}, most - all.size()));
        looked_ += 1000000 - looks;
        for (size_t i = 0; i < n; ++i) {
          EXPECT_EQ(shard, rl_lease_shard(untold[i]));
          EXPECT_NE(0u, send(untold[i]));
          EXPECT_EQ(kTellsAll, sent(kFlags, 1));
          all.push_back(untold[i]);
        }
      } while (n == 16);
    }
    return all;
  }

  void answer(const std::vector<rl_lease_t*>& leases) {
    now_ += 1000;
    for (rl_lease_t* lease : leases)
      EXPECT_EQ(RL_LEASE_TOLD, reply(lease, Reply()));
  }

  static bool has_told(const rl_leases_t* leases) {
    bool all = true;
    for (uint32_t shard = 0; shard < RL_SHARDS; ++shard)
      all = all && rl_leases_have_told(leases, shard) != 0;
    return all;
  }

  std::unique_ptr<Worker> other_;
  uint64_t looked_ = 0;
};

TEST_F(TellingTest, EachRowOnceByWhomever) {
  begin(300);
  EXPECT_TRUE(has_told(leases_));
  EXPECT_EQ(0u, turn(leases_).size());
  rl_leases_lose(leases_, RL_SHARDS);
  std::set<uint64_t> told;
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(has_told(leases_));
    const auto mine = turn(leases_, 50);
    const auto others = turn(other_->leases, 50);
    EXPECT_EQ(50u, mine.size());
    EXPECT_EQ(50u, others.size());
    for (const rl_lease_t* lease : mine)
      told.insert(lease->name.lo);
    for (const rl_lease_t* lease : others)
      told.insert(lease->name.lo);
    answer(mine);
    answer(others);
  }
  EXPECT_EQ(300u, told.size());
  EXPECT_EQ(0u, turn(leases_).size());
  EXPECT_EQ(0u, turn(other_->leases).size());
  EXPECT_TRUE(has_told(leases_));
  EXPECT_TRUE(has_told(other_->leases));
}

// However small the turns: no row is looked at in each of them.
TEST_F(TellingTest, ManyRowsTakeNoLongerEach) {
  begin(2000);
  rl_leases_lose(leases_, RL_SHARDS);
  size_t told = 0;
  for (;;) {
    const auto some = turn(leases_, 4);
    if (some.empty()) break;
    told += some.size();
    answer(some);
  }
  EXPECT_EQ(2000u, told);
  const auto* table = rows_->as<RowTable>();
  EXPECT_LT(looked_, 4 * uint64_t{kRowsPerSet} * (table->sets + RL_SHARDS));
}

TEST_F(TellingTest, AfterSoManyLooksTheTurnIsOver) {
  begin(300);
  rl_leases_lose(leases_, RL_SHARDS);
  size_t told = 0;
  int turns = 0;
  while (!has_told(leases_) && turns < 1000) {
    ++turns;
    uint32_t looks = 40;
    for (uint32_t shard = 0; shard < RL_SHARDS; ++shard) {
      rl_lease_t* untold[16];
      const size_t n =
          rl_leases_untold(leases_, shard, now_, &looks, untold, 16);
      ASSERT_LE(looks, 40u);
      told += n;
      for (size_t i = 0; i < n; ++i) {
        send(untold[i]);
        reply(untold[i], Reply());
      }
    }
  }
  EXPECT_EQ(300u, told);
  EXPECT_GT(turns, 20);
}

TEST_F(TellingTest, WhoseReplyIsLostIsToldAgain) {
  begin(20);
  rl_leases_lose(leases_, RL_SHARDS);
  const auto all = turn(leases_);
  EXPECT_EQ(20u, all.size());
  EXPECT_EQ(0u, turn(leases_).size());  // until there are replies
  rl_lease_lost(all[7]);
  EXPECT_EQ(std::vector<rl_lease_t*>{all[7]}, turn(leases_));
  answer(all);
  EXPECT_EQ(0u, turn(leases_).size());
  EXPECT_TRUE(has_told(leases_));
}

TEST_F(TellingTest, WhatADeadWorkerHasSentIsToldAgain) {
  begin(20);
  rl_leases_lose(leases_, RL_SHARDS);
  EXPECT_EQ(20u, turn(other_->leases).size());
  EXPECT_EQ(0u, turn(leases_).size());
  rl_process_leave(&other_->process);
  now_ += 20000;
  EXPECT_EQ(20u, turn(leases_).size());
}

TEST_F(TellingTest, WhatIsLostMeanwhileIsToldAgain) {
  begin(20);
  rl_leases_lose(leases_, RL_SHARDS);
  const auto some = turn(leases_, 10);
  rl_leases_lose(leases_, RL_SHARDS);
  answer(some);
  EXPECT_EQ(20u, turn(leases_).size());
}

TEST_F(TellingTest, OfOneShardNoOthers) {
  begin(300);
  const uint32_t shard = rl_lease_shard(find(5));
  rl_leases_lose(leases_, shard);
  EXPECT_FALSE(rl_leases_have_told(leases_, shard));
  const auto all = turn(leases_);
  EXPECT_NE(all.end(), std::find(all.begin(), all.end(), find(5)));
  for (const rl_lease_t* lease : all)
    EXPECT_EQ(shard, rl_lease_shard(lease));
}

// What was used has left its window, and nothing is in hand.
TEST_F(TellingTest, RowsThatCountNoMoreAreNotTold) {
  begin(20);
  now_ += 50000000;
  use_one(21);
  now_ += 14000000;
  rl_leases_lose(leases_, RL_SHARDS);
  EXPECT_EQ(std::vector<rl_lease_t*>{find(21)}, turn(leases_));
}

// The debt of a capacity of ten windows.
TEST_F(TellingTest, ADebtIsToldForAsLongAsItLasts) {
  algorithm_ = RL_GCRA;
  begin(1);
  rl_item_t it = item(1);
  it.capacity_units = 100;
  rl_lease_take(find(1), nullptr, &it, 0, now_);
  now_ += 500000000;
  rl_leases_lose(leases_, RL_SHARDS);
  EXPECT_EQ(1u, turn(leases_).size());
}

TEST_F(TellingTest, AWorkerThatBeginsTellsWhatIsLeft) {
  begin(20);
  rl_leases_lose(leases_, RL_SHARDS);
  answer(turn(leases_, 5));
  const Worker third(rows_->get(), 64, 0);
  EXPECT_FALSE(has_told(third.leases));
  EXPECT_EQ(15u, turn(third.leases).size());
}

}  // namespace
}  // namespace ratelimit
