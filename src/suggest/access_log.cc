#include "suggest/access_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "suggest/log_time.h"

namespace suggest {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 20;

// An open file, closed at the end.
class File {
 public:
  explicit File(const std::string& name)
      : fd_(name == "-" ? dup(STDIN_FILENO)
                        : open(name.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  int fd() const { return fd_; }
  // 0 where nobody knows, as of a pipe.
  std::uint64_t size() const {
    struct stat info = {};
    return fstat(fd_, &info) == 0 && S_ISREG(info.st_mode)
               ? static_cast<std::uint64_t>(info.st_size)
               : 0;
  }

 private:
  int fd_;
};

// "GET /path?args HTTP/1.1": from the path on.
std::string_view path_of(std::string_view request) {
  const std::size_t blank = request.find(' ');
  return blank == std::string_view::npos ? std::string_view()
                                         : request.substr(blank + 1);
}

}  // namespace

bool AccessLog::init(const Options& options, std::string* error) {
  if (!format_.compile(options.format, error)) {
    *error = "invalid --format=: " + *error;
    return false;
  }
  static const struct {
    const char* variable;
    Clock clock;
  } kClocks[] = {{"msec", Clock::kMsec},
                 {"time_iso8601", Clock::kIso8601},
                 {"time_local", Clock::kLocal}};
  for (const auto& row : kClocks) {
    if (time_ < 0) {
      time_ = format_.find(row.variable);
      clock_ = row.clock;
    }
  }
  if (time_ < 0) {
    *error = "the format has no $time_local, $time_iso8601 or $msec";
    return false;
  }

  path_ = options.path;
  request_ = format_.find("request");
  uri_ = format_.find("request_uri");
  if (uri_ < 0) uri_ = format_.find("uri");
  if (!path_.empty() && request_ < 0 && uri_ < 0) {
    *error = "--path= needs a format with $request, $request_uri or $uri";
    return false;
  }
  return key_.compile(options.key, format_, error);
}

bool AccessLog::read(const std::string& file, Progress* progress,
                     std::string* error) {
  const File in(file);
  const std::string shown = file == "-" ? "standard input" : file;
  if (in.fd() < 0) {
    *error = shown + ": " + std::strerror(errno);
    return false;
  }

  const std::uint64_t size = in.size();
  std::uint64_t done = 0;
  std::string text;  // of which the first `kept` bytes are a line's beginning
  std::size_t kept = 0;
  const std::uint64_t lines_before = lines_;

  for (;;) {
    text.resize(kept + kChunk);
    const ssize_t n = ::read(in.fd(), &text[kept], kChunk);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      *error = shown + ": " + std::strerror(errno);
      return false;
    }
    if (done == 0 && n > 1 && text[0] == '\x1f' && text[1] == '\x8b') {
      *error = shown + ": it is compressed, try zcat " + shown +
               " | ratelimit-suggest";
      return false;
    }
    done += static_cast<std::uint64_t>(n);

    const std::string_view all(text.data(), kept + static_cast<size_t>(n));
    std::size_t at = 0;
    for (;;) {
      std::size_t end = all.find('\n', at);
      if (end == std::string_view::npos) {
        if (n > 0 || at == all.size()) break;
        end = all.size();  // the last line has no end
      }
      const std::uint64_t before = not_understood_;
      lines_++;
      take(all.substr(at, end - at));
      if (before == 0 && not_understood_ == 1) {
        first_not_understood_ =
            shown + ":" + std::to_string(lines_ - lines_before);
      }
      at = std::min(end + 1, all.size());
    }
    if (n == 0) return true;

    kept = all.size() - at;
    std::memmove(&text[0], &text[at], kept);
    progress->tell("reading " + shown, done, size, requests_.size());
  }
}

void AccessLog::take(std::string_view line) {
  std::int64_t ms = 0;
  if (!format_.split(line, &values_) ||
      !time_of(values_[static_cast<std::size_t>(time_)], &ms)) {
    not_understood_++;
    return;
  }
  if (!is_wanted()) return;

  const std::string_view raw = key_.raw(values_, &key_buffer_);
  if (raw.empty()) {
    without_key_++;
    return;
  }
  requests_.push_back({ms, client(raw)});
}

// A line's time is most often that of the line before.
bool AccessLog::time_of(std::string_view text, std::int64_t* ms) {
  if (text != last_time_) {
    std::int64_t read = 0;
    const bool is_time = clock_ == Clock::kMsec ? read_msec(text, &read)
                         : clock_ == Clock::kIso8601
                             ? read_time_iso8601(text, &read)
                             : read_time_local(text, &read);
    if (!is_time) return false;
    last_time_ = text;
    last_ms_ = read;
  }
  *ms = last_ms_;
  return true;
}

bool AccessLog::is_wanted() const {
  if (path_.empty()) return true;
  const std::string_view path =
      request_ >= 0 ? path_of(values_[static_cast<std::size_t>(request_)])
                    : values_[static_cast<std::size_t>(uri_)];
  return path.substr(0, path_.size()) == path_;
}

std::uint32_t AccessLog::client(std::string_view raw) {
  const auto known = by_raw_.find(raw);
  if (known != by_raw_.end()) return known->second;

  const auto added =
      by_name_.emplace(key_.name(raw), static_cast<std::uint32_t>(clients()));
  if (added.second) names_.push_back(added.first->first);
  raw_.emplace_back(raw);
  by_raw_.emplace(raw_.back(), added.first->second);
  return added.first->second;
}

// nginx logs a request when it ends, and files may be named in any order.
void AccessLog::sort() {
  const auto earlier = [](const Request& one, const Request& two) {
    return one.ms < two.ms;
  };
  if (!std::is_sorted(requests_.begin(), requests_.end(), earlier)) {
    std::stable_sort(requests_.begin(), requests_.end(), earlier);
  }
}

}  // namespace suggest
