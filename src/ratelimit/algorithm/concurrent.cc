#include "ratelimit/algorithm/concurrent.h"

#include <algorithm>
#include <cstring>

#include "ratelimit/algorithm/charge_place.h"
#include "ratelimit/algorithm/holders.h"

// How holders are stored, in 44 bytes (Meta::window_hi says which):
//
//   kWords    up to 11 of any slots: slot << 20 | units
//   kBytes    the first one's slot in 2 bytes, then a count for each of the
//             42 slots from there on, up to 255
//   kNibbles  the same, 84 slots, up to 15
//
// Slots are taken from the lowest one on, so those of a machine's workers,
// and of the workers before a reload, lie side by side.

namespace ratelimit {
namespace {

enum Form : unsigned { kWords = kHolderWords, kBytes, kNibbles };

constexpr size_t kMaxWords = 11;
constexpr size_t kMaxBytes = 42;
constexpr size_t kMaxNibbles = 84;

struct Holder {
  uint32_t slot;
  uint32_t units;
};

struct Holders {
  size_t n = 0;
  Holder of[kMaxNibbles + 1];  // and one that there is no room for, perhaps

  void add(uint32_t slot, uint32_t units) { of[n++] = {slot, units}; }

  Holder* find(uint32_t slot) {
    for (size_t i = 0; i < n; ++i) {
      if (of[i].slot == slot) return &of[i];
    }
    return nullptr;
  }

  uint32_t units() const {
    uint64_t sum = 0;
    for (size_t i = 0; i < n; ++i) {
      sum += of[i].units;
    }
    return static_cast<uint32_t>(sum);  // of 85 times 2^20
  }

