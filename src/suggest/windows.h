// How much clients ask in a window, and what quota follows from it.

#ifndef SUGGEST_WINDOWS_H_
#define SUGGEST_WINDOWS_H_

#include <cstdint>
#include <vector>

#include "suggest/access_log.h"

namespace suggest {

// The times of each client's requests, one client after the other.
class Timelines {
 public:
  // Requests in the order of time.
  Timelines(const std::vector<Request>& requests, std::size_t clients);

  // Of each client: the most requests in any window of that length, in
  // ascending order.
  std::vector<std::uint32_t> busiest(std::uint64_t window_ms) const;

 private:
  std::vector<std::size_t> begin_;  // of a client's times; one more at the end
  std::vector<std::int64_t> times_;
};

// The smallest value that so many thousandths of the values do not exceed.
std::uint32_t percentile(const std::vector<std::uint32_t>& sorted,
                         unsigned thousandths);

// The next number up that people would choose.
std::uint64_t round_up(std::uint64_t units);

}  // namespace suggest

#endif  // SUGGEST_WINDOWS_H_
