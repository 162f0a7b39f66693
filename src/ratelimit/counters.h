// What the policies have decided, counted in shared memory that outlives every
// reload.
//
// A row belongs to a policy, found by its name and its zone's, so that the
// same policy goes on counting where it left off.  Rows are made once, for
// more policies than a configuration has; the memory of one that is never used
// is never touched, and so never backed by any.  A row of a policy that is
// configured no more keeps its counts until its place is needed.
//
// A row counts in 16 shards of one cache line each, by the process's slot in
// the register: no line is shared by two workers of a machine with up to 16
// cores, and a decision costs one addition a policy.  Where slots do fall
// together, additions are atomic.

#ifndef RATELIMIT_COUNTERS_H_
#define RATELIMIT_COUNTERS_H_

#include <atomic>
#include <cstdint>

#include "ratelimit.h"
#include "watch.h"

namespace ratelimit {

constexpr uint32_t kCounterRows = 1024;
constexpr uint32_t kShards = 16;

// The admitted go by so fast that only one in 64 of them, on average, is
// watched, but one in 100 ms while they are few.  It stands for all since the
// last one, so that weights come out right.
struct alignas(64) Shard {
  std::atomic<uint64_t> counts[RL_COUNTERS];
  std::atomic<uint32_t> sampled;        // admitted, at the last sample
  std::atomic<uint32_t> sample_at;      // and for the next one
  std::atomic<uint64_t> sample_after_ms;  // or the time for it
};
static_assert(sizeof(Shard) == 64, "one cache line");

struct CounterRow {
  Shard shards[kShards];
  WatchList refused;
  WatchList busiest;
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

}  // namespace ratelimit

#endif  // RATELIMIT_COUNTERS_H_
