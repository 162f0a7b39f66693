// The 64 bytes that are stored for one policy and one key, and what the
// algorithms do with them.
//
// A bucket lives in shared memory and is only touched under its set's lock.  A
// decision works on a local copy: adapt() brings it to now and to the policy's
// current quota, evaluate() answers, charge() writes; the copy is stored back
// only when every policy of the request admits.  So nothing here needs to be
// undone, and a refusal or a look changes nothing (but see adapt).
//
// All times are milliseconds of the monotonic clock.  A process reads it once
// in a turn, and may be stopped in the midst of one: what it takes for now may
// be long ago.  So elapsed time is clamped at zero, never negated.  A stored
// time that lies further ahead than kNewClockMs is one of a clock that has
// started anew; it becomes now.  Integers only; every product
// is proved to fit by a static_assert on the bounds of ratelimit.h.

#ifndef RATELIMIT_ALGORITHM_BUCKET_H_
#define RATELIMIT_ALGORITHM_BUCKET_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "ratelimit/base/simd.h"
#include "ratelimit/ratelimit.h"

namespace ratelimit {

// Longer than a process is stopped.  One that was for longer gives back, to
// the keys of the requests that it goes on with, the time that it stood still.
constexpr uint64_t kNewClockMs = 3600 * 1000;

// What the configuration says of a bucket at this request.
struct Shape {
  rl_algorithm_e algorithm;
  uint64_t units;           // the quota; 0: refuse all
  uint64_t capacity_units;  // gcra; equals units elsewhere
  uint32_t window_months;   // calendar
  uint64_t window_ms;
  int32_t tz_ms;                          // calendar
  const rl_process_t* process = nullptr;  // concurrent: who asks
};

// The algorithms' parts of a bucket.  What most charges change is in the first
// eight bytes.
struct SlidingState {
  uint32_t window_lo;
  uint16_t remainder;   // units below the block exponent, with a marker bit
                        // above them: 1 << exponent | units; 0: they have no
                        // room here, and stand in the place of offsets
  uint16_t counts[17];  // units >> exponent, newest sub-window first
  uint64_t offsets;     // of the older 16: 4 bits each, when in the sub-window
                        // the last charge was; the newest one's follows from
                        // stamp
};

struct WindowState {    // fixed, calendar
  uint64_t used_units;  // 0: no window is open
  uint32_t window_lo;
  uint32_t months;  // from here on calendar's only
  uint64_t end_ms;
  uint64_t wall_start_ms;  // the grid's window, local time
  uint64_t wall_end_ms;
  int32_t tz_ms;
};

// Of debt_hi: charge ids are in whole units, see gcra.cc.
constexpr uint32_t kWideQueue = 1u << 31;

struct GcraState {
  uint64_t debt_lo;  // debt in units times window_ms
  uint32_t window_lo;
  uint32_t debt_hi;  // and kWideQueue
  uint64_t units;    // the quota that debt drains by
  uint64_t origin;   // of charge ids, see gcra.cc
  uint64_t gap;      // given back out of the middle of the debt,
  uint64_t gap_at;   // from there on
};

struct ConcurrentState {
  uint32_t checked;      // process_changes() when the holders last were
  uint32_t holders[11];  // see concurrent.cc
};

struct BanState {  // see ban.h
  uint32_t window_lo;
  uint8_t level;       // of the last ban's durations
  uint8_t counts[17];  // of refusals, newest sub-window first
  uint16_t spare;
  uint64_t policy_id;  // rl_policy_t::secret.lo
  uint64_t until_ms;
  uint64_t forget_ms;  // until then the next ban is a longer one
};

// Of a time, which is below 2^40, and what a step of the clock adds.
constexpr unsigned kStampBits = 42;
constexpr unsigned kLimitCodeAt = kStampBits + 3 + 3 + 1;

// More than any quota; what is held saturates here at the latest.
constexpr uint64_t kMaxHeldUnits = (uint64_t{1} << 52) - 1;
static_assert(RL_MAX_UNITS <= kMaxHeldUnits / 4, "also in debt");

// What all algorithms have in common, in one word.
struct Meta {
  uint64_t stamp : 42;  // sliding: when the last charge was; fixed, calendar:
                        // when the window was opened; gcra: when the debt was
                        // what it says; concurrent: when it was made; a
                        // ban's: the newest refusal that counts
  uint64_t algorithm : 3;
  uint64_t window_hi : 3;    // window_ms >> 32; concurrent: how the holders
                             // are stored
  uint64_t throttled : 1;    // a request was refused since the last charge
  uint64_t limit_code : 15;  // limit as a small float, see encode_limit: the
                             // share of a quota in use is compared with it
                             // when a full zone must evict

