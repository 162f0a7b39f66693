// `sliding` against an exact log of timestamps.

#include "ratelimit/algorithm/sliding.h"
#include "ratelimit/algorithm/sliding_slots.h"

#include <gtest/gtest.h>

#include <cinttypes>
#include <cstring>

#include "bucket_models.h"

namespace ratelimit {
namespace {

constexpr uint64_t kQuotas[] = {
    1, 2, 3, 7, 100, 600, 1000, 65534, 65535, 65536, 1000000, 999999999,
    // The last two narrow and wide ones.
    uint64_t{65535} << 15, (uint64_t{65535} << 15) + 1, 50000000000,
    RL_MAX_UNITS};
constexpr uint64_t kHourMs = 3600000;
constexpr uint64_t kWindowsMs[] = {
    1, 2, 15, 16, 17, 1000, 60000, kHourMs, 86400000, RL_MAX_WINDOW_MS};
constexpr uint64_t kLastMs = (uint64_t{1} << 40) - 1;

Shape shape_of(uint64_t units, uint64_t window_ms) {
  return {RL_SLIDING, units, units, 0, window_ms, 0};
}

rl_time_t at(uint64_t mono_ms) {
  return {mono_ms, 0};
}

unsigned exponent_of(const Bucket& bucket) {
  return exponent_of(bucket.sliding);
}

// One client of random and adversarial habits, and its exact log.
class Client {
 public:
  Client(uint64_t units, uint64_t window_ms, uint64_t start_ms, uint64_t seed)
      : store_(shape_of(units, window_ms), at(start_ms)),
        log_(window_ms),
        now_ms_(start_ms),
        random_(seed),
        base_units_(units) {}

  bool refunds = true;
  bool debts = false;
  bool quota_changes = false;
  bool window_changes = false;
  bool steps_back = false;

  uint64_t now_ms() const { return now_ms_; }
  uint64_t window_ms() const { return store_.shape.window_ms; }
  uint64_t admitted() const { return admitted_; }

  void step() {
    if (random_.one_in(64)) habit_ = random_.below(5);
    now_ms_ += gap_ms();
    uint64_t seen_ms = now_ms_;
    if (steps_back && random_.one_in(8)) {
      seen_ms -=
          std::min(seen_ms, random_.below(random_.one_in(8) ? 1000 : 5));
    }
    if (quota_changes && random_.one_in(50)) change_quota();
    if (window_changes && random_.one_in(100)) change_window(now_ms_);
    if (refunds && random_.one_in(8)) give_back(seen_ms);
    if (debts && random_.one_in(200)) settle(seen_ms);
    decide(seen_ms, cost_units());
  }

 private:
  struct Receipt {
    uint64_t value;
    uint64_t id;
    uint64_t units;
  };

  uint64_t gap_ms() {
    const uint64_t w = window_ms();
    switch (habit_) {
      case 0:  // hammering
        return random_.one_in(3) ? random_.below(w / 256 + 2) : 0;
      case 1: {  // just before, at and just after the edges of sub-windows
        const uint64_t parts = random_.one_in(2) ? 16 : 256;
        const uint64_t index = now_ms_ * parts / w + 1 + random_.below(3);
        const uint64_t edge = (index * w + parts - 1) / parts;
        return edge + random_.below(3) - now_ms_ - (edge > now_ms_ ? 1 : 0);
      }
      case 2:  // one a tick
        return w / 256 + random_.below(2);
      case 3:  // idle for lengths that matter
      {
        const uint64_t lengths[] = {w,          w + 1,          w - 1,
                                    w + w / 16, w + w / 256,    w / 16,
                                    2 * w,      w * 17 / 16 + 1};
        return random_.one_in(4) ? random_.of(lengths) : 0;
      }
      default:
        return random_.below(w / (1 + random_.below(64)) + 2);
    }
  }

  uint32_t cost_units() {
    const uint64_t quota = store_.shape.units;
    switch (random_.below(8)) {
      case 0:
        return random_.below(quota + 2);
      case 1:
        return quota;
      case 2:
        return random_.one_in(4) ? quota + 1 : 0;
      case 3:
      case 4:
        return quota / 16 + 1;
      case 5:
        return 1 + random_.below(quota / 100 + 1);
      default:
        return 1;
    }
  }

  void change_quota() {
    const uint64_t choices[] = {base_units_,
                                base_units_ / 2 + 1,
                                base_units_ / 10 + 1,
                                1,
                                65535,
                                65536,
                                5000000000,
                                0,
                                RL_MAX_UNITS};
    store_.shape.units = random_.of(choices);
    store_.shape.capacity_units = store_.shape.units;
  }

