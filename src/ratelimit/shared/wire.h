// What goes to Redis about a bucket and what comes back, as bytes: the layout
// that rows.lua reads and writes.  Little-endian, without padding.

#ifndef RATELIMIT_SHARED_WIRE_H_
#define RATELIMIT_SHARED_WIRE_H_

#include <cstddef>
#include <cstdint>

#include "ratelimit/ratelimit.h"

namespace ratelimit {

// A ring has the sixteenths of a window and the one that it is in.
constexpr uint32_t kWireSlots = 17;

constexpr uint8_t kFirstRequest = 1;
constexpr uint8_t kTellsAll = 2;
constexpr uint8_t kOldClock = 4;
constexpr uint8_t kLastRequest = 8;
constexpr uint8_t kTakesBack = 16;

// What a row has used so far begins anew after so many units, which is more
// than between two requests.  Larger numbers would not be exact in Lua.
constexpr uint64_t kUsedWraps = uint64_t{1} << 52;
static_assert(RL_MAX_UNITS < kUsedWraps / 4, "also in debt");

struct WireRequest {
  uint64_t row;
  uint32_t number;
  uint8_t algorithm;  // rl_algorithm_e
  uint64_t window_ms;
  uint64_t quota_units;
  uint64_t capacity_units;
  uint64_t need_units;
  uint64_t waits_units;
  uint32_t want_units;
  uint64_t keep_units;
  uint64_t used_units;
  uint64_t age_ms;
  uint32_t longest_ms;
  uint16_t shortest_ms;
  uint8_t flags;
  uint64_t latest_ms;
  uint16_t slack_ms;
  uint64_t window_end_ms;
  uint64_t reset;
  uint64_t begin_ms;  // calendar
  uint64_t end_ms;
  uint64_t next_end_ms;

  // With kTellsAll: sliding, then gcra.
  uint64_t used_by_age[kWireSlots];
  double debt_ms;
  uint64_t used_since;

  // With kTakesBack, and never with kTellsAll.
  uint64_t back_units;
  uint64_t back_age_ms;  // of the oldest of their uses, at the most
};

constexpr unsigned kUnitsLen = 7;
constexpr size_t kRequestLen = 113;
constexpr size_t kSlidingTellingLen = kUnitsLen * kWireSlots;
constexpr size_t kGcraTellingLen = 8 + kUnitsLen;
static_assert(kRequestLen + kSlidingTellingLen <= RL_LEASE_REQUEST_LEN,
              "a request has room");

// Integers beyond their field's width become the field's largest.
size_t write_request(const WireRequest& request, unsigned char* buf) noexcept;

enum WireStatus : int8_t {
  kDone = 1,
  kYoung = 0,
  kOlder = -1,
  kTellAll = -2,
  kNoSuchWindow = -3,
  kLate = -4,
  kBeforeReset = -5
};

struct WireReply {
  int8_t status;
  uint64_t granted_units;
  uint32_t lease_ms;
  int64_t free_units;
  uint64_t held_units;  // by others
  uint64_t clock_ms;
  uint64_t wait_ms;
  uint64_t other_end_ms;
  uint64_t left_ms;  // of the window or the debt
  uint64_t window_end_ms;
  uint64_t generation;
};

void read_reply(const unsigned char* reply, WireReply* out) noexcept;

}  // namespace ratelimit

#endif  // RATELIMIT_SHARED_WIRE_H_