  void set_stamp(uint64_t value) noexcept {
    stamp = value & ((uint64_t{1} << kStampBits) - 1);
  }
  // What every charge notes: the limit that it was held against, as a code.
  void note_charge(unsigned code) noexcept {
    limit_code = code & 0x7fff;
    throttled = 0;
  }
};
static_assert(sizeof(Meta) == 8, "one word");

// As set_stamp() and note_charge() of a copy, for a stamp below 2^42: put
// together in 5 instructions, not in 13.
inline uint64_t charged_word(const Meta& meta, uint64_t stamp,
                             unsigned code) noexcept {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  constexpr uint64_t kKept = uint64_t{63} << kStampBits;  // up to window_hi
  uint64_t word;
  std::memcpy(&word, &meta, sizeof(word));
  return (word & kKept) | stamp | uint64_t{code} << kLimitCodeAt;
#else
  Meta copy = meta;
  copy.set_stamp(stamp);
  copy.note_charge(code);
  uint64_t word;
  std::memcpy(&word, &copy, sizeof(word));
  return word;
#endif
}

// Whether window_lo stands behind the eight bytes that charges change, and not
// among them.
constexpr bool window_follows(unsigned algorithm) noexcept {
  return algorithm == RL_FIXED || algorithm == RL_CALENDAR ||
         algorithm == RL_GCRA;
}
static_assert(offsetof(WindowState, window_lo) ==
                      offsetof(GcraState, window_lo) &&
                  offsetof(SlidingState, window_lo) ==
                      offsetof(BanState, window_lo),
              "in two places");

// Stored.  Trivially copyable; no pointer.
struct Bucket : Meta {
  union {
    SlidingState sliding;
    WindowState window;
    GcraState gcra;
    ConcurrentState concurrent;
    BanState ban;
  };
  uint64_t key;  // rl_hash_t::lo

