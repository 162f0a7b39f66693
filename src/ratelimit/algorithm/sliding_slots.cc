#include "ratelimit/algorithm/sliding_slots.h"

namespace ratelimit {
namespace {

// Stores units per slot with the least exponent that holds them and the quota.
// What does not fill a block moves to the next newer slot, at last to carry.
void pack(SlidingState* s, const uint64_t units[kSlots],
          uint32_t quota_units) {
  for (unsigned exponent = exponent_for(quota_units);; exponent++) {
    const uint64_t mask = mask_of(exponent);
    uint64_t rest = 0;
    bool fits = true;
    for (unsigned i = kSlots; i-- > 0;) {
      rest += units[i];
      uint64_t blocks = rest >> exponent;
      rest &= mask;
      if (blocks > kMaxCount) {
        fits = false;
        blocks = kMaxCount;
      }
      s->counts[i] = static_cast<uint16_t>(blocks);
    }
    s->carry = static_cast<uint16_t>(mask + 1 + rest);
    // In the last, counts stay saturated: twice the greatest quota.
    if (fits || exponent == kMaxExponent) return;
  }
}

void unpack(const SlidingState& s, uint64_t units[kSlots]) {
  const unsigned exponent = exponent_of(s);
  for (unsigned i = 0; i < kSlots; i++) {
    units[i] = uint64_t{s.counts[i]} << exponent;
  }
  units[0] += s.carry & mask_of(exponent);
}

// Places every slot's units anew: those of tick m at tick place(m), which must
// not grow with age.
template <typename Place>
void rebuild(Bucket* bucket, uint32_t quota_units, int64_t now_tick,
             const Place& place) {
  uint64_t old_units[kSlots];
  int64_t ticks[kSlots];
  unpack(bucket->sliding, old_units);
  for (unsigned i = 0; i < kSlots; i++) {
    ticks[i] = place(slot_tick(*bucket, i));
  }
  if (now_tick < ticks[0]) now_tick = ticks[0];  // a narrow step back

  clear(bucket, quota_units, ticks[0]);
  uint64_t units[kSlots] = {};
  for (unsigned i = 0; i < kSlots; i++) {
    if (old_units[i] == 0 || now_tick - ticks[i] > kTicks) continue;
    const auto slot = static_cast<unsigned>((ticks[0] >> 4) - (ticks[i] >> 4));
    if (slot > 0 && units[slot] == 0) {
      bucket->sliding.offsets |= static_cast<uint64_t>(ticks[i] & 15)
                                 << (4 * (slot - 1));
    }
    units[slot] += old_units[i];
  }
  pack(&bucket->sliding, units, quota_units);
}

}  // namespace

void clear(Bucket* bucket, uint32_t quota_units, int64_t tick) noexcept {
  SlidingState& s = bucket->sliding;
  bucket->set_stamp(static_cast<uint64_t>(tick));
  s.carry = static_cast<uint16_t>(1u << exponent_for(quota_units));
  std::memset(s.counts, 0, sizeof(s.counts));
  s.offsets = 0;
}

void add_raising(SlidingState* s, uint64_t added_units,
                 uint32_t quota_units) noexcept {
  uint64_t units[kSlots];
  unpack(*s, units);
  units[0] += added_units;
  pack(s, units, quota_units);
}

// A quota that was cut may do with smaller blocks.
void lower_exponent(SlidingState* s, uint32_t quota_units) noexcept {
  if (exponent_of(*s) <= exponent_for(quota_units)) return;
  for (const uint16_t count : s->counts) {
    if (count > kMaxCount / 2) return;
  }
  uint64_t units[kSlots];
  unpack(*s, units);
  pack(s, units, quota_units);
}

void rebase(Bucket* bucket, uint32_t quota_units, int64_t now_tick) noexcept {
  const int64_t ahead = stamp_of(*bucket) - now_tick;
  rebuild(bucket, quota_units, now_tick,
          [ahead](int64_t tick) { return tick - ahead; });
}

void change_window(Bucket* bucket, const Shape& shape,
                   uint64_t now_ms) noexcept {
  // The last charge was not later than now, or than its tick's first
  // millisecond if another process's clock is ahead.
  const uint64_t old_ms = bucket->window_ms();
  const uint64_t begin_ms = (bucket->stamp * old_ms + kTicks - 1) / kTicks;
  const uint64_t latest_ms = begin_ms > now_ms ? begin_ms : now_ms;
  bucket->set_window_ms(shape.window_ms);
  rebuild(bucket, shape.units, tick_of(now_ms, shape.window_ms),
          [=](int64_t tick) {
            if (tick < 0) return int64_t{0};
            uint64_t end_ms =  // the tick's last millisecond
                (static_cast<uint64_t>(tick + 1) * old_ms - 1) / kTicks;
            if (end_ms > latest_ms) end_ms = latest_ms;
            return tick_of(end_ms, shape.window_ms);
          });
}

void shift(SlidingState* s, unsigned newer, uint64_t offset) noexcept {
  uint16_t shifted[kOlder + kSlots] = {};
  std::memcpy(shifted + kOlder, s->counts, sizeof(s->counts));
  std::memcpy(s->counts, shifted + kOlder - newer, sizeof(s->counts));
  s->offsets = (s->offsets << 4 | offset) << (4 * (newer - 1));
}

}  // namespace ratelimit
