#include "suggest/report.h"

#include <algorithm>

#include "suggest/log_time.h"
#include "suggest/text.h"

namespace suggest {
namespace {

// Of what 99 of 100 clients need: room for those that grow.
constexpr std::uint64_t kHeadroom = 2;

// Clients that are named for each policy.
constexpr std::size_t kNamed = 5;

// What could steer a terminal becomes "?".
std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

// "203.0.113.7 (800), 203.0.113.9 (12)"
std::string most_refused(const AccessLog& log, const Refusals& refusals) {
  std::vector<std::uint32_t> clients;
  for (std::uint32_t i = 0; i < refusals.by_client.size(); i++) {
    if (refusals.by_client[i] != 0) clients.push_back(i);
  }
  const std::size_t n = std::min(kNamed, clients.size());
  std::partial_sort(
      clients.begin(), clients.begin() + static_cast<std::ptrdiff_t>(n),
      clients.end(), [&](std::uint32_t one, std::uint32_t two) {
        return refusals.by_client[one] != refusals.by_client[two]
                   ? refusals.by_client[one] > refusals.by_client[two]
                   : one < two;
      });
  std::string text;
  for (std::size_t i = 0; i < n; i++) {
    text += (i == 0 ? "" : ", ") + printable(log.name(clients[i])) + " (" +
            grouped(refusals.by_client[clients[i]]) + ")";
  }
  return text + (n < clients.size() ? ", ..." : "");
}

void print_refusals(std::FILE* out, const AccessLog& log,
                    const std::string& name, const Refusals& refusals) {
  const auto clients = static_cast<std::uint64_t>(
      std::count_if(refusals.by_client.begin(), refusals.by_client.end(),
                    [](std::uint32_t n) { return n != 0; }));
  std::fprintf(out, "  %-28s %12s %9s %9s  %s\n", name.c_str(),
               grouped(refusals.requests).c_str(),
               share(static_cast<double>(refusals.requests),
                     static_cast<double>(log.requests().size()))
                   .c_str(),
               grouped(clients).c_str(), most_refused(log, refusals).c_str());
}

std::uint64_t span_ms(const AccessLog& log) {
  return static_cast<std::uint64_t>(log.requests().back().ms -
                                    log.requests().front().ms);
}

}  // namespace

void print_log(std::FILE* out, const AccessLog& log, const Options& options) {
  std::fprintf(out, "%s requests of %s clients (%s), %s to %s UTC\n",
               grouped(log.requests().size()).c_str(),
               grouped(log.clients()).c_str(), options.key.c_str(),
               time_text(log.requests().front().ms).c_str(),
               time_text(log.requests().back().ms).c_str());
  if (log.without_key() != 0) {
    std::fprintf(out, "%s more have no key, and would not be limited\n",
                 grouped(log.without_key()).c_str());
  }
  if (log.not_understood() != 0) {
    std::fprintf(out, "%s lines were not understood, the first is %s\n",
                 grouped(log.not_understood()).c_str(),
                 log.first_not_understood().c_str());
  }
}

std::vector<Limit> print_windows(std::FILE* out, const AccessLog& log,
                                 const std::vector<Limit>& windows) {
  const Timelines timelines(log.requests(), log.clients());
  std::vector<Limit> suggested;

  std::fprintf(out,
               "\nRequests of a client in its busiest window:\n"
               "  %-8s %10s %10s %10s %10s\n",
               "window", "median", "95 %", "99 %", "most");
  for (const Limit& window : windows) {
    const auto busiest = timelines.busiest(window.quota.window_ms);
    std::fprintf(out, "  %-8s %10s %10s %10s %10s\n",
                 window.window_text.c_str(),
                 grouped(percentile(busiest, 500)).c_str(),
                 grouped(percentile(busiest, 950)).c_str(),
                 grouped(percentile(busiest, 990)).c_str(),
                 grouped(busiest.back()).c_str());
    if (window.quota.window_ms > span_ms(log)) continue;
    suggested.push_back(window);
    suggested.back().quota.units =
        round_up(kHeadroom * percentile(busiest, 990));
  }
  return suggested;
}

void print_policies(std::FILE* out, const AccessLog& log,
                    const Options& options,
                    const std::vector<Limit>& policies) {
  // A bucket for each policy and client, and as many again.
  std::uint64_t megabytes = 1;
  while (megabytes * 15810 < 2 * log.clients() * policies.size()) {
    megabytes *= 2;
  }

  std::fprintf(out,
               "\nSuggested, twice what 99 of 100 clients needed (windows "
               "longer than the log are left out):\n"
               "  ratelimit_zone   zone=clients:%llum;\n",
               static_cast<unsigned long long>(megabytes));
  const bool is_source = options.key.compare(0, 4, "addr") == 0;
  if (is_source) {
    std::fprintf(out, "  ratelimit_key    $client %s;\n", options.key.c_str());
  }
  for (const Limit& policy : policies) {
    std::fprintf(
        out, "  ratelimit_policy %s key=%s %s;\n", policy.name.c_str(),
        is_source ? "$client" : options.key.c_str(), policy.text().c_str());
  }
  std::fprintf(out, "  ratelimit       ");
  for (const Limit& policy : policies) {
    std::fprintf(out, " %s", policy.name.c_str());
  }
  std::fprintf(out, ";\n  ratelimit_dry_run on;    # until you trust them\n");
}

void print_replay(std::FILE* out, const AccessLog& log,
                  const std::vector<Limit>& policies, const Replay& replay) {
  std::fprintf(out,
               "\nHad %s been in force:\n"
               "  %-28s %12s %9s %9s  %s\n",
               policies.size() == 1 ? "it" : "they", "policy", "refused",
               "share", "clients", "who, and how often");
  for (std::size_t i = 0; i < policies.size(); i++) {
    print_refusals(out, log, policies[i].name, replay.policies[i]);
  }
  if (policies.size() > 1) {
    print_refusals(out, log, "any of them", replay.all);
  }
}

}  // namespace suggest
