// What is told of it all.

#ifndef SUGGEST_REPORT_H_
#define SUGGEST_REPORT_H_

#include <cstdio>
#include <vector>

#include "suggest/access_log.h"
#include "suggest/options.h"
#include "suggest/replay.h"
#include "suggest/windows.h"

namespace suggest {

void print_log(std::FILE* out, const AccessLog& log, const Options& options);

// How much is asked in each window; and policies for it, none for windows that
// are longer than the log.
std::vector<Limit> print_windows(std::FILE* out, const AccessLog& log,
                                 const std::vector<Limit>& windows);

void print_policies(std::FILE* out, const AccessLog& log,
                    const Options& options,
                    const std::vector<Limit>& policies);

void print_replay(std::FILE* out, const AccessLog& log,
                  const std::vector<Limit>& policies, const Replay& replay);

}  // namespace suggest

#endif  // SUGGEST_REPORT_H_
