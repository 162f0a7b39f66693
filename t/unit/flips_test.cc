// Quotas, windows and capacities that change from request to request, as a
// variable's, a scale's and an override's do: what is in use is not lost to
// one that holds for a single request.

#include <gtest/gtest.h>

#include <cstring>

#include "bucket_models.h"

namespace ratelimit {
namespace {

__extension__ typedef __int128 Wide;

constexpr rl_algorithm_e kAlgorithms[] = {RL_SLIDING, RL_FIXED, RL_CALENDAR,
                                          RL_GCRA};

rl_time_t at(uint64_t mono_ms) {
  return {mono_ms, mono_ms + uint64_t{20000} * 86400000};
}

// The algorithm gcra with every charge kept apart, oldest first.  Debt is in
// units times kScale, which all windows divide.
class GcraQueue {
 public:
  static constexpr uint64_t kScale = 60000;

  struct Charge {
    uint64_t id;
    Wide debt;
  };

  explicit GcraQueue(const Shape& shape) : rate_(rate_of(shape)) {}

  static Wide rate_of(const Shape& shape) {
    return Wide{shape.units} * (kScale / shape.window_ms);
  }

  void advance(uint64_t now_ms) {
    if (now_ms <= now_ms_) return;
    Wide drained = rate_ * (now_ms - now_ms_);
    now_ms_ = now_ms;
    while (!queue_.empty() && drained > 0) {
      const Wide part = std::min(drained, queue_.front().debt);
      drained -= part;
      queue_.front().debt -= part;
      if (queue_.front().debt == 0) queue_.pop_front();
    }
  }

  Wide debt() const {
    Wide sum = 0;
    for (const Charge& charge : queue_)
      sum += charge.debt;
    return sum;
  }

  // Of a request that is decided, whether it is refused or not.
  void ask(const Shape& shape) {
    if (debt() > 0) rate_ = std::max(rate_, rate_of(shape));
  }

  bool admits(const Shape& shape, uint64_t cost) const {
    return cost == 0 ||
           (shape.units > 0 && debt() + Wide{cost} * kScale <=
                                   Wide{shape.capacity_units} * kScale);
  }

  void charge(const Shape& shape, uint64_t cost, uint64_t id) {
    if (shape.units > 0) rate_ = rate_of(shape);
    queue_.push_back({id, Wide{cost} * kScale});
  }

  // Rounding: what the bucket has more.
  void add(Wide rest) {
    if (rest != 0) queue_.back().debt += rest;
  }

  Wide left_of(uint64_t id) const {
    Wide left = 0;
    for (const Charge& charge : queue_)
      left += charge.id == id ? charge.debt : 0;
    return left;
  }

  // Of what was charged first.
  void take_back(uint64_t id, Wide back) {
    for (Charge& charge : queue_) {
      if (charge.id != id) continue;
      const Wide part = std::min(back, charge.debt);
      charge.debt -= part;
      back -= part;
    }
  }

 private:
  Wide rate_;
  uint64_t now_ms_ = 0;
  std::deque<Charge> queue_;
};

Wide debt_of(const Store& store, const rl_time_t& now) {
  Bucket bucket = store.bucket;
  adapt(&bucket, kept_shape(bucket, store.shape), now);
  const Wide debt =
      Wide{bucket.gcra.debt_hi & ~kWideQueue} << 64 | bucket.gcra.debt_lo;
  return debt * (GcraQueue::kScale / bucket.window_ms());
}

struct Habits {
  bool windows;
  bool refunds;
  bool steps_back;
};

Shape random_shape(Random* random, bool windows) {
  constexpr uint64_t kUnits[] = {0, 1, 2, 7, 10, 100, 1000, 50000000000};
  constexpr uint64_t kCapacities[] = {1, 2, 10, 20, 500, RL_MAX_UNITS};
  constexpr uint64_t kWindowsMs[] = {1000, 2000, 6000, 60000};
  const uint64_t units = random->of(kUnits);
  const uint64_t capacity = units == 0          ? 0
                            : random->one_in(2) ? units
                                                : random->of(kCapacities);
  return {RL_GCRA, units, capacity, 0, windows ? random->of(kWindowsMs) : 6000,
          0};
}

struct InFlight {
  uint64_t id;
  uint64_t charge_id;
  uint64_t units;
  uint64_t window_ms;
};

// One step of a store and its model after another.
class GcraClient {
 public:
  GcraClient(uint64_t seed, const Habits& habits)
      : random_(seed),
        habits_(habits),
        store_(random_shape(&random_, habits.windows), at(now_ms_)),
        model_(store_.shape) {
    model_.advance(now_ms_);
  }

  uint64_t exact = 0;
  uint64_t refunds = 0;

