// What most charges of `concurrent` are, and most releases: the process is
// the first holder, or there is none, and one store does it.  To be inlined
// where decisions are made.

#ifndef RATELIMIT_ALGORITHM_CHARGE_PLACE_H_
#define RATELIMIT_ALGORITHM_CHARGE_PLACE_H_

#include <cstring>

#include "ratelimit/algorithm/bucket.h"
#include "ratelimit/base/bytes.h"

namespace ratelimit {

// A holder as a word: slot << kUnitBits | units.
constexpr unsigned kUnitBits = 20;
constexpr uint32_t kMaxUnits = (1u << kUnitBits) - 1;
static_assert(RL_MAX_PLACES <= kMaxUnits, "fits");
static_assert(RL_MAX_PROCESSES == 1u << (32 - kUnitBits), "fits");

// Meta::window_hi, where holders are stored as words.
constexpr unsigned kHolderWords = 0;

constexpr uint32_t word_of(uint32_t slot, uint32_t units) {
  return slot << kUnitBits | units;
}

// What a scale or an override allows may be more than a holder can have.
constexpr uint32_t concurrent_limit(uint64_t units) {
  return units < kMaxUnits ? static_cast<uint32_t>(units) : kMaxUnits;
}

// Two words at a time: the sums of 11 have room in 32 bits.
inline uint32_t units_of_words(const ConcurrentState& state) {
  constexpr uint64_t kBoth = uint64_t{kMaxUnits} << 32 | kMaxUnits;
  uint64_t pairs[5];
  static_assert(sizeof(pairs) + sizeof(uint32_t) == sizeof(state.holders),
                "all but the first");
  std::memcpy(pairs, state.holders + 1, sizeof(pairs));
  const uint64_t sums = (pairs[0] & kBoth) + (pairs[1] & kBoth) +
                        (pairs[2] & kBoth) + (pairs[3] & kBoth) +
                        (pairs[4] & kBoth);
  return (state.holders[0] & kMaxUnits) + static_cast<uint32_t>(sums) +
         static_cast<uint32_t>(sums >> 32);
}

// As charge_hot_words(); `changes` are process_changes().
RATELIMIT_ALWAYS_INLINE ChargeResult concurrent_charge_hot_words(
    const Bucket& stored, const rl_process_t* process, uint32_t changes,
    uint64_t limit_units, unsigned limit_code, uint64_t cost_units,
    HotWords* hot_words, Charged* charged) noexcept {
  const ConcurrentState& state = stored.concurrent;
  if (stored.window_hi != kHolderWords) return ChargeResult::kUndecided;
  const uint32_t limit = concurrent_limit(limit_units);
  const uint32_t used = units_of_words(state);
  const uint32_t first =
      used == 0 ? word_of(process->slot, 0) : state.holders[0];
  if (first >> kUnitBits != process->slot ||
      (used != 0 && ((first & kMaxUnits) == 0 || state.checked != changes)) ||
      used + cost_units > limit) {
    return ChargeResult::kUndecided;
  }
  const uint32_t words[2] = {changes,
                             first + static_cast<uint32_t>(cost_units)};
  hot_words->words[0] = charged_word(stored, stored.stamp, limit_code);
  std::memcpy(&hot_words->words[1], words, sizeof(words));
  charged->remaining_units = limit - used - cost_units;
  charged->reset_ms = 0;
  charged->charge_id = stored.stamp;
  return ChargeResult::kAdmitted;
}

// Gives units of a charge back, by one store; false: it takes more.
RATELIMIT_ALWAYS_INLINE bool concurrent_release(Bucket* stored,
                                                const rl_process_t* process,
                                                uint32_t changes,
                                                uint64_t units,
                                                uint64_t charge_id) noexcept {
  const ConcurrentState& state = stored->concurrent;
  const uint32_t first = state.holders[0];
  if (stored->window_hi != kHolderWords || stored->stamp != charge_id ||
      first >> kUnitBits != process->slot || (first & kMaxUnits) < units ||
      state.checked != changes) {
    return false;
  }
  stored->concurrent.holders[0] =
      (first & kMaxUnits) == units ? 0 : first - static_cast<uint32_t>(units);
  return true;
}

}  // namespace ratelimit

#endif  // RATELIMIT_ALGORITHM_CHARGE_PLACE_H_
