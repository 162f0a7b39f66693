// Who is one client: the key of a logged request.

#ifndef SUGGEST_CLIENT_KEY_H_
#define SUGGEST_CLIENT_KEY_H_

#include <string>
#include <string_view>
#include <vector>

#include "ratelimit/ratelimit.h"
#include "suggest/log_format.h"

namespace suggest {

class ClientKey {
 public:
  // "addr", "addr=24/48", or a text with variables, all of which the format
  // must have.  False: *error says why not.
  bool compile(const std::string& text, const LogFormat& format,
               std::string* error);

  // The key as it was logged, into *buffer; empty: the request has none.
  std::string_view raw(const std::vector<std::string_view>& values,
                       std::string* buffer) const;

  // What a raw key counts as: an address is masked.
  std::string name(std::string_view raw) const;

 private:
  struct Piece {
    std::string literal;
    int value;  // the number of a variable; -1: none
  };

  bool is_address_ = false;
  rl_source_t source_ = {};
  std::vector<Piece> pieces_;
};

}  // namespace suggest

#endif  // SUGGEST_CLIENT_KEY_H_
