#include "suggest/progress.h"

#include <unistd.h>

#include <cstdio>

#include "suggest/text.h"

namespace suggest {

Progress::Progress() : terminal_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  clear();
}

void Progress::tell(const std::string& what, std::uint64_t done,
                    std::uint64_t all, std::uint64_t requests) {
  const auto now = std::chrono::steady_clock::now();
  if (!terminal_ || now < next_) return;
  next_ = now + std::chrono::milliseconds(100);
  shown_ = true;

  std::string line = what;
  if (all != 0) line += ": " + std::to_string(done * 100 / all) + " %";
  line += ", " + grouped(requests) + " requests";
  std::fprintf(stderr, "\r%s\033[K", line.c_str());
}

void Progress::clear() {
  if (shown_) std::fprintf(stderr, "\r\033[K");
  shown_ = false;
}

}  // namespace suggest
