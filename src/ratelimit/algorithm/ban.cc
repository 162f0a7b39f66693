#include "ratelimit/algorithm/ban.h"

#include <algorithm>
#include <cstring>

namespace ratelimit {
namespace {

constexpr uint64_t kSubWindows = 16;
constexpr size_t kCounts = sizeof(BanState::counts);
static_assert(kCounts == kSubWindows + 1, "a whole window behind the newest");
static_assert(RL_MAX_BAN_AFTER == UINT8_MAX, "fits a count");

uint64_t tick_of(uint64_t now_ms, uint64_t window_ms) {
  return kSubWindows * now_ms / window_ms;
}

// Newest first, of which the stamp is; what is older than a window falls off.
void renew_counts(Bucket* bucket, uint64_t window_ms, uint64_t now_ms) {
  uint8_t* counts = bucket->ban.counts;
  const uint64_t newest = tick_of(bucket->stamp, window_ms);
  const uint64_t tick = tick_of(now_ms, window_ms);
  const uint64_t newer = tick - newest;  // wrapped: the clock went back
  if (newer >= kCounts) {
    // A step back of a clock that is a little behind is none.
    if (newest - tick == 1) return;
    std::memset(counts, 0, kCounts);
  } else {
    std::memmove(counts + newer, counts, kCounts - newer);
    std::memset(counts, 0, newer);
  }
  bucket->set_stamp(now_ms);
}

uint32_t refusals(const BanState& state) {
  uint32_t sum = 0;
  for (const uint8_t count : state.counts) {
    sum += count;
  }
  return sum;
}

}  // namespace

void ban_open(Bucket* bucket, uint64_t key, uint64_t window_ms) noexcept {
  start(bucket, key, RL_BAN, window_ms, 0, 0);
}

uint64_t ban_left_ms(const Bucket& bucket, uint64_t now_ms) noexcept {
  const uint64_t until_ms = bucket.ban.until_ms;
  return until_ms > now_ms ? until_ms - now_ms : 0;
}

bool ban_note_refusal(Bucket* bucket, const rl_policy_t& policy,
                      uint64_t window_ms, uint64_t now_ms) noexcept {
  BanState& state = bucket->ban;
  if (bucket->with_hi(state.window_lo) != window_ms) {
    bucket->set_window_ms(window_ms);
    std::memset(state.counts, 0, kCounts);
  }
  renew_counts(bucket, window_ms, now_ms);
  state.policy_id = policy.secret.lo;
  if (state.counts[0] < UINT8_MAX) ++state.counts[0];
  if (refusals(state) < policy.ban->after) return false;
  ban_begin(bucket, policy, now_ms);
  return true;
}

void ban_begin(Bucket* bucket, const rl_policy_t& policy,
               uint64_t now_ms) noexcept {
  const rl_ban_t& ban = *policy.ban;
  BanState& state = bucket->ban;
  const bool again = now_ms < state.forget_ms;
  const uint32_t level = again ? state.level + 1u : 0u;
  state.level = static_cast<uint8_t>(std::min(level, ban.n - 1));
  state.policy_id = policy.secret.lo;
  std::memset(state.counts, 0, kCounts);
  bucket->set_stamp(now_ms);
  ban_restart(bucket, ban, now_ms);
}

void ban_restart(Bucket* bucket, const rl_ban_t& ban,
                 uint64_t now_ms) noexcept {
  BanState& state = bucket->ban;
  const uint32_t level = std::min<uint32_t>(state.level, ban.n - 1);
  state.until_ms = now_ms + ban.durations_ms[level];
  state.forget_ms = state.until_ms + ban.durations_ms[ban.n - 1];
}

uint64_t ban_idle_at_ms(const Bucket& bucket) noexcept {
  const BanState& state = bucket.ban;
  const uint64_t window_ms = bucket.with_hi(state.window_lo);
  const uint64_t counted_until_ms =
      refusals(state) == 0 ? 0 : bucket.stamp + window_ms + window_ms / 16 + 1;
  return std::max(state.forget_ms, counted_until_ms);
}

uint32_t ban_debt_share(const Bucket& bucket, uint64_t now_ms) noexcept {
  if (ban_left_ms(bucket, now_ms) != 0) return UINT32_MAX;
  return ban_idle_at_ms(bucket) > now_ms ? 65536 : 0;
}

void ban_rebase_clock(Bucket* bucket, int64_t delta_ms) noexcept {
  const auto moved = [=](uint64_t time_ms) {
    const int64_t time = static_cast<int64_t>(time_ms) + delta_ms;
    return time < 0 ? 0 : static_cast<uint64_t>(time);
  };
  BanState& state = bucket->ban;
  state.until_ms = moved(state.until_ms);
  state.forget_ms = moved(state.forget_ms);
  // Counts belong to sub-windows of the other clock.
  std::memset(state.counts, 0, kCounts);
  bucket->set_stamp(moved(bucket->stamp));
}

}  // namespace ratelimit