  void step() {
    const uint64_t gaps[] = {0, 0, 1, 30, 400, 5000};
    now_ms_ += random_.of(gaps);
    seen_ms_ = now_ms_;
    if (habits_.steps_back && random_.one_in(9)) {
      seen_ms_ -= random_.below(random_.one_in(2) ? 1000 : kNewClockMs);
    }
    model_.advance(now_ms_);
    if (seen_ms_ != now_ms_) store_.give_back(at(now_ms_), 1, 0, 0);
    if (random_.one_in(2)) {
      store_.shape = random_shape(&random_, habits_.windows);
    }
    decide();
    if (random_.one_in(20)) settle();
    if (habits_.refunds && random_.one_in(2)) give_back();
  }

 private:
  void decide() {
    const Shape& shape = store_.shape;
    const uint64_t costs[] = {0, 1, 1, 3, shape.capacity_units};
    const uint64_t cost = random_.of(costs);
    const Bucket before = store_.bucket;
    if (random_.one_in(4)) {  // looks change nothing
      store_.look(at(seen_ms_), cost);
      ASSERT_EQ(std::memcmp(&before, &store_.bucket, sizeof(before)), 0);
    }
    InFlight charge = {++last_id_, 0, cost, shape.window_ms};
    const Evaluation s = store_.decide(at(seen_ms_), cost, &charge.charge_id);
    // A larger rate counts from its first request on, if anything is owed.
    model_.ask(shape);
    ASSERT_EQ(s.admitted, model_.admits(shape, cost));
    if (s.admitted && cost > 0) {
      model_.charge(shape, cost, charge.id);
      in_flight_.push_back(charge);
    } else if (!s.admitted && shape.units != 0 &&
               cost <= shape.capacity_units) {
      const uint64_t then = seen_ms_ + s.retry_after_ms;
      if (then >> 40 != 0) return compare();  // no clock will show that
      ASSERT_TRUE(store_.look(at(then), cost).admitted);
      ASSERT_FALSE(store_.look(at(then - 1), cost).admitted);
    }
    compare();
  }

  void settle() {
    model_.ask(store_.shape);
    model_.charge(store_.shape, 5, ++last_id_);
    store_.force(at(seen_ms_), 5);
    compare();
  }

  void give_back() {
    if (in_flight_.empty()) return;
    const size_t index =
        random_.one_in(2) ? 0 : random_.below(in_flight_.size());
    InFlight& charge = in_flight_[index];
    const uint64_t units =
        random_.one_in(3) ? random_.below(charge.units + 1) : charge.units;
    const Wide before = debt_of(store_, at(now_ms_));
    store_.give_back(at(seen_ms_), charge.units, units, charge.charge_id);
    const Wide back = before - debt_of(store_, at(now_ms_));
    const Wide due =
        std::min(model_.left_of(charge.id), Wide{units} * GcraQueue::kScale);
    ASSERT_GE(back, 0);
    ASSERT_LE(back, due);
    if (!habits_.windows) {
      refunds++;
      exact += back == due;
    }
    model_.take_back(charge.id, back);
    charge.units -= units;
    if (charge.units == 0 || random_.one_in(3)) {
      in_flight_.erase(in_flight_.begin() + static_cast<ptrdiff_t>(index));
    }
    ASSERT_EQ(debt_of(store_, at(now_ms_)), model_.debt());
  }

  // Only a changed window rounds, by less than a unit of its scale.
  void compare() {
    const Wide more = debt_of(store_, at(now_ms_)) - model_.debt();
    ASSERT_GE(more, 0);
    ASSERT_LE(more, habits_.windows ? 60 : 0);
    model_.add(more);
  }

