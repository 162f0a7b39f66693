// What the buckets are held against: slow, exact, and made differently.

#ifndef RATELIMIT_T_UNIT_BUCKET_MODELS_H_
#define RATELIMIT_T_UNIT_BUCKET_MODELS_H_

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <random>
#include <vector>

#include "ratelimit/algorithm/bucket.h"
#include "ratelimit/algorithm/charge_hot_words.h"

namespace ratelimit {

// How many times the usual number of steps a property test takes.
inline uint64_t effort() {
  return std::getenv("RATELIMIT_LONG") != nullptr ? 50 : 1;
}

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  // 0 to n - 1.
  uint64_t below(uint64_t n) { return engine_() % n; }
  bool one_in(uint64_t n) { return below(n) == 0; }
  template <typename T, size_t N>
  T of(const T (&values)[N]) {
    return values[below(N)];
  }

 private:
  std::mt19937_64 engine_;
};

// A policy and one of its buckets, used as the table uses it: on a copy, which
// is stored if it was charged or adapt() says so.
struct Store {
  Bucket bucket;
  Shape shape;
  mutable uint64_t tries = 0;           // decided by try_charge() as well,
  mutable uint64_t tries_declined = 0;  // or left to the others; by
  mutable uint64_t hot_charges = 0;     // charge_hot_words(); and what
  mutable uint64_t refusals = 0;        // they refused
  mutable uint64_t refusals_declined = 0;

  Store(const Shape& with_shape, const rl_time_t& now) : shape(with_shape) {
    bucket.key = 0x1234;
    open(&bucket, shape, now);
  }

  // A copy, adapted.
  Bucket at(const rl_time_t& now) const {
    Bucket copy = bucket;
    adapt(&copy, shape, now);
    return copy;
  }

  // As rl_look.
  Evaluation look(const rl_time_t& now, uint64_t cost_units,
                  bool want_next = false) const {
    return evaluate(at(now), shape, cost_units, want_next, now);
  }

  // As rl_decide; *charge_id only if it is admitted.
  Evaluation decide(const rl_time_t& now, uint64_t cost_units,
                    uint64_t* charge_id = nullptr) {
    Bucket copy = bucket;
    const bool rewritten = adapt(&copy, shape, now);
    const Evaluation evaluation = evaluate(copy, shape, cost_units, true, now);
    check_without_next(evaluation, copy, cost_units, now);
    if (evaluation.admitted && cost_units > 0) {
      const uint64_t charged = charge(&copy, shape, cost_units, now);
      if (charge_id != nullptr) *charge_id = charged;
      check_try_charge(evaluation, copy, charged, cost_units, now);
      check_hot_words(evaluation, copy, charged, cost_units, now);
    } else {
      check_try_charge_refuses(evaluation, cost_units, now);
    }
    if (rewritten || (evaluation.admitted && cost_units > 0)) bucket = copy;
    return evaluation;
  }

  // What is told with less asked is no different.
  void check_without_next(const Evaluation& full, const Bucket& copy,
                          uint64_t cost_units, const rl_time_t& now) const {
    const Evaluation quick = evaluate(copy, shape, cost_units, false, now);
    if (quick.admitted != full.admitted ||
        quick.remaining_units != full.remaining_units ||
        quick.reset_ms != full.reset_ms ||
        quick.retry_after_ms != full.retry_after_ms ||
        full.reset_ms != reset_ms(copy, shape, now)) {
      std::abort();
    }
  }

  // In one go no other bucket comes out, to the bit, and no other answer.
  void check_try_charge(const Evaluation& before, const Bucket& after,
                        uint64_t charge_id, uint64_t cost_units,
                        const rl_time_t& now) const {
    Bucket copy = bucket;
    Charged charged;
    const ChargeResult result =
        try_charge(&copy, shape, encode_limit(shape.capacity_units),
                   cost_units, now, &charged);
    if (result == ChargeResult::kUndecided) {
      tries_declined++;
      return;
    }
    tries++;
    if (result != ChargeResult::kAdmitted ||
        !is_charged(copy, charged, before, after, charge_id, cost_units,
                    now) ||
        next_ms(copy, shape, now) !=
            evaluate(after, shape, 0, true, now).next_ms) {
      std::abort();
    }
  }

