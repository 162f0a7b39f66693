// Throttling lines that repeat: see rl_log_throttle and rl_complaint_throttle
// in ratelimit.h.
//
// One word for each key that was refused lately: 24 bits of the key's id, the
// second of its last line, and how many were suppressed since.  Words are only
// changed by compare-and-exchange; a set of eight is one cache line.
//
// Complaints have a word each in the policy's row, so that no flood of refused
// keys keeps one of them from being heard.

#include "ratelimit/statistics/counters.h"
#include "ratelimit/table/zone.h"

namespace ratelimit {

namespace {

constexpr unsigned kSecondBits = 20;  // 12 days until they repeat
constexpr unsigned kCountBits = 20;
constexpr uint32_t kMaxSecond = (1u << kSecondBits) - 1;
constexpr uint32_t kMaxCount = (1u << kCountBits) - 1;

// Processes' clocks differ by milliseconds: a second ago is "now" for some.
constexpr uint32_t kClockSlackS = 2;

struct LogThrottle {
  uint32_t tag;  // never 0, so that a zero word is a free one
  uint32_t second;
  uint32_t suppressed;

  static LogThrottle of(uint64_t word) {
    return {static_cast<uint32_t>(word >> (kSecondBits + kCountBits)),
            static_cast<uint32_t>(word >> kCountBits) & kMaxSecond,
            static_cast<uint32_t>(word) & kMaxCount};
  }

  static uint32_t second_of(const rl_time_t* now) {
    return static_cast<uint32_t>(now->mono_ms / 1000) & kMaxSecond;
  }

  uint64_t word() const {
    return uint64_t{tag} << (kSecondBits + kCountBits) |
           uint64_t{second} << kCountBits | suppressed;
  }

  // Whether its line was written in this second, or in one that only another
  // process's clock has reached.
  bool is_of(uint32_t now_s) const {
    return ((second - now_s) & kMaxSecond) <= kClockSlackS;
  }
};

// The key's word, or the one to give up for it: free, else the one that has
// suppressed fewest and is not of this second.
struct Choice {
  std::atomic<uint64_t>* word;  // nullptr: all are of this second
  uint64_t seen;
  bool found;
};

Choice choose(std::atomic<uint64_t>* ways, uint32_t tag, uint32_t now_s) {
  Choice choice = {nullptr, 0, false};
  for (uint32_t i = 0; i < kThrottleWays; ++i) {
    const uint64_t seen = ways[i].load(std::memory_order_relaxed);
    const LogThrottle throttle = LogThrottle::of(seen);
    if (throttle.tag == tag) {
      return {&ways[i], seen, true};
    }
    if ((seen == 0 || !throttle.is_of(now_s)) &&
        (choice.word == nullptr ||
         throttle.suppressed < LogThrottle::of(choice.seen).suppressed)) {
      choice = {&ways[i], seen, false};
    }
  }
  return choice;
}

// Counts one more in the word that was seen, the tag's own if `found`.  True:
// it is `due` or has been suppressed; false: the word was another by then.
bool log_or_suppress(std::atomic<uint64_t>* word, uint64_t seen, bool found,
                     uint32_t tag, uint32_t now_s, bool* due,
                     uint32_t* suppressed) {
  LogThrottle throttle = LogThrottle::of(seen);
  *due = !found || !throttle.is_of(now_s);
  *suppressed = found && *due ? throttle.suppressed : 0;
  if (*due) {
    throttle = {tag, now_s, 0};
  } else if (throttle.suppressed < kMaxCount) {
    ++throttle.suppressed;
  }
  return word->compare_exchange_weak(seen, throttle.word(),
                                     std::memory_order_relaxed);
}

}  // namespace

}  // namespace ratelimit

using ratelimit::LogThrottle;

int rl_log_throttle(const rl_zone_t* zone, uint64_t key_id,
                    const rl_time_t* now, uint32_t* suppressed) noexcept {
  const uint32_t now_s = LogThrottle::second_of(now);
  const uint32_t tag = (static_cast<uint32_t>(key_id) & 0xffffff) | 1;
  const auto set =
      static_cast<uint32_t>((key_id >> 32) * ratelimit::kThrottleSets >> 32);
  std::atomic<uint64_t>* ways = ratelimit::header_of(zone)->throttles[set];
  for (;;) {
    const ratelimit::Choice choice = ratelimit::choose(ways, tag, now_s);
    if (choice.word == nullptr) {
      // More keys are refused in this second than there is room for: theirs
      // would be the lines that nobody can count.
      return 0;
    }
    bool due;
    if (ratelimit::log_or_suppress(choice.word, choice.seen, choice.found, tag,
                                   now_s, &due, suppressed)) {
      return due;
    }
  }
}

int rl_complaint_throttle(const rl_policy_t* policy, rl_complaint_e what,
                          const rl_time_t* now,
                          uint32_t* suppressed) noexcept {
  constexpr uint32_t kTag = 1;
  std::atomic<uint64_t>* word = &ratelimit::row_of(policy)->complaints[what];
  bool due;
  uint64_t seen;
  do {
    seen = word->load(std::memory_order_relaxed);
  } while (!ratelimit::log_or_suppress(word, seen, seen != 0, kTag,
                                       LogThrottle::second_of(now), &due,
                                       suppressed));
  return due;
}
