// Key extraction: the first line of the input is a name, the rest is what the
// client sent.  Values lie within the input or the buffer, and writings that
// backends take for the same give the same value.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "../unit/cgi_model.h"
#include "ratelimit/ratelimit.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

struct Value {
  bool found;
  std::string text;

  bool operator==(const Value& other) const {
    return found == other.found && text == other.text;
  }
};

// Runs `extract` with a buffer of exactly the input's size.
template <typename Extract>
Value run(const std::string& input, Extract extract) {
  const std::vector<unsigned char> in(input.begin(), input.end());
  std::vector<unsigned char> buf(in.size());
  rl_str_t out = {0, nullptr};
  const bool found = extract({in.size(), in.data()}, buf.data(), &out) != 0;
  if (!found) return {false, ""};
  require(out.len != 0);
  require(out.len <= input.size());
  return {true, std::string(reinterpret_cast<const char*>(out.data), out.len)};
}

Value bearer(const std::string& input) {
  return run(input, [](rl_str_t in, unsigned char*, rl_str_t* out) {
    return rl_key_bearer(in, out);
  });
}

Value basic(const std::string& input) {
  return run(input, [](rl_str_t in, unsigned char* buf, rl_str_t* out) {
    return rl_key_basic(in, buf, out);
  });
}

Value header(const std::string& input) {
  return run(input, [](rl_str_t in, unsigned char*, rl_str_t* out) {
    return rl_key_header(in, out);
  });
}

rl_str_t str(const std::string& text) {
  return {text.size(), reinterpret_cast<const unsigned char*>(text.data())};
}

Value arg(const std::string& input, const std::string& name) {
  return run(input, [&](rl_str_t in, unsigned char* buf, rl_str_t* out) {
    return rl_key_arg(in, str(name), buf, out);
  });
}

Value cookie(const std::string& input, const std::string& name) {
  return run(input, [&](rl_str_t in, unsigned char* buf, rl_str_t* out) {
    return rl_key_cookie(in, str(name), buf, out);
  });
}

// Of names=cgi; a name that folds to nothing is none that can be configured.
void cgi(const std::string& input, const std::string& name) {
  std::vector<unsigned char> folded(name.size());
  rl_source_t source;
  std::memset(&source, 0, sizeof(source));
  source.kind = RL_SOURCE_ARG;
  source.name = str(name);
  const std::string variable = cgi_model::variable(name);
  require((rl_cgi_source(&source, folded.data()) == nullptr) ==
          !variable.empty());
  if (variable.empty()) return;
  const auto read = [&](bool args) {
    return run(input, [&](rl_str_t in, unsigned char* buf, rl_str_t* out) {
      rl_values_t values;
      std::memset(&values, 0, sizeof(values));
      if (args) {
        rl_cgi_args(in, source.name, buf, &values);
      } else {
        source.kind = RL_SOURCE_COOKIE;
        rl_cgi_field(&source, in, buf, &values);
      }
      require(values.any != 0 || values.differ == 0);
      return rl_cgi_value(&values, out);
    });
  };
  const std::string key = cgi_model::key_of(cgi_model::args(input, variable));
  require(read(true) == Value{!key.empty(), key});
  // Of a cookie's value the model knows only whether there is one.
  const std::vector<std::string> cookies =
      cgi_model::cookies(input, variable);
  require(!read(false).found || !cookies.empty());
}

// Every byte as an escape.
std::string escaped(const std::string& text) {
  static const char hex[] = "0123456789aBcDeF";
  std::string out;
  for (const char c : text) {
    const unsigned byte = static_cast<unsigned char>(c);
    out += '%';
    out += hex[byte >> 4];
    out += hex[byte & 15];
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = input.find('\n');
  const std::string name =
      line == std::string::npos || line == 0 ? "k" : input.substr(0, line);
  const std::string text =
      line == std::string::npos ? input : input.substr(line + 1);

  require(header(text) == header(" \t" + text + "\t "));
  bearer(text);
  require(bearer("Bearer " + text) == bearer("bEARER \t " + text + " \t"));
  basic(text);
  const Value user = basic("Basic " + text);
  require(user == basic("basic  " + text + " "));
  require(!user.found || user.text == ":" ||
          user.text.find(':') == std::string::npos);

  const Value found = arg(text, name);
  require(found == arg("&&" + text + "&", name));
  if (!text.empty()) {
    const Value whole =
        arg("x=1&" + escaped(name) + "=" + escaped(text), name);
    require(name == "x" || (whole.found && whole.text == text));
  }
  cookie(text, name);
  cookie(text, "k");
  cgi(text, name);
  cgi(text, "a_b");

  if (size >= 18) {
    rl_source_t source;
    std::memset(&source, 0, sizeof(source));
    source.kind = RL_SOURCE_ADDR;
    source.v4_bits = data[16] % 33;
    source.v6_bits = data[17] % 129;
    std::vector<unsigned char> buf(RL_ADDR_TEXT_LEN);
    rl_str_t out;
    require(rl_key_addr(data, 16, &source, buf.data(), &out) == 1);
    require(out.len >= 2 && out.len < RL_ADDR_TEXT_LEN);
    require(rl_key_addr(data, 4, &source, buf.data(), &out) == 1);
    require(out.len >= 7 && out.len <= 15);
  }
  return 0;
}
