// A zone's active buckets as bytes, and back: see ratelimit.h.
//
// The bytes are those of this machine: the file goes back to the machine it
// came from, and one of another byte order or layout has another magic number
// or version.  Whatever a file holds, however long it is and whoever changes
// it meanwhile, loading it needs no more memory than a block and ends where
// the file does; what a block says is taken only after its checksum was right.

#include <cstring>

#include "ratelimit/algorithm/rebase.h"
#include "ratelimit/base/siphash.h"
#include "ratelimit/table/transfer.h"
#include "ratelimit/table/zone.h"

namespace ratelimit {

namespace {

constexpr uint64_t kStateMagic = 0x6574617473746c72u;  // "rltstate"
constexpr uint32_t kStateVersion = 4;
constexpr uint32_t kBlockMagic = 0x6b6c626cu;  // "lblk"
constexpr uint32_t kEndMagic = 0x646e656cu;    // "lend"

// The zone's last copy as one number: when it began, above how long it took.
constexpr unsigned kTookBits = 24;
constexpr uint64_t kMaxTookMs = (uint64_t{1} << kTookBits) - 1;

struct StateOverride {  // without padding
  uint64_t id;
  uint64_t until_ms;
  uint64_t kind;
  uint64_t value;
  uint64_t key_id;
  char policy[RL_OVERRIDE_POLICY_LEN];
};

struct StateHeader {
  uint64_t magic;
  uint32_t version;
  uint32_t layout;
  uint64_t seed[2];
  unsigned char boot_id[16];
  uint64_t mono_ms;
  uint64_t wall_ms;
  uint64_t noverrides;
  StateOverride overrides[RL_MAX_OVERRIDES];
  uint64_t spare;
  uint64_t checksum[2];
};
static_assert(sizeof(StateHeader) == RL_STATE_HEADER_LEN, "as promised");

struct StateBucket {
  uint64_t tag;
  unsigned char bucket[sizeof(Bucket)];
};

struct StateBlock {
  uint32_t magic;
  uint32_t n;
  uint64_t first_set;  // so no block may stand twice, or out of its order
  uint64_t checksum[2];
  // StateBucket[n] follows
};
static_assert(sizeof(StateBlock) +
                      RL_STATE_SETS * kBucketsPerSet * sizeof(StateBucket) ==
                  RL_STATE_BLOCK_LEN,
              "as promised");

struct StateEnd {
  uint32_t magic;
  uint32_t spare;
  uint64_t buckets;
  uint64_t checksum[2];
};
static_assert(sizeof(StateEnd) == RL_STATE_END_LEN, "as promised");

// Of a part whose checksum is zero, and what follows it, under the secret: a
// domain of its own, so that it is the hash of no key.
rl_hash_t checksum_of(const uint64_t seed[2], const void* part, size_t len,
                      const void* rest = nullptr, size_t rest_len = 0) {
  SipHash13 hash(seed[0] ^ kStateMagic, seed[1]);
  hash.add(static_cast<const unsigned char*>(part), len);
  hash.add(static_cast<const unsigned char*>(rest), rest_len);
  return hash.finish();
}

template <class Part>
void seal(const uint64_t seed[2], Part* part, const void* rest = nullptr,
          size_t rest_len = 0) {
  part->checksum[0] = part->checksum[1] = 0;
  const rl_hash_t sum = checksum_of(seed, part, sizeof(Part), rest, rest_len);
  part->checksum[0] = sum.lo;
  part->checksum[1] = sum.hi;
}

template <class Part>
bool is_sealed(const uint64_t seed[2], Part part, const void* rest = nullptr,
               size_t rest_len = 0) {
  const uint64_t told[2] = {part.checksum[0], part.checksum[1]};
  seal(seed, &part, rest, rest_len);
  return told[0] == part.checksum[0] && told[1] == part.checksum[1];
}

// How far this clock is ahead of the one of the file, for one moment.
int64_t clock_delta_ms(const StateHeader& header, const unsigned char* boot_id,
                       const rl_time_t& now) {
  const bool same_boot =
      std::memcmp(header.boot_id, boot_id, sizeof(header.boot_id)) == 0;
  if (same_boot && now.mono_ms >= header.mono_ms) {
    return 0;
  }
  // A wall clock that was set back counts as no time gone by.
  uint64_t gone_ms =
      now.wall_ms > header.wall_ms ? now.wall_ms - header.wall_ms : 0;
  // After two windows of the longest kind everything is idle.
  if (gone_ms > 2 * RL_MAX_WINDOW_MS) {
    gone_ms = 2 * RL_MAX_WINDOW_MS;
  }
  return static_cast<int64_t>(now.mono_ms) -
         static_cast<int64_t>(header.mono_ms + gone_ms);
}

struct Reader {
  rl_state_read_t read;
  void* data;

