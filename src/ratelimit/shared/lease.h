// A lease: this process's row of a shared bucket.
//
// The rules, of which each one that is dropped lets too much through
// (t/system/shared/model.cc drops them one by one):
//   - one request at a time is under way, and a reply is believed only while
//     it is; what a request does not keep is gone when it is sent;
//   - units are in hand until *sent* + span, less 1/1024 for drift, never
//     until received + span; kept units, until the later of both ends;
//   - a use's age is told less 1/1024, so that it is dated at or after it;
//   - what is kept after a loss is told with a span that is not shorter than
//     its lease;
//   - units that Redis was told of are taken back once, while their use still
//     counts, and in its window only; after a loss not at all;
//   - a lease that was forgotten goes on under another row.

#ifndef RATELIMIT_SHARED_LEASE_H_
#define RATELIMIT_SHARED_LEASE_H_

#include <cstdint>

#include "ratelimit/ratelimit.h"
#include "ratelimit/shared/timing_wheel.h"
#include "ratelimit/shared/wire.h"

namespace ratelimit {

// Own uses by the sixteenth of the window that they fell in, for the telling.
struct OwnUses {
  uint64_t slot;    // the newest
  uint64_t end_us;  // of it
  uint64_t units[kWireSlots];
};

// What is borrowed: see sizing.h.
struct Borrowing {
  bool allowed;
  bool active;
  float rate_per_ms;       // of use, lately
  float yield_units;       // used for a request, lately
  uint64_t recent_units;   // used since the last request
  uint64_t low_units;      // in hand, at which it is renewed; 0: it is not
  uint64_t not_before_us;  // it did not pay
  uint64_t margin_us;      // before its end
  uint64_t check_us;       // it ends soon then; 0: nobody looks
  WheelLink link;
};

}  // namespace ratelimit

struct rl_lease_s {
  rl_leases_s* owner;
  rl_hash_t name;  // of the bucket in Redis
  uint32_t next;   // in its chain; of free ones, the next of them
  uint32_t newer;  // by when they were used
  uint32_t older;

  rl_waiter_t* first;
  rl_waiter_t* last;
  uint32_t waiters;
  uint32_t lookers;  // of them, for no units
  uint64_t waits_units;

  // The item's.
  rl_algorithm_e algorithm;
  uint32_t window_months;
  int32_t tz_ms;
  uint64_t window_ms;
  uint64_t quota_units;
  uint64_t capacity_units;

  uint64_t row;
  uint32_t number;      // of the last request
  uint64_t used_units;  // of the window, so far
  uint64_t sent_used;   // as the request under way says
  uint64_t told_used;   // as Redis knows
  uint64_t sent_need;   // of the request under way
  uint64_t left_units;  // in hand
  uint64_t left_until_us;
  uint64_t last_use_us;
  uint64_t sent_us;
  uint64_t window_end_ms;
  uint64_t since_us;       // it was made, or found another window
  uint64_t back_units;     // to be taken back,
  uint64_t back_since_us;  // the oldest of their uses
  ratelimit::OwnUses own;
  bool is_sent;
  bool is_first;
  bool tells;
  bool ends;
  bool owes;  // more was used than was in hand

  // What was told last.
  uint64_t told_sent_us;  // 0: nothing yet
  uint64_t told_us;
  int64_t free_units;
  uint64_t granted_units;
  uint64_t others_units;
  uint64_t left_ms;
  uint64_t wait_ms;

  uint64_t refused_until_us;
  uint64_t refused_units;
  uint64_t refused_limit;

  ratelimit::Borrowing borrowing;
};

namespace ratelimit {

inline bool has_window(const rl_lease_s& lease) {
  return lease.algorithm == RL_FIXED || lease.algorithm == RL_CALENDAR;
}

inline uint64_t limit_of(const rl_lease_s& lease) {
  return lease.algorithm == RL_GCRA ? lease.capacity_units : lease.quota_units;
}

inline uint64_t in_hand(const rl_lease_s& lease, uint64_t now_us) {
  return now_us < lease.left_until_us ? lease.left_units : 0;
}

// How long so many units of gcra take to come back.
inline uint64_t fill_ms(const rl_lease_t& lease, uint64_t units) {
  __extension__ typedef unsigned __int128 uint128_t;
  const uint128_t ms =
      (uint128_t{units} * lease.window_ms + lease.quota_units - 1) /
      lease.quota_units;
  constexpr uint64_t kMost = uint64_t{1} << 62;
  return ms < kMost ? static_cast<uint64_t>(ms) : kMost;
}

// A sixteenth of the window.
inline uint64_t slot_us(const rl_lease_t& lease) {
  return lease.window_ms * 1000 / 16 + 1;
}

// rl_leases_ending() is to have it at its check_us.
void watch_end(rl_lease_s* lease, uint64_t now_us) noexcept;

}  // namespace ratelimit

#endif  // RATELIMIT_SHARED_LEASE_H_
