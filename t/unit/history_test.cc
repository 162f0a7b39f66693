// The last hour of a policy, sampled every ten seconds.

#include "ratelimit/statistics/history.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "counters_fixture.h"

namespace {

constexpr uint64_t kStepMs = RL_HISTORY_STEP_MS;
constexpr uint64_t kStart = 5 * kStepMs;

class HistoryTest : public CountersTest {
 protected:
  HistoryTest() { attach(&policy_, "p"); }

  void record(uint64_t now_ms) {
    const rl_time_t now = at(now_ms);
    rl_history_record(&process_, policy_.get(), &now);
  }

  std::vector<rl_history_sample_t> history(uint64_t now_ms) {
    std::vector<rl_history_sample_t> out(RL_HISTORY_SAMPLES);
    const rl_time_t now = at(now_ms);
    out.resize(rl_history(policy_.get(), &now, out.data()));
    return out;
  }

  void requests(int admitted, int refused, uint64_t now_ms) {
    for (int i = 0; i < admitted; ++i) {
      pretend(&policy_, "k", true, now_ms);
    }
    for (int i = 0; i < refused; ++i) {
      pretend(&policy_, "k", false, now_ms);
    }
  }

  ratelimit::History* stored() {
    return &static_cast<ratelimit::CounterRow*>(policy_.get()->counters)
                ->history;
  }

  Policy policy_{arena_.zone(), "p", 10, 60000, RL_FIXED};
};

TEST_F(HistoryTest, TellsWhatIsNewInEachStep) {
  EXPECT_EQ(0u, history(kStart).size());
  requests(3, 1, kStart);
  record(kStart);
  EXPECT_EQ(0u, history(kStart).size()) << "since when is not known";
  requests(5, 2, kStart + 1);
  rl_count_waiting(&process_, policy_.get(), 1);
  record(kStart + kStepMs);
  const auto samples = history(kStart + kStepMs + 1);
  ASSERT_EQ(1u, samples.size());
  EXPECT_EQ(kStart + kStepMs, samples[0].at_ms);
  EXPECT_EQ(kStepMs, samples[0].span_ms);
  EXPECT_EQ(5u, samples[0].admitted);
  EXPECT_EQ(2u, samples[0].refused);
  EXPECT_EQ(0u, samples[0].dry_run);
  EXPECT_EQ(1u, samples[0].waiting);
}

TEST_F(HistoryTest, TheFirstInAStepTakesTheSample) {
  record(kStart);
  requests(1, 0, kStart);
  record(kStart + kStepMs + 7);
  requests(4, 0, kStart);
  record(kStart + kStepMs + 8);
  record(kStart);  // by a process whose clock is behind
  const auto samples = history(kStart + 2 * kStepMs - 1);
  ASSERT_EQ(1u, samples.size());
  EXPECT_EQ(1u, samples[0].admitted);
}

TEST_F(HistoryTest, WhereASampleIsMissingTheNextTellsOfBoth) {
  for (uint64_t i = 0; i < 4; ++i) {
    record(kStart + i * kStepMs);
    requests(1, 0, kStart);
  }
  // As if its process had been killed while it wrote.
  for (ratelimit::HistorySample& sample : stored()->samples) {
    if (sample.step == (kStart + 2 * kStepMs) / kStepMs + 1) sample.step = 0;
  }
  record(kStart + 9 * kStepMs);
  const auto samples = history(kStart + 9 * kStepMs);
  ASSERT_EQ(3u, samples.size());
  EXPECT_EQ(1u, samples[0].admitted);
  EXPECT_EQ(2u, samples[1].admitted);
  EXPECT_EQ(2 * kStepMs, samples[1].span_ms);
  EXPECT_EQ(1u, samples[2].admitted);
  EXPECT_EQ(6 * kStepMs, samples[2].span_ms);
}

TEST_F(HistoryTest, KeepsAnHour) {
  const uint64_t steps = 1000;
  for (uint64_t i = 0; i <= steps; ++i) {
    record(kStart + i * kStepMs);
    requests(static_cast<int>(i % 7), static_cast<int>(i % 3), kStart);
  }
  const auto samples = history(kStart + steps * kStepMs);
  ASSERT_EQ(360u, samples.size());
  for (uint64_t i = 0; i < samples.size(); ++i) {
    const uint64_t step = steps - 360 + i;  // of what it tells
    ASSERT_EQ(kStart + (step + 1) * kStepMs, samples[i].at_ms);
    ASSERT_EQ(step % 7, samples[i].admitted);
    ASSERT_EQ(step % 3, samples[i].refused);
  }
  EXPECT_EQ(0u, history(kStart + (steps + 361) * kStepMs).size());
}

// As often as one is admitted another one is refused.
TEST_F(HistoryTest, NoSampleIsReadHalfWritten) {
  constexpr uint64_t kSteps = 1000000;
  std::atomic<uint64_t> now_ms{kStart};
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (uint64_t i = 0; i < kSteps; ++i) {
      requests(1, 1, kStart);
      record(now_ms + kStepMs);
      now_ms += kStepMs;
    }
    done = true;
  });
  uint64_t torn = 0;
  while (!done) {
    // Those that are about to be written again, too.
    for (const rl_history_sample_t& sample : history(now_ms)) {
      torn += sample.admitted != sample.refused ? 1 : 0;
    }
  }
  writer.join();
  EXPECT_EQ(0u, torn);
}

TEST_F(HistoryTest, AnotherPolicysRowBeginsAnew) {
  for (uint64_t i = 0; i < 3; ++i) {
    record(kStart + i * kStepMs);
  }
  EXPECT_EQ(2u, history(kStart + 2 * kStepMs).size());
  rl_counters_renew(memory_.get());
  EXPECT_EQ(policy_.get()->counters, find("p")) << "a reload keeps it";
  EXPECT_EQ(2u, history(kStart + 2 * kStepMs).size());
  Policy uncounted(arena_.zone(), "q", 10, 60000, RL_FIXED);
  const rl_time_t now = at(kStart);
  rl_history_record(&process_, uncounted.get(), &now);
  rl_history_sample_t none[RL_HISTORY_SAMPLES];
  EXPECT_EQ(0u, rl_history(uncounted.get(), &now, none));
}

}  // namespace
