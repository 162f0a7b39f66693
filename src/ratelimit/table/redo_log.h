// Redo logs: what makes a decision all or nothing, even where its process is
// killed in the midst of it.
//
// How a decision is written.  Its new buckets are prepared in the process's
// redo log, under the locks of their sets; then
//
//   targets and images complete -> `pending` = n -> images copied into the
//   table -> `pending` = 0 -> locks released
//
// A process that dies before `pending` is set has changed nothing.  One that
// dies after it has decided: whoever comes upon one of its locks copies all
// images again, which does no harm however far the dead one came, sets
// `pending` to 0, and only then are the locks taken from it.  (The images are
// what is to be, not what was: the working copies of a decision, so that no
// bucket is copied for the redo log's sake; 16 instructions a policy less than
// saving the old ones.)
//
// A decision that changes one bucket, and that in one instruction, needs no
// redo log: see store_hot_words(); nor does one that makes one new bucket,
// which is not there before it is marked, see mark().  Of several policies the
// redo log has hot words and marks as well, rather than whole buckets, where
// these do.
//
// Only the compiler has to be kept from reordering these steps: a process that
// the kernel has declared dead has left its processor, and with that all that
// it had written is visible to everybody.

#ifndef RATELIMIT_TABLE_REDO_LOG_H_
#define RATELIMIT_TABLE_REDO_LOG_H_

#include <cstdint>

#include "ratelimit/algorithm/bucket.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/table/table.h"
#include "ratelimit/table/zone.h"

namespace ratelimit {

// Where an image goes.
struct Target {
  uint32_t zone_id;
  uint32_t line;  // of 64 bytes, of the zone's sets; 0: nowhere
  uint32_t tag;   // and the bits below
};

// The image is but the hot words of a bucket that is there but for them; and
// that is still to be marked.
constexpr uint32_t kHotWordsAlone = 1u << 8;
constexpr uint32_t kUnmarked = 1u << 9;

constexpr uint32_t kLinesPerSet = sizeof(Set) / sizeof(Bucket);

// Lines of sets' headers are nobody's, the first of which is 0.
inline bool is_nowhere(const Target& target) {
  return target.line % kLinesPerSet == 0;
}

inline Target target_of(const rl_zone_t* zone, const Bucket* bucket,
                        uint32_t tag) {
  const auto offset =
      static_cast<size_t>(reinterpret_cast<const unsigned char*>(bucket) -
                          static_cast<const unsigned char*>(zone->memory));
  return {zone->id, static_cast<uint32_t>((offset - sizeof(ZoneHeader)) / 64),
          tag};
}

// Writes an image into its bucket, a place of the set; doing it twice does no
// harm.
inline void write(const Bucket& image, const Target& target, Set* set,
                  Bucket* bucket) {
  if ((target.tag & kHotWordsAlone) != 0) {
    store_hot_words(hot_words_of(image), bucket);
    if ((target.tag & kUnmarked) == 0) return;
  } else {
    copy(image, bucket);
  }
  mark(set, static_cast<uint32_t>(bucket - set->buckets),
       static_cast<uint8_t>(target.tag));
}

struct alignas(64) RedoLog {
  Bucket images[RL_MAX_ITEMS];
  Target targets[RL_MAX_ITEMS];
};

inline RedoLog* redo_log_of(const rl_process_t* process) {
  return static_cast<RedoLog*>(process->redo_log);
}

// Writes the first n images that go to zones which the process knows.  True:
// these were all; else the others are left to those who know their zones,
// after a reload the workers of the configuration before, who alone use that
// memory.
bool replay(const rl_process_t* process, RedoLog* redo_log, uint32_t n);

}  // namespace ratelimit

#endif  // RATELIMIT_TABLE_REDO_LOG_H_
