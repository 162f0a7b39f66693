// names=cgi as a slow model: PHP 8's reading of names, and what a request says
// of one of them.

#ifndef T_UNIT_CGI_MODEL_H_
#define T_UNIT_CGI_MODEL_H_

#include <cctype>
#include <cstdlib>
#include <string>
#include <vector>

namespace cgi_model {

inline bool starts_with(const std::string& text, const std::string& start) {
  return text.compare(0, start.size(), start) == 0;
}

inline bool is_reserved(const std::string& name) {
  return starts_with(name, "__Host-") || starts_with(name, "__Secure-");
}

// The variable's name, "" if there is none.
inline std::string variable(const std::string& text) {
  std::string name = text.substr(0, text.find('\0'));
  while (starts_with(name, " ")) {
    name.erase(0, 1);
  }
  const bool reserved = is_reserved(name);
  const std::size_t bracket = name.find('[');
  if (bracket == 0) return "";
  if (bracket != std::string::npos &&
      name.find(']', bracket) != std::string::npos) {
    name.resize(bracket);
  }
  for (char& c : name) {
    if (c == ' ' || c == '.' || c == '[') c = '_';
  }
  return is_reserved(name) && !reserved ? "" : name;
}

inline std::string decoded(const std::string& text, bool plus) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); i++) {
    const std::string digits = text.substr(i + 1, 2);
    if (text[i] == '%' && digits.size() == 2 &&
        std::isxdigit(static_cast<unsigned char>(digits[0])) &&
        std::isxdigit(static_cast<unsigned char>(digits[1]))) {
      out += static_cast<char>(std::strtol(digits.c_str(), nullptr, 16));
      i += 2;
    } else {
      out += plus && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

inline std::vector<std::string> split(const std::string& text, char by) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (c == by) {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

// All values of an argument.
inline std::vector<std::string> args(const std::string& query,
                                     const std::string& name) {
  std::vector<std::string> values;
  for (const std::string& pair : split(query, '&')) {
    const std::size_t equal = pair.find('=');
    if (variable(decoded(pair.substr(0, equal), true)) != name) continue;
    values.push_back(equal == std::string::npos
                         ? ""
                         : decoded(pair.substr(equal + 1), true));
  }
  return values;
}

// All values of a cookie, as they stand.
inline std::vector<std::string> cookies(const std::string& field,
                                        const std::string& name) {
  std::vector<std::string> values;
  for (const std::string& pair : split(field, ';')) {
    const std::size_t equal = pair.find('=');
    std::string left = pair.substr(0, equal);
    while (!left.empty() &&
           std::isspace(static_cast<unsigned char>(left[0])) != 0) {
      left.erase(0, 1);
    }
    if (variable(left) != name) continue;
    values.push_back(equal == std::string::npos ? "" : pair.substr(equal + 1));
  }
  return values;
}

// The key that these make, "" for none.
inline std::string key_of(const std::vector<std::string>& values) {
  for (const std::string& value : values) {
    if (value != values[0]) return ":";
  }
  return values.empty() ? "" : values[0];
}

}  // namespace cgi_model

#endif  // T_UNIT_CGI_MODEL_H_
