// The bucket table: sets of 31 buckets, each with a header line of its own.
//
// A bucket is found by 72 bits of its keyed hash.  Its key, 64 of them, is
// stored with it and gives the two sets that may hold it; its tag, 8
// more bits, stands in the header line, so that a lookup reads two cache
// lines: 31 tags at once, then the one bucket whose tag is equal.  72 bits are
// enough: among 10^9 keys two share them with a probability of 10^-4, and
// under a keyed hash nobody can do better than chance.
//
// Invariants
//  - A set's buckets are a prefix of it: bucket i exists only if i - 1 does.
//    None is ever removed, only replaced, so `occupied` never shrinks.
//  - A bucket lives in its primary set, or in its secondary set if the primary
//    one was crowded when it was made.  So a key that is not in a primary set
//    that is not crowded is not in the table, and one lock tells so.
//  - A bucket never moves.  Found in a set, that set's lock is all it needs.
//
// Everything here is called with the locks of the sets concerned.

#ifndef RATELIMIT_TABLE_TABLE_H_
#define RATELIMIT_TABLE_TABLE_H_

#include <atomic>
#include <cstdint>
#include <cstring>

#include "ratelimit/algorithm/bucket.h"
#include "ratelimit/base/simd.h"
#include "ratelimit/ratelimit.h"

namespace ratelimit {

constexpr uint32_t kBucketsPerSet = 31;

// No bucket of the set.
constexpr uint32_t kNone = kBucketsPerSet;

// The lock of a set whose buckets have moved to other memory.  No owner's
// word, as generations begin with 1.
constexpr uint32_t kMoved = 1;

struct alignas(64) Set {
  std::atomic<uint32_t> lock;  // 0, kMoved or the owner's word
  uint32_t occupied;           // bit i: buckets[i] exists; bit 31 never
  uint32_t hint;               // bit i: the last scan found that buckets[i]
                               // may go soon
  uint32_t half_moved;         // see move_set()
  uint64_t hint_until_ms;      // and was idle by then, if it is not used again
  uint32_t spare[2];
  uint8_t tags[32];  // of buckets[i]; the last one is unused
  Bucket buckets[kBucketsPerSet];
};
static_assert(sizeof(Set) == 2048, "one header line and 31 buckets");

constexpr size_t kSetHeaderLen = sizeof(Set) - sizeof(Set::buckets);

static_assert(std::atomic<uint32_t>::is_always_lock_free,
              "a lock shared by processes");

// Sets with more buckets than this send new ones to the emptier of their two
// sets; below it a lookup needs one lock and one header line.  Live keys lost
// on the way to 95 % full, as table_test measures them: 0.01 % for 20, 0.05 %
// for 24, 0.19 % for 26, 0.77 % for 28, 5.3 % with one choice only.
constexpr uint32_t kCrowded = 24;

inline bool has_moved(const Set& set) {
  return set.lock.load(std::memory_order_acquire) == kMoved;
}

inline bool is_crowded(const Set& set) {
  return set.occupied >> kCrowded != 0;  // more than kCrowded: a prefix
}

inline uint8_t tag_of(const rl_hash_t& bucket) {
  return static_cast<uint8_t>(bucket.hi);
}

// Multiply-shift of either half of the key: taken from what a bucket stores,
// so that it can be placed anew in a zone of another size.
inline uint32_t primary_index(uint64_t key, uint32_t sets) {
  return static_cast<uint32_t>((key & 0xffffffff) * sets >> 32);
}

inline uint32_t secondary_index(uint64_t key, uint32_t sets) {
  return static_cast<uint32_t>((key >> 32) * sets >> 32);
}

// Bit i: tags[i] == tag.  The portable one compares eight bytes at a time.
inline uint32_t match_tags_portable(const uint8_t tags[32], uint8_t tag) {
  constexpr uint64_t kLow7 = 0x7f7f7f7f7f7f7f7fu;
  uint32_t matches = 0;
  for (unsigned i = 0; i < 32; i += 8) {
    uint64_t word;
    std::memcpy(&word, tags + i, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    word ^= tag * 0x0101010101010101u;  // equal bytes become zero
    const uint64_t zeros = ~(((word & kLow7) + kLow7) | word | kLow7);
    // The eight marks, one per byte, gathered in the highest byte.
    matches |= static_cast<uint32_t>((zeros >> 7) * 0x0102040810204080u >> 56)
               << i;
  }
  return matches;
}

inline uint32_t match_tags(const uint8_t tags[32], uint8_t tag) {
#ifdef RATELIMIT_SSE2
  const __m128i wanted = _mm_set1_epi8(static_cast<char>(tag));
  const auto* halves = reinterpret_cast<const __m128i*>(tags);
  const int low =
      _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(halves), wanted));
  const int high =
      _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(halves + 1), wanted));
  return static_cast<uint32_t>(low) | static_cast<uint32_t>(high) << 16;
#else
  return match_tags_portable(tags, tag);
#endif
}

// A bucket of the set, or nullptr.
inline const Bucket* find_bucket(const Set& set, uint64_t key, uint8_t tag) {
  uint32_t matches = match_tags(set.tags, tag) & set.occupied;
  while (matches != 0) {
    const Bucket* bucket =
        set.buckets + static_cast<unsigned>(__builtin_ctz(matches));
    if (bucket->key == key) {
      return bucket;
    }
    matches &= matches - 1;
  }
  return nullptr;
}

// Where it is in the set, or kNone.
inline uint32_t find(const Set& set, uint64_t key, uint8_t tag) {
  const Bucket* bucket = find_bucket(set, key, tag);
  return bucket == nullptr ? kNone
                           : static_cast<uint32_t>(bucket - set.buckets);
}

// The place for a new bucket, and what had to go for it.
struct Place {
  Set* set;
  uint32_t index;  // kNone: none may be displaced
  bool evicts;
  bool evicts_active;
  uint32_t debt_share;  // of the active bucket that has to go
  uint64_t idle_at_ms;
};

// Chooses a place: free, else an idle bucket's or that of one with no debt, of
// these about the one that is idle soonest, else of the smallest debt. `first`
// is the primary set; `second`, which may be the same one, is only looked at
// where the first is crowded.  Buckets whose bits are in `first_kept` and
// `second_kept` are spared, and taken for occupied.
Place choose_place(Set* first, uint32_t first_kept, Set* second,
                   uint32_t second_kept, uint64_t now_ms);

// Makes a bucket, which is written already, one that is found: by one store,
// after all others.
inline void mark(Set* set, uint32_t index, uint8_t tag) {
  set->tags[index] = tag;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  set->occupied |= 1u << index;
}

// Writes a bucket; doing it twice does no harm, see process_table.h.
inline void store(Set* set, uint32_t index, uint8_t tag,
                  const Bucket& bucket) {
  set->buckets[index] = bucket;
  mark(set, index, tag);
}

}  // namespace ratelimit

#endif  // RATELIMIT_TABLE_TABLE_H_