  bool take(void* part, size_t len) const {
    return read(data, static_cast<unsigned char*>(part), len) == len;
  }
};

StateOverride stored(const rl_override_t& override) {
  StateOverride out = {override.id,    override.until_ms, override.kind,
                       override.value, override.key_id,   {}};
  std::memcpy(out.policy, override.policy, sizeof(out.policy));
  return out;
}

rl_override_t loaded(const StateOverride& override) {
  rl_override_t out = {override.id,
                       override.until_ms,
                       static_cast<rl_override_kind_e>(override.kind),
                       override.value,
                       override.key_id,
                       {}};
  std::memcpy(out.policy, override.policy, sizeof(out.policy));
  return out;
}

bool is_sound(const StateOverride& override) {
  return override.kind >= RL_OVERRIDE_SCALE &&
         override.kind <= RL_OVERRIDE_RESET &&
         override.value <= RL_MAX_UNITS &&
         (override.kind != RL_OVERRIDE_SCALE ||
          override.value <= UINT32_MAX) &&
         override.until_ms < uint64_t{1} << 41;
}

uint64_t on_this_clock(uint64_t time_ms, int64_t delta_ms) {
  const int64_t moved = static_cast<int64_t>(time_ms) + delta_ms;
  return moved > 0 ? static_cast<uint64_t>(moved) : 1;
}

void load_overrides(const rl_zone_t* zone, const StateHeader& header,
                    int64_t delta_ms, const rl_time_t& now) {
  for (uint64_t i = 0; i < header.noverrides && i < RL_MAX_OVERRIDES; ++i) {
    if (!is_sound(header.overrides[i])) {
      continue;
    }
    rl_override_t override = loaded(header.overrides[i]);
    if (override.until_ms != 0) {
      override.until_ms = on_this_clock(override.until_ms, delta_ms);
      if (override.until_ms <= now.mono_ms) {
        continue;
      }
    }
    if (override.kind == RL_OVERRIDE_RESET) {
      override.key_id = on_this_clock(override.key_id, delta_ms);
    }
    rl_override_set(nullptr, zone, &override, &now);
  }
}

uint64_t load_bucket(const rl_zone_t* zone, const StateBucket& entry,
                     int64_t delta_ms, const rl_time_t& now) {
  Bucket bucket;
  std::memcpy(static_cast<void*>(&bucket), entry.bucket, sizeof(bucket));
  if (!is_sound(bucket)) {
    return 0;
  }
  rebase_clock(&bucket, delta_ms);
  if (idle_at_ms(bucket) <= now.mono_ms) {
    return 0;
  }
  return insert(zone, bucket, static_cast<uint8_t>(entry.tag), now.mono_ms);
}

const char* check_end(const Reader& reader, const StateBlock& block,
                      const uint64_t seed[2], uint64_t buckets) {
  StateEnd end;
  static_assert(sizeof(end) == sizeof(block), "told apart by their magic");
  std::memcpy(&end, &block, sizeof(end));
  unsigned char more;
  return is_sealed(seed, end) && end.buckets == buckets &&
                 !reader.take(&more, sizeof(more))
             ? nullptr
             : "is damaged";
}

// Adds to *loaded what was active.  NULL where every part was whole.
const char* load_blocks(const rl_zone_t* zone, const Reader& reader,
                        const StateHeader& header, int64_t delta_ms,
                        const rl_time_t& now, uint64_t* loaded) {
  StateBucket entries[RL_STATE_SETS * kBucketsPerSet];
  uint64_t buckets = 0;
  uint64_t next_set = 0;
  for (;;) {
    StateBlock block;
    if (!reader.take(&block, sizeof(block))) {
      return "is cut short";
    }
    if (block.magic == kEndMagic) {
      return check_end(reader, block, header.seed, buckets);
    }
    const size_t len = size_t{block.n} * sizeof(StateBucket);
    if (block.magic != kBlockMagic || block.first_set < next_set ||
        len > sizeof(entries)) {
      return "is damaged";
    }
    if (!reader.take(entries, len)) {
      return "is cut short";
    }
    if (!is_sealed(header.seed, block, entries, len)) {
      return "is damaged";
    }
    next_set = block.first_set + 1;
    buckets += block.n;
    for (uint32_t i = 0; i < block.n; ++i) {
      *loaded += load_bucket(zone, entries[i], delta_ms, now);
    }
  }
}

}  // namespace

}  // namespace ratelimit