  // By a process whose clock is not behind.
  void change_window(uint64_t seen_ms) {
    const uint64_t w = window_ms();
    const uint64_t choices[] = {w * 2, w / 2 + 1, w * 60, w / 60 + 1,
                                w + 1, 1000,      60000,  17};
    const uint64_t to = std::min<uint64_t>(random_.of(choices), 100 * kHourMs);
    store_.shape.window_ms = to;
    store_.look(at(seen_ms), 1);  // a look alone changes nothing
    log_.set_window(to, seen_ms);
    charges_.clear();
    store_.bucket = store_.at(at(seen_ms));
  }

  void give_back(uint64_t seen_ms) {
    if (charges_.empty()) return;
    const size_t index = random_.below(charges_.size());
    const Receipt charge_id = charges_[index];
    charges_.erase(charges_.begin() + static_cast<ptrdiff_t>(index));
    const uint64_t units = 1 + random_.below(charge_id.units);
    note_exponent(seen_ms);
    const uint64_t before = used(seen_ms);
    store_.give_back(at(seen_ms), units, charge_id.value);
    const uint64_t after = used(seen_ms);
    ASSERT_LE(after, before);
    ASSERT_LE(before - after, units);
    log_.touch(seen_ms);
    const uint64_t strict_before = log_.strict(seen_ms);
    const uint64_t late_before = log_.late(seen_ms);
    log_.refund(charge_id.id, units);
    if (!debts && !quota_changes) {
      // All of it where it certainly counts (but for what may have flowed on
      // from there), nothing where it cannot.
      if (strict_before - log_.strict(seen_ms) == units) {
        ASSERT_GE(before - after + moved_units_, units) << where(seen_ms);
      }
      if (late_before == log_.late(seen_ms)) {
        ASSERT_EQ(before, after) << where(seen_ms);
      }
    }
    // What was not given back still counts.
    if (moved_units_ > 0 || window_changes) {
      not_given_units_ += units - (before - after);
    }
    if (before != after) {
      moved_units_ += (uint64_t{1} << exponent_of(store_.bucket)) - 1;
    }
    check(seen_ms);
  }

  void settle(uint64_t seen_ms) {
    const uint64_t units =
        random_.one_in(4) ? 100000000 : 1 + random_.below(2 * base_units_);
    // More would saturate a slot.
    if (log_.late(seen_ms) + units > uint64_t{1} << 50) return;
    note_exponent(seen_ms);
    charged(units, store_.force(at(seen_ms), units));
    check(seen_ms);
  }

  // The charge id is when it counts as charged, which the clock may be behind.
  void charged(uint64_t units, uint64_t charge_id) {
    log_.charge(std::max(charge_id, log_.last_ms()), units, ++last_id_);
    if (charges_.size() > 50) charges_.erase(charges_.begin());
    charges_.push_back({charge_id, last_id_, units});
  }

  // Less than a block flows on whenever blocks grow.
  void note_exponent(uint64_t seen_ms) {
    const unsigned exponent = exponent_of(store_.at(at(seen_ms)));
    if (exponent > last_exponent_) {
      moved_units_ += (uint64_t{1} << exponent) - 1;
    }
    last_exponent_ = exponent;
  }

  uint64_t used(uint64_t seen_ms) const {
    return sliding_used_units(store_.at(at(seen_ms)), seen_ms);
  }

  // Neither less than strictness demands nor more than lateness allows.
  void check(uint64_t seen_ms) {
    note_exponent(seen_ms);
    const uint64_t have = used(seen_ms);
    const uint64_t least = log_.strict(seen_ms);
    const uint64_t most = log_.late(seen_ms);
    ASSERT_GE(have, least) << where(seen_ms);
    ASSERT_LE(have, most + moved_units_ + not_given_units_) << where(seen_ms);
  }

  void decide(uint64_t seen_ms, uint64_t cost) {
    check(seen_ms);
    const uint64_t quota = store_.shape.units;
    const uint64_t have = used(seen_ms);
    const Store before = store_;
    uint64_t charge_id = 0;
    const Evaluation evaluation = store_.decide(at(seen_ms), cost, &charge_id);
    const uint64_t left = have < quota ? quota - have : 0;
    ASSERT_EQ(evaluation.remaining_units, left);
    ASSERT_EQ(evaluation.admitted, cost <= left);
    if (random_.one_in(16))
      check_times(before, evaluation, seen_ms, cost, have);
    if (!evaluation.admitted || cost == 0) return;
    admitted_++;
    ASSERT_LE(log_.strict(seen_ms) + cost, quota) << where(seen_ms);
    charged(cost, charge_id);
    note_exponent(seen_ms);
    // The whole quota is back a window after the charge, not a tick later.
    ASSERT_EQ(reset_ms(store_.bucket, store_.shape, at(seen_ms)),
              charge_id + window_ms() - seen_ms);
    ASSERT_EQ(used(seen_ms), have + cost);
  }