  // Nor where only the hot words are made.
  void check_hot_words(const Evaluation& before, const Bucket& after,
                       uint64_t charge_id, uint64_t cost_units,
                       const rl_time_t& now) const {
    HotWords hot_words;
    Charged charged;
    const ChargeResult result =
        charge_hot_words(bucket, shape, encode_limit(shape.capacity_units),
                         cost_units, now, &hot_words, &charged);
    if (result == ChargeResult::kUndecided) return;
    hot_charges++;
    Bucket copy = bucket;
    set_hot_words(hot_words, &copy);
    if (result != ChargeResult::kAdmitted ||
        !is_charged(copy, charged, before, after, charge_id, cost_units,
                    now)) {
      std::abort();
    }
  }

  bool is_charged(const Bucket& copy, const Charged& charged,
                  const Evaluation& before, const Bucket& after,
                  uint64_t charge_id, uint64_t cost_units,
                  const rl_time_t& now) const {
    return std::memcmp(&copy, &after, sizeof(copy)) == 0 &&
           charged.charge_id == charge_id &&
           charged.remaining_units == before.remaining_units - cost_units &&
           charged.reset_ms == reset_ms(after, shape, now);
  }

  // And no other refusal.
  void check_try_charge_refuses(const Evaluation& full, uint64_t cost_units,
                                const rl_time_t& now) const {
    if (cost_units == 0) return;
    Bucket copy = bucket;
    HotWords hot_words;
    Charged charged;
    const ChargeResult of_hot_words = charge_hot_words(
        bucket, shape, 0, cost_units, now, &hot_words, &charged);
    if (of_hot_words == ChargeResult::kAdmitted ||
        (of_hot_words == ChargeResult::kRefused && full.admitted)) {
      std::abort();
    }
    const ChargeResult result =
        try_charge(&copy, shape, 0, cost_units, now, &charged);
    if (result == ChargeResult::kUndecided) {
      refusals_declined++;
      return;
    }
    refusals++;
    if (result != ChargeResult::kRefused || full.admitted) {
      std::abort();
    }
  }

  // As rl_settle with more units than were reserved.
  uint64_t force(const rl_time_t& now, uint64_t cost_units) {
    bucket = at(now);
    return charge(&bucket, shape, cost_units, now);
  }

  // As rl_refund, and as rl_settle with less units than were reserved.
  void give_back(const rl_time_t& now, uint64_t charged_units, uint64_t units,
                 uint64_t charge_id) {
    const Shape kept = kept_shape(bucket, shape);
    adapt(&bucket, kept, now);
    refund(&bucket, kept, charged_units, units, charge_id);
  }
  void give_back(const rl_time_t& now, uint64_t units, uint64_t charge_id) {
    give_back(now, units, units, charge_id);
  }
};

// Every charge with its time.  strict() is what a limiter must count at least,
// so that no closed interval of window length holds more than the quota;
// late() is what one may count at most that is window/16 + 1 ms late.
class ExactLog {
 public:
  explicit ExactLog(uint64_t window_ms) : window_ms_(window_ms) {}

  // Times do not decrease.
  void charge(uint64_t time_ms, uint64_t units, uint64_t id) {
    log_.push_back({time_ms, units, id});
    strict_.units += units;
    late_.units += units;
    last_ms_ = time_ms;
  }

  // What was stored then without a charge may have forgotten what had left.
  void touch(uint64_t time_ms) { seen_ms_ = std::max(seen_ms_, time_ms); }

  void refund(uint64_t id, uint64_t units) {
    auto entry = std::lower_bound(
        log_.begin(), log_.end(), id,
        [](const Entry& e, uint64_t wanted) { return e.id < wanted; });
    if (entry == log_.end() || entry->id != id) return;
    const auto index = static_cast<size_t>(entry - log_.begin());
    units = std::min(units, entry->units);
    entry->units -= units;
    if (index >= strict_.first) strict_.units -= units;
    if (index >= late_.first) late_.units -= units;
  }

  // What is still in use stays so; a unit's time is known to window/16 only.
  void set_window(uint64_t window_ms, uint64_t now_ms) {
    touch(now_ms);
    const uint64_t now = std::max(now_ms, last_ms_);
    const uint64_t known_ms = window_ms_ / 16 + 1;
    for (Old& old : old_) {
      if (now >= old.time_ms + window_ms_) old.strict_units = 0;
      if (now >= late_leave_ms(old.late_ms)) old.late_units = 0;
      old.late_ms += known_ms;
    }
    for (const Entry& entry : log_) {
      const bool live = now < entry.time_ms + window_ms_;
      const bool may_live = now < late_leave_ms(entry.time_ms);
      if (!may_live || entry.units == 0) continue;
      old_.push_back({entry.time_ms, entry.time_ms + known_ms,
                      live ? entry.units : 0, entry.units});
    }
    log_.clear();
    strict_ = late_ = {0, 0};
    window_ms_ = window_ms;
  }

