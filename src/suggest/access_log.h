// Requests out of access logs.

#ifndef SUGGEST_ACCESS_LOG_H_
#define SUGGEST_ACCESS_LOG_H_

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "suggest/client_key.h"
#include "suggest/log_format.h"
#include "suggest/options.h"
#include "suggest/progress.h"

namespace suggest {

struct Request {
  std::int64_t ms;  // since 1970
  std::uint32_t client;
};

class AccessLog {
 public:
  // False: *error says what the options and the format lack.
  bool init(const Options& options, std::string* error);

  // False: *error says why the file cannot be read.  "-" is standard input.
  bool read(const std::string& file, Progress* progress, std::string* error);

  // In the order of time, once all is read.
  void sort();

  const std::vector<Request>& requests() const { return requests_; }
  std::size_t clients() const { return names_.size(); }
  const std::string& name(std::uint32_t client) const {
    return names_[client];
  }
  std::uint64_t without_key() const { return without_key_; }
  std::uint64_t not_understood() const { return not_understood_; }
  const std::string& first_not_understood() const {
    return first_not_understood_;
  }

 private:
  enum class Clock { kLocal, kIso8601, kMsec };

  void take(std::string_view line);
  bool time_of(std::string_view text, std::int64_t* ms);
  bool is_wanted() const;
  std::uint32_t client(std::string_view raw);

  LogFormat format_;
  ClientKey key_;
  std::string path_;
  Clock clock_ = Clock::kLocal;
  int time_ = -1;     // numbers of variables
  int request_ = -1;  // "GET /path HTTP/1.1", or
  int uri_ = -1;      // the path itself

  std::vector<std::string_view> values_;
  std::string key_buffer_;
  std::string last_time_;
  std::int64_t last_ms_ = 0;

  std::vector<Request> requests_;
  std::deque<std::string> raw_;
  std::unordered_map<std::string_view, std::uint32_t> by_raw_;
  std::unordered_map<std::string, std::uint32_t> by_name_;
  std::vector<std::string> names_;
  std::uint64_t lines_ = 0;
  std::uint64_t without_key_ = 0;
  std::uint64_t not_understood_ = 0;
  std::string first_not_understood_;
};

}  // namespace suggest

#endif  // SUGGEST_ACCESS_LOG_H_
