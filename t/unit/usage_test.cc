// What a response says that it has used.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "ratelimit/ratelimit.h"

namespace {

rl_str_t str(const std::string& text) {
  return {text.size(), reinterpret_cast<const unsigned char*>(text.data())};
}

// A reader with the shim's way of giving it memory.
class Reader {
 public:
  Reader(rl_usage_form_e form, const std::vector<std::string>& pointers,
         size_t max = 65536)
      : texts_(pointers), max_(max) {
    uint64_t value = 0;
    for (const std::string& text : texts_) {
      size_t at = 0;
      while (at <= text.size()) {
        const size_t end = std::min(text.find('|', at), text.size());
        rl_usage_pointer_t pointer;
        EXPECT_EQ(nullptr, rl_parse_usage_pointer(
                               {end - at, str(text).data + at}, value,
                               &pointer));
        pointers_.push_back(pointer);
        at = end + 1;
      }
      value++;
    }
    rl_usage_search(pointers_.data(), pointers_.size(), &search_);
    rl_usage_begin(&usage_, &search_, form);
  }

  void take(const std::string& bytes) {
    // A copy of its own length: a byte too far is an overrun.
    std::vector<unsigned char> copy(bytes.begin(), bytes.end());
    const unsigned char* const end = copy.data() + copy.size();
    size_t left = copy.size();
    while ((left = rl_usage_take(&usage_, {left, end - left})) != 0) need(left);
  }

  std::string end() {
    rl_usage_end(&usage_);
    return units();
  }

  std::string units() {
    uint64_t units = 0;
    return rl_usage_units(&usage_, &units) ? std::to_string(units) : "none";
  }

  bool broken() const { return usage_.broken; }
  int skipped() const { return skipped_; }

 private:
  void need(size_t more) {
    if (usage_.room >= max_) {
      skipped_ += !rl_usage_make_room(&usage_);
      return;
    }
    const size_t room = std::min(
        max_, std::max(usage_.ended + usage_.held + more, 2 * usage_.room));
    std::vector<unsigned char> memory(RL_USAGE_MEMORY(room));
    rl_usage_grow(&usage_, memory.data(), room);
    memory_.swap(memory);
  }

