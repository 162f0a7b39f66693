// ratelimit-suggest: what limits do clients need?  Access logs tell, or how
// much policies admitted and refused.

#include <cstdio>

#include "suggest/access_log.h"
#include "suggest/history.h"
#include "suggest/history_report.h"
#include "suggest/metrics.h"
#include "suggest/metrics_report.h"
#include "suggest/options.h"
#include "suggest/progress.h"
#include "suggest/replay.h"
#include "suggest/report.h"

namespace suggest {
namespace {

int fail(const std::string& error) {
  std::fprintf(stderr, "ratelimit-suggest: %s\n", error.c_str());
  return 1;
}

// Standard input, where no file is named.
std::vector<std::string> files_of(const Options& options) {
  return options.files.empty() ? std::vector<std::string>{"-"} : options.files;
}

int run_history(const Options& options) {
  History history;
  std::string error;

  for (const std::string& file : files_of(options)) {
    if (!history.read(file, &error)) return fail(error);
  }
  history.sort();
  if (!print_history(stdout, history)) {
    return fail("these answers have no whole minute");
  }
  return 0;
}

int run_metrics(const Options& options) {
  Metrics metrics;
  std::string error;

  for (const std::string& file : files_of(options)) {
    if (!metrics.read(file, &error)) return fail(error);
  }
  print_metrics(stdout, metrics);
  return 0;
}

int run_logs(const Options& options) {
  AccessLog log;
  Progress progress;
  std::string error;

  if (!log.init(options, &error)) return fail(error);
  for (const std::string& file : files_of(options)) {
    if (!log.read(file, &progress, &error)) {
      progress.clear();
      return fail(error);
    }
  }
  if (log.requests().empty()) {
    progress.clear();
    return fail(log.not_understood() == 0
                    ? "there is no request with a key"
                    : "no line is of the format, the first that is not is " +
                          log.first_not_understood() + ", see --format=");
  }
  log.sort();

  progress.clear();
  print_log(stdout, log, options);
  std::vector<Limit> policies = print_windows(stdout, log, options.windows);
  if (!options.policies.empty()) {
    policies = options.policies;
  } else if (!policies.empty()) {
    print_policies(stdout, log, options, policies);
  }
  if (policies.empty()) {
    std::printf("\nThe log is shorter than every window.\n");
    return 0;
  }

  Replay result;
  if (!replay(log, policies, &progress, &result, &error)) return fail(error);
  progress.clear();
  print_replay(stdout, log, policies, result);
  return 0;
}

}  // namespace
}  // namespace suggest

int main(int argc, char** argv) {
  suggest::Options options;
  std::string error;
  if (!suggest::read_options(argc, argv, &options, &error)) {
    if (!error.empty()) return suggest::fail(error);
    return 1;
  }
  if (options.help) {
    std::fputs(suggest::kUsage, stdout);
    return 0;
  }
  if (options.history) return suggest::run_history(options);
  if (options.metrics) return suggest::run_metrics(options);
  return suggest::run_logs(options);
}
