// A lease: a process's hold on a row, by which it waits for units and sends
// requests.  What the row says outlives it.
//
// The rules, of which each one that is dropped lets too much through
// (t/system/shared/model.cc drops them one by one):
//   - one request of a row at a time is under way, and a reply is believed
//     only by who sent it, and while it is; what a request does not keep is
//     gone when it is sent;
//   - units are in hand until *sent* + span, less 1/1024 for drift, never
//     until received + span; kept units, until the later of both ends;
//   - a use's age is told less 1/1024, so that it is dated at or after it; no
//     clock shows less to a row than it has seen;
//   - what is kept after a loss is told with a span that is not shorter than
//     its lease;
//   - units that Redis was told of are taken back once, while their use still
//     counts, and in its window only; after a loss not at all;
//   - a row that was forgotten goes on as another one;
//   - of a key that is reset, what was used before and not sent is forgotten
//     only where nothing was used since (see reset.cc);
//   - of a policy that is reset, a row from before goes on as another one,
//     with nothing in hand, and a bucket notes which reset it knows of.

#ifndef RATELIMIT_SHARED_LEASE_H_
#define RATELIMIT_SHARED_LEASE_H_

#include <cstdint>

#include "ratelimit/ratelimit.h"
#include "ratelimit/shared/row.h"
#include "ratelimit/shared/row_table.h"
#include "ratelimit/shared/timing_wheel.h"
#include "ratelimit/shared/wire.h"

namespace ratelimit {

// How far this process has gone through the rows of a shard that was lost.
struct Telling {
  uint32_t told;   // the epoch of which all have been told
  uint32_t epoch;  // of the other two
  uint32_t from;   // those before it have been told, or need not be
  uint32_t next;   // those before it were sent, or somebody else's request is
};

}  // namespace ratelimit

struct rl_leases_s {
  const rl_process_t* process;
  ratelimit::RowTable* rows;
  uint64_t timeout_us;  // of a request under way
  bool borrow;
  uint32_t configuration;  // of this process
  uint32_t size;
  uint32_t mask;  // of chains
  uint32_t made;  // of the leases, those that were ever used
  uint32_t newest;
  uint32_t oldest;
  uint32_t blocked;  // the first of those, in the order that they came in
  uint32_t last_blocked;
  rl_lease_s* leases;
  uint32_t* chains;
  ratelimit::TimingWheel wheel;
  ratelimit::Telling tellings[RL_SHARDS];
};

struct rl_lease_s {
  rl_leases_s* owner;
  rl_hash_t name;  // of the bucket in Redis
  uint32_t next;   // in its chain
  uint32_t newer;  // by when they were used
  uint32_t older;
  uint32_t next_blocked;

  rl_waiter_t* first;
  rl_waiter_t* last;
  uint32_t waiters;
  uint32_t lookers;  // of them, for no units
  uint64_t waits_units;

  ratelimit::Terms terms;
  // Of the request that is under way; 0: none.  Until its reply has come no
  // other one is sent, also of another row: it would be taken for that one's.
  uint32_t number;
  uint64_t sent_us;
  uint32_t more_beside;  // number of another's request while which it waited
  uint64_t more_units;   // for so many, as the row has noted
  uint32_t counting;     // in the row, where it counts; 0: nobody waits
  bool is_blocked;
  bool ends;
  bool wakes;  // others wait for what was told last
  ratelimit::WheelLink link;
};

namespace ratelimit {

inline Entry enter(const rl_lease_s& lease) {
  return {lease.owner->process, lease.owner->rows, lease.name};
}

// Whether another process has a request of the row under way, and may still be
// told a reply.
bool is_under_way(const rl_leases_s& leases, const Row& row, uint64_t now_us);

// Among those who wait, in the row.
inline bool is_counted(const rl_lease_s& lease, const Row& row) {
  return lease.counting != 0 && lease.counting == row.counting;
}

// Of other processes.
inline bool others_wait(const rl_lease_s& lease, const Row& row,
                        uint64_t now_us) {
  return is_waited_for(row, now_us) &&
         row.waiting > static_cast<uint32_t>(is_counted(lease, row));
}

// This process's lease of that name, made if there is none; nullptr: all are
// in use.
rl_lease_t* find_lease(rl_leases_t* leases, const rl_hash_t& name);

// What a request gets of a row, which may be none: see rl_lease_take.
rl_verdict_e ask(const rl_lease_s& lease, const Row* row,
                 const rl_waiter_t* waiter, uint64_t units, uint64_t asked_us,
                 uint64_t now_us);

// Says in the row that somebody waits here.
void note_waiting(rl_lease_t* lease, Row* row, uint64_t now_us);

// rl_leases_ending() is to have it at that time; 0: not at all.
void watch_end(rl_lease_s* lease, uint64_t check_us, uint64_t now_us) noexcept;

inline uint64_t less_drift(uint64_t span) {
  return span - span / 1024 - 1;
}

// What the clock shows at the latest: a clock that drifts away by 1/1024 may
// be as much further ahead.
inline uint64_t latest_ms(int64_t ahead_ms, uint64_t at_us, uint64_t now_us) {
  return static_cast<uint64_t>(
             static_cast<int64_t>(now_us / 1000) + ahead_ms +
             static_cast<int64_t>((now_us - at_us) / 1024000)) +
         1;
}

// The name of an item's bucket in Redis.
rl_hash_t name_of(const rl_item_t& item);

}  // namespace ratelimit

#endif  // RATELIMIT_SHARED_LEASE_H_