  Random random_;
  Habits habits_;
  uint64_t now_ms_ = 2 * kNewClockMs;
  uint64_t seen_ms_ = 100000;
  uint64_t last_id_ = 0;
  Store store_;
  GcraQueue model_;
  std::vector<InFlight> in_flight_;
};

TEST(Flips, GcraAgreesWithAQueueOfEveryCharge) {
  uint64_t refunds = 0;
  uint64_t exact = 0;
  for (uint64_t seed = 0; seed < 400 * effort(); seed++) {
    const Habits habits = {seed % 2 == 0, seed % 4 < 2, seed % 8 < 4};
    GcraClient client(seed, habits);
    for (int i = 0; i < 1000; i++) {
      client.step();
      if (HasFatalFailure()) {
        ADD_FAILURE() << "seed " << seed << ", step " << i;
        return;
      }
    }
    refunds += client.refunds;
    exact += client.exact;
  }
  // Not all is found where refunds overtake each other.
  EXPECT_GT(exact, refunds * 9 / 10) << refunds;
}

// In any time no more than the greatest capacity, and the greatest rate times
// that time.
TEST(Flips, GcraAdmitsWhatTheGreatestOfItsShapesWould) {
  struct Admitted {
    uint64_t time_ms;
    uint64_t units;
  };
  for (uint64_t seed = 0; seed < 60 * effort(); seed++) {
    Random random(seed);
    std::vector<Shape> shapes;
    for (uint64_t n = 2 + random.below(3); n > 0; n--)
      shapes.push_back(random_shape(&random, true));
    Wide capacity = 0;
    Wide rate = 0;
    for (const Shape& shape : shapes) {
      capacity = std::max(capacity, Wide{shape.capacity_units});
      rate = std::max(rate, GcraQueue::rate_of(shape));
    }
    Store store(shapes[0], at(1000));
    std::vector<Admitted> admitted;
    uint64_t now = 1000;
    for (int i = 0; i < 1500; i++) {
      const uint64_t gaps[] = {0, 0, 1, 10, 300};
      now += random.of(gaps);
      store.shape = shapes[random.below(shapes.size())];
      const auto cost =
          static_cast<uint32_t>(1 + random.below(1 + random.below(5)));
      if (!store.decide(at(now), cost).admitted) continue;
      admitted.push_back({now, cost});
      Wide units = 0;
      for (size_t j = admitted.size(); j-- > 0;) {
        units += admitted[j].units;
        const Wide most =
            capacity * GcraQueue::kScale + rate * (now - admitted[j].time_ms);
        ASSERT_LE(units * GcraQueue::kScale, most) << "seed " << seed;
      }
    }
  }
}

// As an override of 0 % that is set and removed, and as a smaller quota, on
// whatever is in use: it frees nothing.
TEST(Flips, ASmallerQuotaForOneRequestFreesNothing) {
  for (const rl_algorithm_e algorithm : kAlgorithms) {
    for (const uint64_t units :
         {uint64_t{10}, uint64_t{1000}, uint64_t{100000}, uint64_t{999999999},
          uint64_t{50000000000}, RL_MAX_UNITS}) {
      const Shape usual = {algorithm, units, units, 0, 3600000, 0};
      Store store(usual, at(3600000));
      ASSERT_TRUE(store.decide(at(3600000), units).admitted);
      for (const uint64_t smaller :
           {uint64_t{0}, uint64_t{1}, units / 10, units - 1}) {
        store.shape.units = store.shape.capacity_units = smaller;
        for (int i = 0; i < 5; i++) {
          ASSERT_FALSE(store.decide(at(3600000), 1).admitted);
          ASSERT_TRUE(store.decide(at(3600000), 0).admitted);
        }
        store.shape = usual;
        ASSERT_EQ(store.look(at(3600000), units).remaining_units, 0u);
      }
    }
  }
}

// sliding, fixed, calendar: a window that is not there for an admitted request
// forgets nothing, and what is told comes true.
TEST(Flips, WhatIsRefusedOrOnlyLooksForgetsNothing) {
  constexpr uint64_t kWindowsMs[] = {1, 1000, 7000, 60000, 3600000, 86400000};
  Random random(3);
  uint64_t refused = 0;
  for (uint64_t i = 0; i < 30000 * effort(); i++) {
    const rl_algorithm_e algorithm = kAlgorithms[random.below(3)];
    const uint64_t longest = random.of(kWindowsMs);
    uint64_t now = 100000000 + random.below(1000000);
    Store store({algorithm, 10, 10, 0, longest, 0}, at(now));
    for (int j = 0; j < 10; j++) {
      now += random.below(longest / 20 + 1);
      store.decide(at(now), 1);
    }
    const Bucket before = store.bucket;
    now += random.below(longest / 40 + 1);
    store.shape.window_ms = random.of(kWindowsMs);
    store.shape.units = store.shape.capacity_units =
        static_cast<uint32_t>(random.below(12));
    store.look(at(now), 1);
    ASSERT_EQ(std::memcmp(&before, &store.bucket, sizeof(before)), 0);
    const Evaluation s = store.decide(at(now), 3);
    if (s.admitted) continue;
    if (store.shape.window_ms <= longest) {
      ASSERT_EQ(std::memcmp(&before, &store.bucket, sizeof(before)), 0);
    }
    if (store.shape.units < 3) continue;
    refused++;
    // Also where it is refused once more meanwhile.
    store.decide(at(now + s.retry_after_ms / 2), 10);
    if (std::memcmp(&before, &store.bucket, sizeof(before)) != 0) continue;
    ASSERT_TRUE(store.look(at(now + s.retry_after_ms), 3).admitted)
        << "of " << longest << " by " << store.shape.window_ms << " of "
        << algorithm;
  }
  EXPECT_GT(refused, 5000u);
}

// What an admitted request forgets is what its own window does not count.
TEST(Flips, SlidingCountsTheShortestWindowThatAdmitted) {
  constexpr uint64_t kWindowsMs[] = {1000, 7000, 60000};
  struct Charge {
    uint64_t time_ms;
    uint64_t units;
  };
  Random random(4);
  for (uint64_t round = 0; round < 300 * effort(); round++) {
    uint64_t now = 1000000;
    Store store({RL_SLIDING, 10, 10, 0, 60000, 0}, at(now));
    std::vector<Charge> charges;
    uint64_t known_from_ms = 0;  // what is older may be forgotten
    uint64_t kept_ms = 60000;    // the bucket's window
    for (int i = 0; i < 300; i++) {
      now += random.below(random.one_in(5) ? 8000 : 500);
      store.shape.window_ms = random.of(kWindowsMs);
      store.shape.units = static_cast<uint32_t>(5 + random.below(6));
      store.shape.capacity_units = store.shape.units;
      const uint64_t window_ms = store.shape.window_ms;
      known_from_ms = std::max(known_from_ms, now - kept_ms);
      const uint64_t from_ms = std::max(known_from_ms, now - window_ms);
      uint64_t used = 0;
      for (const Charge& charge : charges)
        used += charge.time_ms >= from_ms ? charge.units : 0;
      const auto cost = static_cast<uint32_t>(1 + random.below(4));
      const bool admitted = store.decide(at(now), cost).admitted;
      kept_ms = admitted ? window_ms : std::max(kept_ms, window_ms);
      if (!admitted) continue;
      ASSERT_LE(used + cost, store.shape.units);
      charges.push_back({now, cost});
      known_from_ms = from_ms;
    }
  }
}

// fixed, calendar: the same, of whole windows.  One that was opened by a
// longer quota ends where the shorter one's would have, whatever is in it.
struct Opened {
  bool on_grid;  // calendar
  uint64_t begin_ms = 0;
  uint64_t window_ms = 0;
  uint64_t used = 0;

