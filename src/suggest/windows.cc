#include "suggest/windows.h"

#include <algorithm>

namespace suggest {

Timelines::Timelines(const std::vector<Request>& requests, std::size_t clients)
    : begin_(clients + 1), times_(requests.size()) {
  for (const Request& request : requests)
    begin_[request.client + 1]++;
  for (std::size_t i = 1; i <= clients; i++)
    begin_[i] += begin_[i - 1];
  std::vector<std::size_t> next(begin_.begin(), begin_.end() - 1);
  for (const Request& request : requests) {
    times_[next[request.client]++] = request.ms;
  }
}

std::vector<std::uint32_t> Timelines::busiest(std::uint64_t window_ms) const {
  const auto length = static_cast<std::int64_t>(window_ms);
  std::vector<std::uint32_t> out(begin_.size() - 1);
  for (std::size_t client = 0; client < out.size(); client++) {
    std::size_t first = begin_[client];
    std::size_t most = 0;
    for (std::size_t i = first; i < begin_[client + 1]; i++) {
      while (times_[i] - times_[first] >= length)
        first++;
      most = std::max(most, i + 1 - first);
    }
    out[client] = static_cast<std::uint32_t>(most);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::uint32_t percentile(const std::vector<std::uint32_t>& sorted,
                         unsigned thousandths) {
  const std::size_t rank = (sorted.size() * thousandths + 999) / 1000;
  return sorted[rank == 0 ? 0 : rank - 1];
}

std::uint64_t round_up(std::uint64_t units) {
  static const std::uint64_t kSteps[] = {10, 12, 15, 20, 25, 30,
                                         40, 50, 60, 80, 100};
  if (units < 10) return units;
  std::uint64_t scale = 1;
  while (scale * 100 < units)
    scale *= 10;
  for (const std::uint64_t step : kSteps) {
    if (step * scale >= units) return std::min(step * scale, RL_MAX_UNITS);
  }
  return RL_MAX_UNITS;
}

}  // namespace suggest
