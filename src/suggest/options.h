// The command line.

#ifndef SUGGEST_OPTIONS_H_
#define SUGGEST_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "ratelimit/ratelimit.h"
#include "suggest/log_format.h"

namespace suggest {

// A policy to try, or a window to look at.
struct Limit {
  std::string name;         // "per_1m"
  std::string window_text;  // "1m"
  rl_quota_t quota = {};    // no units yet for a window
  rl_algorithm_e algorithm = RL_SLIDING;
  std::uint64_t capacity = 0;  // 0: the quota's units

  std::string text() const;  // "quota=30/10s algorithm=gcra capacity=5"
};

struct Options {
  std::string format = kCombined;
  std::string key = "addr";
  std::string path;  // only requests below it; empty: all
  std::vector<Limit> windows;
  std::vector<Limit> policies;  // empty: to be suggested
  std::vector<std::string> files;
  bool history = false;  // the files are answers of .../history
  bool metrics = false;  // or of .../metrics
  bool help = false;
};

// False: *error says what is wrong.
bool read_options(int argc, char** argv, Options* out, std::string* error);

extern const char kUsage[];

}  // namespace suggest

#endif  // SUGGEST_OPTIONS_H_
