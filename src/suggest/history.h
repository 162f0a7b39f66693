// What nginx had counted: answers of ratelimit_api's .../history.

#ifndef SUGGEST_HISTORY_H_
#define SUGGEST_HISTORY_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace suggest {

struct Counts {
  double admitted = 0;
  double refused = 0;
  double dry_run = 0;
};

// The counts of some seconds up to end_s, since 1970.
struct Sample {
  std::int64_t end_s;
  std::int64_t seconds;
  Counts counts;
  std::int64_t waiting;  // at the end
};

struct Minute {
  double seconds = 0;  // of it that samples tell of
  Counts counts;
};

class History {
 public:
  // Of each policy, by its zone and name.
  using Policies =
      std::map<std::pair<std::string, std::string>, std::vector<Sample>>;

  // Adds the answers that the file holds, one after the other.  False: *error
  // says what it is instead.  "-" is standard input.
  bool read(const std::string& file, std::string* error);

  // In the order of time, each once, when all is read: answers overlap.
  void sort();

  const Policies& policies() const { return policies_; }

 private:
  Policies policies_;
};

// What samples tell of each minute that they touch.
std::vector<Minute> minutes_of(const std::vector<Sample>& samples);

}  // namespace suggest

#endif  // SUGGEST_HISTORY_H_
