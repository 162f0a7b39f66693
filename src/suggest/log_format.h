// A log_format of nginx, and the values in a line that was written by it.

#ifndef SUGGEST_LOG_FORMAT_H_
#define SUGGEST_LOG_FORMAT_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace suggest {

// What nginx calls "combined".
extern const char kCombined[];

class LogFormat {
 public:
  // False: *error says why the text is no format that lines can be read by.
  bool compile(const std::string& text, std::string* error);

  // The number of a variable, or -1: no line has it.
  int find(std::string_view variable) const;

  // The values of all variables by their numbers.  False: the line is not of
  // this format.
  bool split(std::string_view line,
             std::vector<std::string_view>* values) const;

 private:
  struct Field {
    std::string before;  // literal text
    std::string variable;
  };

  std::vector<Field> fields_;
  std::string end_;
};

}  // namespace suggest

#endif  // SUGGEST_LOG_FORMAT_H_