  template <class Is>
  void remove_if(const Is& is) {
    n = static_cast<size_t>(std::remove_if(of, of + n, is) - of);
  }
};

struct Dense {
  uint16_t first;
  unsigned char counts[kMaxBytes];
};
static_assert(sizeof(Dense) == sizeof(ConcurrentState::holders), "44 bytes");

Holders load_dense(const Bucket& bucket) {
  Dense dense;
  std::memcpy(&dense, bucket.concurrent.holders, sizeof(dense));
  Holders holders;
  const bool nibbles = bucket.window_hi == kNibbles;
  for (uint32_t i = 0; i < (nibbles ? kMaxNibbles : kMaxBytes); ++i) {
    const uint32_t units =
        nibbles ? uint32_t{dense.counts[i / 2]} >> (4 * (i % 2)) & 15
                : dense.counts[i];
    if (units != 0) holders.add(dense.first + i, units);
  }
  return holders;
}

Holders load(const Bucket& bucket) {
  if (bucket.window_hi != kWords) return load_dense(bucket);
  Holders holders;
  for (const uint32_t word : bucket.concurrent.holders) {
    const uint32_t units = word & kMaxUnits;
    if (units != 0) holders.add(word >> kUnitBits, units);
  }
  return holders;
}

bool store_dense(const Holders& holders, Form form, Bucket* bucket) {
  const size_t slots = form == kBytes ? kMaxBytes : kMaxNibbles;
  const uint32_t most = form == kBytes ? 255 : 15;
  uint32_t first = holders.of[0].slot;
  for (size_t i = 1; i < holders.n; ++i) {
    first = std::min(first, holders.of[i].slot);
  }
  Dense dense = {static_cast<uint16_t>(first), {}};
  for (size_t i = 0; i < holders.n; ++i) {
    const uint32_t at = holders.of[i].slot - first;
    const uint32_t units = holders.of[i].units;
    if (at >= slots || units > most) return false;
    if (form == kBytes) {
      dense.counts[at] = static_cast<unsigned char>(units);
    } else {
      dense.counts[at / 2] = static_cast<unsigned char>(
          dense.counts[at / 2] | units << (4 * (at % 2)));
    }
  }
  std::memcpy(bucket->concurrent.holders, &dense, sizeof(dense));
  bucket->window_hi = form & 7;
  return true;
}

// False: there is no room for them.
bool store(const Holders& holders, Bucket* bucket) {
  if (holders.n > kMaxWords) {
    return store_dense(holders, kBytes, bucket) ||
           store_dense(holders, kNibbles, bucket);
  }
  std::memset(bucket->concurrent.holders, 0,
              sizeof(bucket->concurrent.holders));
  for (size_t i = 0; i < holders.n; ++i) {
    bucket->concurrent.holders[i] =
        word_of(holders.of[i].slot, holders.of[i].units);
  }
  bucket->window_hi = kWords;
  return true;
}

void remove_dead(const rl_process_t* process, Holders* holders) {
  holders->remove_if([=](const Holder& holder) {
    return holder.slot != process->slot && has_died(process, holder.slot);
  });
}

// With `units` more of this process, which becomes the first one.
void hold(const rl_process_t* process, uint64_t units, Holders* holders) {
  Holder* own = holders->find(process->slot);
  if (own == nullptr) {
    holders->add(process->slot, 0);
    own = &holders->of[holders->n - 1];
  }
  own->units =
      static_cast<uint32_t>(std::min<uint64_t>(own->units + units, kMaxUnits));
  std::swap(*own, holders->of[0]);
}

// The bucket with `cost_units` more.  False: the limit does not allow it, or
// there is no room.
bool try_hold(const Bucket& bucket, const Shape& shape, Holders holders,
              uint64_t cost_units, Bucket* image) {
  if (holders.units() + cost_units > concurrent_limit(shape.units))
    return false;
  hold(shape.process, cost_units, &holders);
  *image = bucket;
  return store(holders, image);
}

}  // namespace

uint32_t concurrent_used_units(const Bucket& bucket) noexcept {
  return bucket.window_hi == kWords ? units_of_words(bucket.concurrent)
                                    : load_dense(bucket).units();
}

// Who opens it to be left alone may be nobody.
void concurrent_open(Bucket* bucket, const Shape& shape) noexcept {
  if (shape.process == nullptr) return;
  bucket->concurrent.checked = process_changes(shape.process);
}

void concurrent_adapt(Bucket* bucket, const Shape& shape) noexcept {
  ConcurrentState& state = bucket->concurrent;
  const uint32_t changes = process_changes(shape.process);
  if (state.checked == changes) return;
  Holders holders = load(*bucket);
  holders.remove_if([&](const Holder& holder) {
    return has_changed_hands(shape.process, holder.slot, state.checked);
  });
  store(holders, bucket);  // fewer than there were
  state.checked = changes;
}

Evaluation concurrent_evaluate(const Bucket& bucket, const Shape& shape,
                               uint64_t cost_units) noexcept {
  Holders holders = load(bucket);
  remove_dead(shape.process, &holders);
  const uint32_t used = holders.units();
  Bucket image;
  Evaluation evaluation = {};
  evaluation.admitted = try_hold(bucket, shape, holders, cost_units, &image);
  evaluation.remaining_units = used < concurrent_limit(shape.units)
                                   ? concurrent_limit(shape.units) - used
                                   : 0;
  evaluation.retry_after_ms = evaluation.admitted ? 0 : shape.window_ms;
  return evaluation;
}

uint64_t concurrent_charge(Bucket* bucket, const Shape& shape,
                           uint64_t cost_units) noexcept {
  Holders holders = load(*bucket);
  Bucket image;
  if (!try_hold(*bucket, shape, holders, cost_units, &image)) {
    remove_dead(shape.process, &holders);
    hold(shape.process, cost_units, &holders);
    store(holders, bucket);
    return bucket->stamp;
  }
  *bucket = image;
  return bucket->stamp;
}

ChargeResult concurrent_try_charge(Bucket* bucket, const Shape& shape,
                                   unsigned limit_code, uint64_t cost_units,
                                   Charged* charged) noexcept {
  concurrent_adapt(bucket, shape);
  const Holders holders = load(*bucket);
  Bucket image;
  if (!try_hold(*bucket, shape, holders, cost_units, &image)) {
    return ChargeResult::kUndecided;  // those who died may be in the way
  }
  *bucket = image;
  bucket->note_charge(limit_code);
  charged->remaining_units =
      concurrent_limit(shape.units) - holders.units() - cost_units;
  charged->reset_ms = 0;
  charged->charge_id = bucket->stamp;
  return ChargeResult::kAdmitted;
}

void concurrent_refund(Bucket* bucket, const Shape& shape, uint64_t units,
                       uint64_t charge_id) noexcept {
  if (charge_id != bucket->stamp) return;
  Holders holders = load(*bucket);
  Holder* own = holders.find(shape.process->slot);
  if (own == nullptr) return;
  own->units -= static_cast<uint32_t>(std::min<uint64_t>(own->units, units));
  holders.remove_if([](const Holder& holder) { return holder.units == 0; });
  store(holders, bucket);
}

}  // namespace ratelimit
