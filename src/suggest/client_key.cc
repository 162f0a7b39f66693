#include "suggest/client_key.h"

#include <arpa/inet.h>

#include "suggest/text.h"

namespace suggest {
namespace {

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '_';
}

// As nginx logs what is not there.
bool is_absent(std::string_view value) {
  return value.empty() || value == "-";
}

}  // namespace

bool ClientKey::compile(const std::string& text, const LogFormat& format,
                        std::string* error) {
  pieces_.clear();
  is_address_ = text == "addr" || text.compare(0, 5, "addr=") == 0;

  if (is_address_) {
    const char* allowed = rl_parse_source(str(text), &source_);
    if (allowed != nullptr) {
      *error = "invalid --key=\"" + text + "\", it " + allowed;
      return false;
    }
    pieces_.push_back({"", format.find("remote_addr")});
    if (pieces_[0].value < 0) *error = "the format has no $remote_addr";
    return pieces_[0].value >= 0;
  }

  Piece piece = {"", -1};
  bool varies = false;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '$') {
      piece.literal += text[i++];
      continue;
    }
    std::size_t end = ++i;
    while (end < text.size() && is_name(text[end]))
      end++;
    const std::string variable = text.substr(i, end - i);
    piece.value = format.find(variable);
    if (piece.value < 0) {
      *error = "the format has no $" + variable;
      return false;
    }
    pieces_.push_back(piece);
    piece = {"", -1};
    varies = true;
    i = end;
  }
  if (!piece.literal.empty()) pieces_.push_back(piece);
  if (!varies) {
    *error = "invalid --key=\"" + text +
             "\", it must be addr or a text with variables";
  }
  return varies;
}

std::string_view ClientKey::raw(const std::vector<std::string_view>& values,
                                std::string* buffer) const {
  if (pieces_.size() == 1 && pieces_[0].literal.empty()) {
    const std::string_view value =
        values[static_cast<std::size_t>(pieces_[0].value)];
    return is_absent(value) ? std::string_view() : value;
  }

  buffer->clear();
  for (const Piece& piece : pieces_) {
    *buffer += piece.literal;
    if (piece.value < 0) continue;
    const std::string_view value =
        values[static_cast<std::size_t>(piece.value)];
    if (is_absent(value)) return {};
    *buffer += value;
  }
  return *buffer;
}

std::string ClientKey::name(std::string_view raw) const {
  if (!is_address_) return std::string(raw);

  const std::string text(raw);
  unsigned char bytes[16];
  unsigned char buffer[RL_ADDR_TEXT_LEN];
  rl_str_t masked = {0, nullptr};
  std::size_t len = 0;
  if (inet_pton(AF_INET, text.c_str(), bytes) == 1) {
    len = 4;
  } else if (inet_pton(AF_INET6, text.c_str(), bytes) == 1) {
    len = 16;
  }
  if (len == 0 || rl_key_addr(bytes, len, &source_, buffer, &masked) == 0) {
    return text;  // "unix:"
  }
  return {reinterpret_cast<const char*>(masked.data), masked.len};
}

}  // namespace suggest
