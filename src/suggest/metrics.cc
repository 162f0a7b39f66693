#include "suggest/metrics.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>

namespace suggest {
namespace {

// The series that are told of, and the label that tells theirs apart.
struct Wanted {
  std::string_view name;
  std::string_view label;
};
constexpr Wanted kWanted[] = {
    {"nginx_ratelimit_requests_total{", "result"},
    {"nginx_ratelimit_used_ratio_bucket{", "le"},
};

// The value of a label, at the beginning of *rest behind NAME=", up to its
// end.
std::string take_value(std::string_view* rest) {
  std::string value;
  while (!rest->empty() && rest->front() != '"') {
    if (rest->front() == '\\' && rest->size() > 1) {
      rest->remove_prefix(1);
      value += rest->front() == 'n' ? '\n' : rest->front();
    } else {
      value += rest->front();
    }
    rest->remove_prefix(1);
  }
  return value;
}

// Labels from behind "{" on; *rest is what stands behind "}".
std::map<std::string, std::string> take_labels(std::string_view* rest) {
  std::map<std::string, std::string> labels;
  for (;;) {
    const std::size_t equals = rest->find("=\"");
    const std::size_t end = rest->find('}');
    if (equals > end || equals == std::string_view::npos) {
      rest->remove_prefix(end == std::string_view::npos ? rest->size()
                                                        : end + 1);
      return labels;
    }
    const std::string name(rest->substr(0, equals));
    rest->remove_prefix(equals + 2);
    labels[name] = take_value(rest);
    rest->remove_prefix(rest->empty() ? 0 : 1);
    if (!rest->empty() && rest->front() == ',') rest->remove_prefix(1);
  }
}

}  // namespace

// True: the line is one of ours.  A counter that fell began anew.
bool Metrics::take(std::string_view line) {
  for (const Wanted& wanted : kWanted) {
    if (line.substr(0, wanted.name.size()) != wanted.name) continue;
    std::string_view rest = line.substr(wanted.name.size());
    std::map<std::string, std::string> labels = take_labels(&rest);
    const std::pair<std::string, std::string> policy{labels["zone"],
                                                     labels["policy"]};
    const std::string series = labels[std::string(wanted.label)];
    const double value = std::strtod(std::string(rest).c_str(), nullptr);
    double* last = &last_[policy][series];
    increase_[policy][series] +=
        answers_ == 0 ? 0 : value - (value >= *last ? *last : 0);
    *last = value;
    return true;
  }
  return false;
}

bool Metrics::read(const std::string& file, std::string* error) {
  const bool is_stdin = file == "-";
  std::ifstream opened;
  if (!is_stdin) {
    opened.open(file);
    if (!opened) {
      *error = file + ": " + std::strerror(errno);
      return false;
    }
  }
  std::istream& in = is_stdin ? std::cin : opened;
  std::string line;
  bool found = false;
  while (std::getline(in, line))
    found |= take(line);
  if (!found) {
    *error = (is_stdin ? "standard input" : file) +
             ": that is no answer of .../metrics";
    return false;
  }
  answers_++;
  return true;
}

}  // namespace suggest
