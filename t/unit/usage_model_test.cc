// What a response says that it has used, of random bodies cut anywhere, beside
// a slow model that takes them apart by jansson.

#include <gtest/gtest.h>
#include <jansson.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "ratelimit/ratelimit.h"

namespace {

const char* const kPointers[] = {
    "/usage/total_tokens", "/n",      "/a/usage/total_tokens",
    "/usage/kk",           "/a/1/kk", "/0/n"};
constexpr uint32_t kValues[] = {0, 1, 0, 2, 3, 4};
constexpr size_t kCount = sizeof(kValues) / sizeof(kValues[0]);

const unsigned char* bytes_of(const char* text) {
  return reinterpret_cast<const unsigned char*>(text);
}

// ---- the model

const json_t* step(const json_t* json, const std::string& token) {
  if (json_is_object(json)) return json_object_get(json, token.c_str());
  const bool digits = std::all_of(token.begin(), token.end(), isdigit);
  return json_is_array(json) && digits
             ? json_array_get(json, std::stoul(token))
             : nullptr;
}

const json_t* resolve(const json_t* json, const std::string& pointer) {
  for (size_t at = 1; at <= pointer.size() && json != nullptr;) {
    const size_t end = std::min(pointer.find('/', at), pointer.size());
    json = step(json, pointer.substr(at, end - at));
    at = end + 1;
  }
  return json;
}

class Model {
 public:
  void text(const std::string& text) {
    json_t* const json = json_loadb(text.data(), text.size(), 0, nullptr);
    read(json);
    for (size_t i = 0; i < json_array_size(json); i++) {
      read(json_array_get(json, i));
    }
    json_decref(json);
  }

  void lines(const std::string& body) {
    for (size_t at = 0; at <= body.size();) {
      const size_t end = std::min(body.find('\n', at), body.size());
      text(body.substr(at, end - at));
      at = end + 1;
    }
  }

  void events(const std::string& body) {
    std::string data;
    for (size_t at = 0; at < body.size();) {
      const size_t end = std::min(body.find_first_of("\r\n", at), body.size());
      const std::string line = body.substr(at, end - at);
      at = end + (body.compare(end, 2, "\r\n") == 0 ? 2 : 1);
      if (line.compare(0, 5, "data:") == 0) {
        data += line.substr(line.compare(5, 1, " ") == 0 ? 6 : 5) + '\n';
      }
      if (line.empty()) {
        text(data);
        data.clear();
      }
    }
    text(data);
  }

  std::string units() const {
    uint64_t sum = 0;
    for (const auto& each : values_)
      sum += each.second;
    return values_.empty() ? "none"
                           : std::to_string(std::min(sum, RL_MAX_UNITS));
  }

 private:
  void read(const json_t* json) {
    for (size_t i = 0; i < kCount; i++) {
      const json_t* const value = resolve(json, kPointers[i]);
      if (!json_is_number(value)) continue;
      const double number = std::ceil(json_number_value(value));
      if (number >= 0) values_[kValues[i]] = static_cast<uint64_t>(number);
    }
  }

  std::map<uint32_t, uint64_t> values_;
};

// ---- random bodies

class Random {
 public:
  explicit Random(unsigned seed) : random_(seed) {}

  size_t below(size_t n) { return random_() % n; }
  bool chance(size_t n) { return below(n) == 0; }

  template <size_t N>
  std::string one_of(const char* const (&texts)[N]) {
    return texts[below(N)];
  }

  // Space may be a line's end, where JSON may be cut into lines of "data:".
  std::string json(int depth, const char* space) {
    if (depth == 0 || chance(3)) return scalar();
    const bool object = !chance(4);
    std::string text(1, object ? '{' : '[');
    const size_t n = below(5);
    for (size_t i = 0; i < n; i++) {
      if (i != 0) text += ',';
      if (chance(4)) text += space;
      if (object) text += name() + (chance(4) ? " : " : ":");
      text += json(depth - 1, space);
    }
    if (chance(6)) text += space;
    return text + (object ? '}' : ']');
  }

  std::string document(const char* space) {
    std::string text;
    do {
      text = json(4, space);
    } while (text[0] != '{' && text[0] != '[');
    if (chance(8)) text.resize(below(text.size()));
    return text;
  }

 private:
  std::string name() {
    const char* const kNames[] = {
        "n",    "usage", "total_tokens", "kk",           "a", "token",
        "usag", "k",     "content",      "total_tokensx"};
    return string(one_of(kNames));
  }

