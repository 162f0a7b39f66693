#include "suggest/options.h"

#include <getopt.h>

#include <sstream>

#include "suggest/text.h"

namespace suggest {

const char kUsage[] =
    "usage: ratelimit-suggest [OPTION]... [LOG]...\n"
    "\n"
    "Reads access logs of nginx (or standard input), tells how much clients\n"
    "ask in their busiest windows, suggests policies, and says whom these\n"
    "would have refused.\n"
    "\n"
    "  --format=TEXT    the log_format; default: combined\n"
    "  --key=TEXT       who is one client: addr, addr=24/48, or a text with\n"
    "                   variables of the log, as '$remote_user'; default: "
    "addr\n"
    "  --path=PREFIX    only requests whose path begins so\n"
    "  --windows=LIST   default: 1s,1m,1h,1d\n"
    "  --policy=TEXT    try this one instead, as 'quota=30/10s "
    "algorithm=gcra\n"
    "                   capacity=5'; repeatable\n"
    "  --history        the files are saved answers of ratelimit_api's "
    ".../history:\n"
    "                   tells how much each policy admitted and refused a "
    "minute\n"
    "  --metrics        ... or of its .../metrics, the earlier ones first: "
    "tells how\n"
    "                   much of their quotas keys had used\n"
    "\n"
    "Compressed logs: zcat access.log.*.gz | ratelimit-suggest\n";

namespace {

bool read_window(const std::string& text, Limit* out, std::string* error) {
  out->window_text = text;
  out->name = "per_" + text;
  const char* allowed = rl_parse_window(str(out->window_text), 0, &out->quota);
  if (allowed != nullptr) {
    *error = "invalid window \"" + text + "\", it " + allowed;
    return false;
  }
  out->quota.window_text = {0, nullptr};  // is copied with what it points into
  return true;
}

bool read_windows(const std::string& list, std::vector<Limit>* out,
                  std::string* error) {
  std::istringstream in(list);
  std::string text;
  out->clear();
  while (std::getline(in, text, ',')) {
    out->emplace_back();
    if (!read_window(text, &out->back(), error)) return false;
  }
  if (out->empty()) *error = "--windows= has no window";
  return !out->empty();
}

// One parameter, as ratelimit_policy has it.
bool read_parameter(const std::string& parameter, Limit* out,
                    std::string* error) {
  const std::size_t equals = parameter.find('=');
  const std::string name = parameter.substr(0, equals);
  const std::string value =
      equals == std::string::npos ? "" : parameter.substr(equals + 1);
  const char* allowed = nullptr;

  if (name == "quota") {
    allowed = rl_parse_quota(str(value), 0, &out->quota);
    if (allowed == nullptr && out->quota.unlimited) {
      allowed = "must limit something to be tried";
    }
    if (allowed == nullptr) {
      out->window_text = value.substr(value.find('/') + 1);
      out->quota.window_text = {0, nullptr};
    }
  } else if (name == "algorithm") {
    allowed = rl_parse_algorithm(str(value), &out->algorithm);
  } else if (name == "capacity") {
    allowed = rl_parse_units(str(value), &out->capacity);
    if (allowed == nullptr && out->capacity == 0) allowed = "must not be 0";
  } else {
    *error = "invalid parameter \"" + parameter +
             "\" of --policy=, it must be quota=, algorithm= or capacity=";
    return false;
  }
  if (allowed != nullptr) {
    *error =
        "invalid " + name + " \"" + value + "\" of --policy=, it " + allowed;
    return false;
  }
  return true;
}

bool read_policy(const std::string& text, Limit* out, std::string* error) {
  std::istringstream in(text);
  std::string parameter;
  while (in >> parameter) {
    if (!read_parameter(parameter, out, error)) return false;
  }
  if (out->window_text.empty()) {
    *error = "--policy=\"" + text + "\" has no quota=";
    return false;
  }
  if (out->capacity != 0 && out->algorithm != RL_GCRA) {
    *error = "capacity= of --policy= needs algorithm=gcra";
    return false;
  }
  out->name = out->text().substr(sizeof("quota=") - 1);
  return true;
}

bool read_option(int option, const std::string& value, Options* out,
                 std::string* error) {
  switch (option) {
    case 'f':
      out->format = value;
      return true;
    case 'k':
      out->key = value;
      return true;
    case 'p':
      out->path = value;
      return true;
    case 'w':
      return read_windows(value, &out->windows, error);
    case 'l':
      out->policies.emplace_back();
      return read_policy(value, &out->policies.back(), error);
    case 'H':
      out->history = true;
      return true;
    case 'M':
      out->metrics = true;
      return true;
    case 'h':
      out->help = true;
      return true;
    default:  // getopt_long has said why
      error->clear();
      return false;
  }
}

}  // namespace

std::string Limit::text() const {
  std::string text =
      "quota=" + std::to_string(quota.units) + "/" + window_text;
  if (algorithm != RL_SLIDING) {
    text += std::string(" algorithm=") + rl_algorithm_name(algorithm);
  }
  if (capacity != 0) text += " capacity=" + std::to_string(capacity);
  return text;
}

bool read_options(int argc, char** argv, Options* out, std::string* error) {
  static const option kOptions[] = {
      {"format", required_argument, nullptr, 'f'},
      {"key", required_argument, nullptr, 'k'},
      {"path", required_argument, nullptr, 'p'},
      {"windows", required_argument, nullptr, 'w'},
      {"policy", required_argument, nullptr, 'l'},
      {"history", no_argument, nullptr, 'H'},
      {"metrics", no_argument, nullptr, 'M'},
      {"help", no_argument, nullptr, 'h'},
      {nullptr, 0, nullptr, 0},
  };

  if (!read_windows("1s,1m,1h,1d", &out->windows, error)) return false;

  for (;;) {
    const int option = getopt_long(argc, argv, "", kOptions, nullptr);
    if (option == -1) break;
    if (!read_option(option, optarg == nullptr ? "" : optarg, out, error)) {
      return false;
    }
  }
  if (out->history && out->metrics) {
    *error = "--history and --metrics are of different files";
    return false;
  }
  out->files.assign(argv + optind, argv + argc);
  return true;
}

}  // namespace suggest
