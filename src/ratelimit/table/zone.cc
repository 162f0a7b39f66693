#include "ratelimit/table/zone.h"

#include <new>

#include "ratelimit/base/siphash.h"

namespace ratelimit {

namespace {

// Another key than that of key hashes: an id tells nothing about them.
constexpr uint64_t kIdDomain = 0x7a6f6e6569640001u;

constexpr uint64_t kWarningEveryMs = 60 * 1000;

constexpr uint64_t use_words_len(uint64_t sets) {
  return (sets + kSetsPerUseWord - 1) / kSetsPerUseWord * sizeof(uint64_t);
}

// With the words that say which of them are used.
constexpr uint64_t sets_in(uint64_t size) {
  const uint64_t room = size - sizeof(ZoneHeader);
  uint64_t sets = room / sizeof(Set);
  while (sets > 0 && sets * sizeof(Set) + use_words_len(sets) > room) {
    --sets;
  }
  return sets;
}

// Of the memory's bytes from `from` to `to` those that lie below `end`.
void clear_below(unsigned char* from, unsigned char* to,
                 const unsigned char* end) {
  if (from < end) {
    std::memset(from, 0, static_cast<size_t>((to < end ? to : end) - from));
  }
}

static_assert(RL_MAX_ZONE_LEN / sizeof(Bucket) - 1 <= UINT32_MAX,
              "redo_logs name a bucket by its line of 64 bytes, in 32 bits");

bool is_usable(const void* memory, size_t size) {
  return reinterpret_cast<uintptr_t>(memory) % alignof(Set) == 0 &&
         size >= sizeof(ZoneHeader) && sets_in(size) > 0 &&
         size <= RL_MAX_ZONE_LEN;
}

}  // namespace

uint32_t next_used(const rl_zone_t* zone, uint32_t index) {
  while (index < zone->sets) {
    const uint64_t word =
        use_word_of(zone, index)->load(std::memory_order_acquire);
    const uint32_t bit = index / kSetsPerUseBit % 64;
    const uint64_t rest = word >> bit;
    if ((rest & 1) != 0) {
      return index;
    }
    const uint32_t skipped =
        rest == 0 ? 64 - bit : static_cast<uint32_t>(__builtin_ctzll(rest));
    index = (index / kSetsPerUseBit + skipped) * kSetsPerUseBit;
  }
  return zone->sets;
}

}  // namespace ratelimit

using ratelimit::header_of;
using ratelimit::ZoneHeader;

int rl_zone_create(rl_zone_t* zone, void* memory, size_t size,
                   size_t used_len, const unsigned char seed[16]) noexcept {
  if (!ratelimit::is_usable(memory, size)) {
    return RL_ERROR;
  }
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
  // Buckets do not exist until their set says so.
  auto* bytes = static_cast<unsigned char*>(memory);
  const unsigned char* used_end = bytes + used_len;
  for (uint32_t i = 0; i < zone->sets; ++i) {
    ratelimit::Set* set = ratelimit::set_at(zone, i);
    auto* line = reinterpret_cast<unsigned char*>(set);
    if (line >= used_end) {
      break;
    }
    ratelimit::clear_below(line, line + ratelimit::kSetHeaderLen, used_end);
  }
  auto* words = reinterpret_cast<unsigned char*>(
      ratelimit::set_at(zone, zone->sets));
  ratelimit::clear_below(words, words + ratelimit::use_words_len(zone->sets),
                         used_end);
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

uint32_t rl_zone_next_used(const rl_zone_t* zone, uint32_t set) noexcept {
  return ratelimit::next_used(zone, set);
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
    rl_zone_scan(zone, 0, zone->sets, now, out, nullptr, 0);
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