  uint64_t window_ms() const noexcept {
    return with_hi(window_follows(algorithm) ? gcra.window_lo
                                             : sliding.window_lo);
  }
  // Of an algorithm that is known.
  uint64_t with_hi(uint32_t window_lo) const noexcept {
    return uint64_t{window_hi} << 32 | window_lo;
  }
  void set_window_ms(uint64_t window_ms) noexcept {
    window_hi = (window_ms >> 32) & 7;
    (window_follows(algorithm) ? gcra.window_lo : sliding.window_lo) =
        static_cast<uint32_t>(window_ms);
  }
};
static_assert(sizeof(Bucket) == 64, "one cache line");
static_assert(RL_MAX_WINDOW_MS < uint64_t{1} << 35, "fits window_hi, _lo");

// A bucket that holds nothing, for a stamp below 2^42; the first word is put
// together as in charged_word().
inline void start(Bucket* bucket, uint64_t key, unsigned algorithm,
                  uint64_t window_ms, uint64_t stamp, unsigned code) noexcept {
  std::memset(static_cast<void*>(bucket), 0, sizeof(*bucket));
  bucket->key = key;
  (window_follows(algorithm) ? bucket->gcra.window_lo
                             : bucket->sliding.window_lo) =
      static_cast<uint32_t>(window_ms);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  const uint64_t word = stamp | uint64_t{algorithm} << kStampBits |
                        window_ms >> 32 << (kStampBits + 3) |
                        uint64_t{code} << kLimitCodeAt;
  std::memcpy(static_cast<void*>(bucket), &word, sizeof(word));
#else
  bucket->set_stamp(stamp);
  bucket->algorithm = algorithm & 7;
  bucket->window_hi = (window_ms >> 32) & 7;
  bucket->note_charge(code);
#endif
}

// In the pieces that are written: a load of what several stores have written
// waits until all of them are in the cache.
inline void copy(const Bucket& from, Bucket* to) noexcept {
  const auto* source = reinterpret_cast<const unsigned char*>(&from);
  auto* target = reinterpret_cast<unsigned char*>(to);
  const auto piece = [=](size_t at, auto word) {
    std::memcpy(&word, source + at, sizeof(word));
    std::memcpy(target + at, &word, sizeof(word));
  };
  struct Counts {
    uint64_t words[2];
  };
  piece(0, uint64_t{});
  piece(8, uint64_t{});
  piece(16, Counts{});
  piece(32, Counts{});
  piece(48, uint64_t{});
  piece(56, uint64_t{});
}

// What most charges change, and nothing else: the stamp and the newest count,
// or the units used of a window, or the debt, or the first holder.
struct alignas(16) HotWords {
  uint64_t words[2];
};
static_assert(
    offsetof(SlidingState, counts) + sizeof(Meta) + sizeof(uint16_t) ==
            sizeof(HotWords) &&
        offsetof(WindowState, window_lo) + sizeof(Meta) == sizeof(HotWords) &&
        offsetof(GcraState, window_lo) + sizeof(Meta) == sizeof(HotWords) &&
        offsetof(ConcurrentState, holders) + sizeof(Meta) + sizeof(uint32_t) ==
            sizeof(HotWords),
    "as said");

inline HotWords hot_words_of(const Bucket& bucket) noexcept {
  HotWords hot_words;
  std::memcpy(&hot_words, &bucket, sizeof(hot_words));
  return hot_words;
}

inline void set_hot_words(const HotWords& hot_words, Bucket* bucket) noexcept {
  std::memcpy(static_cast<void*>(bucket), &hot_words, sizeof(hot_words));
}

// set_hot_words() of a bucket in a table; whether that is one instruction,
// which a killed process has executed or has not.
#if defined(RATELIMIT_SSE2) && !defined(RATELIMIT_TSAN)
constexpr bool kHotWordsAreOneStore = true;

inline void store_hot_words(const HotWords& hot_words, Bucket* to) noexcept {
  const __m128i both =
      _mm_set_epi64x(static_cast<int64_t>(hot_words.words[1]),
                     static_cast<int64_t>(hot_words.words[0]));
  __asm__ __volatile__("movaps %1, %0"
                       : "=m"(*reinterpret_cast<unsigned char(*)[16]>(to))
                       : "x"(both));
}
#else
constexpr bool kHotWordsAreOneStore = false;

inline void store_hot_words(const HotWords& hot_words, Bucket* to) noexcept {
  set_hot_words(hot_words, to);
}
#endif

// What a bucket answers for a cost.
struct Evaluation {
  bool admitted;
  uint64_t remaining_units;  // before the cost is charged
  uint64_t reset_ms;         // until the whole quota is there again, as it
                             // stands; not clamped to the window
  uint64_t retry_after_ms;   // refused: until the cost would be admitted; the
                             // window where waiting cannot help
  uint64_t next_ms;          // as rl_item_t::next_ms; only if asked for
};

// A bucket that no unit has been charged to; key and tag are the caller's.  It
// needs no adapt().
void open(Bucket* bucket, const Shape& shape, const rl_time_t& now) noexcept;

// The quota that `shape` says, and the window (gcra: the rate) by which the
// bucket is kept: for a refund, which charges nothing and so must not rewrite
// what others have made of the bucket since its decision.
Shape kept_shape(const Bucket& bucket, const Shape& shape) noexcept;

// Brings a bucket to now and to the current shape, units in use staying used.
// True: what is stored no longer meant what it says (a longer window, a larger
// rate or another clock), and the adapted bucket must be stored even if the
// request is refused. Else the translation would start again at each retry,
// from that retry's time, and the retry-after of a refused client would never
// come true.  A shorter window is no such reason: it forgets what is older
// than itself, and that must not be what a request does that is not admitted.
bool adapt(Bucket* bucket, const Shape& shape, const rl_time_t& now) noexcept;

// The bucket must have been adapted to the same shape and time.
Evaluation evaluate(const Bucket& bucket, const Shape& shape,
                    uint64_t cost_units, bool want_next,
                    const rl_time_t& now) noexcept;

// The reset_ms of evaluate() alone: what a caller needs anew after a charge,
// since remaining_units is then less by what was charged.
uint64_t reset_ms(const Bucket& bucket, const Shape& shape,
                  const rl_time_t& now) noexcept;

// Charges units whether admitted or not (into debt), saturating; returns the
// charge id that names the window charged.  The bucket must have been adapted
// to the same shape and time, as for refund().
uint64_t charge(Bucket* bucket, const Shape& shape, uint64_t cost_units,
                const rl_time_t& now) noexcept;

// What try_charge() makes of a request.
enum class ChargeResult {
  kAdmitted,  // the bucket is charged, *charged says how it stands
  kRefused,   // the bucket is spoiled
  kUndecided  // it is spoiled, and nothing is known
};

struct Charged {
  uint64_t remaining_units;
  uint64_t reset_ms;  // as Evaluation::reset_ms
  uint64_t charge_id;
};

// What adapt(), evaluate() without next_ms, charge() and reset_ms() do, in one
// go and in half of their instructions, for the usual request: the bucket is
// of the current shape and clock, and the cost is at least 1.  limit_code is
// that of capacity_units.
ChargeResult try_charge(Bucket* bucket, const Shape& shape,
                        unsigned limit_code, uint64_t cost_units,
                        const rl_time_t& now, Charged* charged) noexcept;

// The next_ms of evaluate() alone, of a bucket that has just been charged and
// is not in debt.
uint64_t next_ms(const Bucket& bucket, const Shape& shape,
                 const rl_time_t& now) noexcept;

// Takes units back of the charged_units that were charged under `charge_id`:
// at most what is still there of them (sliding, fixed and calendar: of what
// was charged in the same window or a 16th of it).
void refund(Bucket* bucket, const Shape& shape, uint64_t charged_units,
            uint64_t units, uint64_t charge_id) noexcept;

// When the bucket is as good as none, from what is stored alone.
uint64_t idle_at_ms(const Bucket& bucket) noexcept;

// The share of the quota in use beyond a first unit, in 1/65536 of the limit
// (more in debt), from what is stored alone; a throttled bucket's is at least
// 65536, until it is idle.  A stranger's first unit is no debt: else a policy
// of quota 1 would always look fully in debt next to others.
uint32_t debt_share(const Bucket& bucket, uint64_t now_ms) noexcept;

// limit_code: 6 bits of exponent over 9 of mantissa.  Limits below
// kExactLimits are exact, greater ones rounded down by less than 1/512; 0
// stays 0.
constexpr uint64_t kExactLimits = 1024;

constexpr unsigned encode_limit(uint64_t limit_units) noexcept {
  const unsigned shift =
      limit_units < kExactLimits
          ? 0
          : 54u - static_cast<unsigned>(__builtin_clzll(limit_units));
  // 512 to 1023 carry into shift.
  return (shift << 9) + static_cast<unsigned>(limit_units >> shift);
}

constexpr uint64_t decode_limit(unsigned code) noexcept {
  return code < 512 ? code : uint64_t{512 + (code & 511)} << ((code >> 9) - 1);
}
static_assert(encode_limit(UINT64_MAX) < 1u << 15, "fits limit_code");

}  // namespace ratelimit

#endif  // RATELIMIT_ALGORITHM_BUCKET_H_