  uint64_t strict(uint64_t now_ms) {
    const uint64_t now = std::max({now_ms, last_ms_, seen_ms_});
    slide(&strict_, [&](uint64_t t) { return now >= t + window_ms_; });
    uint64_t units = strict_.units;
    for (const Old& old : old_) {
      if (now < old.time_ms + window_ms_) units += old.strict_units;
    }
    return units;
  }

  uint64_t late(uint64_t now_ms) {
    const uint64_t now = std::max(now_ms, last_ms_);
    slide(&late_, [&](uint64_t t) { return now >= late_leave_ms(t); });
    uint64_t units = late_.units;
    for (const Old& old : old_) {
      if (now < late_leave_ms(old.late_ms)) units += old.late_units;
    }
    // Clocks step back by less than ten seconds here.
    while (!log_.empty() && strict_.first > 0 && late_.first > 0 &&
           log_.front().time_ms + 2 * window_ms_ + 10000 < now) {
      log_.pop_front();
      strict_.first--;
      late_.first--;
    }
    return units;
  }

  uint64_t last_ms() const { return last_ms_; }

 private:
  struct Entry {
    uint64_t time_ms;
    uint64_t units;
    uint64_t id;
  };
  struct Old {  // charged under another window
    uint64_t time_ms;
    uint64_t late_ms;
    uint64_t strict_units;
    uint64_t late_units;
  };
  struct Live {  // from log_[first] on, their sum
    size_t first;
    uint64_t units;
  };

  uint64_t late_leave_ms(uint64_t time_ms) const {
    // The log's leaves at time + window + 1 in a closed interval; the bound
    // is against one whose units leave at time + window.
    return time_ms + window_ms_ + (window_ms_ + 15) / 16 + 1;
  }

  template <typename Gone>
  void slide(Live* live, const Gone& gone) {
    while (live->first < log_.size() && gone(log_[live->first].time_ms)) {
      live->units -= log_[live->first++].units;
    }
    while (live->first > 0 && !gone(log_[live->first - 1].time_ms)) {
      live->units += log_[--live->first].units;
    }
  }

  uint64_t window_ms_;
  uint64_t last_ms_ = 0;
  uint64_t seen_ms_ = 0;
  std::deque<Entry> log_;
  std::vector<Old> old_;
  Live strict_ = {0, 0};
  Live late_ = {0, 0};
};

// A count that starts anew when its window has ended; the grid of `calendar`
// is `grid_ms`, 0 for `fixed`.
struct ExactWindow {
  uint64_t used = 0;
  uint64_t start_ms = 0;
  uint64_t end_ms = 0;

  void advance(uint64_t now_ms) {
    if (now_ms >= end_ms) used = 0;
  }
  void charge(uint64_t now_ms, uint64_t length_ms, uint64_t units) {
    if (used == 0) {
      start_ms = now_ms;
      end_ms = now_ms + length_ms;
    }
    used += units;
  }
};

// The generic cell rate algorithm as it is written down: by the theoretical
// arrival time, here times the quota's units, so that it is an integer.
struct ExactGcra {
  __extension__ typedef __int128 Wide;

  uint64_t units;  // of the rate
  uint64_t window_ms;
  uint64_t capacity_units;  // of this request
  Wide tat = 0;             // in ms times units

  Wide ahead(uint64_t now_ms) const {
    return std::max<Wide>(tat - Wide{now_ms} * units, 0);
  }
  bool admits(uint64_t now_ms, uint64_t cost) const {
    return cost == 0 || (units > 0 && ahead(now_ms) + Wide{cost} * window_ms <=
                                          Wide{capacity_units} * window_ms);
  }
  void charge(uint64_t now_ms, uint64_t cost) {
    tat = Wide{now_ms} * units + ahead(now_ms) + Wide{cost} * window_ms;
  }
  // Debt in units stays, rounded up.
  void adopt(uint64_t now_ms, const Shape& shape) {
    Wide debt = ahead(now_ms);
    debt = (debt * shape.window_ms + window_ms - 1) / window_ms;
    units = shape.units;
    window_ms = shape.window_ms;
    tat = Wide{now_ms} * units + debt;
  }
  // A larger rate holds for debt from the first request on, any other from
  // the first one that is charged.
  bool is_faster(const Shape& shape) const {
    return Wide{shape.units} * window_ms > Wide{units} * shape.window_ms;
  }
};

}  // namespace ratelimit

#endif  // RATELIMIT_T_UNIT_BUCKET_MODELS_H_
