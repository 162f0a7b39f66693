#include "suggest/history_report.h"

#include <algorithm>
#include <cmath>

#include "suggest/log_time.h"
#include "suggest/text.h"
#include "suggest/windows.h"

namespace suggest {
namespace {

// Seconds of a minute that must be known: samples are of ten.
constexpr double kWhole = 50;

// One policy's line.
struct Row {
  std::string name;
  std::vector<std::uint32_t> admitted;  // a minute, in ascending order
  double most_refused = 0;              // in a minute
  double most_dry_run = 0;
  Counts all;
  std::int64_t most_waiting = 0;
};

std::string whole(double number) {
  return grouped(static_cast<std::uint64_t>(std::llround(number)));
}

Row row_of(const std::string& name, const std::vector<Sample>& samples) {
  Row row;
  row.name = name;
  for (const Sample& sample : samples) {
    row.all.admitted += sample.counts.admitted;
    row.all.refused += sample.counts.refused;
    row.all.dry_run += sample.counts.dry_run;
    row.most_waiting = std::max(row.most_waiting, sample.waiting);
  }
  for (const Minute& minute : minutes_of(samples)) {
    if (minute.seconds < kWhole) continue;
    row.admitted.push_back(
        static_cast<std::uint32_t>(std::llround(minute.counts.admitted)));
    row.most_refused = std::max(row.most_refused, minute.counts.refused);
    row.most_dry_run = std::max(row.most_dry_run, minute.counts.dry_run);
  }
  std::sort(row.admitted.begin(), row.admitted.end());
  return row;
}

// Those that refused most come first.
std::vector<Row> rows_of(const History& history) {
  std::vector<Row> rows;
  for (const auto& policy : history.policies()) {
    Row row =
        row_of(policy.first.first + "/" + policy.first.second, policy.second);
    if (!row.admitted.empty()) rows.push_back(std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& one, const Row& two) {
                     return one.all.refused + one.all.dry_run >
                            two.all.refused + two.all.dry_run;
                   });
  return rows;
}

void print_span(std::FILE* out, const History& history) {
  std::int64_t begin = INT64_MAX;
  std::int64_t end = 0;
  for (const auto& policy : history.policies()) {
    for (const Sample& sample : policy.second) {
      begin = std::min(begin, sample.end_s - sample.seconds);
      end = std::max(end, sample.end_s);
    }
  }
  std::fprintf(
      out, "%s, %s to %s UTC\n",
      counted(history.policies().size(), "policy", "policies").c_str(),
      time_text(begin * 1000).c_str(), time_text(end * 1000).c_str());
}

// Refusals of one kind, told only if there were some.
void print_refusals(std::FILE* out, const char* what, double refused,
                    double most, double requests) {
  if (refused == 0) return;
  std::fprintf(out,
               "  %-28s %s: %s, %s of its requests, at most %s a "
               "minute\n",
               "", what, whole(refused).c_str(),
               share(refused, requests).c_str(), whole(most).c_str());
}

}  // namespace

bool print_history(std::FILE* out, const History& history) {
  const std::vector<Row> rows = rows_of(history);
  if (rows.empty()) return false;

  print_span(out, history);
  std::fprintf(out,
               "\nAdmitted a minute, of all keys together:\n"
               "  %-28s %10s %10s %10s %10s %10s\n",
               "policy", "minutes", "median", "95 %", "99 %", "most");
  for (const Row& row : rows) {
    std::fprintf(out, "  %-28s %10s %10s %10s %10s %10s\n", row.name.c_str(),
                 grouped(row.admitted.size()).c_str(),
                 grouped(percentile(row.admitted, 500)).c_str(),
                 grouped(percentile(row.admitted, 950)).c_str(),
                 grouped(percentile(row.admitted, 990)).c_str(),
                 grouped(row.admitted.back()).c_str());
    const double all = row.all.admitted + row.all.refused + row.all.dry_run;
    print_refusals(out, "refused", row.all.refused, row.most_refused, all);
    print_refusals(out, "would be refused, in dry run", row.all.dry_run,
                   row.most_dry_run, all);
    if (row.most_waiting != 0) {
      std::fprintf(out, "  %-28s waiting at once: %s\n", "",
                   whole(static_cast<double>(row.most_waiting)).c_str());
    }
  }
  std::fprintf(out, "%s", kNoKeys);
  return true;
}

}  // namespace suggest
