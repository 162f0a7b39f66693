#include "sliding.h"

#include <cstring>

namespace ratelimit {
namespace {

constexpr unsigned kSlots = 17;  // sub-windows that may hold live units
constexpr unsigned kOlder = kSlots - 1;
constexpr int64_t kTicks = 256;  // of a window
constexpr uint64_t kMaxCount = 65535;
constexpr unsigned kMaxExponent = 15;  // carry's marker is its highest bit

// A tick times a window is 256 times a time; see leave_ms.
static_assert(RL_MAX_WINDOW_MS < (uint64_t{1} << 62) / (kTicks + 16) &&
                  uint64_t{1} << 40 < (uint64_t{1} << 62) / kTicks,
              "ticks times windows fit 63 bits");
static_assert(RL_MAX_UNITS <= kMaxCount << kMaxExponent,
              "a quota fits a slot");

// Ticks are signed: soon after the clock's start the older sub-windows lie
// before it.
int64_t tick_of(uint64_t time_ms, uint64_t window_ms) {
  return static_cast<int64_t>(time_ms * kTicks / window_ms);
}

// The first millisecond at which units charged at tick `tick` are gone.
uint64_t leave_ms(int64_t tick, uint64_t window_ms) {
  return (static_cast<uint64_t>(tick + kTicks + 1) * window_ms + kTicks - 1) /
         kTicks;
}

int64_t stamp_of(const Bucket& bucket) {
  return static_cast<int64_t>(bucket.stamp);
}

unsigned exponent_of(const SlidingState& s) {
  // `| 1` is for memory that someone else has overwritten.
  return 31u - static_cast<unsigned>(__builtin_clz(s.carry | 1u));
}

uint32_t mask_of(unsigned exponent) {
  return (1u << exponent) - 1;
}

// The least exponent that makes `units` fit a slot.
unsigned exponent_for(uint32_t units) {
  if (units <= kMaxCount) return 0;
  const unsigned low =
      16u - static_cast<unsigned>(__builtin_clz(units));  // bits above 16
  return units > kMaxCount << low ? low + 1 : low;
}

// The tick of a slot's last charge; slot 0 is the newest.
int64_t slot_tick(const Bucket& bucket, unsigned slot) {
  const int64_t stamp = stamp_of(bucket);
  if (slot == 0) return stamp;
  const uint64_t offset = bucket.sliding.offsets >> (4 * (slot - 1)) & 15;
  return ((stamp >> 4) - slot) * 16 + static_cast<int64_t>(offset);
}

// Sum of all slots' blocks: four at a time, in lanes of 32 bits.
uint64_t blocks_of(const SlidingState& s) {
  constexpr uint64_t kLanes = 0x0000ffff0000ffff;
  uint64_t words[kOlder / 4];
  std::memcpy(words, s.counts + 1, sizeof(words));
  uint64_t sum = 0;
  for (const uint64_t word : words) {
    sum += (word & kLanes) + (word >> 16 & kLanes);
  }
  return (sum & 0xffffffff) + (sum >> 32) + s.counts[0];
}

uint64_t used_of(const SlidingState& s) {
  const unsigned exponent = exponent_of(s);
  return (blocks_of(s) << exponent) + (s.carry & mask_of(exponent));
}

void clear(Bucket* bucket, uint32_t quota_units, int64_t tick) {
  SlidingState& s = bucket->sliding;
  bucket->set_stamp(static_cast<uint64_t>(tick));
  s.carry = static_cast<uint16_t>(1u << exponent_for(quota_units));
  std::memset(s.counts, 0, sizeof(s.counts));
  s.offsets = 0;
}

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

// Adds units to the newest slot.
void add(SlidingState* s, uint64_t added_units, uint32_t quota_units) {
  const unsigned exponent = exponent_of(*s);
  const uint32_t mask = mask_of(exponent);
  const uint64_t rest = (s->carry & mask) + added_units;
  const uint64_t blocks = s->counts[0] + (rest >> exponent);
  if (__builtin_expect(blocks <= kMaxCount, 1)) {
    s->counts[0] = static_cast<uint16_t>(blocks);
    s->carry = static_cast<uint16_t>(mask + 1 + (rest & mask));
    return;
  }
  uint64_t units[kSlots];
  unpack(*s, units);
  units[0] += added_units;
  pack(s, units, quota_units);
}

// Places every slot's units anew: those of tick m at tick place(m), which must
// not grow with age.
template <typename Place>
void rebuild(Bucket* bucket, uint32_t quota_units, int64_t now_tick,
             const Place& place) {
  uint64_t old_units[kSlots];
  int64_t ticks[kSlots];
  unpack(bucket->sliding, old_units);
  for (unsigned i = 0; i < kSlots; i++)
    ticks[i] = place(slot_tick(*bucket, i));
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

// The clock has started anew: ages stay, the last charge was now.
void rebase(Bucket* bucket, uint32_t quota_units, int64_t now_tick) {
  const int64_t ahead = stamp_of(*bucket) - now_tick;
  rebuild(bucket, quota_units, now_tick,
          [ahead](int64_t tick) { return tick - ahead; });
}

void change_window(Bucket* bucket, const Shape& shape, uint64_t now_ms) {
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

// A quota that was cut may do with smaller blocks.
void lower_exponent(SlidingState* s, uint32_t quota_units) {
  if (exponent_of(*s) <= exponent_for(quota_units)) return;
  for (const uint16_t count : s->counts) {
    if (count > kMaxCount / 2) return;
  }
  uint64_t units[kSlots];
  unpack(*s, units);
  pack(s, units, quota_units);
}

// Empties the slots whose tick is more than a window before now_tick, which is
// at most a window after the last charge.
void expire(Bucket* bucket, int64_t now_tick) {
  // 17 slots to keep, then 17 to drop: a window on this is a mask.
  static constexpr uint16_t kKeep[2 * kSlots] = {
      0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff,
      0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff};

  // Only the slot that lies 16 sub-windows back can be either; all newer ones
  // are live.
  SlidingState& s = bucket->sliding;
  const auto newer =
      static_cast<unsigned>((now_tick >> 4) - (stamp_of(*bucket) >> 4));
  const unsigned last = kOlder - newer;
  const bool live =
      last == 0 || static_cast<int64_t>(s.offsets >> (4 * (last - 1)) & 15) >=
                       (now_tick & 15);
  if (newer == 0 && live) return;
  // No offset tells a slot that was emptied here from one whose units have
  // flowed on; see sliding_refund.
  s.offsets &= (uint64_t{1} << (4 * (last - !live))) - 1;
  if (newer == 0) {
    s.counts[kOlder] = 0;
    return;
  }
  uint64_t words[kOlder / 4];
  uint64_t keep[kOlder / 4];
  std::memcpy(words, s.counts + 1, sizeof(words));
  std::memcpy(keep, kKeep + kSlots - last + !live, sizeof(keep));
  for (unsigned i = 0; i < kOlder / 4; i++)
    words[i] &= keep[i];
  std::memcpy(s.counts + 1, words, sizeof(words));
}

// Makes `tick`, which is later than the stamp, the last charge's.
void advance(Bucket* bucket, uint32_t quota_units, int64_t tick) {
  const int64_t stamp = stamp_of(*bucket);
  const int64_t newer = (tick >> 4) - (stamp >> 4);
  if (newer > kOlder) {
    clear(bucket, quota_units, tick);
    return;
  }
  bucket->set_stamp(static_cast<uint64_t>(tick));
  if (newer == 0) return;

  SlidingState& s = bucket->sliding;
  uint16_t shifted[kOlder + kSlots] = {};
  std::memcpy(shifted + kOlder, s.counts, sizeof(s.counts));
  std::memcpy(s.counts, shifted + kOlder - newer, sizeof(s.counts));
  s.offsets = (s.offsets << 4 | static_cast<uint64_t>(stamp & 15))
              << (4 * (newer - 1));
}

// When the oldest `units`, at least 1 and at most all, have left.
uint64_t left_ms(const Bucket& bucket, uint64_t units) {
  const SlidingState& s = bucket.sliding;
  const unsigned exponent = exponent_of(s);
  unsigned slot = kOlder;
  for (; slot > 0; slot--) {
    const uint64_t held = uint64_t{s.counts[slot]} << exponent;
    if (held >= units) break;
    units -= held;
  }
  return leave_ms(slot_tick(bucket, slot), bucket.window_ms());
}

// When all units have left; there is one at least.
uint64_t all_left_ms(const Bucket& bucket) {
  const SlidingState& s = bucket.sliding;
  unsigned slot = 0;
  // The newest is empty after a refund only.
  if (s.counts[0] == 0 && (s.carry & (s.carry - 1)) == 0) {
    while (slot < kOlder && s.counts[slot] == 0)
      slot++;
  }
  return leave_ms(slot_tick(bucket, slot), bucket.window_ms());
}

}  // namespace

void sliding_open(Bucket* bucket, const Shape& shape) noexcept {
  clear(bucket, shape.units, 0);  // the first charge advances from there
}

bool sliding_adapt(Bucket* bucket, const Shape& shape,
                   const rl_time_t& now) noexcept {
  const uint64_t window_ms = bucket->window_ms();
  int64_t now_tick = tick_of(now.mono_ms, window_ms);
  bool rewritten = false;
  if (__builtin_expect(now_tick < stamp_of(*bucket), 0)) {
    // A step of kClockStepMs may well cross into the next tick.
    const int64_t narrow = tick_of(kClockStepMs, window_ms) + 1;
    if (stamp_of(*bucket) - now_tick > narrow) {
      rebase(bucket, shape.units, now_tick);
      rewritten = true;
    } else {
      now_tick = stamp_of(*bucket);
    }
  }
  if (now_tick - stamp_of(*bucket) > kTicks) {
    clear(bucket, shape.units, now_tick);
  } else {
    expire(bucket, now_tick);
    if (__builtin_expect(bucket->sliding.carry != 1, 0)) {
      lower_exponent(&bucket->sliding, shape.units);
    }
  }
  if (__builtin_expect(window_ms != shape.window_ms, 0)) {
    change_window(bucket, shape, now.mono_ms);
    rewritten = true;
  }
  return rewritten;
}

Standing sliding_stand(const Bucket& bucket, const Shape& shape,
                       uint32_t cost_units, bool want_next,
                       const rl_time_t& now) noexcept {
  const uint64_t used = used_of(bucket.sliding);
  const uint64_t quota = shape.units;
  Standing standing;
  standing.remaining_units =
      used < quota ? static_cast<uint32_t>(quota - used) : 0;
  standing.admitted = cost_units <= standing.remaining_units;
  standing.reset_ms = used == 0 ? 0 : all_left_ms(bucket) - now.mono_ms;
  standing.retry_after_ms = 0;
  if (!standing.admitted) {
    standing.retry_after_ms =
        cost_units > quota
            ? shape.window_ms
            : left_ms(bucket, used + cost_units - quota) - now.mono_ms;
  }
  standing.next_ms = 0;
  if (want_next && used > 0) {
    // In debt more than one unit has to leave before one is there to be used.
    uint64_t excess = used < quota ? 1 : used - quota + 1;
    if (excess > used) excess = used;
    standing.next_ms = left_ms(bucket, excess) - now.mono_ms;
  }
  return standing;
}

uint64_t sliding_reset_ms(const Bucket& bucket,
                          const rl_time_t& now) noexcept {
  return used_of(bucket.sliding) == 0 ? 0 : all_left_ms(bucket) - now.mono_ms;
}

uint64_t sliding_charge(Bucket* bucket, const Shape& shape,
                        uint32_t cost_units, const rl_time_t& now) noexcept {
  const int64_t tick = tick_of(now.mono_ms, shape.window_ms);
  const int64_t stamp = stamp_of(*bucket);
  uint64_t charged_ms = now.mono_ms;
  if (tick > stamp) {
    advance(bucket, shape.units, tick);
  } else if (__builtin_expect(tick < stamp, 0)) {
    charged_ms = (bucket->stamp * shape.window_ms + kTicks - 1) / kTicks;
  }
  add(&bucket->sliding, cost_units, shape.units);
  return charged_ms;
}

void sliding_refund(Bucket* bucket, const Shape& shape, uint32_t units,
                    uint64_t receipt, const rl_time_t& now) noexcept {
  SlidingState& s = bucket->sliding;
  const int64_t stamp = stamp_of(*bucket);
  int64_t now_tick = tick_of(now.mono_ms, shape.window_ms);
  if (now_tick < stamp) now_tick = stamp;
  const int64_t age = (stamp >> 4) - (tick_of(receipt, shape.window_ms) >> 4);
  if (age < 0 || age > kOlder) return;
  auto slot = static_cast<unsigned>(age);
  const int64_t tick = slot_tick(*bucket, slot);
  if (now_tick - tick > kTicks) return;
  // Gone at the sight of a clock that is ahead of this one.  (Or less than a
  // block, charged in a sub-window's first tick, has flowed on: it is kept.)
  if (slot > 0 && s.counts[slot] == 0 && (tick & 15) == 0) return;

  // With blocks, units of this slot may have flowed on into newer ones, and
  // what is left of a block that is taken flows on as well.  Taking from the
  // next newer slot that holds any, never from one beyond it, lets no unit
  // that was charged there leave early.  Without blocks what is missing here
  // is another bucket's, which was evicted since.
  const unsigned exponent = exponent_of(s);
  const uint64_t mask = mask_of(exponent);
  uint64_t want = units;
  for (; slot > 0; slot--) {
    uint64_t blocks = (want + mask) >> exponent;
    if (blocks > s.counts[slot]) blocks = s.counts[slot];
    s.counts[slot] = static_cast<uint16_t>(s.counts[slot] - blocks);
    const uint64_t taken = blocks << exponent;
    if (taken >= want) {
      add(&s, taken - want, shape.units);
      return;
    }
    if (exponent == 0) return;
    want -= taken;
  }
  uint64_t held = (uint64_t{s.counts[0]} << exponent) + (s.carry & mask);
  held -= want < held ? want : held;
  s.counts[0] = static_cast<uint16_t>(held >> exponent);
  s.carry = static_cast<uint16_t>(mask + 1 + (held & mask));
}

uint64_t sliding_idle_at_ms(const Bucket& bucket) noexcept {
  return used_of(bucket.sliding) == 0 ? 0 : all_left_ms(bucket);
}

uint64_t sliding_used_units(const Bucket& bucket, uint64_t now_ms) noexcept {
  Bucket copy = bucket;
  const int64_t now_tick = tick_of(now_ms, bucket.window_ms());
  const int64_t age = now_tick - stamp_of(bucket);
  if (age > kTicks) return 0;
  if (age > 0) expire(&copy, now_tick);
  return used_of(copy.sliding);
}

}  // namespace ratelimit
