// What nginx had counted: answers of ratelimit_api's .../metrics.

#ifndef SUGGEST_METRICS_H_
#define SUGGEST_METRICS_H_

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace suggest {

class Metrics {
 public:
  // The increase of each series of a policy, by its result= or le=.
  using Series = std::map<std::string, double>;
  // By zone and name.
  using Policies = std::map<std::pair<std::string, std::string>, Series>;

  // Adds the answer that the file holds, a later one than those before. False:
  // *error says what it is instead. "-" is standard input.
  bool read(const std::string& file, std::string* error);

  // From the first answer to the last; of a single one all since nginx began.
  const Policies& policies() const {
    return answers_ == 1 ? last_ : increase_;
  }
  std::size_t answers() const { return answers_; }

 private:
  bool take(std::string_view line);

  Policies last_;
  Policies increase_;
  std::size_t answers_ = 0;
};

}  // namespace suggest

#endif  // SUGGEST_METRICS_H_
