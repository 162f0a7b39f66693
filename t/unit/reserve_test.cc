// Units reserved ahead by who waits, against a list of the times that were
// given, as limit_req gives them.

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "arena.h"
#include "ratelimit/ratelimit.h"

namespace ratelimit {
namespace {

constexpr uint64_t kStartMs = 1000000;

class Reserve : public testing::Test {
 protected:
  // When the request is let in; 0: never.
  uint64_t arrive(rl_process_t* process, uint64_t now_ms, uint64_t max_wait_ms,
                  rl_item_t* item) {
    const rl_time_t now = at(now_ms);
    *item = even_.item("k");
    item->capacity_units = 1;
    const rl_verdict_e verdict =
        rl_try_or_reserve(process, item, max_wait_ms, &now);
    EXPECT_EQ(verdict != RL_REFUSED, item->charged == 1);
    EXPECT_EQ(verdict == RL_ADMITTED, item->admitted == 1);
    return verdict == RL_REFUSED ? 0 : now_ms + item->retry_after_ms;
  }

  Arena arena_{256 * 1024};
  rl_process_t process_ = arena_.join();
  rl_process_t other_ = arena_.join();
  const Policy even_{arena_.zone(), "even", 10, 1000, RL_GCRA};
};

TEST_F(Reserve, TimesOfTwoProcessesAreEven) {
  rl_item_t item;
  for (uint64_t i = 0; i <= 20; ++i) {
    rl_process_t* process = i % 3 == 0 ? &other_ : &process_;
    EXPECT_EQ(kStartMs + 100 * i, arrive(process, kStartMs, 2000, &item));
  }
  EXPECT_EQ(0u, arrive(&process_, kStartMs, 2000, &item));
  EXPECT_FALSE(item.charged);
  EXPECT_EQ(2100u, item.retry_after_ms);
  EXPECT_EQ(kStartMs + 2100, arrive(&process_, kStartMs + 100, 2000, &item));
}

TEST_F(Reserve, ALimitThatNobodyFitsInIsNotWaitedFor) {
  rl_item_t item = even_.item("big", 3);
  item.capacity_units = 2;
  const rl_time_t now = at(kStartMs);
  EXPECT_EQ(RL_REFUSED, rl_try_or_reserve(&process_, &item, UINT64_MAX, &now));
  EXPECT_FALSE(item.charged);
  item.quota.units = item.capacity_units = 0;
  EXPECT_EQ(RL_REFUSED, rl_try_or_reserve(&process_, &item, UINT64_MAX, &now));
}

// There is a greatest debt: what would pass it has no time of its own.
TEST_F(Reserve, NoTwoHaveTheSameTimeHoweverGreatTheDebt) {
  const Policy big(arena_.zone(), "big", 200000000000000, 1000, RL_GCRA);
  const rl_time_t now = at(kStartMs);
  uint64_t last_ms = 0;
  int reserved = 0;
  for (; reserved < 100; ++reserved) {
    rl_item_t item = big.item("k", 200000000000000);
    const rl_verdict_e verdict =
        rl_try_or_reserve(&process_, &item, 60000, &now);
    if (verdict == RL_REFUSED) break;
    EXPECT_EQ(reserved == 0 ? RL_ADMITTED : RL_PENDING, verdict);
    EXPECT_EQ(last_ms, item.retry_after_ms);
    last_ms += 1000;
  }
  EXPECT_EQ(22, reserved);  // 2^52 / 200000000000000
}

TEST_F(Reserve, WhoMayNotWaitIsDecidedAsEver) {
  rl_item_t item;
  EXPECT_EQ(kStartMs, arrive(&process_, kStartMs, 0, &item));
  EXPECT_EQ(0u, arrive(&process_, kStartMs, 0, &item));
  EXPECT_EQ(100u, item.retry_after_ms);
  EXPECT_EQ(kStartMs + 100, arrive(&process_, kStartMs + 100, 0, &item));
}

TEST_F(Reserve, InDryRunNothingIsReserved) {
  rl_item_t item;
  arrive(&process_, kStartMs, 0, &item);
  const rl_time_t now = at(kStartMs);
  item = even_.item("k");
  item.capacity_units = 1;
  item.dry_run = 1;
  EXPECT_EQ(RL_ADMITTED, rl_try_or_reserve(&process_, &item, 2000, &now));
  EXPECT_FALSE(item.charged);
}

TEST_F(Reserve, OnlyTheLastComesBack) {
  rl_item_t first, second, third, next;
  arrive(&process_, kStartMs, 2000, &first);
  arrive(&process_, kStartMs, 2000, &second);
  arrive(&other_, kStartMs, 2000, &third);
  const rl_time_t now = at(kStartMs + 10);
  EXPECT_FALSE(rl_return_reserved(&process_, &second, &now));
  EXPECT_FALSE(second.charged);
  EXPECT_EQ(kStartMs + 300, arrive(&process_, kStartMs + 10, 2000, &next));
  EXPECT_TRUE(rl_return_reserved(&process_, &next, &now));
  EXPECT_TRUE(rl_return_reserved(&other_, &third, &now));
  EXPECT_FALSE(rl_return_reserved(&other_, &third, &now));
  EXPECT_EQ(kStartMs + 200, arrive(&process_, kStartMs + 10, 2000, &next));
}

TEST_F(Reserve, WhoIsLetInIsToldWhatIsLeft) {
  rl_item_t item;
  arrive(&process_, kStartMs, 2000, &item);
  const uint64_t due_ms = arrive(&process_, kStartMs, 2000, &item);
  EXPECT_FALSE(item.admitted);
  const rl_time_t now = at(due_ms);
  rl_use_reserved(&process_, &item, &now);
  EXPECT_TRUE(item.admitted);
  EXPECT_TRUE(item.charged);
  EXPECT_EQ(0u, item.remaining_units);
  EXPECT_EQ(0u, item.retry_after_ms);
  EXPECT_EQ(100u, item.reset_ms);
  EXPECT_EQ(RL_ADMITTED, rl_refund(&process_, &item, 1, &now));
  EXPECT_EQ(due_ms, arrive(&process_, due_ms, 2000, &item));
}

// As of its turn: what others have reserved behind it is theirs to tell.
TEST_F(Reserve, WhoIsLetInIsToldWhenMoreIsThere) {
  rl_item_t item = even_.item("k", 3);
  item.capacity_units = 5;
  item.want_next = 1;
  rl_time_t now = at(kStartMs);
  EXPECT_EQ(RL_ADMITTED, rl_try_or_reserve(&process_, &item, 2000, &now));
  EXPECT_EQ(2u, item.remaining_units);
  EXPECT_EQ(100u, item.next_ms);
  EXPECT_EQ(300u, item.reset_ms);
  EXPECT_EQ(RL_PENDING, rl_try_or_reserve(&process_, &item, 2000, &now));
  EXPECT_EQ(100u, item.retry_after_ms);
  EXPECT_EQ(100u, item.reset_ms);
  rl_item_t behind = item;
  EXPECT_EQ(RL_PENDING, rl_try_or_reserve(&process_, &behind, 2000, &now));
  EXPECT_EQ(400u, behind.retry_after_ms);
  now = at(kStartMs + 100);
  rl_use_reserved(&process_, &item, &now);
  EXPECT_EQ(0u, item.remaining_units);
  EXPECT_EQ(100u, item.next_ms);
  EXPECT_EQ(500u, item.reset_ms);
}

// Whoever leaves, no two are let in within 100 ms, and nobody later than if
// none had left.
TEST_F(Reserve, NoTwoComeTogetherWhoeverLeaves) {
  std::mt19937 random(1);
  struct Waits {
    rl_item_t item;
    uint64_t due_ms;
  };
  std::vector<Waits> waits;
  std::vector<uint64_t> let_in;
  uint64_t now_ms = kStartMs;
  uint64_t tail_ms = 0;  // the earliest for the next one
  for (uint64_t i = 0; i < times(20000); ++i) {
    now_ms += random() % 150;
    for (size_t n = 0; n < waits.size();) {
      if (waits[n].due_ms > now_ms) {
        ++n;
        continue;
      }
      let_in.push_back(waits[n].due_ms);
      waits.erase(waits.begin() + static_cast<std::ptrdiff_t>(n));
    }
    rl_process_t* process = random() % 2 == 0 ? &process_ : &other_;
    if (!waits.empty() && random() % 3 == 0) {
      const size_t n = random() % waits.size();
      const rl_time_t now = at(now_ms);
      const bool is_last = waits[n].due_ms + 100 == tail_ms;
      ASSERT_EQ(is_last,
                rl_return_reserved(process, &waits[n].item, &now) == 1);
      if (is_last) tail_ms -= 100;
      waits.erase(waits.begin() + static_cast<std::ptrdiff_t>(n));
      continue;
    }
    Waits next;
    next.due_ms = arrive(process, now_ms, 500, &next.item);
    const uint64_t expected = std::max(now_ms, tail_ms);
    ASSERT_EQ(expected - now_ms > 500 ? 0 : expected, next.due_ms);
    if (next.due_ms == 0) continue;
    tail_ms = next.due_ms + 100;
    if (next.due_ms == now_ms) {
      let_in.push_back(now_ms);
    } else {
      waits.push_back(next);
    }
  }
  ASSERT_GT(let_in.size(), 1000u);
  std::sort(let_in.begin(), let_in.end());
  for (size_t i = 1; i < let_in.size(); ++i) {
    ASSERT_GE(let_in[i], let_in[i - 1] + 100);
  }
}

}  // namespace
}  // namespace ratelimit