using ratelimit::header_of;
using ratelimit::StateHeader;

void rl_state_header(const rl_zone_t* zone, const unsigned char boot_id[16],
                     const rl_time_t* now, unsigned char* buf) noexcept {
  const ratelimit::ZoneHeader* zone_header = header_of(zone);
  StateHeader header{};
  header.magic = ratelimit::kStateMagic;
  header.version = ratelimit::kStateVersion;
  header.layout = ratelimit::kLayoutVersion;
  header.seed[0] = zone_header->seed[0];
  header.seed[1] = zone_header->seed[1];
  std::memcpy(header.boot_id, boot_id, sizeof(header.boot_id));
  header.mono_ms = now->mono_ms;
  header.wall_ms = now->wall_ms;
  rl_override_t overrides[RL_MAX_OVERRIDES];
  header.noverrides = rl_overrides(zone, now, overrides);
  for (uint64_t i = 0; i < header.noverrides; ++i) {
    header.overrides[i] = ratelimit::stored(overrides[i]);
  }
  ratelimit::seal(header.seed, &header);
  std::memcpy(buf, &header, sizeof(header));
}

size_t rl_state_sets(rl_process_t* process, const rl_zone_t* zone,
                     uint32_t first, uint32_t n, const rl_time_t* now,
                     unsigned char* buf, uint64_t* buckets) noexcept {
  ratelimit::StateBlock block{};
  block.magic = ratelimit::kBlockMagic;
  block.first_set = first;
  unsigned char* out = buf + sizeof(block);
  for (uint32_t s = first; s < first + n && s < zone->sets; ++s) {
    ratelimit::SetCopy copy;
    ratelimit::copy_set(process, ratelimit::set_at(zone, s), &copy);
    for (uint32_t i = 0; i < ratelimit::kBucketsPerSet; ++i) {
      if (!copy.is_active(i, now->mono_ms) ||
          copy.buckets[i].algorithm == RL_CONCURRENT) {
        continue;
      }
      ratelimit::StateBucket entry = {copy.tags[i], {}};
      std::memcpy(entry.bucket, &copy.buckets[i], sizeof(entry.bucket));
      std::memcpy(out, &entry, sizeof(entry));
      out += sizeof(entry);
      ++block.n;
    }
  }
  if (block.n == 0) {
    return 0;
  }
  const auto len = static_cast<size_t>(out - buf);
  ratelimit::seal(header_of(zone)->seed, &block, buf + sizeof(block),
                  len - sizeof(block));
  std::memcpy(buf, &block, sizeof(block));
  *buckets += block.n;
  return len;
}

