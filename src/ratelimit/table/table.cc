#include "ratelimit/table/table.h"

#include <algorithm>

namespace ratelimit {

namespace {

constexpr uint32_t kFull = (1u << kBucketsPerSet) - 1;

// The first free place of the set that is not kept, or kNone.
uint32_t free_index(const Set& set, uint32_t kept) {
  const uint32_t taken = set.occupied | kept;
  return taken == kFull ? kNone : static_cast<uint32_t>(__builtin_ctz(~taken));
}

Place place_of(Set* set, uint32_t index, uint64_t idle_at, uint64_t now_ms) {
  if (idle_at <= now_ms) return {set, index, true, false, 0, 0};
  return {set,    index, true, true, debt_share(set->buckets[index], now_ms),
          idle_at};
}

// A bucket that an earlier scan has seen, which is idle, or was not used since
// and has no debt.  Most scans find several, so that most evictions need none.
Place hinted_place(Set* set, uint32_t kept, uint64_t now_ms) {
  uint32_t hint = set->hint & ~kept;
  while (hint != 0) {
    const auto i = static_cast<uint32_t>(__builtin_ctz(hint));
    hint &= hint - 1;
    set->hint &= ~(1u << i);
    const uint64_t idle_at = idle_at_ms(set->buckets[i]);
    if (idle_at > now_ms && idle_at > set->hint_until_ms) continue;
    const Place place = place_of(set, i, idle_at, now_ms);
    if (place.debt_share == 0) return place;
  }
  return {set, kNone, false, false, 0, 0};
}

// Whether it has less of a right to stay.
bool goes_before(const Place& place, const Place& other) {
  if (place.index == kNone || other.index == kNone) {
    return other.index == kNone;
  }
  return place.debt_share != other.debt_share
             ? place.debt_share < other.debt_share
             : place.idle_at_ms < other.idle_at_ms;
}

// Takes the bucket for *best if that has a better right to stay.  The share is
// the greater effort: in a flood, where most buckets have none, it is asked
// for but a few of the buckets of a scan.
void consider(Set* set, uint32_t index, uint64_t idle_at, uint64_t now_ms,
              Place* best) {
  if (best->index != kNone && idle_at >= best->idle_at_ms &&
      best->debt_share == 0) {
    return;
  }
  const Place place = place_of(set, index, idle_at, now_ms);
  if (goes_before(place, *best)) *best = place;
}

// Up to when those of a full set that may go soon are idle: now, if the best
// is, or else the first half of the time from then until all are, in a flood
// the older half of its keys.  Those that are idle before the best stay for
// their debt: counted from the oldest of them, that half would be of them.
uint64_t soon_ms(const Place& best, uint64_t last_ms, uint64_t now_ms) {
  const uint64_t first_ms = best.idle_at_ms;
  return !best.evicts_active || first_ms > last_ms
             ? now_ms
             : first_ms + (last_ms - first_ms) / 2;
}

// Looks at every bucket of a full set, and notes those that may go.  Places
// that are held are never idle.
Place scan(Set* set, uint32_t kept, uint64_t now_ms) {
  Place best = {set, kNone, false, false, 0, 0};
  uint64_t idle_at[kBucketsPerSet];
  uint64_t last_ms = 0;
  for (uint32_t i = 0; i < kBucketsPerSet; ++i) {
    const uint64_t at = idle_at_ms(set->buckets[i]);
    idle_at[i] = at;
    if (at != UINT64_MAX) last_ms = std::max(last_ms, at);
    if ((kept >> i & 1) == 0) consider(set, i, at, now_ms, &best);
  }
  set->hint_until_ms = soon_ms(best, last_ms, now_ms);
  uint32_t soon = 0;
  for (uint32_t i = 0; i < kBucketsPerSet; ++i) {
    soon |= uint32_t{idle_at[i] >= best.idle_at_ms &&
                     idle_at[i] <= set->hint_until_ms}
            << i;
  }
  set->hint = soon & ~kept;
  return best;
}

}  // namespace

Place choose_place(Set* first, uint32_t first_kept, Set* second,
                   uint32_t second_kept, uint64_t now_ms) {
  uint32_t index = free_index(*first, first_kept);
  if (!is_crowded(*first) && index != kNone) {
    return {first, index, false, false, 0, 0};
  }
  const uint32_t other = free_index(*second, second_kept);
  if (index != kNone && (other == kNone || index <= other)) {
    return {first, index, false, false, 0, 0};
  }
  if (other != kNone) {
    return {second, other, false, false, 0, 0};
  }

  Place best = hinted_place(first, first_kept, now_ms);
  if (best.index == kNone) {
    best = hinted_place(second, second_kept, now_ms);
  }
  if (best.index == kNone) {
    best = scan(first, first_kept, now_ms);
    if (second != first && (best.index == kNone || best.evicts_active)) {
      const Place place = scan(second, second_kept, now_ms);
      if (goes_before(place, best)) best = place;
    }
    if (best.index != kNone) best.set->hint &= ~(1u << best.index);
  }
  return best;
}

}  // namespace ratelimit
