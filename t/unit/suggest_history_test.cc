// ratelimit-suggest: what it reads in answers of ratelimit_api.

#include <cstdio>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "suggest/history.h"
#include "suggest/metrics.h"

namespace suggest {
namespace {

// True: *reader understands a file that holds this.
template <typename Reader>
bool read_text(Reader* reader, const std::string& text, std::string* error) {
  std::string path = testing::TempDir() + "suggest_answer.XXXXXX";
  std::FILE* file = fdopen(mkstemp(path.data()), "w");
  std::fputs(text.c_str(), file);
  std::fclose(file);
  const bool ok = reader->read(path, error);
  std::remove(path.c_str());
  return ok;
}

class HistoryTest : public testing::Test {
 protected:
  bool read(const std::string& text) {
    const bool ok = read_text(&history_, text, &error_);
    history_.sort();
    return ok;
  }

  static std::string answer(const std::string& samples) {
    return R"({"now_ms": 1, "policies": [{"name": "p", "zone": "z", "samples": [)" +
           samples + "]}]}\n";
  }

  const std::vector<Sample>& samples() {
    return history_.policies().at({"z", "p"});
  }

  History history_;
  std::string error_;
};

TEST_F(HistoryTest, AnswersOverlap) {
  ASSERT_TRUE(read(answer("[1200,10,5,1,2,3],[1210,10,6,0,0,0]") +
                   answer("[1209,10,6,0,0,0],[1219,10,7,0,0,0]")));
  ASSERT_EQ(samples().size(), 3u);
  EXPECT_EQ(samples()[0].counts.admitted, 5);
  EXPECT_EQ(samples()[0].counts.refused, 1);
  EXPECT_EQ(samples()[0].counts.dry_run, 2);
  EXPECT_EQ(samples()[0].waiting, 3);
  EXPECT_EQ(samples()[2].counts.admitted, 7);
}

TEST_F(HistoryTest, FilesInAnyOrder) {
  ASSERT_TRUE(read(answer("[1230,10,3,0,0,0]")));
  ASSERT_TRUE(read(answer("[1220,10,2,0,0,0]")));
  ASSERT_EQ(samples().size(), 2u);
  EXPECT_EQ(samples()[0].end_s, 1220);
}

// A sample over the turn of a minute counts for both, by its time in each.
TEST_F(HistoryTest, Minutes) {
  ASSERT_TRUE(
      read(answer("[1205,10,4,0,0,0],[1255,50,100,10,5,0],"
                  "[1380,120,12,0,0,0]")));
  const std::vector<Minute> minutes = minutes_of(samples());
  ASSERT_EQ(minutes.size(), 4u);
  EXPECT_EQ(minutes[0].seconds, 5);
  EXPECT_EQ(minutes[0].counts.admitted, 2);
  EXPECT_EQ(minutes[1].seconds, 55);
  EXPECT_EQ(minutes[1].counts.admitted, 102);
  EXPECT_EQ(minutes[1].counts.refused, 10);
  EXPECT_EQ(minutes[1].counts.dry_run, 5);
  EXPECT_EQ(minutes[2].counts.admitted, 6);
  EXPECT_EQ(minutes[3].seconds, 60);
}

TEST_F(HistoryTest, Nonsense) {
  for (const char* text :
       {"x", "{}", "[]", "{\"policies\": [1]}", "{\"policies\": []} x"}) {
    EXPECT_FALSE(read(text)) << text;
  }
  for (const char* sample :
       {"1", "[]", "[1200,10,1,0,0]", "[1200,0,1,0,0,0]", "[1200,-1,1,0,0,0]",
        "[1200,10,\"1\",0,0,0]", "[1200,86401,1,0,0,0]"}) {
    EXPECT_FALSE(read(answer(sample))) << sample;
  }
  EXPECT_FALSE(history_.read("/nonexistent", &error_));
  EXPECT_NE(error_.find("No such file"), std::string::npos) << error_;
}

class MetricsTest : public testing::Test {
 protected:
  bool read(const std::string& text) {
    return read_text(&metrics_, text, &error_);
  }

  static std::string requests(const std::string& policy, int admitted,
                              int refused) {
    const std::string series =
        "nginx_ratelimit_requests_total{zone=\"z\",policy=\"" + policy +
        "\",result=";
    return "# TYPE nginx_ratelimit_requests_total counter\n" + series +
           "\"admitted\"} " + std::to_string(admitted) + "\n" + series +
           "\"refused\"} " + std::to_string(refused) + "\n";
  }

  double of(const std::string& policy, const std::string& series) {
    return metrics_.policies().at({"z", policy}).at(series);
  }

  Metrics metrics_;
  std::string error_;
};

TEST_F(MetricsTest, OneAnswerIsAll) {
  ASSERT_TRUE(read(requests("p", 10, 3)));
  EXPECT_EQ(of("p", "admitted"), 10);
  EXPECT_EQ(of("p", "refused"), 3);
}

TEST_F(MetricsTest, SeveralAreWhatCameBetween) {
  ASSERT_TRUE(read(requests("p", 10, 3)));
  ASSERT_TRUE(read(requests("p", 15, 3)));
  ASSERT_TRUE(read(requests("p", 25, 4) + requests("later", 7, 0)));
  EXPECT_EQ(metrics_.answers(), 3u);
  EXPECT_EQ(of("p", "admitted"), 15);
  EXPECT_EQ(of("p", "refused"), 1);
  EXPECT_EQ(of("later", "admitted"), 7);
}

// Counters begin anew where nginx does.
TEST_F(MetricsTest, ARestartInBetween) {
  ASSERT_TRUE(read(requests("p", 10, 3)));
  ASSERT_TRUE(read(requests("p", 4, 0)));
  EXPECT_EQ(of("p", "admitted"), 4);
  EXPECT_EQ(of("p", "refused"), 0);
}

TEST_F(MetricsTest, UsedOfTheQuota) {
  ASSERT_TRUE(
      read("nginx_ratelimit_used_ratio_bucket{zone=\"a\\\"}\",policy=\"p\","
           "le=\"0.9\"} 77\n"));
  EXPECT_EQ(metrics_.policies().at({"a\"}", "p"}).at("0.9"), 77);
}

TEST_F(MetricsTest, Nonsense) {
  EXPECT_FALSE(read(""));
  EXPECT_FALSE(read("# HELP nginx_ratelimit_requests_total x\n"));
  EXPECT_FALSE(read("nginx_ratelimit_zone_buckets{zone=\"z\"} 1\n"));
  EXPECT_FALSE(metrics_.read("/nonexistent", &error_));
  EXPECT_NE(error_.find("No such file"), std::string::npos) << error_;
  for (const char* cut :
       {"", "zone", "zone=\"", "zone=\"z\\", "zone=\"z\","}) {
    read(std::string("nginx_ratelimit_requests_total{") + cut);
  }
}

}  // namespace
}  // namespace suggest
