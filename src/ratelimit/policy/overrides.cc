// Overrides that an operator sets at run time: see ratelimit.h.
//
// A handful of words in the zone's header, read by every request of the zone
// and written once in a while.  A reader takes no lock: an override becomes
// visible when its id is stored, last; one that is being changed is read with
// the old value or the new one, and either was in force a moment ago.  Writers
// hold the lock of the zone's first set, since a zone that begins to move
// takes its overrides along.
//
// Overrides that are over are read past until nobody's is in force: then
// whoever notices says so in the header's flags, without a lock, and they cost
// nothing any more.  Setting one changes the flags in any case, so that such a
// word, which knows nothing of it, comes too late.

#include <algorithm>
#include <cstring>

#include "ratelimit/table/lock.h"
#include "ratelimit/table/resize.h"
#include "ratelimit/table/zone.h"

namespace ratelimit {

namespace {

constexpr uint64_t kFreeOverride = 0;
// Being written.  If its writer dies now, the place is lost, nothing else.
constexpr uint64_t kClaimedOverride = UINT64_MAX;

uint32_t overrides_used(const ZoneHeader* header) {
  return header->flags.load(std::memory_order_acquire) & kOverridesUsed;
}

// Those of the new memory, once the zone has begun to move there.
ZoneHeader* overrides_of(const rl_zone_t* zone) {
  return header_of(has_moved_on(zone) ? zone->next : zone);
}

bool in_force(const rl_override_t& override, const rl_time_t& now) {
  return override.until_ms == 0 || override.until_ms > now.mono_ms;
}

bool is_set(const rl_override_t& override, const rl_time_t& now) {
  return override.id != kFreeOverride && override.id != kClaimedOverride &&
         in_force(override, now);
}

// Ordered, so that who sees a place's new fields sees its id claimed or
// changed afterwards.
uint64_t load_word(const std::atomic<uint64_t>& word) {
  return word.load(std::memory_order_acquire);
}

void store_word(std::atomic<uint64_t>* word, uint64_t value) {
  word->store(value, std::memory_order_release);
}

// A kind stands above the value.
constexpr unsigned kKindAt = 56;
static_assert(RL_MAX_UNITS < uint64_t{1} << kKindAt, "below it");

// What a request needs, which is not whose it is.
rl_override_t read(const Override& override) {
  const uint64_t what = load_word(override.what);
  rl_override_t out;
  out.until_ms = load_word(override.until_ms);
  out.id = load_word(override.id);
  out.kind = static_cast<rl_override_kind_e>(what >> kKindAt);
  out.value = what & ((uint64_t{1} << kKindAt) - 1);
  return out;
}

// False: the place has become another override's meanwhile.
bool read_all(const Override& override, rl_override_t* out) {
  const uint64_t id = load_word(override.id);
  *out = read(override);
  out->key_id = load_word(override.key_id);
  for (size_t i = 0; i < sizeof(out->policy) / 8; ++i) {
    const uint64_t word = load_word(override.policy[i]);
    std::memcpy(out->policy + 8 * i, &word, sizeof(word));
  }
  return out->id == id && load_word(override.id) == id;
}

void write(const rl_override_t& from, Override* to) {
  for (size_t i = 0; i < sizeof(from.policy) / 8; ++i) {
    uint64_t word;
    std::memcpy(&word, from.policy + 8 * i, sizeof(word));
    store_word(&to->policy[i], word);
  }
  store_word(&to->key_id, from.key_id);
  store_word(&to->what, uint64_t{from.kind} << kKindAt | from.value);
  store_word(&to->until_ms, from.until_ms);
  store_word(&to->id, from.id);
}

// In force or over.
Override* find_override(ZoneHeader* header, uint64_t id) {
  for (Override& override : header->overrides) {
    if (load_word(override.id) == id) {
      return &override;
    }
  }
  return nullptr;
}

// Makes those who read look at an override that has been written.
void announce(ZoneHeader* header, const Override* override) {
  constexpr uint32_t kOneChange = kOverridesUsed + 1;
  const auto needed = static_cast<uint32_t>(override - header->overrides) + 1;
  uint32_t word = header->flags.load(std::memory_order_relaxed);
  uint32_t next;
  do {
    const uint32_t used = word & kOverridesUsed;
    next = (word & kMoving) | ((word + kOneChange) & ~kMoving);
    next += used < needed ? needed - used : 0;
  } while (!header->flags.compare_exchange_weak(word, next));
}

// Where none is in force: nobody has to look any more.
void forget_those_over(ZoneHeader* header, const rl_time_t& now) {
  uint32_t word = header->flags.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < (word & kOverridesUsed); ++i) {
    if (is_set(read(header->overrides[i]), now)) return;
  }
  header->flags.compare_exchange_strong(word, word & ~kOverridesUsed);
}

// A free place, or one whose time is over.
Override* claim_override(ZoneHeader* header, const rl_time_t& now) {
  for (uint32_t i = 0; i < RL_MAX_OVERRIDES; ++i) {
    Override* override = &header->overrides[i];
    uint64_t id = load_word(override->id);
    const bool taken = id == kClaimedOverride ||
                       (id != kFreeOverride && in_force(read(*override), now));
    if (!taken && override->id.compare_exchange_strong(id, kClaimedOverride)) {
      return override;
    }
  }
  return nullptr;
}

// Of a policy's mark, which is no override of its quota.
uint64_t reset_id_of(const rl_policy_t* policy) {
  constexpr uint64_t kReset = 0x7265736574206174u;
  return policy->secret.lo ^ kReset;
}

// After so long nothing is left of what was charged before.
constexpr uint64_t kLongestResetMs = 2 * RL_MAX_WINDOW_MS;

// The mark in force, or nullptr.
const Override* mark_of(const rl_policy_t* policy, const rl_time_t& now) {
  const ZoneHeader* header = overrides_of(policy->zone);
  const uint32_t n = overrides_used(header);
  const uint64_t id = reset_id_of(policy);
  for (uint32_t i = 0; i < n; ++i) {
    const Override& place = header->overrides[i];
    if (load_word(place.id) == id) {
      return is_set(read(place), now) ? &place : nullptr;
    }
  }
  return nullptr;
}

// For how long units may count, at the most, of those that machines share and
// that are charged by now.  Twice, as an override may have them drain more
// slowly; and leases.
uint64_t longest_counted_ms(const rl_policy_t* policy,
                            const rl_quota_t* quota) {
  constexpr uint64_t kLeasesMs = 60000;
  if (quota == nullptr) return kLongestResetMs;
  uint64_t ms = quota->window_ms;
  if (policy->algorithm == RL_GCRA) {
    if (quota->units == 0) return kLongestResetMs;
    const uint64_t windows = rl_capacity_units(policy, quota) / quota->units;
    if (windows >= kLongestResetMs / ms) return kLongestResetMs;
    ms *= windows + 1;
  }
  return std::min(2 * ms + kLeasesMs, kLongestResetMs);
}

// Where the overrides are, and stay until `make` has changed them.
template <class Make>
int change(rl_process_t* process, const rl_zone_t* zone, const Make& make) {
  if (process == nullptr) {
    return make(header_of(zone));
  }
  for (;;) {
    go_on(process);
    Locks locks(process);
    const bool taken = locks.take(set_at(zone, 0));
    if (!has_moved_on(zone)) {
      const int result = taken ? make(header_of(zone)) : int{RL_TIMEOUT};
      locks.release_all();
      return result;
    }
    locks.release_all();
  }
}

}  // namespace

}  // namespace ratelimit

