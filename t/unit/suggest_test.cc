// ratelimit-suggest: what it reads in a log, and what it makes of it.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "suggest/access_log.h"
#include "suggest/client_key.h"
#include "suggest/log_format.h"
#include "suggest/log_time.h"
#include "suggest/replay.h"
#include "suggest/windows.h"

namespace suggest {
namespace {

using Values = std::vector<std::string_view>;

// ------------------------------------------------------------------- formats

Values split(const std::string& format, std::string_view line) {
  LogFormat it;
  std::string error;
  EXPECT_TRUE(it.compile(format, &error)) << error;
  Values values;
  if (!it.split(line, &values)) values.clear();
  return values;
}

TEST(LogFormat, Combined) {
  const Values values = split(
      kCombined,
      "192.0.2.1 - alice [28/Nov/2026:21:08:42 +0000] \"GET / HTTP/1.1\" 200 "
      "12 \"-\" \"Mozilla/5.0 (X11) \\x22quoted\\x22\"");
  EXPECT_EQ(values, (Values{"192.0.2.1", "alice", "28/Nov/2026:21:08:42 +0000",
                            "GET / HTTP/1.1", "200", "12", "-",
                            "Mozilla/5.0 (X11) \\x22quoted\\x22"}));
}

TEST(LogFormat, TextAroundAndBraces) {
  EXPECT_EQ(split("a=$a;b=${b}c", "a=1;b=2c"), (Values{"1", "2"}));
  EXPECT_EQ(split("a=$a;b=${b}c", "a=1;b=2"), Values{});
  EXPECT_EQ(split("a=$a", "b=1"), Values{});
  EXPECT_EQ(split("$a", ""), Values{""});
  EXPECT_EQ(split("$a", "all of it"), Values{"all of it"});
}

TEST(LogFormat, JsonEscapes) {
  const std::string format = "{\"k\":\"$k\",\"t\":\"$t\"}";
  EXPECT_EQ(split(format, "{\"k\":\"a\\\"b\",\"t\":\"1\"}"),
            (Values{"a\\\"b", "1"}));
  EXPECT_EQ(split(format, "{\"k\":\"a\\\\\",\"t\":\"1\"}"),
            (Values{"a\\\\", "1"}));
  EXPECT_EQ(split(format, "{\"k\":\"\",\"t\":\"\"}"), (Values{"", ""}));
}

TEST(LogFormat, WhatIsNone) {
  LogFormat format;
  std::string error;
  for (const char* text : {"", "no variable", "$a$b", "$", "a ${b", "${}"}) {
    error.clear();
    EXPECT_FALSE(format.compile(text, &error)) << text;
    EXPECT_NE(error, "") << text;
  }
}

// --------------------------------------------------------------------- times

TEST(LogTime, Local) {
  std::int64_t ms = 0;
  ASSERT_TRUE(read_time_local("28/Nov/2026:21:08:42 +0000", &ms));
  EXPECT_EQ(ms, 1795900122000);
  ASSERT_TRUE(read_time_local("29/Nov/2026:06:08:42 +0900", &ms));
  EXPECT_EQ(ms, 1795900122000);
  ASSERT_TRUE(read_time_local("28/Nov/2026:17:38:42 -0330", &ms));
  EXPECT_EQ(ms, 1795900122000);
  for (const char* text :
       {"", "-", "28/nov/2026:21:08:42 +0000", "28/ovD/2026:21:08:42 +0000",
        "28/Nov/2026:24:08:42 +0000", "00/Nov/2026:21:08:42 +0000",
        "28/Nov/2026:21:08:42 00000", "28/Nov/2026:21:08:42 +000"}) {
    EXPECT_FALSE(read_time_local(text, &ms)) << text;
  }
}

TEST(LogTime, OtherClocks) {
  std::int64_t ms = 0;
  ASSERT_TRUE(read_time_iso8601("2026-11-28T21:08:42+00:00", &ms));
  EXPECT_EQ(ms, 1795900122000);
  ASSERT_TRUE(read_time_iso8601("2024-02-29T23:59:59-01:00", &ms));
  EXPECT_EQ(ms, 1709254799000);
  EXPECT_FALSE(read_time_iso8601("2026-13-28T21:08:42+00:00", &ms));
  ASSERT_TRUE(read_msec("1795900122.520", &ms));
  EXPECT_EQ(ms, 1795900122520);
  for (const char* text : {"1795900122", "1795900122.52", ".520", "x.520"}) {
    EXPECT_FALSE(read_msec(text, &ms)) << text;
  }
  EXPECT_EQ(time_text(1795900122520), "28 Nov 2026 21:08:42");
}

// ---------------------------------------------------------------------- keys

TEST(ClientKey, AddressesAreMasked) {
  LogFormat format;
  ClientKey key;
  std::string error;
  ASSERT_TRUE(format.compile(kCombined, &error));
  ASSERT_TRUE(key.compile("addr", format, &error)) << error;
  EXPECT_EQ(key.name("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(key.name("2001:db8:1:2:3:4:5:6"), key.name("2001:db8:1:2::"));
  EXPECT_NE(key.name("2001:db8:1:2::1"), key.name("2001:db8:1:3::1"));
  EXPECT_EQ(key.name("unix:"), "unix:");
  ASSERT_TRUE(key.compile("addr=24/64", format, &error)) << error;
  EXPECT_EQ(key.name("192.0.2.1"), "192.0.2.0");
  EXPECT_FALSE(key.compile("addr=33/64", format, &error));
  EXPECT_FALSE(key.compile("$http_x_api_key", format, &error));
  EXPECT_FALSE(key.compile("constant", format, &error));
}

TEST(ClientKey, TextWithVariables) {
  LogFormat format;
  ClientKey key;
  std::string error;
  std::string buffer;
  ASSERT_TRUE(format.compile("$a $b", &error));
  ASSERT_TRUE(key.compile("$a/$b!", format, &error)) << error;
  EXPECT_EQ(key.raw({"1", "2"}, &buffer), "1/2!");
  EXPECT_EQ(key.raw({"1", "-"}, &buffer), "");
  EXPECT_EQ(key.raw({"", "2"}, &buffer), "");
}

// ------------------------------------------------------------------- windows

std::vector<Request> made_up(std::mt19937* random, std::size_t n,
                             std::uint32_t clients, std::int64_t span_ms) {
  std::vector<Request> out;
  for (std::size_t i = 0; i < n; i++) {
    out.push_back({static_cast<std::int64_t>((*random)() % span_ms),
                   static_cast<std::uint32_t>((*random)() % clients)});
  }
  std::sort(out.begin(), out.end(),
            [](const Request& a, const Request& b) { return a.ms < b.ms; });
  return out;
}

// As slowly as possible: for each request those before it in its window.
TEST(Windows, AsCountedOneByOne) {
  std::mt19937 random(19);
  for (int round = 0; round < 50; round++) {
    const auto requests = made_up(&random, 300, 7, 1 + random() % 20000);
    const std::uint64_t window = 1 + random() % 3000;
    std::vector<std::uint32_t> slow(7);
    for (const Request& last : requests) {
      const auto n = static_cast<std::uint32_t>(std::count_if(
          requests.begin(), requests.end(), [&](const Request& one) {
            return one.client == last.client && one.ms <= last.ms &&
                   last.ms - one.ms < static_cast<std::int64_t>(window);
          }));
      slow[last.client] = std::max(slow[last.client], n);
    }
    std::sort(slow.begin(), slow.end());
    EXPECT_EQ(Timelines(requests, 7).busiest(window), slow);
  }
}

TEST(Windows, Percentiles) {
  EXPECT_EQ(percentile({5}, 500), 5u);
  EXPECT_EQ(percentile({1, 2, 3, 4}, 500), 2u);
  EXPECT_EQ(percentile({1, 2, 3, 4}, 990), 4u);
  std::vector<std::uint32_t> hundred(100);
  for (std::uint32_t i = 0; i < 100; i++) hundred[i] = i + 1;
  EXPECT_EQ(percentile(hundred, 500), 50u);
  EXPECT_EQ(percentile(hundred, 950), 95u);
  EXPECT_EQ(percentile(hundred, 990), 99u);
}

TEST(Windows, RoundUp) {
  EXPECT_EQ(round_up(2), 2u);
  EXPECT_EQ(round_up(9), 9u);
  EXPECT_EQ(round_up(11), 12u);
  EXPECT_EQ(round_up(101), 120u);
  EXPECT_EQ(round_up(1000), 1000u);
  EXPECT_EQ(round_up(8001), 10000u);
  EXPECT_EQ(round_up(std::uint64_t{1} << 60), RL_MAX_UNITS);
  for (std::uint64_t n = 1; n < 100000; n += 7) {
    EXPECT_GE(round_up(n), n);
    EXPECT_LE(round_up(n), n * 4 / 3 + 1);
  }
}

// -------------------------------------------------------------------- replay

// A log in a file, read as any.
class Log {
 public:
  explicit Log(const std::vector<Request>& requests) {
    char name[] = "/tmp/suggest_test.XXXXXX";
    const int fd = mkstemp(name);
    std::FILE* file = fdopen(fd, "w");
    for (const Request& one : requests) {
      const std::int64_t ms = 1795900000000 + one.ms;
      std::fprintf(file, "%lld.%03lld client-%u\n",
                   static_cast<long long>(ms / 1000),
                   static_cast<long long>(ms % 1000), one.client);
    }
    std::fclose(file);
    Options options;
    options.format = "$msec $user";
    options.key = "$user";
    Progress progress;
    std::string error;
    EXPECT_TRUE(log.init(options, &error)) << error;
    EXPECT_TRUE(log.read(name, &progress, &error)) << error;
    std::remove(name);
    log.sort();
  }

  AccessLog log;
};

Limit limit(std::uint64_t units, std::uint64_t window_ms,
            rl_algorithm_e algorithm) {
  Limit out;
  out.name = "limit";
  out.quota.units = units;
  out.quota.window_ms = window_ms;
  out.algorithm = algorithm;
  return out;
}

// A fixed window opens with a client's first request.
TEST(Replay, AsAFixedWindowDoes) {
  std::mt19937 random(20);
  for (int round = 0; round < 20; round++) {
    auto requests = made_up(&random, 500, 5, 30000);
    const std::uint64_t units = 1 + random() % 20;
    const std::int64_t window = 100 + random() % 5000;
    std::map<std::uint32_t, std::pair<std::int64_t, std::uint32_t>> open;
    std::uint64_t refused = 0;
    for (const Request& one : requests) {
      auto& [end, used] = open.emplace(one.client, std::pair(0, 0)).first->second;
      if (one.ms >= end) {
        end = one.ms + window;
        used = 0;
      }
      if (used < units) {
        used++;
      } else {
        refused++;
      }
    }
    const Log it(requests);
    Progress progress;
    Replay result;
    std::string error;
    ASSERT_TRUE(replay(it.log,
                       {limit(units, static_cast<std::uint64_t>(window),
                              RL_FIXED)},
                       &progress, &result, &error));
    EXPECT_EQ(result.all.requests, refused);
    EXPECT_EQ(result.policies[0].requests, refused);
  }
}

// What the busiest window has passes a sliding quota of just that.
TEST(Replay, TheMostIsEnough) {
  std::mt19937 random(21);
  for (int round = 0; round < 20; round++) {
    const auto requests = made_up(&random, 500, 5, 30000);
    const std::uint64_t window = 1600;
    const std::uint64_t most = Timelines(requests, 5).busiest(window).back();
    const Log it(requests);
    Progress progress;
    Replay result;
    std::string error;
    ASSERT_TRUE(replay(it.log, {limit(1, window, RL_SLIDING)}, &progress,
                       &result, &error));
    EXPECT_GT(result.all.requests, 0u);
    // Each unit comes back up to a sixteenth of the window later.
    const std::uint32_t enough =
        Timelines(requests, 5).busiest(window * 17 / 16 + 1).back();
    EXPECT_LE(most, enough);
    ASSERT_TRUE(replay(it.log, {limit(enough, window, RL_SLIDING)}, &progress,
                       &result, &error));
    EXPECT_EQ(result.all.requests, 0u);
  }
}

TEST(Replay, AllOrNone) {
  std::vector<Request> requests;
  for (int i = 0; i < 10; i++) requests.push_back({i, 0});
  const Log it(requests);
  Progress progress;
  Replay result;
  std::string error;
  ASSERT_TRUE(replay(it.log,
                     {limit(3, 60000, RL_FIXED), limit(5, 60000, RL_FIXED)},
                     &progress, &result, &error));
  EXPECT_EQ(result.all.requests, 7u);
  EXPECT_EQ(result.policies[0].requests, 7u);
  EXPECT_EQ(result.policies[1].requests, 0u);  // was charged with 3 only
}

TEST(AccessLog, TimesOfSeveralFilesAreSorted) {
  const Log it({{5000, 1}, {1000, 2}, {3000, 1}});
  ASSERT_EQ(it.log.requests().size(), 3u);
  EXPECT_EQ(it.log.name(it.log.requests()[0].client), "client-2");
  EXPECT_EQ(it.log.requests()[2].ms - it.log.requests()[0].ms, 4000);
}

}  // namespace
}  // namespace suggest
