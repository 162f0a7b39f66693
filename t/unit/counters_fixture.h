// Policies that are counted, in a zone of one process.

#ifndef RATELIMIT_T_UNIT_COUNTERS_FIXTURE_H_
#define RATELIMIT_T_UNIT_COUNTERS_FIXTURE_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "arena.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/statistics/counters.h"

class CountersTest : public testing::Test {
 protected:
  CountersTest() : arena_(1 << 18), memory_(rl_counters_size()) {
    rl_counters_create(memory_.get());
    rl_counters_renew(memory_.get());
    process_ = arena_.join();
  }

  void* find(const std::string& name, bool make = true) {
    return rl_counters_find(memory_.get(), str(name), str("zone"), make);
  }

  void attach(Policy* policy, const std::string& name) {
    policy->get()->counters = find(name);
    ASSERT_NE(policy->get()->counters, nullptr);
  }

  rl_verdict_e decide(rl_item_t* item, uint64_t now_ms) {
    const rl_time_t now = at(now_ms);
    return rl_decide(&process_, item, 1, &now);
  }

  static uint64_t count_of(Policy* policy, rl_counter_e what) {
    uint64_t counts[RL_COUNTERS];
    rl_counts(policy->get(), counts);
    return counts[what];
  }

  static std::vector<rl_top_key_t> list(Policy* policy, rl_top_e which,
                                        uint64_t now_ms, size_t max = 64) {
    std::vector<rl_top_key_t> out(max);
    const rl_time_t now = at(now_ms);
    out.resize(rl_top_keys(policy->get(), which, &now, out.data(), max));
    return out;
  }

  // Counts a request of the key as decided, without deciding it.
  void pretend(Policy* policy, const std::string& key, bool admitted,
               uint64_t now_ms) {
    rl_item_t item = policy->item(key);
    item.admitted = admitted;
    ratelimit::count_decision(&process_, &item, 1,
                              admitted ? RL_ADMITTED : RL_REFUSED, now_ms);
  }

  Arena arena_;
  SharedMemory memory_;
  rl_process_t process_ = {};
};

#endif  // RATELIMIT_T_UNIT_COUNTERS_FIXTURE_H_
