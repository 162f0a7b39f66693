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

// Whether the bucket has less of a right to stay than *best; if so, it is
// *best.  The share is the greater effort: in a flood, where most buckets have
// none, it is asked for but a few of the buckets of a scan.
void consider(Set* set, uint32_t index, uint64_t idle_at, uint64_t now_ms,
              Place* best) {
  const bool later = best->index != kNone && idle_at >= best->idle_at_ms;
  if (later && best->debt_share == 0) {
    return;
  }
  const Place place = place_of(set, index, idle_at, now_ms);
  if (best->index == kNone || place.debt_share < best->debt_share ||
      (place.debt_share == best->debt_share && !later)) {
    *best = place;
  }
}

// Up to when those of a full set that may go soon are idle: now, if any is, or
// else the first half of the time until all are, in a flood the older half of
// its keys.  Places that are held are never idle.
uint64_t soon_ms(const uint64_t (&idle_at)[kBucketsPerSet], uint64_t now_ms) {
  uint64_t first = UINT64_MAX;
  uint64_t last = 0;
  for (const uint64_t at : idle_at) {
    first = std::min(first, at);
    if (at != UINT64_MAX) last = std::max(last, at);
  }
  return first <= now_ms || first > last ? now_ms : first + (last - first) / 2;
}

// Looks at every bucket of a full set, and notes the others that may go.
void scan(Set* set, uint32_t kept, uint64_t now_ms, Place* best) {
  uint64_t idle_at[kBucketsPerSet];
  for (uint32_t i = 0; i < kBucketsPerSet; ++i) {
    idle_at[i] = idle_at_ms(set->buckets[i]);
    if ((kept >> i & 1) == 0) consider(set, i, idle_at[i], now_ms, best);
  }
  set->hint_until_ms = soon_ms(idle_at, now_ms);
  uint32_t soon = 0;
  for (uint32_t i = 0; i < kBucketsPerSet; ++i) {
    soon |= uint32_t{idle_at[i] <= set->hint_until_ms} << i;
  }
  if (best->set == set && best->index != kNone) soon &= ~(1u << best->index);
  set->hint = soon & ~kept;
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
    scan(first, first_kept, now_ms, &best);
    if (second != first && (best.index == kNone || best.evicts_active)) {
      scan(second, second_kept, now_ms, &best);
    }
  }
  return best;
}

}  // namespace ratelimit
