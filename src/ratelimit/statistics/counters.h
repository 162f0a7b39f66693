// What the policies have decided, counted in shared memory that outlives every
// reload.
//
// A row belongs to a policy, found by its name and its zone's, so that the
// same policy goes on counting where it left off.  Rows are made once, for as
// many policies as a configuration may have; the memory of one that is never
// used is never touched, and so never backed by any.  A row of a policy that
// is configured no more keeps its counts until its place is needed.
//
// A row counts in 16 shards of one cache line each, by the process's slot in
// the process table: no line is shared by two workers of a machine with up to
// 16 cores, and a decision costs one addition a policy.  Where slots do fall
// together, additions are atomic.

#ifndef RATELIMIT_STATISTICS_COUNTERS_H_
#define RATELIMIT_STATISTICS_COUNTERS_H_

#include <atomic>
#include <cstdint>

#include "ratelimit/ratelimit.h"
#include "ratelimit/statistics/history.h"
#include "ratelimit/statistics/key_labels.h"
#include "ratelimit/statistics/top_keys.h"

namespace ratelimit {

constexpr uint32_t kCounterRows = RL_MAX_POLICIES;
constexpr uint32_t kShards = 16;

// The admitted go by so fast that only one in 64 of them, on average, is
// sampled, but one in 100 ms while they are few.  It stands for all since the
// last one, so that weights come out right.
struct alignas(64) Shard {
  std::atomic<uint64_t> counts[RL_COUNT_REQUESTS];
  std::atomic<uint32_t> sampled;          // admitted, at the last sample
  std::atomic<uint32_t> sample_at;        // and for the next one
  std::atomic<uint64_t> sample_after_ms;  // or the time for it

  // The second line.  Of reserved units what there is beyond one a request, so
  // that most requests do not touch it; below 0 it wraps.
  std::atomic<uint64_t> units[RL_COUNTERS - RL_COUNT_REQUESTS];
};
static_assert(offsetof(Shard, units) == 64 && sizeof(Shard) == 128,
              "what each request counts is in one cache line");

// Zero when a policy takes it.
struct CleanRow {
  Shard shards[kShards];
  alignas(64)
      std::atomic<uint64_t> complaints[RL_COMPLAINTS];  // see log_throttle.cc
  std::atomic<uint64_t> bans;
  std::atomic<uint64_t> delays;
  std::atomic<uint64_t> waited_ms;
  std::atomic<uint64_t> used[RL_USED_SHARES];  // sampled: see rl_used_shares
  std::atomic<uint64_t> used_sum;
  TopKeys refused;
  TopKeys admitted;
  History history;
};

// Beyond slots that were ever used, nothing of `waiting` is touched.
struct CounterRow : CleanRow {
  std::atomic<uint64_t> waiting[RL_MAX_PROCESSES];  // see waiting.cc
  KeyLabels refused_labels;
  KeyLabels admitted_labels;
};

struct Counters {
  uint64_t magic;
  uint32_t version;
  uint32_t generation;  // of the configuration
  struct {
    uint64_t id[2];  // of the names; 0, 0: the row is free
    uint64_t generation;
  } owners[kCounterRows];
  CounterRow rows[kCounterRows];
};

inline CounterRow* row_of(const rl_policy_t* policy) {
  return static_cast<CounterRow*>(policy->counters);
}

inline Shard* shard_of(const rl_process_t* process, CounterRow* row) {
  return &row->shards[process->slot % kShards];
}

inline uint64_t count(Shard* shard, rl_counter_e what) {
  return shard->counts[what].fetch_add(1, std::memory_order_relaxed);
}

inline void count_units(Shard* shard, rl_counter_e what, uint64_t units) {
  shard->units[what - RL_COUNT_REQUESTS].fetch_add(units,
                                                   std::memory_order_relaxed);
}

void sample(CounterRow* row, Shard* shard, const rl_item_t& item,
            uint32_t admitted, uint64_t now_ms) noexcept;

// Of an admitted item that is charged another number of units than one.
void count_reserved(Shard* shard, uint64_t units) noexcept;

// Some twenty instructions; what is rarely done leaves by a jump.
inline void count_admitted(const rl_process_t* process, const rl_item_t& item,
                           uint64_t now_ms) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  CounterRow* row = row_of(item.policy);
  if (row == nullptr) return;
  Shard* shard = shard_of(process, row);
  if (__builtin_expect(item.cost_units != 1, 0)) {
    count_reserved(shard, item.charged ? item.cost_units : 0);
  }
  const auto admitted =
      static_cast<uint32_t>(count(shard, RL_COUNT_ADMITTED) + 1);
  if (__builtin_expect(static_cast<int32_t>(
                           admitted - shard->sample_at.load(kRelaxed)) >= 0 ||
                           now_ms >= shard->sample_after_ms.load(kRelaxed),
                       0)) {
    sample(row, shard, item, admitted, now_ms);
  }
}

// Of a refusal in earnest.
void count_refused(const rl_process_t* process, const rl_item_t& item,
                   uint64_t now_ms) noexcept;

inline void count_ban(const rl_item_t& item) {
  CounterRow* row = row_of(item.policy);
  if (row != nullptr) row->bans.fetch_add(1, std::memory_order_relaxed);
}

// What a correction changes.
void count_corrected(const rl_process_t* process, const rl_item_t& item,
                     uint64_t back_units, uint64_t more_units) noexcept;

// Of a decision that was not busy; before anything is refunded.
void count_decision(const rl_process_t* process, const rl_item_t* items,
                    size_t n, rl_verdict_e verdict, uint64_t now_ms) noexcept;

}  // namespace ratelimit

#endif  // RATELIMIT_STATISTICS_COUNTERS_H_
