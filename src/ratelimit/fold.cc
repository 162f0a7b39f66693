// Folding repeats of the same refusal: see rl_log_due in ratelimit.h.
//
// One word for each key that was logged lately: 24 bits of the key's id, the
// second of its last line, and how many were swallowed since.  Words are only
// changed by compare-and-exchange; a set of eight is one cache line.

#include "zone.h"

namespace ratelimit {

namespace {

constexpr unsigned kSecondBits = 20;  // 12 days until they repeat
constexpr unsigned kCountBits = 20;
constexpr uint32_t kMaxSecond = (1u << kSecondBits) - 1;
constexpr uint32_t kMaxCount = (1u << kCountBits) - 1;

// Processes' clocks differ by milliseconds: a second ago is "now" for some.
constexpr uint32_t kClockSlackS = 2;

struct Fold {
  uint32_t tag;  // never 0, so that a zero word is a free one
  uint32_t second;
  uint32_t count;

  static Fold of(uint64_t word) {
    return {static_cast<uint32_t>(word >> (kSecondBits + kCountBits)),
            static_cast<uint32_t>(word >> kCountBits) & kMaxSecond,
            static_cast<uint32_t>(word) & kMaxCount};
  }

  uint64_t word() const {
    return uint64_t{tag} << (kSecondBits + kCountBits) |
           uint64_t{second} << kCountBits | count;
  }

  // Whether its line was written in this second, or in one that only another
  // process's clock has reached.
  bool is_of(uint32_t now_s) const {
    return ((second - now_s) & kMaxSecond) <= kClockSlackS;
  }
};

// The key's word, or the one to give up for it: free, else the one that has
// swallowed fewest and is not of this second.
struct Choice {
  std::atomic<uint64_t>* word;  // nullptr: all are of this second
  uint64_t seen;
  bool found;
};

Choice choose(std::atomic<uint64_t>* ways, uint32_t tag, uint32_t now_s) {
  Choice choice = {nullptr, 0, false};
  for (uint32_t i = 0; i < kFoldWays; ++i) {
    const uint64_t seen = ways[i].load(std::memory_order_relaxed);
    const Fold fold = Fold::of(seen);
    if (fold.tag == tag) {
      return {&ways[i], seen, true};
    }
    if ((seen == 0 || !fold.is_of(now_s)) &&
        (choice.word == nullptr ||
         fold.count < Fold::of(choice.seen).count)) {
      choice = {&ways[i], seen, false};
    }
  }
  return choice;
}

}  // namespace

}  // namespace ratelimit

using ratelimit::Fold;

int rl_log_due(const rl_zone_t* zone, uint64_t key_id, const rl_time_t* now,
               uint32_t* folded) noexcept {
  const auto now_s =
      static_cast<uint32_t>(now->mono_ms / 1000) & ratelimit::kMaxSecond;
  const uint32_t tag = (static_cast<uint32_t>(key_id) & 0xffffff) | 1;
  const auto set = static_cast<uint32_t>((key_id >> 32) *
                                         ratelimit::kFoldSets >> 32);
  std::atomic<uint64_t>* ways = ratelimit::header_of(zone)->folds[set];
  for (;;) {
    ratelimit::Choice choice = ratelimit::choose(ways, tag, now_s);
    if (choice.word == nullptr) {
      // More keys are refused in this second than there is room for: theirs
      // would be the lines that nobody can count.
      return 0;
    }
    Fold fold = Fold::of(choice.seen);
    const bool due = !choice.found || !fold.is_of(now_s);
    *folded = choice.found && due ? fold.count : 0;
    if (due) {
      fold = {tag, now_s, 0};
    } else if (fold.count < ratelimit::kMaxCount) {
      ++fold.count;
    }
    if (choice.word->compare_exchange_weak(choice.seen, fold.word(),
                                           std::memory_order_relaxed)) {
      return due;
    }
  }
}
