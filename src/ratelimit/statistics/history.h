// The last hour of a policy: what it had counted, every ten seconds.
//
// Samples lie in a ring, each in the place of its step.  Whoever is the first
// in a step writes it; its number says whether it is there, and whole.  One
// that was not written, as no process ran or one was killed, is left out: the
// next one then tells of a longer time.

#ifndef RATELIMIT_STATISTICS_HISTORY_H_
#define RATELIMIT_STATISTICS_HISTORY_H_

#include <atomic>
#include <cstdint>

#include "ratelimit/ratelimit.h"

namespace ratelimit {

// Counts since the policy's row was made; they wrap.
struct HistorySample {
  std::atomic<uint32_t> step;  // of RL_HISTORY_STEP_MS; 0: is being written
  std::atomic<uint32_t> admitted;
  std::atomic<uint32_t> refused;
  std::atomic<uint32_t> dry_run;
  std::atomic<uint32_t> waiting;
};

// One more than are told, as each is told with what is new since another.
struct History {
  std::atomic<uint32_t> newest;  // the last step that somebody has taken
  HistorySample samples[RL_HISTORY_SAMPLES + 1];
};
static_assert(sizeof(History) <= 8 * 1024, "eight KiB a policy");

}  // namespace ratelimit

#endif  // RATELIMIT_STATISTICS_HISTORY_H_