  uint64_t end_ms(uint64_t with_window_ms) const {
    return (on_grid ? begin_ms / with_window_ms * with_window_ms : begin_ms) +
           with_window_ms;
  }

  // What a request under such a window has to count.
  uint32_t known(uint64_t wall_ms, uint64_t asked_ms) const {
    const uint64_t end = std::min(end_ms(window_ms), end_ms(asked_ms));
    return used > 0 && wall_ms < end ? used : 0;
  }

  void admit(uint64_t wall_ms, uint64_t asked_ms, uint64_t cost) {
    const uint32_t before = known(wall_ms, asked_ms);
    if (before == 0) {
      begin_ms = on_grid ? wall_ms / asked_ms * asked_ms : wall_ms;
    }
    used = before + cost;
    window_ms = asked_ms;
  }

  // A longer window counts from its first request on, a shorter one forgets
  // nothing by it.
  void refuse(uint64_t wall_ms, uint64_t asked_ms) {
    const bool is_open = used > 0 && wall_ms < end_ms(window_ms);
    if (is_open && end_ms(asked_ms) > end_ms(window_ms)) window_ms = asked_ms;
  }
};

TEST(Flips, WindowsCountUntilTheShortestThatAdmittedEnds) {
  constexpr uint64_t kWindowsMs[] = {1000, 7000, 60000};
  for (uint64_t round = 0; round < 600 * effort(); round++) {
    Random random(round);
    const rl_algorithm_e algorithm = round % 2 == 0 ? RL_FIXED : RL_CALENDAR;
    uint64_t now = 1000000 + random.below(60000);
    Store store({algorithm, 10, 10, 0, 60000, 0}, at(now));
    Opened model = {algorithm == RL_CALENDAR, 0, 60000, 0};
    for (int i = 0; i < 300; i++) {
      now += random.below(random.one_in(5) ? 8000 : 500);
      const uint64_t wall_ms = at(now).wall_ms;
      const uint64_t window_ms = random.of(kWindowsMs);
      const auto units = static_cast<uint32_t>(random.below(11));
      const auto cost = static_cast<uint32_t>(random.below(5));
      store.shape.window_ms = window_ms;
      store.shape.units = store.shape.capacity_units = units;
      const uint64_t used = model.known(wall_ms, window_ms);
      const Evaluation s = store.decide(at(now), cost);
      const char* name = rl_algorithm_name(algorithm);
      ASSERT_EQ(s.admitted, cost == 0 || used + cost <= units)
          << name << ", round " << round << ", step " << i;
      ASSERT_EQ(s.remaining_units, used < units ? units - used : 0)
          << name << ", round " << round << ", step " << i;
      if (s.admitted && cost > 0) {
        model.admit(wall_ms, window_ms, cost);
      } else {
        model.refuse(wall_ms, window_ms);
      }
    }
  }
}

}  // namespace
}  // namespace ratelimit
