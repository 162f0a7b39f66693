// What is told of answers of .../history.

#ifndef SUGGEST_HISTORY_REPORT_H_
#define SUGGEST_HISTORY_REPORT_H_

#include <cstdio>

#include "suggest/history.h"

namespace suggest {

// False: there is nothing to tell of.
bool print_history(std::FILE* out, const History& history);

}  // namespace suggest

#endif  // SUGGEST_HISTORY_REPORT_H_
