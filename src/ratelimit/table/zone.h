// A zone's memory: one header block, the sets of the bucket table, and which
// of them were ever used.
//
//   0     header block (3,776 bytes): what is fixed, counters, the refusal
//         log, the operator's overrides, turns of refused requests
//   3776  set 0, set 1, ... (2,048 bytes each)
//   then  64-bit words: bit i is for sets 2i and 2i + 1, which share a page
//
// What is not used is not touched either, so that a large zone takes as much
// memory as its keys need, and who walks through it as much time.
//
// Indices, no pointers.  The layout version says what all of this, Set and
// Bucket included, looks like: whoever changes one of them raises it.

#ifndef RATELIMIT_TABLE_ZONE_H_
#define RATELIMIT_TABLE_ZONE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "ratelimit/ratelimit.h"
#include "ratelimit/table/table.h"

namespace ratelimit {

constexpr uint64_t kZoneMagic = 0x7a6c746c65746172u;  // "rateltlz"
constexpr uint32_t kLayoutVersion = 11;

// Refusals are logged by sets of one cache line: see log_throttle.cc.
constexpr uint32_t kThrottleSets = 14;
constexpr uint32_t kThrottleWays = 8;

// Turns of refused requests likewise: see retry_turn.cc.
constexpr uint32_t kTurnSets = 3;
constexpr uint32_t kTurnWays = 8;

static_assert(std::atomic<uint64_t>::is_always_lock_free,
              "counters shared by processes");

// An operator's override: see override.cc.
struct Override {
  std::atomic<uint64_t>
      id;  // kFreeOverride, kClaimedOverride or whom it is for
  std::atomic<uint64_t> until_ms;
  std::atomic<uint64_t> what;  // kind << 56 | value
  std::atomic<uint64_t> key_id;
  std::atomic<uint64_t> policy[RL_OVERRIDE_POLICY_LEN / 8];  // zeros behind it
};

struct ZoneHeader {
  // Written at creation, read by every request: no counter in this line.
  uint64_t magic;
  uint64_t size;
  uint64_t seed[2];  // the key of all hashes: the zone's secret
  uint32_t version;
  uint32_t sets;
  uint32_t id;
  // What a decision has to heed: kMoving, and in kOverridesUsed how many of
  // `overrides` are.  The bits between change with every override that is set.
  std::atomic<uint32_t> flags;
  std::atomic<uint32_t> next_id;     // of the memory that comes after, or 0
  std::atomic<uint32_t> moved_sets;  // of the memory before, the first ones
  uint32_t spare[2];

  alignas(64) std::atomic<uint64_t> evicted_idle;
  std::atomic<uint64_t> evicted_active;
  std::atomic<uint64_t> lock_recoveries;
  std::atomic<uint64_t> warned_at_ms;   // 0: never
  std::atomic<uint64_t> warned_active;  // evicted_active when last warned
  std::atomic<uint64_t> copy_begun_ms;  // to a state file; 0: never
  std::atomic<uint64_t> copied_to;      // what names it
  std::atomic<uint64_t> last_copy;      // 0: none; see state_file.cc

  alignas(64) std::atomic<uint64_t> throttles[kThrottleSets][kThrottleWays];

  alignas(64) Override overrides[RL_MAX_OVERRIDES];

  alignas(64) std::atomic<uint64_t> turns[kTurnSets][kTurnWays];
};
static_assert(sizeof(ZoneHeader) == 3776 && sizeof(ZoneHeader) % 64 == 0,
              "keeps the sets aligned, and 15,800 keys in a MiB");

inline ZoneHeader* header_of(const rl_zone_t* zone) {
  return static_cast<ZoneHeader*>(zone->memory);
}

// In the old memory: who comes upon it goes on to the new one.  In the new
// memory: buckets may still be in the old one.  See move.cc.
constexpr uint32_t kMoving = 0x80000000u;

// The first ones of the zone's overrides, all that are in force among them.
constexpr uint32_t kOverridesUsed = 63;
static_assert(RL_MAX_OVERRIDES <= kOverridesUsed, "fits");

inline uint32_t flags_of(const rl_zone_t* zone) {
  return header_of(zone)->flags.load(std::memory_order_acquire);
}

// A zone that has moved on has those of the new memory.
inline bool may_have_overrides(const rl_zone_t* zone) {
  return (flags_of(zone) & (kMoving | kOverridesUsed)) != 0;
}

inline bool is_moving(const rl_zone_t* zone) {
  return (flags_of(zone) & kMoving) != 0;
}

inline void set_moving(const rl_zone_t* zone) {
  header_of(zone)->flags.fetch_or(kMoving);
}

inline void clear_moving(const rl_zone_t* zone) {
  header_of(zone)->flags.fetch_and(~kMoving);
}

inline Set* set_at(const rl_zone_t* zone, uint32_t index) {
  void* sets = static_cast<unsigned char*>(zone->memory) + sizeof(ZoneHeader);
  return static_cast<Set*>(sets) + index;
}

constexpr uint32_t kSetsPerUseBit = 2;
constexpr uint32_t kSetsPerUseWord = 64 * kSetsPerUseBit;

inline std::atomic<uint64_t>* use_word_of(const rl_zone_t* zone,
                                          uint32_t index) {
  void* words = set_at(zone, zone->sets);
  return static_cast<std::atomic<uint64_t>*>(words) + index / kSetsPerUseWord;
}

inline uint64_t use_bit_of(uint32_t index) {
  return uint64_t{1} << index / kSetsPerUseBit % 64;
}

// The first set from `index` on that may have buckets, or zone->sets.
uint32_t next_used(const rl_zone_t* zone, uint32_t index);

// Before the set's first bucket is there.
inline void note_use(const rl_zone_t* zone, const Set* set) {
  if (set->occupied == 0) {
    const auto index = static_cast<uint32_t>(set - set_at(zone, 0));
    use_word_of(zone, index)->fetch_or(use_bit_of(index));
  }
}

inline void add(std::atomic<uint64_t>* counter, uint64_t n) {
  counter->fetch_add(n, std::memory_order_relaxed);
}

// The zone's memory of this id: its own, or that which it moves to or from.
inline const rl_zone_t* memory_of(const rl_zone_t* zone, uint32_t id) {
  const rl_zone_t* const memories[] = {zone, zone->next, zone->older};
  for (const rl_zone_t* memory : memories) {
    if (memory != nullptr && memory->id == id) {
      return memory;
    }
  }
  return nullptr;
}

// Of a place that was chosen for a new bucket: what has to go for it, or that
// its set is used from now on.
inline void note_place(const rl_zone_t* zone, const Place& place) {
  if (place.index != kNone && !place.evicts) {
    note_use(zone, place.set);
  }
  if (place.evicts) {
    ZoneHeader* header = header_of(zone);
    add(place.evicts_active ? &header->evicted_active : &header->evicted_idle,
        1);
  }
}

}  // namespace ratelimit

#endif  // RATELIMIT_TABLE_ZONE_H_
