// Turns of requests that were refused: see rl_take_turn in ratelimit.h.
//
// One word for each bucket that refused lately: 16 bits of its hash, and until
// when the turns that were told take units, in 256ths of a millisecond.  That
// is the arrival time of gcra, which needs nobody to count it down: the units
// that were told and are not back yet are those that come back between the
// next one and then.  What a new window brings it has fewer of, and turns that
// nobody took are over when their time is.
//
// Words are only changed by compare-and-exchange; a set of eight is one cache
// line.  Two buckets with the same bits of their hashes stand in one queue,
// and a bucket whose word is overwritten begins a new one: both tell no time
// that is too early.

#include <algorithm>

#include "ratelimit/table/zone.h"

namespace ratelimit {

namespace {

__extension__ typedef unsigned __int128 uint128_t;

constexpr uint64_t kFractions = 256;  // of a millisecond
constexpr unsigned kUntilBits = 48;
constexpr uint64_t kMaxUntil = (uint64_t{1} << kUntilBits) - 1;
static_assert(kFractions << 40 == kMaxUntil + 1, "any monotonic time fits");

// Of the whole quota each; all beyond are told the last of them.
constexpr uint64_t kMaxTurns = 8;

// Clients come this much later than they are told to.
constexpr uint64_t kLateMs = 100;

uint64_t until_of(uint64_t word) {
  return word & kMaxUntil;
}

// From one turn to the next that has the whole quota.  Clients are told whole
// seconds, so of two windows that are closer the earlier one's requests would
// still be in the way; `sliding` may keep them for a 256th longer.
uint64_t turn_ms(const rl_item_t& item) {
  const uint64_t window_ms = item.quota.window_ms;
  if (item.policy->algorithm == RL_GCRA) return window_ms;
  return ((window_ms + window_ms / 256 + kLateMs) / 1000 + 1) * 1000;
}

// How long the turns of `units` take, in parts of a millisecond, rounded up.
uint64_t time_of(uint64_t units, const rl_item_t& item, uint64_t parts) {
  const uint64_t quota = item.quota.units;
  const uint128_t time =
      (uint128_t{units} * turn_ms(item) * parts + quota - 1) / quota;
  return static_cast<uint64_t>(std::min<uint128_t>(time, kMaxUntil));
}

// To the nearest one: windows begin some milliseconds after the last one's
// end, when its first request comes.  No more than all turns have.
uint64_t units_of(uint64_t time, const rl_item_t& item) {
  const uint128_t turn = uint128_t{turn_ms(item)} * kFractions;
  const uint128_t units =
      (uint128_t{time} * item.quota.units + turn / 2) / turn;
  return static_cast<uint64_t>(
      std::min<uint128_t>(units, kMaxTurns * item.quota.units));
}

// How many units are others' before the item's turn, `told` of them by now.  A
// window that has no room for its whole cost is not its own, but for gcra,
// which has none.
uint64_t ahead_units(const rl_item_t& item, uint64_t told) {
  const uint64_t quota = item.quota.units;
  const uint64_t cost = item.cost_units;
  if (item.policy->algorithm != RL_GCRA && told % quota + cost > quota) {
    told += quota - told % quota;
  }
  const uint64_t most = kMaxTurns * quota;
  if (told + cost <= most) return told;
  return most > cost ? most - cost : 0;
}

// The bucket's word, or the one to give up for it: one whose turns are over,
// else any.
std::atomic<uint64_t>* choose(std::atomic<uint64_t>* ways, uint64_t tag,
                              uint64_t now_ms, uint64_t* seen) {
  std::atomic<uint64_t>* word = &ways[now_ms % kTurnWays];
  for (uint32_t i = 0; i < kTurnWays; ++i) {
    *seen = ways[i].load(std::memory_order_relaxed);
    if (*seen >> kUntilBits == tag) return &ways[i];
    if (until_of(*seen) <= now_ms * kFractions) word = &ways[i];
  }
  *seen = word->load(std::memory_order_relaxed);
  return word;
}

// Takes the next turn of the item's bucket, whose next unit comes back at
// back_ms.  Returns how many units are others' before it.
uint64_t take_turn(const rl_item_t& item, uint64_t back_ms, uint64_t now_ms) {
  const uint64_t key = item.bucket.lo;
  const uint64_t tag = key >> kUntilBits;
  const auto set = static_cast<uint32_t>((key & 0xffffffff) * kTurnSets >> 32);
  const uint64_t back = std::min(back_ms, kMaxUntil / kFractions) * kFractions;
  for (;;) {
    uint64_t seen;
    std::atomic<uint64_t>* word =
        choose(header_of(item.policy->zone)->turns[set], tag, now_ms, &seen);
    const bool waits = seen >> kUntilBits == tag && until_of(seen) > back;
    const uint64_t ahead =
        ahead_units(item, waits ? units_of(until_of(seen) - back, item) : 0);
    const uint64_t until =
        back + time_of(ahead + item.cost_units, item, kFractions);
    if (word->compare_exchange_weak(
            seen, tag << kUntilBits | std::min(until, kMaxUntil),
            std::memory_order_relaxed)) {
      return ahead;
    }
  }
}

}  // namespace

}  // namespace ratelimit

void rl_take_turn(rl_process_t* process, rl_item_t* item,
                  const rl_time_t* now) noexcept {
  const rl_quota_t& quota = item->quota;
  if (quota.units == 0 || item->cost_units > item->capacity_units ||
      item->policy->algorithm == RL_CONCURRENT) {
    return;  // no turn would do, or nobody knows when it is
  }
  rl_item_t asked = *item;
  asked.want_next = 1;
  if (rl_look(process, &asked, 1, now) != RL_REFUSED) {
    return;  // units came back meanwhile
  }
  uint64_t wait_ms = asked.retry_after_ms;
  const uint64_t ahead =
      ratelimit::take_turn(*item, now->mono_ms + asked.next_ms, now->mono_ms);
  if (item->policy->algorithm == RL_GCRA) {
    wait_ms += ratelimit::time_of(ahead, *item, 1);
  } else if (ahead != 0) {
    // Of one window the bucket knows when which units come back.
    asked.cost_units += ahead % quota.units;
    if (rl_look(process, &asked, 1, now) == RL_REFUSED) {
      wait_ms = std::max(wait_ms, asked.retry_after_ms);
    }
    wait_ms += ahead / quota.units * ratelimit::turn_ms(*item);
  }
  if (wait_ms <= item->retry_after_ms) return;
  if (item->next_ms != 0) item->next_ms += wait_ms - item->retry_after_ms;
  item->retry_after_ms = wait_ms;
  item->reset_ms = wait_ms;
}
