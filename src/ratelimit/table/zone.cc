#include "ratelimit/table/zone.h"

#include <new>

#include "ratelimit/base/siphash.h"

namespace ratelimit {

namespace {

// Another key than that of key hashes: an id tells nothing about them.
constexpr uint64_t kIdDomain = 0x7a6f6e6569640001u;

constexpr uint64_t kWarningEveryMs = 60 * 1000;

constexpr uint64_t sets_in(uint64_t size) {
  return (size - sizeof(ZoneHeader)) / sizeof(Set);
}

static_assert(RL_MAX_ZONE_LEN / sizeof(Bucket) - 1 <= UINT32_MAX,
              "redo_logs name a bucket by its line of 64 bytes, in 32 bits");

bool is_usable(const void* memory, size_t size) {
  return reinterpret_cast<uintptr_t>(memory) % alignof(Set) == 0 &&
         size >= sizeof(ZoneHeader) + sizeof(Set) && size <= RL_MAX_ZONE_LEN;
}

}  // namespace

}  // namespace ratelimit

using ratelimit::header_of;
using ratelimit::ZoneHeader;

int rl_zone_create(rl_zone_t* zone, void* memory, size_t size,
                   const unsigned char seed[16]) noexcept {
  if (!ratelimit::is_usable(memory, size)) {
    return RL_ERROR;
  }
  // Everything is written, but for the buckets, which do not exist until their
  // set says so.
  auto* header = new (memory) ZoneHeader{};
  header->seed[0] = ratelimit::load_le64(seed);
  header->seed[1] = ratelimit::load_le64(seed + 8);
  ratelimit::SipHash13 hash(header->seed[0] ^ ratelimit::kIdDomain,
                            header->seed[1]);
  header->id = static_cast<uint32_t>(hash.finish().lo);
  header->size = size;
  header->sets = static_cast<uint32_t>(ratelimit::sets_in(size));
  header->version = ratelimit::kLayoutVersion;

  zone->memory = memory;
  zone->sets = header->sets;
  zone->id = header->id;
  zone->next = nullptr;
  zone->older = nullptr;
  for (uint32_t i = 0; i < zone->sets; ++i) {
    ratelimit::Set* set = ratelimit::set_at(zone, i);
    std::memset(static_cast<void*>(set), 0,
                sizeof(ratelimit::Set) - sizeof(set->buckets));
  }
  // Last: what has this number is a whole zone.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  header->magic = ratelimit::kZoneMagic;
  return RL_OK;
}

int rl_zone_has_seed(const rl_zone_t* zone,
                     const unsigned char seed[16]) noexcept {
  const ratelimit::ZoneHeader* header = ratelimit::header_of(zone);
  return header->seed[0] == ratelimit::load_le64(seed) &&
         header->seed[1] == ratelimit::load_le64(seed + 8);
}

int rl_zone_attach(rl_zone_t* zone, void* memory, size_t size) noexcept {
  if (!ratelimit::is_usable(memory, size)) {
    return RL_ERROR;
  }
  const auto* header = static_cast<const ZoneHeader*>(memory);
  if (header->magic != ratelimit::kZoneMagic ||
      header->version != ratelimit::kLayoutVersion || header->size != size ||
      header->sets != ratelimit::sets_in(size)) {
    return RL_ERROR;
  }
  zone->memory = memory;
  zone->sets = header->sets;
  zone->id = header->id;
  zone->next = nullptr;
  zone->older = nullptr;
  return RL_OK;
}

void rl_zone_stats(const rl_zone_t* zone, int scan, const rl_time_t* now,
                   rl_zone_stats_t* out) noexcept {
  const ZoneHeader* header = header_of(zone);
  *out = {};
  out->capacity = uint64_t{zone->sets} * ratelimit::kBucketsPerSet;
  out->evicted_idle = header->evicted_idle.load(std::memory_order_relaxed);
  out->evicted_active = header->evicted_active.load(std::memory_order_relaxed);
  out->lock_recoveries =
      header->lock_recoveries.load(std::memory_order_relaxed);
  if (scan) {
    rl_zone_scan(zone, 0, zone->sets, now, out);
  }
}

int rl_zone_full_warning(const rl_zone_t* zone, const rl_time_t* now,
                         uint64_t* evicted) noexcept {
  ZoneHeader* header = header_of(zone);
  const uint64_t evictions =
      header->evicted_active.load(std::memory_order_relaxed);
  if (evictions == header->warned_active.load(std::memory_order_relaxed)) {
    return 0;
  }
  uint64_t warned_at = header->warned_at_ms.load(std::memory_order_relaxed);
  // A clock that is behind the last warning's counts as no time gone by.
  if (warned_at != 0 &&
      now->mono_ms < warned_at + ratelimit::kWarningEveryMs) {
    return 0;
  }
  const uint64_t stamp = now->mono_ms == 0 ? 1 : now->mono_ms;
  if (!header->warned_at_ms.compare_exchange_strong(warned_at, stamp)) {
    return 0;
  }
  *evicted = evictions - header->warned_active.exchange(evictions);
  return 1;
}
