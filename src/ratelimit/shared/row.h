// A row: what a machine has of a shared bucket, in memory that its workers
// share.  Everything here is called with the row's lock.

#ifndef RATELIMIT_SHARED_ROW_H_
#define RATELIMIT_SHARED_ROW_H_

#include <algorithm>
#include <cstdint>

#include "ratelimit/ratelimit.h"
#include "ratelimit/shared/wire.h"

namespace ratelimit {

// What an item says of its bucket.
struct Terms {
  rl_algorithm_e algorithm;
  uint32_t window_months;
  int32_t tz_ms;
  uint64_t window_ms;
  uint64_t quota_units;
  uint64_t capacity_units;
  uint64_t reset;  // of the policy, that it is from after
};

// Own uses by the sixteenth of the window that they fell in, for the telling.
struct OwnUses {
  uint64_t slot;  // the newest
  uint64_t units[kWireSlots];
};

// What is borrowed: see sizing.h.
struct Borrowing {
  bool allowed;
  bool active;
  float rate_per_ms;       // of use, lately
  float yield_units;       // used for a request, lately
  uint32_t margin_us;      // before its end
  uint64_t recent_units;   // used since the last request
  uint64_t low_units;      // in hand, at which it is renewed; 0: it is not
  uint64_t not_before_us;  // it did not pay
  uint64_t check_us;       // it ends soon then; 0: nobody looks
};

struct alignas(64) Row {
  rl_hash_t name;  // of the bucket in Redis
  // No worker's clock shows less to it than another's has shown: a use that
  // was dated before what Redis knows would leave the window too early.
  uint64_t seen_us;
  uint64_t left_units;  // in hand
  uint64_t left_until_us;
  uint64_t used_units;  // of the window, so far
  uint64_t last_use_us;

  // Who waits, in any process: so many, as far as they have said so since the
  // count was begun, and how often the process table had changed then.
  uint32_t waiting;
  uint32_t owner;  // of the request under way: see process_table.h
  uint32_t counting;
  uint32_t changes;
  uint64_t waits_until_us;
  uint64_t more_units;      // that others wait for than who sent the request
  uint64_t reserved_units;  // of those in hand, for them, when it was told

  Terms terms;

  uint64_t id;
  uint32_t number;      // of the last request
  uint32_t epoch;       // of its shard, that Redis was told of
  uint32_t sent_epoch;  // as the request under way does
  bool is_sent;
  bool is_first;
  bool tells;          // Redis has asked for it
  bool owes;           // more was used than was in hand: to be said soon
  uint64_t sent_used;  // as the request under way says
  uint64_t told_used;  // as Redis knows
  uint64_t owed_units;  // used so, and not known to be counted in Redis
  uint64_t sent_owed;   // of them, as the request under way says
  uint64_t sent_need;   // of the request under way
  uint64_t sent_us;
  uint64_t window_end_ms;
  uint64_t since_us;       // it was made, or found another window
  uint64_t back_units;     // to be taken back,
  uint64_t back_since_us;  // the oldest of their uses

  // What was told last.
  uint64_t told_sent_us;  // 0: nothing yet
  uint64_t told_us;
  int64_t free_units;
  uint64_t granted_units;
  uint64_t left_ms;
  uint64_t wait_ms;

  uint64_t refused_until_us;
  uint64_t refused_units;
  uint64_t refused_limit;

  Borrowing borrowing;
  OwnUses own;

  uint64_t see(uint64_t now_us) {
    seen_us = std::max(seen_us, now_us);
    return seen_us;
  }
};

static_assert(sizeof(Row) == 512, "a row for each bucket costs so much");

inline bool has_window(const Row& row) {
  return row.terms.algorithm == RL_FIXED || row.terms.algorithm == RL_CALENDAR;
}

inline uint64_t limit_of(const Row& row) {
  return row.terms.algorithm == RL_GCRA ? row.terms.capacity_units
                                        : row.terms.quota_units;
}

inline uint64_t in_hand(const Row& row, uint64_t now_us) {
  return now_us < row.left_until_us ? row.left_units : 0;
}

inline bool is_waited_for(const Row& row, uint64_t now_us) {
  return row.waiting > 0 && now_us < row.waits_until_us;
}

// How long so many units of gcra take to come back.
inline uint64_t fill_ms(const Row& row, uint64_t units) {
  __extension__ typedef unsigned __int128 uint128_t;
  const uint128_t ms =
      (uint128_t{units} * row.terms.window_ms + row.terms.quota_units - 1) /
      row.terms.quota_units;
  constexpr uint64_t kMost = uint64_t{1} << 62;
  return ms < kMost ? static_cast<uint64_t>(ms) : kMost;
}

// What is owed is counted under the row, or in the window, that comes next, if
// it would not have left until then.
inline uint64_t carried_units(const Row& row, uint64_t now_us) {
  const uint64_t until_us = row.last_use_us + row.terms.window_ms * 1000;
  return now_us < until_us ? row.owed_units : 0;
}

// For how long Redis may remember what was used.
inline uint64_t remembered_ms(const Row& row) {
  const uint64_t ms = row.terms.window_ms + row.terms.window_ms / 16;
  return row.terms.algorithm == RL_GCRA && row.terms.quota_units > 0
             ? std::max(ms, fill_ms(row, row.terms.capacity_units))
             : ms;
}

// What it used has left, and it holds nothing: told, it would say nothing.
inline bool is_past(const Row& row, uint64_t now_us) {
  return in_hand(row, now_us) == 0 &&
         now_us > std::max(row.last_use_us, row.told_us) +
                      remembered_ms(row) * 1000;
}

// A sixteenth of the window.
inline uint64_t slot_us(const Row& row) {
  return row.terms.window_ms * 1000 / 16 + 1;
}

// The slots from the newest to that one begin empty.
void advance(OwnUses* own, uint64_t slot);

// Takes units, also such as are not in hand.
void use(Row* row, uint64_t units, uint64_t now_us);

// The same of units that are in hand.
void use_in_hand(Row* row, uint64_t units, uint64_t now_us);

// Units of a use at that time come back.
void take_back(Row* row, uint64_t units, uint64_t used_us, uint64_t now_us);

inline Terms terms_of(const rl_item_t& item) {
  return {item.policy->algorithm,
          item.quota.window_months,
          item.policy->tz_ms,
          item.quota.window_ms,
          item.quota.units,
          item.capacity_units,
          item.reset};
}

// What an override may change of a bucket that keeps its name.
inline void take_quota(const rl_item_t& item, Row* row) {
  row->terms.quota_units = item.quota.units;
  row->terms.capacity_units = item.capacity_units;
}

// Takes an item's cost, which is in hand, and which the item notes.
void charge(Row* row, uint64_t now_us, rl_item_t* item);

// Fills the second part of an item by what was told last.
void fill_answer(const Row& row, rl_verdict_e verdict, uint64_t now_us,
                 rl_item_t* item);

}  // namespace ratelimit

#endif  // RATELIMIT_SHARED_ROW_H_