void rl_state_end(const rl_zone_t* zone, uint64_t buckets,
                  unsigned char* buf) noexcept {
  ratelimit::StateEnd end{};
  end.magic = ratelimit::kEndMagic;
  end.buckets = buckets;
  ratelimit::seal(header_of(zone)->seed, &end);
  std::memcpy(buf, &end, sizeof(end));
}

const char* rl_state_load(const rl_zone_t* zone, rl_state_read_t read,
                          void* data, const unsigned char boot_id[16],
                          const rl_time_t* now, uint64_t* buckets) noexcept {
  const ratelimit::Reader reader = {read, data};
  StateHeader header;
  if (!reader.take(&header, sizeof(header))) {
    return "is cut short";
  }
  if (header.magic != ratelimit::kStateMagic) {
    return "is not a state file of this module";
  }
  if (header.version != ratelimit::kStateVersion ||
      header.layout != ratelimit::kLayoutVersion) {
    return "is of another version of the module";
  }
  if (!ratelimit::is_sealed(header.seed, header) ||
      header.mono_ms >= uint64_t{1} << 40) {
    return "is damaged";
  }
  const int64_t delta_ms = ratelimit::clock_delta_ms(header, boot_id, *now);
  ratelimit::ZoneHeader* zone_header = header_of(zone);
  zone_header->seed[0] = header.seed[0];
  zone_header->seed[1] = header.seed[1];
  ratelimit::load_overrides(zone, header, delta_ms, *now);
  uint64_t loaded = 0;
  const char* wrong =
      ratelimit::load_blocks(zone, reader, header, delta_ms, *now, &loaded);
  *buckets = wrong == nullptr ? loaded : 0;
  return wrong;
}

uint64_t rl_state_interval_ms(const rl_zone_t* zone) noexcept {
  const uint64_t took_ms =
      header_of(zone)->last_copy.load(std::memory_order_relaxed) &
      ratelimit::kMaxTookMs;
  const uint64_t rest_ms = RL_STATE_REST * took_ms;
  return rest_ms > RL_STATE_INTERVAL_MS ? rest_ms : RL_STATE_INTERVAL_MS;
}

uint64_t rl_state_due(const rl_zone_t* zone, const rl_time_t* now) noexcept {
  const uint64_t interval_ms = rl_state_interval_ms(zone);
  std::atomic<uint64_t>* begun = &header_of(zone)->copy_begun_ms;
  uint64_t begun_ms = begun->load(std::memory_order_relaxed);
  if (begun_ms != 0 && now->mono_ms < begun_ms + interval_ms) {
    return begun_ms + interval_ms - now->mono_ms;
  }
  const uint64_t stamp = now->mono_ms == 0 ? 1 : now->mono_ms;
  return begun->compare_exchange_strong(begun_ms, stamp) ? 0 : interval_ms;
}

void rl_state_written(const rl_zone_t* zone, uint64_t file, uint64_t began_ms,
                      const rl_time_t* now) noexcept {
  const uint64_t took_ms =
      now->mono_ms > began_ms ? now->mono_ms - began_ms : 0;
  header_of(zone)->last_copy.store(
      began_ms << ratelimit::kTookBits |
          (took_ms < ratelimit::kMaxTookMs ? took_ms : ratelimit::kMaxTookMs),
      std::memory_order_relaxed);
  header_of(zone)->copied_to.store(file, std::memory_order_relaxed);
}

uint64_t rl_state_last(const rl_zone_t* zone) noexcept {
  return header_of(zone)->copied_to.load(std::memory_order_relaxed);
}

uint64_t rl_state_age_ms(const rl_zone_t* zone,
                         const rl_time_t* now) noexcept {
  const uint64_t last =
      header_of(zone)->last_copy.load(std::memory_order_relaxed);
  if (last == 0) {
    return UINT64_MAX;
  }
  const uint64_t began_ms = last >> ratelimit::kTookBits;
  return now->mono_ms > began_ms ? now->mono_ms - began_ms : 0;
}