  // Letters escaped now and then, as JSON allows.
  std::string string(const std::string& letters) {
    std::string text = "\"";
    const bool escapes = chance(6);
    for (const char c : letters) {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), "\\u%04x", c);
      text += escapes && chance(3) ? escaped : std::string(1, c);
    }
    return text + '"';
  }

  std::string scalar() {
    const char* const kScalars[] = {"null", "true", "0",     "7",    "12",
                                    "-3",   "1.2",  "-0.5",  "1e2",  "-0",
                                    "46",   "999",  "2.5e1", "1000", "false"};
    if (!chance(4)) return one_of(kScalars);
    const char* const kParts[] = {
        "word ", "like ",  "\\n",       "\\\"n\\\":5", "\\\\",
        "{",     "]",      "\\u00e9",   "\\u0061",     "\\ud83d\\ude00",
        ",",     "token ", "\\\"usage", "data: ",      "\xc3\xa9"};
    std::string text = "\"";
    for (size_t n = chance(3) ? below(60) : below(5); n != 0; n--) {
      text += one_of(kParts);
    }
    return text + '"';
  }

  std::mt19937 random_;
};

std::string lines_of(Random* random) {
  std::string body = random->chance(5) ? "\xef\xbb\xbf" : "";
  for (size_t n = random->below(8); n != 0; n--) {
    body += random->document(" ") + (random->chance(9) ? "\r\n" : "\n");
    if (random->chance(9)) body += '\n';
  }
  return body;
}

std::string events_of(Random* random) {
  const char* const kEnds[] = {"\n", "\n", "\r\n", "\r"};
  const char* const kOthers[] = {": ping",   "event: usage", "id: 5",
                                 "data",     "retry: 1",     "dat: {\"n\":9}",
                                 " data: {}"};
  const std::string end = random->one_of(kEnds);
  std::string body = random->chance(5) ? "\xef\xbb\xbf" : "";
  for (size_t n = random->below(8); n != 0; n--) {
    if (random->chance(3)) body += random->one_of(kOthers) + end;
    const std::string data = random->chance(6) ? "data:" : "data: ";
    body += data;
    for (const char c : random->document(random->chance(3) ? "\n" : " ")) {
      body += c == '\n' ? end + data : std::string(1, c);
    }
    body += end + (random->chance(12) ? "" : end);
  }
  return body;
}

// ---- the reader, with pieces and memory of its own length

std::string read(rl_usage_form_e form, const std::string& body,
                 Random* random) {
  rl_usage_pointer_t pointers[kCount];
  for (size_t i = 0; i < kCount; i++) {
    EXPECT_EQ(nullptr, rl_parse_usage_pointer(
                           {std::strlen(kPointers[i]), bytes_of(kPointers[i])},
                           kValues[i], &pointers[i]));
  }
  rl_usage_search_t search;
  rl_usage_search(pointers, kCount, &search);
  rl_usage_t usage;
  rl_usage_begin(&usage, &search, form);
  std::vector<unsigned char> memory;
  const size_t longest = random->chance(3) ? body.size() + 1 : 200;
  for (size_t at = 0; at < body.size();) {
    const size_t len = std::min(1 + random->below(longest), body.size() - at);
    const std::vector<unsigned char> piece(body.begin() + at,
                                           body.begin() + at + len);
    size_t left = len;
    while ((left = rl_usage_take(&usage, {left, piece.data() + len - left})) !=
           0) {
      if (usage.ended != 0 && random->chance(2)) {
        EXPECT_TRUE(rl_usage_make_room(&usage));
        continue;
      }
      const size_t room = usage.ended + usage.held + left;
      std::vector<unsigned char> larger(RL_USAGE_MEMORY(room));
      rl_usage_grow(&usage, larger.data(), room);
      memory.swap(larger);
    }
    at += len;
  }
  rl_usage_end(&usage);
  uint64_t units = 0;
  return rl_usage_units(&usage, &units) ? std::to_string(units) : "none";
}

TEST(UsageModel, RandomBodies) {
  size_t said = 0;
  for (unsigned seed = 0; seed < 5000; seed++) {
    Random random(seed);
    const auto form = static_cast<rl_usage_form_e>(seed % 3);
    Model model;
    std::string body;
    if (form == RL_USAGE_EVENTS) {
      body = events_of(&random);
    } else {
      body = form == RL_USAGE_JSON ? random.document("\n") : lines_of(&random);
    }
    const size_t mark = body.compare(0, 3, "\xef\xbb\xbf") == 0 ? 3 : 0;
    if (form == RL_USAGE_JSON) model.text(body);
    if (form == RL_USAGE_LINES) model.lines(body.substr(mark));
    if (form == RL_USAGE_EVENTS) model.events(body.substr(mark));
    said += model.units() != "none";
    for (int i = 0; i < 5; i++) {
      ASSERT_EQ(model.units(), read(form, body, &random))
          << "seed " << seed << ": " << body;
    }
  }
  EXPECT_GT(said, 350u);
}

}  // namespace
