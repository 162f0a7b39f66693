// Which policy is reported where only one can be: see ratelimit.h.

#include "ratelimit/ratelimit.h"

namespace {

// What a client has to wait for comes first: a refusal in dry run, which
// refuses nothing, comes first only where no policy refuses in earnest.
int urgency(const rl_item_t& item) {
  if (item.admitted) {
    return 0;
  }
  return item.dry_run ? 1 : 2;
}

__extension__ typedef unsigned __int128 Wide;

uint64_t divisor(const rl_item_t& item) {
  return item.cost_units == 0 ? 1 : item.cost_units;
}

// Whether a is reported rather than b; of equals the first one is.
bool is_more_restrictive(const rl_item_t& a, const rl_item_t& b) {
  if (urgency(a) != urgency(b)) {
    return urgency(a) > urgency(b);
  }
  if (!a.admitted) {
    return a.retry_after_ms > b.retry_after_ms;
  }
  // a's remaining / cost against b's, multiplied out.
  const Wide left_a = Wide{a.remaining_units} * divisor(b);
  const Wide left_b = Wide{b.remaining_units} * divisor(a);
  return left_a != left_b ? left_a < left_b : a.reset_ms > b.reset_ms;
}

}  // namespace

const rl_item_t* rl_most_restrictive(const rl_item_t* items, size_t n,
                                     const unsigned char* skip) noexcept {
  const rl_item_t* best = nullptr;
  for (size_t i = 0; i < n; ++i) {
    if (items[i].policy->hidden || (skip != nullptr && skip[i])) {
      continue;
    }
    if (best == nullptr || is_more_restrictive(items[i], *best)) {
      best = &items[i];
    }
  }
  return best;
}
