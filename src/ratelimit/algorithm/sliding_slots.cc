#include "ratelimit/algorithm/sliding_slots.h"

namespace ratelimit {
namespace {

// Stores units per slot with the least exponent that holds them and the quota.
// What does not fill a block moves to the next newer slot, at last to the
// remainder.
void pack(SlidingState* s, const uint64_t units[kSlots],
          uint64_t quota_units) {
  unsigned exponent = exponent_for(quota_units);
  uint64_t rest = 0;
  for (;; exponent++) {
    const uint64_t mask = mask_of(exponent);
    bool fits = true;
    rest = 0;
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
    // In the last, counts stay saturated: twice the greatest quota.
    if (fits || exponent == kMaxExponent) break;
  }
  set_rest(s, exponent, rest);
}

void unpack(const SlidingState& s, uint64_t units[kSlots]) {
  const unsigned exponent = exponent_of(s);
  for (unsigned i = 0; i < kSlots; i++) {
    units[i] = uint64_t{s.counts[i]} << exponent;
  }
  units[0] += rest_of(s);
}

// Of a slot that had none.
void note_offset(SlidingState* s, unsigned slot, uint64_t offset) {
  s->offsets |= is_wide(*s) ? uint64_t{1} << (kUsedAt + slot - 1)
                            : offset << (4 * (slot - 1));
}

// The offsets of a wide bucket as they are stored in others, and back.  A slot
// that has units, or was charged at another tick than the first, was used.
uint64_t narrow_offsets(const SlidingState& s) {
  uint64_t offsets = 0;
  for (unsigned slot = 1; slot < kSlots; slot++) {
    offsets |= offset_of(s, slot) << (4 * (slot - 1));
  }
  return offsets;
}

uint64_t wide_offsets(const SlidingState& s) {
  uint64_t used = 0;
  for (unsigned slot = 1; slot < kSlots; slot++) {
    const bool is_used = s.counts[slot] != 0 || offset_of(s, slot) != 0;
    used |= static_cast<uint64_t>(is_used) << (kUsedAt + slot - 1);
  }
  return used;
}

// Places every slot's units anew, by the bucket's window: those of tick m at
// tick place(m), which must not grow with age.  stamp_ms becomes the last
// charge's time; it lies in place() of that charge's tick.
template <typename Place>
void rebuild(Bucket* bucket, const int64_t (&old_ticks)[kSlots],
             uint64_t quota_units, uint64_t stamp_ms, uint64_t now_ms,
             const Place& place) {
  uint64_t old_units[kSlots];
  unpack(bucket->sliding, old_units);
  clear(bucket, quota_units, stamp_ms);
  const int64_t last = last_tick(*bucket);
  if (now_ms < stamp_ms) now_ms = stamp_ms;  // a narrow step back
  const int64_t now_tick = tick_of(now_ms, sliding_window_ms(*bucket));
  uint64_t units[kSlots] = {};
  if (now_ms - stamp_ms < sliding_window_ms(*bucket)) units[0] = old_units[0];
  for (unsigned i = 1; i < kSlots; i++) {
    const int64_t tick = place(old_ticks[i]);
    if (old_units[i] == 0 || now_tick - tick > kTicks) continue;
    const auto slot = static_cast<unsigned>((last >> 4) - (tick >> 4));
    if (slot > 0 && units[slot] == 0) {
      note_offset(&bucket->sliding, slot, static_cast<uint64_t>(tick & 15));
    }
    units[slot] += old_units[i];
  }
  pack(&bucket->sliding, units, quota_units);
}

void read_ticks(const Bucket& bucket, int64_t (&ticks)[kSlots]) {
  for (unsigned i = 0; i < kSlots; i++) {
    ticks[i] = slot_tick(bucket, i);
  }
}

}  // namespace

void clear(Bucket* bucket, uint64_t quota_units, uint64_t stamp_ms) noexcept {
  SlidingState& s = bucket->sliding;
  bucket->set_stamp(stamp_ms);
  std::memset(s.counts, 0, sizeof(s.counts));
  begin_rest(&s, exponent_for(quota_units));
}

void set_rest(SlidingState* s, unsigned exponent, uint64_t rest) noexcept {
  const uint64_t marked = (uint64_t{1} << exponent) + rest;
  if (exponent <= kMaxNarrow) {
    if (is_wide(*s)) s->offsets = narrow_offsets(*s);
    s->remainder = static_cast<uint16_t>(marked);
    return;
  }
  const uint64_t used =
      is_wide(*s) ? s->offsets & ~mask_of(kUsedAt) : wide_offsets(*s);
  s->remainder = 0;
  s->offsets = used | marked;
}

void add_raising(SlidingState* s, uint64_t added_units,
                 uint64_t quota_units) noexcept {
  uint64_t units[kSlots];
  unpack(*s, units);
  units[0] += added_units;
  pack(s, units, quota_units);
}

// A quota that was cut may do with smaller blocks.
void lower_exponent(SlidingState* s, uint64_t quota_units) noexcept {
  if (exponent_of(*s) <= exponent_for(quota_units)) return;
  for (const uint16_t count : s->counts) {
    if (count > kMaxCount / 2) return;
  }
  uint64_t units[kSlots];
  unpack(*s, units);
  pack(s, units, quota_units);
}

void rebase(Bucket* bucket, uint64_t quota_units, uint64_t stamp_ms) noexcept {
  const auto window_ms = static_cast<int64_t>(sliding_window_ms(*bucket));
  const int64_t ticks =
      (static_cast<int64_t>(stamp_ms) - static_cast<int64_t>(bucket->stamp)) *
      kTicks;
  // Upwards, or a unit might leave early; division rounds towards zero, which
  // is up for what is negative.
  const int64_t up = ticks / window_ms + (ticks > 0 && ticks % window_ms != 0);
  int64_t old_ticks[kSlots];
  read_ticks(*bucket, old_ticks);
  rebuild(bucket, old_ticks, quota_units, stamp_ms, stamp_ms,
          [up](int64_t tick) { return tick + up; });
}

void change_window(Bucket* bucket, const Shape& shape,
                   uint64_t now_ms) noexcept {
  const uint64_t old_ms = sliding_window_ms(*bucket);
  const uint64_t stamp_ms = bucket->stamp;
  int64_t ticks[kSlots];
  read_ticks(*bucket, ticks);
  bucket->set_window_ms(shape.window_ms);
  rebuild(bucket, ticks, shape.units, stamp_ms, now_ms, [=](int64_t tick) {
    if (tick < 0) return int64_t{0};
    // The tick's last millisecond; none was charged after the last charge.
    uint64_t end_ms = (static_cast<uint64_t>(tick + 1) * old_ms - 1) / kTicks;
    if (end_ms > stamp_ms) end_ms = stamp_ms;
    return tick_of(end_ms, shape.window_ms);
  });
}

void advance_slots(SlidingState* s, unsigned newer, uint64_t offset) noexcept {
  uint16_t shifted[kOlder + kSlots] = {};
  std::memcpy(shifted + kOlder, s->counts, sizeof(s->counts));
  std::memcpy(s->counts, shifted + kOlder - newer, sizeof(s->counts));
  s->offsets = (s->offsets << 4 | offset) << (4 * (newer - 1));
}

void advance_wide_slots(SlidingState* s, unsigned newer) noexcept {
  const uint64_t marked = marked_rest(*s);
  uint64_t used = s->offsets >> kUsedAt;
  advance_slots(s, newer, 0);
  used = (used << 1 | 1) << (newer - 1);
  s->offsets = used << kUsedAt | marked;
}

}  // namespace ratelimit
