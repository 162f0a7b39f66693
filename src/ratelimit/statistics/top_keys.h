// A policy's top keys, its heavy hitters: which are refused most, and which
// are admitted most, in fixed memory; what the operator's page lists.
//
// A key has one of 8 sets, by chance: its own hash.  In each set runs the
// algorithm Space-Saving (Metwally et al., 2005) with 8 places, over weights
// that halve every 33 seconds: a key that is not listed takes the place of the
// one with the least weight and inherits that weight.  Hence a key that makes
// more than 1/8 of its set's recent requests of this kind, which is about 1/64
// of the policy's, comes onto the list and stays there, and a listed weight is
// too great by about 1/8 of its set's at most.
//
// Bringing a key in costs 400 instructions, ten times what counting a listed
// one does.  So where a set has no free place only one in 8 requests of keys
// that are not listed, by chance, does so, with the weight of 8: as many units
// of weight come in as were asked for, and a flood of keys pays an eighth.  (A
// key that asks n times is missed with a probability of (7/8)^n.)
//
// Beside the weight each key has an exact count since it came onto the list or
// since it came back from a long pause.
//
// A key that is listed is counted without a lock.  Only taking another key's
// place is done under one, and that is never waited for: who finds it taken
// leaves the key to its next request.  So a process that dies with the lock
// held does no harm; after a second it is somebody else's.
//
// Lives in shared memory, all zero before its first use; no pointers.

#ifndef RATELIMIT_STATISTICS_TOP_KEYS_H_
#define RATELIMIT_STATISTICS_TOP_KEYS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "ratelimit/ratelimit.h"

namespace ratelimit {

constexpr unsigned kTopSets = 8;
constexpr unsigned kTopWays = 8;
static_assert(kTopSets * kTopWays == RL_MAX_TOP_KEYS, "all of a list");

// A weight keeps 8 bits below the unit, so that a single request is not
// forgotten after one halving but after eight.
constexpr unsigned kWeightFraction = 8;

struct alignas(64) TopKey {
  std::atomic<uint64_t> key;       // rl_hash_t::lo; 0: the place is free
  std::atomic<uint64_t> weight;    // 24 bits of halvings so far, 40 of weight
  std::atomic<uint64_t> requests;  // since first_seen_ms
  std::atomic<uint64_t> first_seen_ms;  // monotonic
  std::atomic<uint64_t> last_seen_ms;
  std::atomic<uint64_t> quota_units;
  std::atomic<uint64_t> capacity_units;
  std::atomic<uint64_t> window;  // dry run, months, 40 bits of window_ms
};

struct TopSet {
  alignas(64) std::atomic<uint64_t> locked_at_ms;  // 0: free
  TopKey keys[kTopWays];
};

struct TopKeys {
  TopSet sets[kTopSets];
};

// Of the set that a key may be in, and its lock, which is not waited for.
inline unsigned top_set_of(uint64_t key) {
  return static_cast<unsigned>(key >> 32) % kTopSets;
}
bool try_lock(TopSet* set, uint64_t now_ms);
void unlock(TopSet* set);

// Counts `requests` of the item's key, and keeps what its quota was.
enum class Listing {
  kCounted,
  kRoom,  // the key is not listed, and a place of its set is free
  kFull   // nor is any
};
Listing count_listed(TopKeys* list, const rl_item_t& item, uint64_t requests,
                     uint64_t now_ms);

// Lists a key that is not, with a weight of `weight` requests.
void list_key(TopKeys* list, const rl_item_t& item, uint64_t requests,
              uint64_t weight, uint64_t now_ms);

constexpr unsigned kEntersBits = 3;  // one in 8 requests

// Copies up to `max` keys, the one with the greatest weight first.
size_t top_keys(const TopKeys& list, uint64_t now_ms, rl_top_key_t* out,
                size_t max);

// The key's entry, if it is listed.
bool find_top_key(const TopKeys& list, uint64_t key, uint64_t now_ms,
                  rl_top_key_t* out);

}  // namespace ratelimit

#endif  // RATELIMIT_STATISTICS_TOP_KEYS_H_
