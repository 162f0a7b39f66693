#include "suggest/history.h"

#include <jansson.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace suggest {
namespace {

// Seconds of a sample; those of an hour are kept.
constexpr std::int64_t kLongest = 86400;

struct CloseFile {
  void operator()(std::FILE* file) const {
    if (file != stdin) std::fclose(file);
  }
};

struct FreeJson {
  void operator()(json_t* json) const { json_decref(json); }
};

// [until when, of how many seconds, admitted, refused, in dry run, waiting]
bool read_sample(const json_t* array, Sample* out) {
  json_int_t numbers[6] = {};
  if (json_array_size(array) != 6) return false;
  for (std::size_t i = 0; i < 6; i++) {
    const json_t* number = json_array_get(array, i);
    if (!json_is_integer(number)) return false;
    numbers[i] = json_integer_value(number);
    if (numbers[i] < 0) return false;
  }
  *out = {numbers[0],
          numbers[1],
          {static_cast<double>(numbers[2]), static_cast<double>(numbers[3]),
           static_cast<double>(numbers[4])},
          numbers[5]};
  return out->seconds > 0 && out->seconds <= kLongest;
}

bool read_policy(const json_t* policy, History::Policies* out) {
  const char* name = json_string_value(json_object_get(policy, "name"));
  const char* zone = json_string_value(json_object_get(policy, "zone"));
  const json_t* samples = json_object_get(policy, "samples");
  if (name == nullptr || zone == nullptr || !json_is_array(samples)) {
    return false;
  }
  std::vector<Sample>* to = &(*out)[{zone, name}];
  for (std::size_t i = 0; i < json_array_size(samples); i++) {
    to->emplace_back();
    if (!read_sample(json_array_get(samples, i), &to->back())) return false;
  }
  return true;
}

bool read_answer(const json_t* answer, History::Policies* out) {
  const json_t* policies = json_object_get(answer, "policies");
  if (!json_is_array(policies)) return false;
  for (std::size_t i = 0; i < json_array_size(policies); i++) {
    if (!read_policy(json_array_get(policies, i), out)) return false;
  }
  return true;
}

// True: something but blanks follows.
bool has_more(std::FILE* file) {
  int c;
  do {
    c = std::getc(file);
  } while (c == ' ' || c == '\n' || c == '\r' || c == '\t');
  if (c == EOF) return false;
  std::ungetc(c, file);
  return true;
}

}  // namespace

bool History::read(const std::string& file, std::string* error) {
  const std::string shown = file == "-" ? "standard input" : file;
  const std::unique_ptr<std::FILE, CloseFile> in(
      file == "-" ? stdin : std::fopen(file.c_str(), "re"));
  if (in == nullptr) {
    *error = shown + ": " + std::strerror(errno);
    return false;
  }
  while (has_more(in.get())) {
    const std::unique_ptr<json_t, FreeJson> answer(
        json_loadf(in.get(), JSON_DISABLE_EOF_CHECK, nullptr));
    if (!read_answer(answer.get(), &policies_)) {
      *error = shown + ": that is no answer of .../history";
      return false;
    }
  }
  if (std::ferror(in.get()) != 0) {
    *error = shown + ": it cannot be read";
    return false;
  }
  return true;
}

// The end of a sample is told anew in each answer, in whole seconds: two
// within half a sample are one.
void History::sort() {
  for (auto& policy : policies_) {
    std::vector<Sample>& samples = policy.second;
    std::stable_sort(samples.begin(), samples.end(),
                     [](const Sample& one, const Sample& two) {
                       return one.end_s < two.end_s;
                     });
    std::vector<Sample> once;
    for (const Sample& sample : samples) {
      if (once.empty() ||
          sample.end_s - once.back().end_s > sample.seconds / 2) {
        once.push_back(sample);
      }
    }
    samples = std::move(once);
  }
}

std::vector<Minute> minutes_of(const std::vector<Sample>& samples) {
  std::map<std::int64_t, Minute> minutes;
  for (const Sample& sample : samples) {
    const std::int64_t begin = sample.end_s - sample.seconds;
    for (std::int64_t at = begin; at < sample.end_s;) {
      const std::int64_t next = std::min((at / 60 + 1) * 60, sample.end_s);
      const double part = static_cast<double>(next - at);
      const double share = part / static_cast<double>(sample.seconds);
      Minute* minute = &minutes[at / 60];
      minute->seconds += part;
      minute->counts.admitted += share * sample.counts.admitted;
      minute->counts.refused += share * sample.counts.refused;
      minute->counts.dry_run += share * sample.counts.dry_run;
      at = next;
    }
  }
  std::vector<Minute> out;
  for (const auto& minute : minutes)
    out.push_back(minute.second);
  return out;
}

}  // namespace suggest
