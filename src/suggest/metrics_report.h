// What is told of answers of .../metrics.

#ifndef SUGGEST_METRICS_REPORT_H_
#define SUGGEST_METRICS_REPORT_H_

#include <cstdio>

#include "suggest/metrics.h"

namespace suggest {

void print_metrics(std::FILE* out, const Metrics& metrics);

}  // namespace suggest

#endif  // SUGGEST_METRICS_REPORT_H_
