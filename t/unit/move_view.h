// What processes know of a zone whose size changes.

#ifndef RATELIMIT_T_UNIT_MOVE_VIEW_H_
#define RATELIMIT_T_UNIT_MOVE_VIEW_H_

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "arena.h"
#include "ratelimit/table/zone.h"

namespace ratelimit {

constexpr size_t kMiB = 1024 * 1024;
constexpr size_t kSmall = 64 * 1024;
constexpr uint64_t kHour = 3600 * 1000;

// What a process knows of a zone that moves from one memory of the arena to
// another.
class View {
 public:
  explicit View(const Arena& arena, size_t from = 0, size_t to = 1)
      : arena_(&arena), zone_(*arena.zone(from)), next_(*arena.zone(to)) {
    rl_zone_expect(&zone_, &next_, &older_);
    join();
  }
  ~View() { rl_process_leave(&process_); }
  View(const View&) = delete;
  View& operator=(const View&) = delete;

  // Once more in a fork.
  void join() {
    ASSERT_EQ(RL_OK,
              rl_process_join(&process_, arena_->process_table(), zones_, 1));
  }

  rl_process_t* process() { return &process_; }
  rl_zone_t* zone() { return &zone_; }
  const rl_zone_t* next() const { return &next_; }
  bool is_new() const { return zone_.memory == next_.memory; }

  int claim() { return rl_zone_claim(&process_, &zone_); }

  int begin_as_told(uint64_t now_ms = 1000) {
    const rl_time_t now = at(now_ms);
    return rl_zone_begin_move(&process_, &zone_, &now);
  }

  void begin(uint64_t now_ms = 1000) {
    ASSERT_EQ(RL_OK, claim());
    ASSERT_EQ(RL_OK, begin_as_told(now_ms));
  }

  int move(uint32_t sets, uint64_t now_ms = 1000) {
    const rl_time_t now = at(now_ms);
    return rl_zone_move(&process_, &zone_, sets, &now);
  }

  rl_verdict_e decide(rl_item_t item, uint64_t now_ms = 1000) {
    const rl_time_t now = at(now_ms);
    return rl_decide(&process_, &item, 1, &now);
  }

  uint32_t remaining(rl_item_t item, uint64_t now_ms = 1000) {
    const rl_time_t now = at(now_ms);
    EXPECT_NE(RL_TIMEOUT, rl_look(&process_, &item, 1, &now));
    return item.remaining_units;
  }

  rl_zone_stats_t stats(uint64_t now_ms = 1000) const {
    rl_zone_stats_t out;
    const rl_time_t now = at(now_ms);
    rl_zone_stats(&zone_, 1, &now, &out);
    return out;
  }

 private:
  const Arena* arena_;
  rl_zone_t zone_;
  rl_zone_t next_;
  rl_zone_t older_{};
  rl_zone_t* zones_[1] = {&zone_};
  rl_process_t process_ = {};
};

inline Arena memories(size_t from, size_t to) {
  return Arena(std::vector<size_t>{from, to});
}

// `keys` buckets of 10 units, of which key i has used 1 + i % 9.
inline void fill(View* view, const Policy& policy, int keys) {
  for (int i = 0; i < keys; ++i) {
    ASSERT_EQ(RL_ADMITTED,
              view->decide(policy.item(std::to_string(i),
                                       static_cast<uint32_t>(1 + i % 9))));
  }
}

}  // namespace ratelimit

#endif  // RATELIMIT_T_UNIT_MOVE_VIEW_H_
