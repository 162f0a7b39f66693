#include "ratelimit/statistics/top_keys.h"

namespace ratelimit {

namespace {

// Weights halve every 2^15 ms.
constexpr unsigned kHalvingBits = 15;

constexpr unsigned kWeightBits = 40;
constexpr uint64_t kMaxWeight = (uint64_t{1} << kWeightBits) - 1;
constexpr uint64_t kEpochMask = (uint64_t{1} << (64 - kWeightBits)) - 1;

constexpr unsigned kWindowBits = 40;
static_assert(RL_MAX_WINDOW_MS < uint64_t{1} << kWindowBits, "months above");
constexpr uint64_t kDryRun = uint64_t{1} << 63;

// A lock is held for some hundred instructions.
constexpr uint64_t kLockExpiresMs = 1000;

// Who was not seen for so long and comes back is counted anew, so that
// "first seen" is not of another day's trouble.
constexpr uint64_t kPauseMs = 10 * 60 * 1000;

// Ordered, so that who sees a place's new fields sees its key gone or changed.
uint64_t load(const std::atomic<uint64_t>& word) {
  return word.load(std::memory_order_acquire);
}

void store(std::atomic<uint64_t>* word, uint64_t value) {
  word->store(value, std::memory_order_release);
}

uint64_t epoch_of(uint64_t now_ms) {
  return (now_ms >> kHalvingBits) & kEpochMask;
}

uint64_t weight_at(uint64_t word, uint64_t epoch) {
  const uint64_t passed = (epoch - (word >> kWeightBits)) & kEpochMask;
  if (passed > kEpochMask / 2) return word & kMaxWeight;  // a clock behind
  return passed < kWeightBits ? (word & kMaxWeight) >> passed : 0;
}

uint64_t weight_word(uint64_t weight, uint64_t epoch) {
  return epoch << kWeightBits | (weight < kMaxWeight ? weight : kMaxWeight);
}

void keep_terms(TopKey* place, const rl_item_t& item) {
  store(&place->quota_units, item.quota.units);
  store(&place->capacity_units, item.capacity_units);
  store(&place->window, (item.dry_run ? kDryRun : 0) |
                            uint64_t{item.quota.window_months} << kWindowBits |
                            item.quota.window_ms);
}

// Two processes that count the same key at once may lose one's weight, which
// is an estimate, but not its count.
void add(TopKey* place, const rl_item_t& item, uint64_t requests,
         uint64_t now_ms) {
  const uint64_t epoch = epoch_of(now_ms);
  const uint64_t last_seen_ms = load(place->last_seen_ms);
  store(&place->weight, weight_word(weight_at(load(place->weight), epoch) +
                                        (requests << kWeightFraction),
                                    epoch));
  if (now_ms > last_seen_ms + kPauseMs) {
    store(&place->first_seen_ms, now_ms);
    store(&place->requests, 0);
  }
  place->requests.fetch_add(requests, std::memory_order_relaxed);
  store(&place->last_seen_ms, now_ms);
  keep_terms(place, item);
}

// nullptr: not listed.
TopKey* find(TopSet* set, uint64_t key) {
  for (TopKey& place : set->keys) {
    if (load(place.key) == key) return &place;
  }
  return nullptr;
}

TopKey* lightest(TopSet* set, uint64_t epoch) {
  TopKey* best = nullptr;
  uint64_t best_weight = 0;
  for (TopKey& place : set->keys) {
    if (load(place.key) == 0) return &place;
    const uint64_t weight = weight_at(load(place.weight), epoch);
    if (best == nullptr || weight < best_weight ||
        (weight == best_weight &&
         load(place.last_seen_ms) < load(best->last_seen_ms))) {
      best = &place;
      best_weight = weight;
    }
  }
  return best;
}

// A process that is about to count the key that goes counts once for the one
// that comes: a stray request among estimates.
void replace(TopSet* set, const rl_item_t& item, uint64_t requests,
             uint64_t weight, uint64_t now_ms) {
  const uint64_t epoch = epoch_of(now_ms);
  TopKey* place = lightest(set, epoch);
  const uint64_t inherited =
      load(place->key) == 0 ? 0 : weight_at(load(place->weight), epoch);
  store(&place->key, 0);
  store(&place->weight,
        weight_word(inherited + (weight << kWeightFraction), epoch));
  store(&place->requests, requests);
  store(&place->first_seen_ms, now_ms);
  store(&place->last_seen_ms, now_ms);
  keep_terms(place, item);
  store(&place->key, item.bucket.lo);
}

// False: the place is free, or another key came into it meanwhile.
bool copy(const TopKey& place, uint64_t epoch, rl_top_key_t* out) {
  const uint64_t key = load(place.key);
  const uint64_t window = load(place.window);
  *out = {};
  out->key_id = key;
  // To the nearest: a single request is still seen after one halving, which
  // may come right behind it.
  const uint64_t weight = weight_at(load(place.weight), epoch);
  out->requests_last_minute =
      (weight + (1u << (kWeightFraction - 1))) >> kWeightFraction;
  out->requests = load(place.requests);
  out->first_seen_ms = load(place.first_seen_ms);
  out->last_seen_ms = load(place.last_seen_ms);
  out->capacity_units = load(place.capacity_units);
  out->quota.units = load(place.quota_units);
  out->dry_run = (window & kDryRun) != 0;
  out->quota.window_months =
      static_cast<uint32_t>((window & ~kDryRun) >> kWindowBits);
  out->quota.window_ms = window & ((uint64_t{1} << kWindowBits) - 1);
  return key != 0 && load(place.key) == key;
}

bool before(const rl_top_key_t& a, const rl_top_key_t& b) {
  return a.requests_last_minute != b.requests_last_minute
             ? a.requests_last_minute > b.requests_last_minute
             : a.last_seen_ms > b.last_seen_ms;
}

}  // namespace

bool try_lock(TopSet* set, uint64_t now_ms) {
  uint64_t locked_at = load(set->locked_at_ms);
  if (locked_at != 0 && now_ms < locked_at + kLockExpiresMs) return false;
  return set->locked_at_ms.compare_exchange_strong(locked_at, now_ms | 1,
                                                   std::memory_order_acquire,
                                                   std::memory_order_relaxed);
}

void unlock(TopSet* set) {
  set->locked_at_ms.store(0, std::memory_order_release);
}

Listing count_listed(TopKeys* list, const rl_item_t& item, uint64_t requests,
                     uint64_t now_ms) {
  const uint64_t key = item.bucket.lo;
  if (key == 0) return Listing::kCounted;  // one in 2^64: it looks like no key
  Listing room = Listing::kFull;
  for (TopKey& place : list->sets[top_set_of(key)].keys) {
    const uint64_t listed = load(place.key);
    if (listed == key) {
      add(&place, item, requests, now_ms);
      return Listing::kCounted;
    }
    if (listed == 0) room = Listing::kRoom;
  }
  return room;
}

void list_key(TopKeys* list, const rl_item_t& item, uint64_t requests,
              uint64_t weight, uint64_t now_ms) {
  TopSet* set = &list->sets[top_set_of(item.bucket.lo)];
  if (!try_lock(set, now_ms)) return;
  // Another process may have been faster.
  TopKey* place = find(set, item.bucket.lo);
  if (place != nullptr) {
    add(place, item, requests, now_ms);
  } else {
    replace(set, item, requests, weight, now_ms);
  }
  unlock(set);
}

size_t top_keys(const TopKeys& list, uint64_t now_ms, rl_top_key_t* out,
                size_t max) {
  size_t n = 0;
  for (const TopSet& set : list.sets) {
    for (const TopKey& place : set.keys) {
      rl_top_key_t next;
      if (!copy(place, epoch_of(now_ms), &next)) continue;
      size_t at = n < max ? n++ : max;  // insertion; the last one falls off
      if (at == max && (max == 0 || !before(next, out[--at]))) continue;
      for (; at > 0 && before(next, out[at - 1]); --at) {
        out[at] = out[at - 1];
      }
      out[at] = next;
    }
  }
  return n;
}

bool find_top_key(const TopKeys& list, uint64_t key, uint64_t now_ms,
                  rl_top_key_t* out) {
  for (const TopKey& place : list.sets[top_set_of(key)].keys) {
    if (key != 0 && load(place.key) == key) {
      return copy(place, epoch_of(now_ms), out) && out->key_id == key;
    }
  }
  return false;
}

}  // namespace ratelimit
