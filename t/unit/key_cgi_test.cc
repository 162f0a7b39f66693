// names=cgi: names as PHP 8 reads them, values that differ, letters in lower
// case.

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cgi_model.h"
#include "text_util.h"

namespace {

// The source as configured, its name folded; `error` if that is refused.
struct Source {
  explicit Source(const std::string& text) : text_(text), buf_(text) {
    if (rl_parse_source(str(text_), &core) != nullptr) std::abort();
    error = rl_cgi_source(&core,
                          reinterpret_cast<unsigned char*>(buf_.data()));
  }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  rl_source_t core{};
  const char* error;

 private:
  std::string text_;
  std::string buf_;
};

std::string value_of(const rl_values_t& values) {
  rl_str_t out{};
  return rl_cgi_value(&values, &out) != 0 ? str(out) : "";
}

std::string arg(const std::string& query,
                const std::string& source = "arg=api_key") {
  const Source s(source);
  const Exact in(query);
  Exact buf(query);
  rl_values_t values{};
  rl_cgi_args(in, s.core.name, buf.data(), &values);
  return value_of(values);
}

std::string field(const std::vector<std::string>& fields,
                  const std::string& source) {
  const Source s(source);
  std::vector<std::unique_ptr<Exact>> kept;
  rl_values_t values{};
  for (const std::string& text : fields) {
    kept.push_back(std::make_unique<Exact>(text));
    const rl_str_t in = *kept.back();
    kept.push_back(std::make_unique<Exact>(text));
    rl_cgi_field(&s.core, in, kept.back()->data(), &values);
  }
  return value_of(values);
}

std::string cookie(const std::string& text,
                   const std::string& source = "cookie=api_key") {
  return field({text}, source);
}

// Each was asked of php-cgi 8.2: "1" where $_GET['api_key'] is "1".
TEST(Cgi, ArgumentsOfPhp) {
  for (const char* query :
       {"api_key=1", "%20api_key=1", "+api_key=1", "%20+%20api_key=1",
        "api.key=1", "api%2ekey=1", "api%2Ekey=1", "api+key=1", "api%20key=1",
        "api[key=1", "api%5bkey=1", "api_key%00x=1", "api_key%00[x]=1",
        "api_key%00]=1", "%61pi_key=1", "api%5Fkey=1", "&&api_key=1",
        "+api.key%00=1", "x=2&api.key=1", "api_key=1&api.key=1",
        "api_key=%31", "api_keys=2&api_key=1"}) {
    EXPECT_EQ(arg(query), "1") << query;
  }
  for (const char* query :
       {"", "=1", "&", "api_key", "api_key=", "%09api_key=1", "%0aapi_key=1",
        "%0bapi_key=1", "%0dapi_key=1", "%a0api_key=1", "%09%20api_key=1",
        "%20%09api_key=1", "api]key=1", "api[key]=1", "api_key[=1",
        "api_key[x=1", "api_key[x.y=1", "api_key]=1", "[api_key=1",
        "[api_key]=1", "api%00_key=1", "%00api_key=1", "api-key=1",
        "api_%zzkey=1", ".api_key=1", "_api_key=1", "api_key.=1",
        "api_key+=1", "api_key%20=1", "api_key%09=1", "api%key=1",
        "Api_Key=1", "x=api_key=1", "x;api_key=1"}) {
    EXPECT_EQ(arg(query), "") << query;
  }
  EXPECT_EQ(arg("api_key==1"), "=1");
  EXPECT_EQ(arg("api_key=a+b"), "a b");
  EXPECT_EQ(arg("api_key=a%20b"), "a b");
  EXPECT_EQ(arg("api_key=a%2Bb"), "a+b");
  EXPECT_EQ(arg("api_key=a%00b"), std::string("a\0b", 3));
  EXPECT_EQ(arg("api_key=%zz"), "%zz");
  EXPECT_EQ(arg("api_key=1;api_key=2"), "1;api_key=2");
  EXPECT_EQ(arg("a[b[c=1", "arg=a_b_c"), "1");
  EXPECT_EQ(arg("a.b[c=1", "arg=a_b_c"), "1");
  EXPECT_EQ(arg("a.b=1", "arg=a.b"), "1");
  EXPECT_EQ(arg("a_b=1", "arg=a.b"), "1");
}

// What PHP makes an array of is read as that array's name.
TEST(Cgi, Arrays) {
  for (const char* query :
       {"api_key[]=1", "api_key[x]=1", "api_key[x][y=1", "api.key[x.y]=1",
        "api_key[x]y=1", "api_key%5b%5D=1"}) {
    EXPECT_EQ(arg(query), "1") << query;
  }
  EXPECT_EQ(arg("api_key=1&api_key[]=2"), ":");
  EXPECT_EQ(arg("api_key[x]=1&api_key[y]=2"), ":");
  EXPECT_EQ(arg("a[b.c[d]=1", "arg=a"), "1");
}

TEST(Cgi, ValuesThatDiffer) {
  EXPECT_EQ(arg("api_key=1&api_key=2"), ":");
  EXPECT_EQ(arg("api_key=1&api.key=2"), ":");
  EXPECT_EQ(arg("api_key=1&api_key="), ":");
  EXPECT_EQ(arg("api_key=1&api_key"), ":");
  EXPECT_EQ(arg("api_key=&api_key=1"), ":");
  EXPECT_EQ(arg("api_key&api_key=&api.key"), "");
  EXPECT_EQ(arg("api_key=a+b&api_key=a%20b"), "a b");
  EXPECT_EQ(arg("api_key=1&api_key=1&api_key=2&api_key=1"), ":");
  EXPECT_EQ(cookie("api_key=1; api_key=2"), ":");
  EXPECT_EQ(cookie("api_key=1; api.key=\"1\""), "1");
  EXPECT_EQ(field({"api_key=1", "api_key=2"}, "cookie=api_key"), ":");
  EXPECT_EQ(field({"x=1", "api_key=2"}, "cookie=api_key"), "2");
  EXPECT_EQ(field({"1", "1 "}, "header=X-A"), "1");
  EXPECT_EQ(field({"1", "2"}, "header=X-A"), ":");
  EXPECT_EQ(field({"", "2"}, "header=X-A"), ":");
  EXPECT_EQ(field({"", " "}, "header=X-A"), "");
  EXPECT_EQ(field({"Bearer a", "bearer  a"}, "bearer"), "a");
  EXPECT_EQ(field({"Bearer a", "Bearer b"}, "bearer"), ":");
  EXPECT_EQ(field({"Bearer a", "Basic YTpi"}, "bearer"), ":");
  EXPECT_EQ(field({"Basic YTpi", "Basic YTpj"}, "basic"), "a");
  EXPECT_EQ(field({"Basic YTpi", "Basic Yjpj"}, "basic"), ":");
}

// As $_COOKIE of php-cgi 8.2.
TEST(Cgi, CookiesOfPhp) {
  for (const char* text :
       {"api_key=1", " api_key=1", "\t\v api_key=1", "api.key=1", "api key=1",
        "api[key=1", "x=2; api_key=1", "x=2;api.key=1;", "api_key=\"1\"",
        "api_key= 1 ", "api_key=%31", "api_key[]=1"}) {
    EXPECT_EQ(cookie(text), "1") << text;
  }
  for (const char* text :
       {"", ";", "=1", "api_key", "api_key=", "%20api_key=1", "+api_key=1",
        "api%2ekey=1", "api+key=1", "api_key =1", "api_key\t=1",
        "api_key%00=1", "api-key=1", "Api_Key=1", "[api_key=1",
        "x=1, api_key=1"}) {
    EXPECT_EQ(cookie(text), "") << text;
  }
  EXPECT_EQ(cookie("api_key=a+b"), "a+b");
  // Browsers keep such names for their own site; PHP does not make them.
  EXPECT_EQ(cookie("__Host-sid=1", "cookie=__Host-sid"), "1");
  EXPECT_EQ(cookie(" __Host-sid=1", "cookie=__Host-sid"), "1");
  EXPECT_EQ(cookie("..Host-sid=1", "cookie=__Host-sid"), "");
  EXPECT_EQ(cookie("_.Secure-sid=1", "cookie=__Secure-sid"), "");
  EXPECT_EQ(arg("+__Host-sid=1", "arg=__Host-sid"), "1");
  EXPECT_EQ(arg("+.+Host-sid=1", "arg=__Host-sid"), "");
}

TEST(Cgi, Fields) {
  const Source s("header=X-API-Key");
  ASSERT_EQ(s.error, nullptr);
  for (const char* name : {"X-API-Key", "x_api_key", "X_API-KEY"}) {
    EXPECT_EQ(rl_cgi_is_field(Exact(name), s.core.name), 1) << name;
  }
  for (const char* name : {"", "X-API-Ke", "X-API-Keys", "X.API.Key",
                           "XAPIKey", "HTTP_X_API_KEY"}) {
    EXPECT_EQ(rl_cgi_is_field(Exact(name), s.core.name), 0) << name;
  }
}

TEST(Cgi, SourcesThatFoldToNothing) {
  for (const char* text : {"arg=[", "arg= ", "arg=[a]", "arg=..Host-a"}) {
    EXPECT_STREQ(Source(text).error,
                 "must not be empty as \"names=cgi\" reads it")
        << text;
  }
  for (const char* text :
       {"arg=a", "arg=a[b]", "arg=a[", "cookie=a.b",
        "bearer", "basic", "addr", "$x", "jwt=sub"}) {
    EXPECT_EQ(Source(text).error, nullptr) << text;
  }
}

TEST(Cgi, AgreesWithASlowModel) {
  std::mt19937 random(11);
  const std::string names[] = {"a_b", "a", "__Host-a", "_"};
  for (int i = 0; i < rounds(30000); i++) {
    const std::string name = names[random() % 4];
    const std::string text = random_text(&random, "aab_.[]+ &;=%205b%00", 24);
    EXPECT_EQ(arg(text, "arg=" + name),
              cgi_model::key_of(cgi_model::args(text, name)))
        << text;
    const std::string bare = random_text(&random, "aab_.[]+ ;;=-Host", 24);
    std::vector<std::string> values;
    for (const std::string& value : cgi_model::cookies(bare, name)) {
      rl_str_t out{};
      const std::string one = "x=" + value;
      std::string buf = one;
      rl_key_cookie(str(one), str(std::string("x")),
                    reinterpret_cast<unsigned char*>(buf.data()), &out);
      values.push_back(str(out));
    }
    EXPECT_EQ(cookie(bare, "cookie=" + name), cgi_model::key_of(values))
        << bare;
  }
}

TEST(Cgi, Lower) {
  const auto lower = [](const std::string& text) {
    const Exact in(text);
    Exact buf(text);
    return str(rl_key_lower(in, buf.data()));
  };
  EXPECT_EQ(lower("AbC-19[@`{Z"), "abc-19[@`{z");
  EXPECT_EQ(lower("\xc3\x84\xff"), "\xc3\x84\xff");
  EXPECT_EQ(lower(std::string("A\0B", 3)), std::string("a\0b", 3));
}

}  // namespace