  std::vector<std::string> texts_;
  std::vector<rl_usage_pointer_t> pointers_;
  rl_usage_search_t search_;
  std::vector<unsigned char> memory_;
  size_t max_;
  int skipped_ = 0;
  rl_usage_t usage_;
};

// Whole, byte by byte, and cut at two places anywhere: always the same.
std::string read(rl_usage_form_e form, const std::vector<std::string>& pointers,
                 const std::string& body) {
  Reader whole(form, pointers);
  whole.take(body);
  const std::string units = whole.end();

  Reader bytes(form, pointers);
  for (const char c : body) bytes.take(std::string(1, c));
  EXPECT_EQ(units, bytes.end()) << body;

  std::mt19937 random(7);
  for (int i = 0; i < 50 && !body.empty(); i++) {
    size_t a = random() % body.size();
    size_t b = random() % body.size();
    if (a > b) std::swap(a, b);
    Reader cut(form, pointers);
    cut.take(body.substr(0, a));
    cut.take(body.substr(a, b - a));
    cut.take(body.substr(b));
    EXPECT_EQ(units, cut.end()) << body << " cut at " << a << ", " << b;
  }
  return units;
}

TEST(Usage, OfOpenAI) {
  const std::vector<std::string> total = {
      "/usage/total_tokens|/response/usage/total_tokens"};
  EXPECT_EQ("46", read(RL_USAGE_JSON, total,
                       R"({"id":"c1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hi \ud83d\ude00"}}],"usage":{"prompt_tokens":12,"completion_tokens":34,"total_tokens":46}})"));
  const std::string chunk =
      "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}],\"usage\":null}\n\n";
  const std::string last =
      "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":34,\"total_tokens\":46}}\n\n";
  const std::string done = "data: [DONE]\n\n";
  EXPECT_EQ("46", read(RL_USAGE_EVENTS, total, chunk + chunk + last + done));
  EXPECT_EQ("none", read(RL_USAGE_EVENTS, total, chunk + chunk + done));
  EXPECT_EQ("46", read(RL_USAGE_EVENTS, {"/usage/prompt_tokens", "/usage/completion_tokens"}, chunk + last + done));
  EXPECT_EQ("9", read(RL_USAGE_EVENTS, total,
                      "event: response.output_text.delta\r\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"x\"}\r\n\r\n"
                      "event: response.completed\r\ndata: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":4,\"output_tokens\":5,\"total_tokens\":9}}}\r\n\r\n"));
}

TEST(Usage, OfAnthropic) {
  const std::vector<std::string> tokens = {
      "/usage/input_tokens|/message/usage/input_tokens",
      "/usage/output_tokens|/message/usage/output_tokens"};
  EXPECT_EQ("40", read(RL_USAGE_JSON, tokens,
                       R"({"type":"message","content":[{"type":"text","text":"Hi"}],"usage":{"input_tokens":25,"output_tokens":15}})"));
  const std::string start =
      "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\n";
  const std::string delta =
      "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n";
  EXPECT_EQ("26", read(RL_USAGE_EVENTS, tokens, start + delta));
  EXPECT_EQ("40", read(RL_USAGE_EVENTS, tokens, start + delta +
                       "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":15}}\n\n"
                       "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
  EXPECT_EQ("41", read(RL_USAGE_EVENTS, tokens, start + delta +
                       "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"input_tokens\":26,\"output_tokens\":15}}\n\n"));
}

TEST(Usage, OfGeminiAndOllama) {
  const std::string chunk =
      R"({"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"promptTokenCount":4,"totalTokenCount":5}})";
  const std::string last =
      R"({"candidates":[],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":9,"totalTokenCount":13}})";
  const std::vector<std::string> total = {"/usageMetadata/totalTokenCount"};
  EXPECT_EQ("13", read(RL_USAGE_JSON, total, last));
  EXPECT_EQ("13", read(RL_USAGE_JSON, total, "[" + chunk + "\n,\r\n" + last + "]"));
  EXPECT_EQ("13", read(RL_USAGE_EVENTS, total, "data: " + chunk + "\n\ndata: " + last + "\n\n"));

  const std::string lines =
      "{\"model\":\"m\",\"response\":\"a\",\"done\":false}\n"
      "{\"model\":\"m\",\"response\":\"\",\"done\":true,\"prompt_eval_count\":26,\"eval_count\":290}\n";
  const std::vector<std::string> counts = {"/prompt_eval_count", "/eval_count"};
  EXPECT_EQ("316", read(RL_USAGE_LINES, counts, lines));
  EXPECT_EQ("316", read(RL_USAGE_LINES, counts, lines.substr(0, lines.size() - 1)));
}

TEST(Usage, EventsAsTheStandardHasThem) {
  const std::vector<std::string> n = {"/n"};
  EXPECT_EQ("1", read(RL_USAGE_EVENTS, n, "data:{\"n\":1}\n\n"));
  EXPECT_EQ("1", read(RL_USAGE_EVENTS, n, "data: {\"n\":1}\r\r"));
  EXPECT_EQ("1", read(RL_USAGE_EVENTS, n, "data: {\"n\":1}\r\n\r\n"));
  EXPECT_EQ("1", read(RL_USAGE_EVENTS, n, "data: {\ndata: \"n\":1\ndata:}\n\n"));
  EXPECT_EQ("1", read(RL_USAGE_EVENTS, n, "data: {\"n\":1}\n\ndata: {\"n\":-2}\n\ndata: {\"n\":\"3\"}\n\n"));
  EXPECT_EQ("2", read(RL_USAGE_EVENTS, n, ": ping\n\nid: 5\ndata: {\"n\":1}\nretry: 9\n\ndata: {\"n\":2}\n\n"));
  EXPECT_EQ("none", read(RL_USAGE_EVENTS, n, "dat: {\"n\":1}\n\ndatax: {\"n\":2}\n\n data: {\"n\":3}\n\nDATA: {\"n\":4}\n\n"));
  EXPECT_EQ("1", read(RL_USAGE_EVENTS, n, "\n\n\ndata: {\"n\":1}\n\ndata\n\ndata:\n\n"));
  // The last one before the connection broke.
  EXPECT_EQ("2", read(RL_USAGE_EVENTS, n, "data: {\"n\":1}\n\ndata: {\"n\":2}"));
  EXPECT_EQ("1", read(RL_USAGE_EVENTS, n, "data: {\"n\":1}\n\ndata: {\"n\":2"));
}

