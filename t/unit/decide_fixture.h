// Decisions of one process over a zone of its own.

#ifndef RATELIMIT_T_UNIT_DECIDE_FIXTURE_H_
#define RATELIMIT_T_UNIT_DECIDE_FIXTURE_H_

#include <vector>

#include <gtest/gtest.h>

#include "arena.h"

constexpr uint64_t kMinute = 60000;

class Decide : public testing::Test {
 protected:
  rl_verdict_e decide(std::vector<rl_item_t>* items, uint64_t now_ms = 1000) {
    const rl_time_t now = at(now_ms);
    return rl_decide(&process_, items->data(), items->size(), &now);
  }

  rl_verdict_e decide(rl_item_t* item, uint64_t now_ms = 1000) {
    const rl_time_t now = at(now_ms);
    return rl_decide(&process_, item, 1, &now);
  }

  rl_item_t look(rl_item_t item, uint64_t now_ms = 1000) {
    const rl_time_t now = at(now_ms);
    EXPECT_NE(RL_TIMEOUT, rl_look(&process_, &item, 1, &now));
    return item;
  }

  uint64_t buckets(size_t zone = 0) {
    rl_zone_stats_t stats;
    const rl_time_t now = at(1000);
    rl_zone_stats(arena_.zone(zone), 1, &now, &stats);
    return stats.entries;
  }

  Arena arena_{64 * 1024, 2};
  rl_process_t process_ = arena_.join();
  const Policy ten_{arena_.zone(), "ten", 10, kMinute};
  const Policy two_{arena_.zone(), "two", 2, kMinute};
  const Policy other_{arena_.zone(1), "other", 5, kMinute};
};

#endif  // RATELIMIT_T_UNIT_DECIDE_FIXTURE_H_
