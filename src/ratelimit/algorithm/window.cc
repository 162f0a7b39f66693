#include "ratelimit/algorithm/window.h"

#include "ratelimit/algorithm/calendar.h"
#include "ratelimit/base/bytes.h"

namespace ratelimit {
namespace {

// More than two clocks differ by that are read at once, and rounded.
constexpr uint64_t kRoundingMs = 1000;

uint64_t end_of(const Bucket& bucket) {
  return bucket.algorithm == RL_CALENDAR
             ? bucket.window.end_ms
             : bucket.stamp + bucket.with_hi(bucket.window.window_lo);
}

// How long the window is still open; 0: it is closed.  Calendar counts on the
// monotonic clock, which no step of the wall clock moves.  But while the two
// agree but for a narrow step, the wall clock has the last word: each is
// rounded to its own milliseconds, and the end told in Unix time must not
// waver by one, nor a window be opened anew in its last millisecond.
RATELIMIT_ALWAYS_INLINE uint64_t left_ms(const Bucket& bucket,
                                         const rl_time_t& now) {
  const uint64_t left = end_of(bucket) - now.mono_ms;  // below 0: wrapped
  if (bucket.algorithm == RL_CALENDAR) {
    const uint64_t wall_left = bucket.window.wall_end_ms - now.wall_ms;
    if (wall_left - left + kRoundingMs <= 2 * kRoundingMs) {
      return static_cast<int64_t>(wall_left) > 0 ? wall_left : 0;
    }
  }
  return static_cast<int64_t>(left) > 0 ? left : 0;
}

bool is_shape(const Bucket& bucket, const Shape& shape) {
  return bucket.with_hi(bucket.window.window_lo) == shape.window_ms &&
         (bucket.algorithm != RL_CALENDAR ||
          (bucket.window.months == shape.window_months &&
           bucket.window.tz_ms == shape.tz_ms));
}

// Whether it is of this shape and clock.
bool is_current(const Bucket& bucket, const Shape& shape,
                const rl_time_t& now) {
  return is_shape(bucket, shape) && bucket.stamp <= now.mono_ms + kNewClockMs;
}

void set_shape(Bucket* bucket, const Shape& shape) {
  bucket->set_window_ms(shape.window_ms);
  bucket->window.months = shape.window_months;
  bucket->window.tz_ms = shape.tz_ms;
}

Span grid_window(uint64_t wall_ms, const Shape& shape) {
  return calendar_window(wall_ms, shape.window_ms, shape.window_months,
                         shape.tz_ms);
}

// Moves the end of a calendar window, if it is open, to the grid of `shape`.
void move_end(WindowState* w, const Shape& shape) {
  const auto new_end =
      static_cast<uint64_t>(grid_window(w->wall_start_ms, shape).end_ms);
  const uint64_t end_ms = w->end_ms + new_end;  // minus the old one
  w->end_ms = end_ms > w->wall_end_ms ? end_ms - w->wall_end_ms : 0;
  w->wall_end_ms = new_end;
}

void open_calendar(WindowState* w, const Shape& shape, const rl_time_t& now) {
  const Span span = grid_window(now.wall_ms, shape);
  w->wall_start_ms =
      span.begin_ms > 0 ? static_cast<uint64_t>(span.begin_ms) : 0;
  w->wall_end_ms = static_cast<uint64_t>(span.end_ms);
  // (After the year 9999 a window lasts a millisecond.)
  w->end_ms =
      now.mono_ms +
      (w->wall_end_ms > now.wall_ms ? w->wall_end_ms - now.wall_ms : 1);
}

}  // namespace

void window_open(Bucket* bucket, const Shape& shape) noexcept {
  set_shape(bucket, shape);
}

bool window_adapt(Bucket* bucket, const Shape& shape,
                  const rl_time_t& now) noexcept {
  WindowState& w = bucket->window;
  bool rewritten = false;
  if (__builtin_expect(
          w.used_units != 0 && bucket->stamp > now.mono_ms + kNewClockMs, 0)) {
    const uint64_t ahead_ms = bucket->stamp - now.mono_ms;
    w.end_ms = w.end_ms > ahead_ms ? w.end_ms - ahead_ms : 0;
    bucket->set_stamp(now.mono_ms);
    rewritten = true;
  }
  if (left_ms(*bucket, now) == 0) w.used_units = 0;
  if (__builtin_expect(!is_shape(*bucket, shape), 0)) {
    const uint64_t old_left_ms = left_ms(*bucket, now);
    if (bucket->algorithm == RL_CALENDAR) move_end(&w, shape);
    set_shape(bucket, shape);
    const uint64_t new_left_ms = left_ms(*bucket, now);
    // One that ends sooner forgets: that is for a charge to make true.
    rewritten |= w.used_units != 0 && new_left_ms > old_left_ms;
    if (new_left_ms == 0) w.used_units = 0;
  }
  return rewritten;
}

Evaluation window_evaluate(const Bucket& bucket, const Shape& shape,
                           uint64_t cost_units,
                           const rl_time_t& now) noexcept {
  const uint64_t used = bucket.window.used_units;
  Evaluation evaluation;
  evaluation.remaining_units = used < shape.units ? shape.units - used : 0;
  evaluation.admitted = cost_units <= evaluation.remaining_units;
  evaluation.reset_ms = used == 0 ? 0 : left_ms(bucket, now);
  evaluation.retry_after_ms = 0;
  if (!evaluation.admitted) {
    evaluation.retry_after_ms =
        cost_units > shape.units ? shape.window_ms : evaluation.reset_ms;
  }
  evaluation.next_ms = evaluation.reset_ms;
  return evaluation;
}

uint64_t window_reset_ms(const Bucket& bucket, const rl_time_t& now) noexcept {
  return bucket.window.used_units == 0 ? 0 : left_ms(bucket, now);
}

uint64_t window_charge(Bucket* bucket, const Shape& shape, uint64_t cost_units,
                       const rl_time_t& now) noexcept {
  WindowState& w = bucket->window;
  if (w.used_units == 0) {
    bucket->set_stamp(now.mono_ms);
    if (bucket->algorithm == RL_CALENDAR) open_calendar(&w, shape, now);
  }
  const uint64_t room = kMaxHeldUnits - w.used_units;
  w.used_units += cost_units < room ? cost_units : room;
  return bucket->stamp;
}

ChargeResult window_charge_hot_words(const Bucket& stored, const Shape& shape,
                                     unsigned limit_code, uint64_t cost_units,
                                     const rl_time_t& now, HotWords* hot_words,
                                     Charged* charged) noexcept {
  if (!is_current(stored, shape, now)) {
    return ChargeResult::kUndecided;
  }
  uint64_t used = stored.window.used_units;
  uint64_t start = stored.stamp;
  uint64_t left = used == 0 ? 0 : left_ms(stored, now);
  if (left == 0) {
    if (shape.algorithm == RL_CALENDAR) return ChargeResult::kUndecided;
    used = 0;
    start = now.mono_ms;
    left = shape.window_ms;
  }
  used += cost_units;
  if (used > shape.units) {
    return ChargeResult::kRefused;
  }
  hot_words->words[0] = charged_word(stored, start, limit_code);
  hot_words->words[1] = used;
  charged->remaining_units = shape.units - used;
  charged->reset_ms = left;
  charged->charge_id = start;
  return ChargeResult::kAdmitted;
}

ChargeResult calendar_try_charge(Bucket* bucket, const Shape& shape,
                                 unsigned limit_code, uint64_t cost_units,
                                 const rl_time_t& now,
                                 Charged* charged) noexcept {
  if (!is_current(*bucket, shape, now)) {
    return ChargeResult::kUndecided;
  }
  if (cost_units > shape.units) {
    return ChargeResult::kRefused;
  }
  bucket->note_charge(limit_code);
  bucket->set_stamp(now.mono_ms);
  open_calendar(&bucket->window, shape, now);
  bucket->window.used_units = cost_units;
  charged->remaining_units = shape.units - cost_units;
  charged->reset_ms = left_ms(*bucket, now);
  charged->charge_id = bucket->stamp;
  return ChargeResult::kAdmitted;
}

void window_refund(Bucket* bucket, uint64_t units,
                   uint64_t charge_id) noexcept {
  WindowState& w = bucket->window;
  if (charge_id != bucket->stamp) return;
  w.used_units -= units < w.used_units ? units : w.used_units;
}

uint64_t window_idle_at_ms(const Bucket& bucket) noexcept {
  return bucket.window.used_units == 0 ? 0 : end_of(bucket);
}

}  // namespace ratelimit