  // The times told are the first ones at which it is as told.
  void check_times(const Store& store, const Evaluation& evaluation,
                   uint64_t seen_ms, uint64_t cost, uint64_t have) {
    const auto later = [&](uint64_t ms) { return at(seen_ms + ms); };
    if (have == 0) {
      ASSERT_EQ(evaluation.reset_ms, 0u);
      ASSERT_EQ(evaluation.next_ms, 0u);
    } else {
      const uint64_t reset = evaluation.reset_ms;
      ASSERT_EQ(sliding_used_units(store.at(later(reset)), seen_ms + reset),
                0u);
      ASSERT_NE(
          sliding_used_units(store.at(later(reset - 1)), seen_ms + reset - 1),
          0u);
      ASSERT_EQ(idle_at_ms(store.bucket), seen_ms + reset);
      if (store.shape.units > 0) {
        const uint64_t next = evaluation.next_ms;
        ASSERT_LE(next, reset);
        ASSERT_GT(store.look(later(next), 0).remaining_units,
                  evaluation.remaining_units);
        ASSERT_EQ(store.look(later(next - 1), 0).remaining_units,
                  evaluation.remaining_units);
      }
    }
    if (evaluation.admitted) {
      ASSERT_EQ(evaluation.retry_after_ms, 0u);
    } else if (cost > store.shape.units) {
      ASSERT_EQ(evaluation.retry_after_ms, store.shape.window_ms);
    } else {
      const uint64_t retry = evaluation.retry_after_ms;
      ASSERT_GT(retry, 0u);
      ASSERT_TRUE(store.look(later(retry), cost).admitted) << where(seen_ms);
      ASSERT_FALSE(store.look(later(retry - 1), cost).admitted)
          << where(seen_ms);
    }
  }

  std::string where(uint64_t seen_ms) const {
    char text[200];
    snprintf(text, sizeof(text),
             "at %" PRIu64 " of window %" PRIu64 ", quota %" PRIu64
             ", exponent %u, habit %" PRIu64,
             seen_ms, window_ms(), store_.shape.units,
             exponent_of(store_.bucket), habit_);
    return text;
  }

  Store store_;
  ExactLog log_;
  uint64_t now_ms_;
  Random random_;
  uint64_t base_units_;
  uint64_t habit_ = 0;
  uint64_t last_id_ = 0;
  uint64_t admitted_ = 0;
  unsigned last_exponent_ = 0;
  uint64_t moved_units_ = 0;      // on from their slot, at most
  uint64_t not_given_units_ = 0;  // of refunds
  std::vector<Receipt> charges_;
};

// Every quota with every window, from several starts of the clock.
template <typename Set>
void run(uint64_t steps, const Set& set) {
  uint64_t seed = 1;
  uint64_t admitted = 0;
  for (const uint64_t units : kQuotas) {
    for (const uint64_t window_ms : kWindowsMs) {
      SCOPED_TRACE(testing::Message() << units << "/" << window_ms << "ms");
      for (uint64_t done = 0; done < steps * effort();) {
        const uint64_t starts[] = {0, 1, 12345, kHourMs * 24 * 365};
        Client client(units, window_ms, starts[seed % 4], seed);
        seed++;
        set(&client);
        for (uint64_t i = 0; i < 2000 && done < steps * effort();
             i++, done++) {
          client.step();
          if (testing::Test::HasFatalFailure()) return;
          if (client.now_ms() > kLastMs - 5 * client.window_ms()) break;
        }
        admitted += client.admitted();
      }
    }
  }
  EXPECT_GT(admitted, steps * 120 / 20);
}

TEST(SlidingModel, AgreesWithAnExactLog) {
  run(20000, [](Client* client) { client->refunds = false; });
}

TEST(SlidingModel, AgreesWithAnExactLogWithRefunds) {
  run(20000, [](Client*) {});
}

TEST(SlidingModel, AgreesWithAnExactLogWhoseClockStepsBack) {
  run(6000, [](Client* client) { client->steps_back = true; });
}

TEST(SlidingModel, AgreesWithAnExactLogInDebt) {
  run(6000, [](Client* client) { client->debts = true; });
}

TEST(SlidingModel, AgreesWithAnExactLogWhenQuotasChange) {
  run(6000, [](Client* client) {
    client->quota_changes = true;
    client->debts = true;
  });
}

TEST(SlidingModel, AgreesWithAnExactLogWhenWindowsChange) {
  run(6000, [](Client* client) {
    client->window_changes = true;
    client->steps_back = true;
  });
}

}  // namespace
}  // namespace ratelimit
