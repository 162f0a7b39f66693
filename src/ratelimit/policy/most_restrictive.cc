// Which policy speaks for all: see ratelimit.h.

#include "ratelimit/ratelimit.h"

namespace {

// What a client has to wait for comes first: a refusal in dry run, which
// refuses nothing, speaks only where no policy refuses in earnest.
int urgency(const rl_item_t& item) {
  if (item.admitted) {
    return 0;
  }
  return item.dry_run ? 1 : 2;
}

uint64_t divisor(const rl_item_t& item) {
  return item.cost_units == 0 ? 1 : item.cost_units;
}

// Whether a speaks rather than b; of equals the first one does.
bool speaks_before(const rl_item_t& a, const rl_item_t& b) {
  if (urgency(a) != urgency(b)) {
    return urgency(a) > urgency(b);
  }
  if (!a.admitted) {
    return a.retry_after_ms > b.retry_after_ms;
  }
  // a's remaining / cost against b's, multiplied out.
  static_assert(uint64_t{RL_MAX_UNITS} * RL_MAX_UNITS < UINT64_MAX, "fits");
  const uint64_t left_a = a.remaining_units * divisor(b);
  const uint64_t left_b = b.remaining_units * divisor(a);
  return left_a != left_b ? left_a < left_b : a.reset_ms > b.reset_ms;
}

}  // namespace

const rl_item_t* rl_speaker(const rl_item_t* items, size_t n,
                            const unsigned char* skip) noexcept {
  const rl_item_t* speaker = nullptr;
  for (size_t i = 0; i < n; ++i) {
    if (items[i].policy->hidden || (skip != nullptr && skip[i])) {
      continue;
    }
    if (speaker == nullptr || speaks_before(items[i], *speaker)) {
      speaker = &items[i];
    }
  }
  return speaker;
}