TEST(Usage, Numbers) {
  const std::string most = std::to_string(RL_MAX_UNITS);
  const std::pair<const char*, std::string> kCases[] = {
      {"0", "0"},         {"1.0", "1"},       {"1.2", "2"},
      {"1e3", "1000"},    {"-1", "none"},     {"-0.5", "0"},
      {"-2.5", "none"},   {"\"5\"", "none"},  {"null", "none"},
      {"true", "none"},   {"[1]", "none"},    {"{}", "none"},
      {"1e999", most},    {"-1e999", "none"}, {"9999999999999999999999", most},
      {"-9999999999999999999999", "none"},
      {"999999999999999999", most},
  };
  for (const auto& [number, units] : kCases) {
    EXPECT_EQ(units, read(RL_USAGE_JSON, {"/a/n"},
                          "{\"a\":{\"n\":" + std::string(number) + "}}"))
        << number;
  }
  EXPECT_EQ(most, read(RL_USAGE_JSON, {"/a", "/b"},
                       "{\"a\":" + most + ",\"b\":" + most + "}"));
}

TEST(Usage, NamesThatAreWrittenInAnotherWay) {
  EXPECT_EQ("5", read(RL_USAGE_EVENTS, {"/usage/n"}, "data: {\"us\\u0061ge\":{\"\\u006e\":5}}\n\n"));
  EXPECT_EQ("5", read(RL_USAGE_JSON, {"/a~1b"}, R"({"a\/b":5})"));
  EXPECT_EQ("5", read(RL_USAGE_JSON, {"/\xc3\xa9"}, R"({"\u00e9":5})"));
  EXPECT_EQ("5", read(RL_USAGE_JSON, {"/a/1"}, R"({"a":[4,5]})"));
  EXPECT_EQ("4", read(RL_USAGE_JSON, {"/a/1"}, R"({"a":{"1":4}})"));
  // What jansson would not have, elsewhere.
  EXPECT_EQ("5", read(RL_USAGE_JSON, {"/n"}, R"({"t":"\ud83d","x":1e999,"y":12345678901234567890,"n":5})"));
}

TEST(Usage, BrokenJson) {
  for (const char* body : {"{\"n\":1", "{\"n\":1}}", "{\"n\":}", "{\"n\"}", "\"n\"", "{\"n\":1,}", "\xff{\"n\":1}", "{\"n\":1] ", "{\"a\":\"n\" \"n\":1}", "{\"n\":01}", "{n:\"n\"}"}) {
    Reader reader(RL_USAGE_JSON, {"/n"});
    reader.take(body);
    EXPECT_EQ("none", reader.end()) << body;
    EXPECT_TRUE(reader.broken()) << body;
  }
  EXPECT_EQ("none", read(RL_USAGE_JSON, {"/n"}, ""));
  EXPECT_EQ("none", read(RL_USAGE_JSON, {"/n"}, std::string(60000, '[') + "n"));
  EXPECT_EQ("1", read(RL_USAGE_EVENTS, {"/n"}, "data: {\"n\":1}\n\ndata: {\"n\":2\n\n"));
}

