#include "suggest/log_format.h"

namespace suggest {

const char kCombined[] =
    "$remote_addr - $remote_user [$time_local] \"$request\" $status "
    "$body_bytes_sent \"$http_referer\" \"$http_user_agent\"";

namespace {

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '_';
}

// Where the literal begins, from `at` on.  In a value of "escape=json" a quote
// has a backslash before it, which itself is doubled.
std::size_t find_literal(std::string_view line, std::string_view literal,
                         std::size_t at) {
  const std::size_t from = at;
  for (;;) {
    const std::size_t found = line.find(literal, at);
    if (found == std::string_view::npos || literal[0] != '"') return found;
    std::size_t backslashes = 0;
    while (found > from + backslashes &&
           line[found - backslashes - 1] == '\\') {
      backslashes++;
    }
    if (backslashes % 2 == 0) return found;
    at = found + 1;
  }
}

}  // namespace

bool LogFormat::compile(const std::string& text, std::string* error) {
  fields_.clear();
  std::string literal;

  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '$') {
      literal += text[i++];
      continue;
    }

    const bool braces = i + 1 < text.size() && text[i + 1] == '{';
    std::size_t end = i + (braces ? 2 : 1);
    const std::size_t begin = end;
    while (end < text.size() && is_name(text[end]))
      end++;

    if (end == begin || (braces && (end == text.size() || text[end] != '}'))) {
      *error = "a \"$\" without the name of a variable behind it";
      return false;
    }
    if (!fields_.empty() && literal.empty()) {
      *error = "nothing stands between $" + fields_.back().variable +
               " and $" + text.substr(begin, end - begin);
      return false;
    }

    fields_.push_back({literal, text.substr(begin, end - begin)});
    literal.clear();
    i = end + (braces ? 1 : 0);
  }

  if (fields_.empty()) {
    *error = "there is no variable in it";
    return false;
  }
  end_ = literal;
  return true;
}

int LogFormat::find(std::string_view variable) const {
  for (std::size_t i = 0; i < fields_.size(); i++) {
    if (fields_[i].variable == variable) return static_cast<int>(i);
  }
  return -1;
}

bool LogFormat::split(std::string_view line,
                      std::vector<std::string_view>* values) const {
  values->resize(fields_.size());

  const std::string& first = fields_[0].before;
  if (line.substr(0, first.size()) != first) return false;
  std::size_t at = first.size();

  for (std::size_t i = 0; i < fields_.size(); i++) {
    const bool last = i + 1 == fields_.size();
    const std::string& behind = last ? end_ : fields_[i + 1].before;
    const std::size_t found =
        behind.empty() ? line.size() : find_literal(line, behind, at);
    if (found == std::string_view::npos) return false;
    (*values)[i] = line.substr(at, found - at);
    at = found + behind.size();
  }
  return true;
}

}  // namespace suggest
