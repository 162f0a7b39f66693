#include "ratelimit/table/table.h"

namespace ratelimit {

namespace {

constexpr uint32_t kFull = (1u << kBucketsPerSet) - 1;

// The first free place of the set that is not kept, or kNone.
uint32_t free_index(const Set& set, uint32_t kept) {
  const uint32_t taken = set.occupied | kept;
  return taken == kFull ? kNone
                        : static_cast<uint32_t>(__builtin_ctz(~taken));
}

Place idle_place(Set* set, uint32_t index) {
  return {set, index, true, false, 0, 0};
}

// An idle bucket that an earlier scan has seen.  Most scans find several, so
// that most evictions need no scan: a table that has filled up in weeks holds
// mostly idle ones.  A bucket may have been used since; that is looked up.
Place hinted_place(Set* set, uint32_t kept, uint64_t now_ms) {
  uint32_t hint = set->idle_hint & ~kept;
  while (hint != 0) {
    const auto i = static_cast<uint32_t>(__builtin_ctz(hint));
    hint &= hint - 1;
    set->idle_hint &= ~(1u << i);
    if (idle_at_ms(set->buckets[i]) <= now_ms) {
      return idle_place(set, i);
    }
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
  const uint32_t share = debt_share(set->buckets[index], now_ms);
  if (best->index == kNone || share < best->debt_share ||
      (share == best->debt_share && !later)) {
    *best = {set, index, true, true, share, idle_at};
  }
}

// Looks at every bucket of a full set: takes an idle one, noting the others,
// or else improves on *best.
void scan(Set* set, uint32_t kept, uint64_t now_ms, Place* best) {
  uint32_t idle = 0;
  for (uint32_t i = 0; i < kBucketsPerSet; ++i) {
    if (kept >> i & 1) {
      continue;
    }
    const uint64_t idle_at = idle_at_ms(set->buckets[i]);
    if (idle_at <= now_ms) {
      idle |= 1u << i;
    } else if (idle == 0) {
      consider(set, i, idle_at, now_ms, best);
    }
  }
  if (idle != 0) {
    *best = idle_place(set, static_cast<uint32_t>(__builtin_ctz(idle)));
    set->idle_hint = idle & (idle - 1);
  }
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
