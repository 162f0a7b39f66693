// A line on a terminal that says how far it is.

#ifndef SUGGEST_PROGRESS_H_
#define SUGGEST_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <string>

namespace suggest {

class Progress {
 public:
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // At most ten times a second; all may be 0, where nobody knows.
  void tell(const std::string& what, std::uint64_t done, std::uint64_t all,
            std::uint64_t requests);
  void clear();

 private:
  bool terminal_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace suggest

#endif  // SUGGEST_PROGRESS_H_
