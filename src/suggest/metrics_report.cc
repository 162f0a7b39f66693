#include "suggest/metrics_report.h"

#include <cmath>

#include "suggest/text.h"

namespace suggest {
namespace {

double of(const Metrics::Series& series, const char* name) {
  const auto found = series.find(name);
  return found == series.end() ? 0 : found->second;
}

std::string whole(double number) {
  return grouped(static_cast<std::uint64_t>(std::llround(number)));
}

// Of admitted requests, those whose keys had used more than that.
std::string above(const Metrics::Series& series, const char* le) {
  const double all = of(series, "+Inf");
  return all == 0 ? "-" : share(all - of(series, le), all);
}

}  // namespace

void print_metrics(std::FILE* out, const Metrics& metrics) {
  std::fprintf(out, "%s, %s\n\n",
               counted(metrics.answers(), "answer", "answers").c_str(),
               metrics.answers() == 1
                   ? "all since nginx started"
                   : "what came from the first to the last");
  std::fprintf(out, "  %-64s %s\n  %-28s %12s %11s %10s %10s %10s %10s\n", "",
               "admitted when of its quota a key had used", "policy",
               "admitted", "refused", "dry run", "over 50 %", "over 75 %",
               "over 90 %");
  for (const auto& policy : metrics.policies()) {
    const Metrics::Series& series = policy.second;
    const std::string name = policy.first.first + "/" + policy.first.second;
    std::fprintf(out, "  %-28s %12s %11s %10s %10s %10s %10s\n", name.c_str(),
                 whole(of(series, "admitted")).c_str(),
                 whole(of(series, "refused")).c_str(),
                 whole(of(series, "refused_dry_run")).c_str(),
                 above(series, "0.5").c_str(), above(series, "0.75").c_str(),
                 above(series, "0.9").c_str());
  }
  std::fprintf(out, "%s", kNoKeys);
}

}  // namespace suggest