using ratelimit::Override;
using ratelimit::ZoneHeader;

int rl_override_set(rl_process_t* process, const rl_zone_t* zone,
                    const rl_override_t* override,
                    const rl_time_t* now) noexcept {
  return ratelimit::change(process, zone, [=](ZoneHeader* header) {
    Override* place = ratelimit::find_override(header, override->id);
    if (place == nullptr) {
      place = ratelimit::claim_override(header, *now);
    }
    if (place == nullptr) {
      return RL_ERROR;
    }
    ratelimit::write(*override, place);
    ratelimit::announce(header, place);
    return RL_OK;
  });
}

int rl_override_clear(rl_process_t* process, const rl_zone_t* zone,
                      uint64_t id) noexcept {
  return ratelimit::change(process, zone, [=](ZoneHeader* header) {
    Override* place = ratelimit::find_override(header, id);
    if (place == nullptr) {
      return RL_ERROR;
    }
    ratelimit::store_word(&place->id, ratelimit::kFreeOverride);
    ratelimit::forget_those_over(header, {0, 0});
    return RL_OK;
  });
}

size_t rl_overrides(const rl_zone_t* zone, const rl_time_t* now,
                    rl_override_t* out) noexcept {
  const ZoneHeader* header = ratelimit::overrides_of(zone);
  const uint32_t n = ratelimit::overrides_used(header);
  size_t found = 0;
  for (uint32_t i = 0; i < n; ++i) {
    rl_override_t override;
    if (ratelimit::read_all(header->overrides[i], &override) &&
        ratelimit::is_set(override, *now)) {
      out[found++] = override;
    }
  }
  return found;
}