// A text that is too long yields nothing, and the next one is read again.
TEST(Usage, TooLong) {
  const std::string big(2000, ' ');
  Reader events(RL_USAGE_EVENTS, {"/n"}, 100);
  events.take("data: {\"n\":1}\n\ndata: {" + big + "\"n\":2}\n\n");
  EXPECT_EQ("1", events.units());
  events.take("data: {\"n\":3}\n\n");
  EXPECT_EQ("3", events.end());
  EXPECT_EQ(1, events.skipped());

  Reader lines(RL_USAGE_LINES, {"/n"}, 100);
  for (const char c : "{" + big + "\"n\":2}\n{\"n\":4}\n") lines.take(std::string(1, c));
  EXPECT_EQ("4", lines.end());

  Reader body(RL_USAGE_JSON, {"/n"}, 100);
  body.take("{\"n\":1" + big + "}");
  EXPECT_EQ("none", body.end());
  EXPECT_FALSE(body.broken());

  // Of exactly that length.
  for (const size_t len : {99, 100, 101}) {
    Reader fits(RL_USAGE_JSON, {"/n"}, 100);
    fits.take("{\"n\":1" + std::string(len - 7, ' ') + "}");
    EXPECT_EQ(len > 100 ? "none" : "1", fits.end()) << len;
  }
}

TEST(Usage, PointersThatAreNone) {
  rl_usage_pointer_t out;
  for (const char* text : {"", "/", "usage", "/a~", "/a~2"}) {
    EXPECT_NE(nullptr, rl_parse_usage_pointer(str(text), 0, &out)) << text;
  }
}

// Which byte of a name is looked for, and where it stands, makes no difference.
TEST(Usage, NamesAnywhereInATextThatIsLikeThem) {
  for (const std::string name : {"total_tokens", "k", "kk", "totalTokenCount",
                                 "eee", "zzz", "tokens", "a-b_c", "x9"}) {
    const std::string fields = "{\"" + name.substr(1) + "\":1,\"" + name + name +
                               "x\":2,\"" + name.substr(0, name.size() - 1) +
                               "\":3";
    EXPECT_EQ("none", read(RL_USAGE_JSON, {"/" + name + "/" + name}, fields + "}"));
    EXPECT_EQ("7", read(RL_USAGE_EVENTS, {"/" + name},
                        "data: " + fields + ",\"" + name + "\":7}\n\ndata: " +
                            name.substr(0, name.size() / 2) + "\n\n"))
        << name;
  }
}

// Long texts are searched by vectors: a name anywhere in one, at its very end
// too, behind bytes that are like it.
TEST(Usage, NamesAnywhereInALongText) {
  for (const std::string name : {"total_tokens", "k", "kk", "ok", "xk"}) {
    for (const std::string filling : {" ", "k", "o", "\u00e9k"}) {
      for (size_t before = 0; before < 300; before++) {
        std::string pad;
        while (pad.size() < before) pad += filling;
        for (const size_t behind : {0, 1, 130, 400}) {
          const std::string text = "data: {\"p\":\"" + pad + "\",\"" + name +
                                   "\":7}" + std::string(behind, ' ') +
                                   "\r\n\r\n";
          Reader reader(RL_USAGE_EVENTS, {"/" + name});
          reader.take(text);
          ASSERT_EQ("7", reader.units()) << text;
          Reader none(RL_USAGE_EVENTS, {"/" + name + "_" + name});
          none.take(text);
          ASSERT_EQ("none", none.units()) << text;
        }
      }
    }
  }
}

TEST(Usage, Forms) {
  EXPECT_EQ(RL_USAGE_EVENTS, rl_usage_form(str("Text/Event-Stream")));
  EXPECT_EQ(RL_USAGE_LINES, rl_usage_form(str("application/x-ndjson")));
  EXPECT_EQ(RL_USAGE_JSON, rl_usage_form(str("application/json")));
}

}  // namespace
