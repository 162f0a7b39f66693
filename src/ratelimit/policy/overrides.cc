// Levers that an operator sets at run time: see ratelimit.h.
//
// A handful of words in the zone's header, read by every request of the zone
// and written once in a while.  A reader takes no lock: a lever becomes
// visible when its id is stored, last; one that is being changed is read with
// the old value or the new one, and either was in force a moment ago.  Writers
// hold the lock of the zone's first set, since a zone that begins to move
// takes its levers along.

#include <cstring>

#include "ratelimit/table/lock.h"
#include "ratelimit/table/resize.h"
#include "ratelimit/table/zone.h"

namespace ratelimit {

namespace {

constexpr uint64_t kFreeLever = 0;
// Being written.  If its writer dies now, the place is lost, nothing else.
constexpr uint64_t kClaimedLever = UINT64_MAX;

uint32_t levers_used(const ZoneHeader* header) {
  return header->detours.load(std::memory_order_acquire) & ~kMoving;
}

// Those of the new memory, once the zone has begun to move there.
ZoneHeader* levers_of(const rl_zone_t* zone) {
  return header_of(has_moved_on(zone) ? zone->next : zone);
}

bool in_force(const rl_lever_t& lever, const rl_time_t& now) {
  return lever.until_ms == 0 || lever.until_ms > now.mono_ms;
}

// What a request needs, which is not whose it is.
rl_lever_t read(const Lever& lever) {
  const uint64_t what = lever.what.load(std::memory_order_relaxed);
  rl_lever_t out;
  out.id = lever.id.load(std::memory_order_relaxed);
  out.until_ms = lever.until_ms.load(std::memory_order_relaxed);
  out.kind = static_cast<rl_lever_kind_e>(what >> 32);
  out.value = static_cast<uint32_t>(what);
  return out;
}

// False: the place has become another lever's meanwhile.
bool read_all(const Lever& lever, rl_lever_t* out) {
  const uint64_t id = lever.id.load(std::memory_order_acquire);
  *out = read(lever);
  out->key_id = lever.key_id.load(std::memory_order_relaxed);
  for (size_t i = 0; i < sizeof(out->policy) / 8; ++i) {
    const uint64_t word = lever.policy[i].load(std::memory_order_relaxed);
    std::memcpy(out->policy + 8 * i, &word, sizeof(word));
  }
  std::atomic_thread_fence(std::memory_order_acquire);
  return out->id == id && lever.id.load(std::memory_order_relaxed) == id;
}

void write(const rl_lever_t& from, Lever* to) {
  for (size_t i = 0; i < sizeof(from.policy) / 8; ++i) {
    uint64_t word;
    std::memcpy(&word, from.policy + 8 * i, sizeof(word));
    to->policy[i].store(word, std::memory_order_relaxed);
  }
  to->key_id.store(from.key_id, std::memory_order_relaxed);
  to->what.store(uint64_t{from.kind} << 32 | from.value,
                 std::memory_order_relaxed);
  to->until_ms.store(from.until_ms, std::memory_order_relaxed);
  to->id.store(from.id, std::memory_order_release);
}

Lever* find_lever(ZoneHeader* header, uint64_t id) {
  const uint32_t n = levers_used(header);
  for (uint32_t i = 0; i < n; ++i) {
    if (header->levers[i].id.load(std::memory_order_acquire) == id) {
      return &header->levers[i];
    }
  }
  return nullptr;
}

// A free place, or one whose time is over.
Lever* claim_lever(ZoneHeader* header, const rl_time_t& now) {
  for (uint32_t i = 0; i < RL_MAX_LEVERS; ++i) {
    Lever* lever = &header->levers[i];
    uint64_t id = lever->id.load(std::memory_order_acquire);
    const bool taken = id == kClaimedLever ||
                       (id != kFreeLever && in_force(read(*lever), now));
    if (taken || !lever->id.compare_exchange_strong(id, kClaimedLever)) {
      continue;
    }
    uint32_t word = header->detours.load(std::memory_order_relaxed);
    while ((word & ~kMoving) <= i && !header->detours.compare_exchange_weak(
                                         word, (word & kMoving) | (i + 1))) {
    }
    return lever;
  }
  return nullptr;
}

// Where the levers are, and stay until `make` has changed them.
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
      const int result = taken ? make(header_of(zone)) : int{RL_BUSY};
      locks.release_all();
      return result;
    }
    locks.release_all();
  }
}

}  // namespace

}  // namespace ratelimit

using ratelimit::Lever;
using ratelimit::ZoneHeader;

int rl_lever_set(rl_process_t* process, const rl_zone_t* zone,
                 const rl_lever_t* lever, const rl_time_t* now) noexcept {
  return ratelimit::change(process, zone, [=](ZoneHeader* header) {
    Lever* place = ratelimit::find_lever(header, lever->id);
    if (place == nullptr) {
      place = ratelimit::claim_lever(header, *now);
    }
    if (place == nullptr) {
      return RL_ERROR;
    }
    ratelimit::write(*lever, place);
    return RL_OK;
  });
}

int rl_lever_clear(rl_process_t* process, const rl_zone_t* zone,
                   uint64_t id) noexcept {
  return ratelimit::change(process, zone, [=](ZoneHeader* header) {
    Lever* place = ratelimit::find_lever(header, id);
    if (place == nullptr) {
      return RL_ERROR;
    }
    place->id.store(ratelimit::kFreeLever, std::memory_order_release);
    return RL_OK;
  });
}

size_t rl_levers(const rl_zone_t* zone, const rl_time_t* now,
                 rl_lever_t* out) noexcept {
  const ZoneHeader* header = ratelimit::levers_of(zone);
  const uint32_t n = ratelimit::levers_used(header);
  size_t found = 0;
  for (uint32_t i = 0; i < n; ++i) {
    rl_lever_t lever;
    if (ratelimit::read_all(header->levers[i], &lever) &&
        lever.id != ratelimit::kFreeLever &&
        lever.id != ratelimit::kClaimedLever &&
        ratelimit::in_force(lever, *now)) {
      out[found++] = lever;
    }
  }
  return found;
}

int rl_lever_apply(const rl_policy_t* policy, const rl_hash_t* bucket,
                   const rl_time_t* now, rl_quota_t* quota) noexcept {
  const ZoneHeader* header = ratelimit::levers_of(policy->zone);
  int decides = 0;
  const uint32_t n = ratelimit::levers_used(header);
  uint32_t scales[3];
  size_t nscales = 0;
  for (uint32_t i = 0; i < n; ++i) {
    const uint64_t id = header->levers[i].id.load(std::memory_order_acquire);
    const bool is_key = id == bucket->lo;
    if (!is_key && id != policy->secret.lo && id != RL_LEVER_ZONE) {
      continue;
    }
    const rl_lever_t lever = ratelimit::read(header->levers[i]);
    if (lever.id != id || !ratelimit::in_force(lever, *now)) {
      continue;
    }
    decides |= lever.kind != RL_LEVER_SCALE;
    switch (lever.kind) {
      case RL_LEVER_SCALE:
        if (nscales < sizeof(scales) / sizeof(scales[0])) {
          scales[nscales++] = lever.value;
        }
        break;
      case RL_LEVER_UNITS:
        quota->units = lever.value;
        quota->unlimited = 0;
        break;
      case RL_LEVER_UNLIMITED:
        quota->unlimited = 1;
        break;
    }
    if (is_key && lever.kind != RL_LEVER_SCALE) {
      return decides;
    }
  }
  if (nscales != 0) {
    quota->units = rl_scale_units(quota->units, scales, nscales);
  }
  return decides;
}