int rl_override_apply(const rl_policy_t* policy, const rl_hash_t* bucket,
                      const rl_time_t* now, rl_quota_t* quota) noexcept {
  ZoneHeader* header = ratelimit::overrides_of(policy->zone);
  int decides = 0;
  const uint32_t n = ratelimit::overrides_used(header);
  bool any = false;
  uint32_t scales[3];
  size_t nscales = 0;
  for (uint32_t i = 0; i < n; ++i) {
    const uint64_t id = ratelimit::load_word(header->overrides[i].id);
    const rl_override_t override = ratelimit::read(header->overrides[i]);
    if (!ratelimit::is_set(override, *now)) {
      continue;
    }
    any = true;
    const bool is_key = id == bucket->lo;
    if (override.id != id ||
        (!is_key && id != policy->secret.lo && id != RL_OVERRIDE_ZONE)) {
      continue;
    }
    decides |= override.kind != RL_OVERRIDE_SCALE;
    switch (override.kind) {
      case RL_OVERRIDE_SCALE:
        if (nscales < sizeof(scales) / sizeof(scales[0])) {
          scales[nscales++] = static_cast<uint32_t>(override.value);
        }
        break;
      case RL_OVERRIDE_UNITS:
        quota->units = override.value;
        quota->unlimited = 0;
        break;
      case RL_OVERRIDE_UNLIMITED:
        quota->unlimited = 1;
        break;
      case RL_OVERRIDE_CLEARED:    // of shared ones only, and no zone's
      case RL_OVERRIDE_KEY_RESET:  // likewise
      case RL_OVERRIDE_RESET:      // has an id that is nobody's
        break;
    }
    if (is_key && override.kind != RL_OVERRIDE_SCALE) {
      return decides;
    }
  }
  if (!any && n != 0) {
    ratelimit::forget_those_over(header, *now);
  }
  if (nscales != 0) {
    quota->units = rl_scale_units(quota->units, scales, nscales);
  }
  return decides;
}

int rl_policy_reset(rl_process_t* process, const rl_policy_t* policy,
                    const rl_time_t* now) noexcept {
  rl_override_t mark{};
  mark.id = ratelimit::reset_id_of(policy);
  mark.kind = RL_OVERRIDE_RESET;
  mark.key_id = now->mono_ms + 1;  // than which what was charged is older
  mark.until_ms = now->mono_ms + ratelimit::kLongestResetMs;
  return rl_override_set(process, policy->zone, &mark, now);
}

int rl_policy_reset_until(rl_process_t* process, const rl_policy_t* policy,
                          uint64_t at_ms, uint64_t until_ms,
                          const rl_time_t* now) noexcept {
  const uint64_t id = ratelimit::reset_id_of(policy);
  return ratelimit::change(process, policy->zone, [=](ZoneHeader* header) {
    Override* place = ratelimit::find_override(header, id);
    if (place == nullptr || ratelimit::load_word(place->key_id) != at_ms) {
      return RL_ERROR;
    }
    ratelimit::store_word(&place->until_ms, until_ms == 0 ? 1 : until_ms);
    ratelimit::forget_those_over(header, *now);
    return RL_OK;
  });
}

uint64_t rl_policy_reset_at(const rl_policy_t* policy,
                            const rl_time_t* now) noexcept {
  const Override* mark = ratelimit::mark_of(policy, *now);
  return mark == nullptr ? 0 : ratelimit::load_word(mark->key_id);
}

void rl_policy_shared_mark(const rl_policy_t* policy, const rl_quota_t* quota,
                           rl_override_t* out) noexcept {
  *out = {};
  out->id = ratelimit::reset_id_of(policy);
  out->kind = RL_OVERRIDE_RESET;
  out->until_ms = ratelimit::longest_counted_ms(policy, quota);
}

uint64_t rl_policy_shared_reset(const rl_policy_t* policy,
                                const rl_time_t* now) noexcept {
  const Override* mark = ratelimit::mark_of(policy, *now);
  return mark == nullptr ? 0 : ratelimit::read(*mark).value;
}
