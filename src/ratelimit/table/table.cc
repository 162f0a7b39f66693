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

// A bucket that an earlier scan has seen, which is idle or has no debt.  Most
// scans find several, so that most evictions need none.  A bucket may have
// been used since; that is looked up.
Place hinted_place(Set* set, uint32_t kept, uint64_t now_ms) {
  uint32_t hint = set->hint & ~kept;
  while (hint != 0) {
    const auto i = static_cast<uint32_t>(__builtin_ctz(hint));
    hint &= hint - 1;
    set->hint &= ~(1u << i);
    const Place place = place_of(set, i, idle_at_ms(set->buckets[i]), now_ms);
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

// Those of a full set that are idle, or else will be in the first half of the
// time until all are: in a flood the older half of its keys.
uint32_t soon_idle(const uint64_t (&idle_at)[kBucketsPerSet], uint32_t kept,
                   uint64_t now_ms) {
  uint64_t first = UINT64_MAX;
  uint64_t last = 0;
  for (const uint64_t at : idle_at) {
    first = std::min(first, at);
    last = std::max(last, at);
  }
  const uint64_t until = std::max(now_ms, first + (last - first) / 2);
  uint32_t soon = 0;
  for (uint32_t i = 0; i < kBucketsPerSet; ++i) {
    soon |= uint32_t{idle_at[i] <= until} << i;
  }
  return soon & ~kept;
}

// Looks at every bucket of a full set, and notes the others that may go.
void scan(Set* set, uint32_t kept, uint64_t now_ms, Place* best) {
  uint64_t idle_at[kBucketsPerSet];
  for (uint32_t i = 0; i < kBucketsPerSet; ++i) {
    idle_at[i] = idle_at_ms(set->buckets[i]);
    if ((kept >> i & 1) == 0) consider(set, i, idle_at[i], now_ms, best);
  }
  set->hint = soon_idle(idle_at, kept, now_ms);
  if (best->set == set && best->index != kNone) {
    set->hint &= ~(1u << best->index);
  }
}

// Nothing worth mentioning is lost with it.
bool may_go(const Place& place) {
  return place.index != kNone && place.debt_share == 0;
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
    if (second != first && !may_go(best)) {
      scan(second, second_kept, now_ms, &best);
    }
  }
  return best;
}

}  // namespace ratelimit
