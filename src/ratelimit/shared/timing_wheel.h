// When leases end: a timing wheel of a turn that is longer than any lease.
// Leases are named by their index.

#ifndef RATELIMIT_SHARED_TIMING_WHEEL_H_
#define RATELIMIT_SHARED_TIMING_WHEEL_H_

#include <cstdint>

namespace ratelimit {

constexpr uint32_t kNoLease = UINT32_MAX;

constexpr unsigned kWheelTickShift = 12;  // 4.096 ms
constexpr uint32_t kWheelSlots = 4096;    // 16.8 s

struct WheelLink {
  uint32_t next;
  uint32_t previous;
  uint32_t slot;
  bool is_in;
};

// `link(index)` gives a lease's WheelLink.
struct TimingWheel {
  uint64_t tick;     // slots before it are empty
  uint64_t next_us;  // none is earlier; UINT64_MAX: there is none
  uint32_t n;
  uint32_t heads[kWheelSlots];

  void clear() {
    tick = 0;
    next_us = UINT64_MAX;
    n = 0;
    for (uint32_t& head : heads)
      head = kNoLease;
  }

  // A lease stands in the slot that begins before at_us; what is further away
  // than a turn is met earlier.
  template <typename Link>
  void insert(uint32_t index, uint64_t at_us, uint64_t now_us, Link link) {
    if (n == 0) tick = now_us >> kWheelTickShift;
    uint64_t at = at_us >> kWheelTickShift;
    if (at < tick) at = tick;
    if (at >= tick + kWheelSlots) at = tick + kWheelSlots - 1;
    WheelLink& own = link(index);
    own.slot = static_cast<uint32_t>(at % kWheelSlots);
    own.previous = kNoLease;
    own.next = heads[own.slot];
    own.is_in = true;
    if (own.next != kNoLease) link(own.next).previous = index;
    heads[own.slot] = index;
    n++;
    if (at << kWheelTickShift < next_us) next_us = at << kWheelTickShift;
  }

  template <typename Link>
  void remove(uint32_t index, Link link) {
    WheelLink& own = link(index);
    if (!own.is_in) return;
    (own.previous == kNoLease ? heads[own.slot] : link(own.previous).next) =
        own.next;
    if (own.next != kNoLease) link(own.next).previous = own.previous;
    own.is_in = false;
    n--;
    if (n == 0) next_us = UINT64_MAX;
  }

  // One whose time has come, taken out; kNoLease: there is none.
  template <typename Link>
  uint32_t take(uint64_t now_us, Link link) {
    if (now_us < next_us) return kNoLease;
    const uint64_t now = now_us >> kWheelTickShift;
    // After a turn without a call, as of a machine that slept, each slot once.
    if (now >= tick + kWheelSlots) tick = now - kWheelSlots + 1;
    uint64_t at = tick;
    while (heads[at % kWheelSlots] == kNoLease)
      ++at;
    tick = at < now ? at : now;
    next_us = at << kWheelTickShift;
    if (at > now) return kNoLease;
    const uint32_t index = heads[at % kWheelSlots];
    remove(index, link);
    return index;
  }
};

}  // namespace ratelimit

#endif  // RATELIMIT_SHARED_TIMING_WHEEL_H_
