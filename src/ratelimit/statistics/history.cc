#include "ratelimit/statistics/history.h"

#include "ratelimit/statistics/counters.h"

namespace ratelimit {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;
constexpr uint32_t kPlaces = RL_HISTORY_SAMPLES + 1;

struct Counted {
  uint32_t step;
  uint32_t admitted;
  uint32_t refused;
  uint32_t dry_run;
  uint32_t waiting;
};

// 0 is no step.
uint32_t step_of(const rl_time_t& now) {
  return static_cast<uint32_t>(now.mono_ms / RL_HISTORY_STEP_MS) + 1;
}

// True: the step is the caller's to write.
bool take(History* history, uint32_t step) {
  uint32_t newest = history->newest.load(kRelaxed);
  while (static_cast<int32_t>(step - newest) > 0) {
    if (history->newest.compare_exchange_weak(newest, step, kRelaxed)) {
      return true;
    }
  }
  return false;
}

// Whoever reads a count finds its step to be 0 by then, or a later one.
void write(History* history, const Counted& counted) {
  HistorySample* sample = &history->samples[counted.step % kPlaces];
  sample->step.store(0, kRelaxed);
  sample->admitted.store(counted.admitted, kRelease);
  sample->refused.store(counted.refused, kRelease);
  sample->dry_run.store(counted.dry_run, kRelease);
  sample->waiting.store(counted.waiting, kRelease);
  sample->step.store(counted.step, kRelease);
}

// False: it is not there, or another one by now.
bool read(const History& history, uint32_t step, Counted* out) {
  const HistorySample& sample = history.samples[step % kPlaces];
  if (sample.step.load(kAcquire) != step) return false;
  *out = {step, sample.admitted.load(kAcquire), sample.refused.load(kAcquire),
          sample.dry_run.load(kAcquire), sample.waiting.load(kAcquire)};
  return sample.step.load(kRelaxed) == step;
}

}  // namespace

}  // namespace ratelimit

void rl_history_record(const rl_process_t* process, const rl_policy_t* policy,
                       const rl_time_t* now) noexcept {
  ratelimit::CounterRow* row = ratelimit::row_of(policy);
  const uint32_t step = ratelimit::step_of(*now);
  if (row == nullptr || !ratelimit::take(&row->history, step)) return;
  uint64_t counts[RL_COUNTERS];
  rl_counts(policy, counts);
  ratelimit::write(&row->history,
                   {step, static_cast<uint32_t>(counts[RL_COUNT_ADMITTED]),
                    static_cast<uint32_t>(counts[RL_COUNT_REFUSED]),
                    static_cast<uint32_t>(counts[RL_COUNT_DRY_RUN]),
                    static_cast<uint32_t>(rl_waiting(process, policy))});
}

size_t rl_history(const rl_policy_t* policy, const rl_time_t* now,
                  rl_history_sample_t out[RL_HISTORY_SAMPLES]) noexcept {
  const ratelimit::CounterRow* row = ratelimit::row_of(policy);
  if (row == nullptr) return 0;
  const uint32_t last = ratelimit::step_of(*now);
  ratelimit::Counted before = {};
  size_t n = 0;
  for (uint32_t back = ratelimit::kPlaces; back-- > 0;) {
    ratelimit::Counted counted;
    // Steps of before the clock's start are none.
    if (back >= last ||
        !ratelimit::read(row->history, last - back, &counted)) {
      continue;
    }
    if (before.step != 0) {
      out[n++] = {uint64_t{counted.step - 1} * RL_HISTORY_STEP_MS,
                  (counted.step - before.step) * RL_HISTORY_STEP_MS,
                  counted.admitted - before.admitted,
                  counted.refused - before.refused,
                  counted.dry_run - before.dry_run,
                  counted.waiting};
    }
    before = counted;
  }
  return n;
}
