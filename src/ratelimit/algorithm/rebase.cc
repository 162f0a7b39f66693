#include "ratelimit/algorithm/rebase.h"

#include "ratelimit/algorithm/ban.h"
#include "ratelimit/algorithm/gcra.h"
#include "ratelimit/algorithm/sliding_slots.h"

namespace ratelimit {

namespace {

constexpr uint64_t kMaxTimeMs = uint64_t{1} << 40;  // as rl_time_t promises

// Of kMaxHeldUnits times the longest window.
constexpr uint32_t kMaxDebtHi = 1u << 23;
static_assert(RL_MAX_WINDOW_MS < uint64_t{1} << 35, "87 bits");

uint64_t moved(uint64_t time_ms, int64_t delta_ms) {
  const int64_t time = static_cast<int64_t>(time_ms) + delta_ms;
  if (time < 0) return 0;
  return time < static_cast<int64_t>(kMaxTimeMs) ? static_cast<uint64_t>(time)
                                                 : kMaxTimeMs;
}

}  // namespace

bool is_sound(const Bucket& bucket) noexcept {
  // Of those who held places nobody is left.
  if (bucket.algorithm > RL_GCRA && bucket.algorithm != RL_BAN) return false;
  const uint64_t window_ms = bucket.window_ms();
  if (window_ms == 0 || window_ms > RL_MAX_WINDOW_MS) return false;
  switch (bucket.algorithm) {
    case RL_SLIDING:
      return bucket.stamp <= kMaxTimeMs && has_sound_rest(bucket.sliding);
    case RL_GCRA:
      return bucket.stamp <= kMaxTimeMs &&
             (bucket.gcra.debt_hi & ~kWideQueue) < kMaxDebtHi &&
             bucket.gcra.units <= RL_MAX_UNITS;
    case RL_BAN:
      return bucket.stamp <= kMaxTimeMs && bucket.ban.level < RL_MAX_BANS &&
             bucket.ban.until_ms <= bucket.ban.forget_ms &&
             bucket.ban.forget_ms <= 2 * kMaxTimeMs;
    default:
      return bucket.stamp <= kMaxTimeMs &&
             bucket.window.used_units <= kMaxHeldUnits &&
             bucket.window.end_ms <= kMaxTimeMs &&
             bucket.window.months <= RL_MAX_MONTHS;
  }
}

void rebase_clock(Bucket* bucket, int64_t delta_ms) noexcept {
  if (delta_ms == 0) return;
  switch (bucket->algorithm) {
    case RL_SLIDING:
      return rebase(bucket, decode_limit(bucket->limit_code),
                    moved(bucket->stamp, delta_ms));
    case RL_BAN:
      return ban_rebase_clock(bucket, delta_ms);
    case RL_GCRA:
      return gcra_set_stamp(bucket, moved(bucket->stamp, delta_ms));
    case RL_CALENDAR:
      bucket->window.end_ms = moved(bucket->window.end_ms, delta_ms);
      break;
    default:
      break;
  }
  bucket->set_stamp(moved(bucket->stamp, delta_ms));
}

}  // namespace ratelimit
