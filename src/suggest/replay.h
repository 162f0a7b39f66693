// What policies would have done with the logged requests: the core decides
// them again, at the times of the log.

#ifndef SUGGEST_REPLAY_H_
#define SUGGEST_REPLAY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "suggest/access_log.h"
#include "suggest/options.h"
#include "suggest/progress.h"

namespace suggest {

struct Refusals {
  std::uint64_t requests = 0;
  std::vector<std::uint32_t> by_client;
};

struct Replay {
  std::vector<Refusals> policies;  // each counts what it refused
  Refusals all;                    // requests that any of them refused
};

// All policies at once, as several "ratelimit" policies of a location: a
// request that one refuses is charged to none.  False: *error says why not.
bool replay(const AccessLog& log, const std::vector<Limit>& policies,
            Progress* progress, Replay* out, std::string* error);

}  // namespace suggest

#endif  // SUGGEST_REPLAY_H_
