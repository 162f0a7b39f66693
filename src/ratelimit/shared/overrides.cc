// Overrides that machines share: see abi/shared_override.h.
//
//   0   version, 8 bytes
//   8   horizon, 8
//   16  overrides of 72 bytes: whom it is for, the key's id, kind << 56 |
//       value, until when, version, 8 bytes each; the policy's name, 32
//
// Little-endian.

#include <algorithm>
#include <cstring>

#include "ratelimit/base/bytes.h"
#include "ratelimit/base/siphash.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/table/zone.h"

namespace ratelimit {

namespace {

constexpr size_t kHeadLen = 16;
constexpr unsigned kKindAt = 56;

// Twice that has room in a bucket: see rows.lua.
constexpr uint64_t kMostResets = uint64_t{1} << 47;

// A reset that is over is still heeded by all machines, so that one whose
// clock is behind has no bucket begin anew where another one goes by it no
// more.
constexpr uint64_t kHeededMs = 3600000;

// Another key than that of other hashes of the zone's.
constexpr uint64_t kNameDomain = 0x6f76657272696465u;

static_assert(RL_SHARED_OVERRIDE_LEN == 5 * 8 + RL_OVERRIDE_POLICY_LEN,
              "what write_one writes");

// What has happened, a reset, holds for nobody who comes later.
bool in_force(const rl_override_t& override, uint64_t server_ms) {
  return override.kind != RL_OVERRIDE_CLEARED &&
         override.kind != RL_OVERRIDE_KEY_RESET &&
         (override.until_ms == 0 || override.until_ms > server_ms);
}

const rl_shared_override_t* shared_of(const rl_shared_overrides_t& in,
                                      uint64_t id) {
  for (uint32_t i = 0; i < in.n; ++i) {
    if (in.overrides[i].override.id == id) return &in.overrides[i];
  }
  return nullptr;
}

bool is_valid(const rl_override_t& override) {
  switch (override.kind) {
    case RL_OVERRIDE_CLEARED:
    case RL_OVERRIDE_KEY_RESET:
    case RL_OVERRIDE_UNLIMITED:
      break;
    case RL_OVERRIDE_RESET:
      if (override.value >= kMostResets) return false;
      break;
    case RL_OVERRIDE_SCALE:
      if (override.value > UINT32_MAX) return false;
      break;
    case RL_OVERRIDE_UNITS:
      if (override.value > RL_MAX_UNITS) return false;
      break;
    default:
      return false;
  }
  return override.id != 0 && override.id != UINT64_MAX;
}

// False: nobody has written it.  An enumeration cannot hold a kind that there
// is not.
bool read_one(const unsigned char* bytes, rl_shared_override_t* out) {
  const uint64_t what = load_le64(bytes + 16);
  if (what >> kKindAt > RL_OVERRIDE_KEY_RESET) return false;
  out->override.id = load_le64(bytes);
  out->override.key_id = load_le64(bytes + 8);
  out->override.kind = static_cast<rl_override_kind_e>(what >> kKindAt);
  out->override.value = what & ((uint64_t{1} << kKindAt) - 1);
  out->override.until_ms = load_le64(bytes + 24);
  out->version = load_le64(bytes + 32);
  std::memcpy(out->override.policy, bytes + 40, RL_OVERRIDE_POLICY_LEN);
  return is_valid(out->override);
}

void write_one(const rl_shared_override_t& from, unsigned char* bytes) {
  store_le64(from.override.id, bytes);
  store_le64(from.override.key_id, bytes + 8);
  store_le64(uint64_t{from.override.kind} << kKindAt | from.override.value,
             bytes + 16);
  store_le64(from.override.until_ms, bytes + 24);
  store_le64(from.version, bytes + 32);
  std::memcpy(bytes + 40, from.override.policy, RL_OVERRIDE_POLICY_LEN);
}

// Of two maps, before there is room for both.
struct Union {
  uint64_t horizon;
  size_t n;
  rl_shared_override_t overrides[2 * RL_SHARED_OVERRIDES];
};

// Those of `from` that the other one does not know to be gone or outdated; of
// equal ones only one, which `ties` says.
void add_later(const rl_shared_overrides_t& from,
               const rl_shared_overrides_t& other, bool ties, Union* out) {
  for (uint32_t i = 0; i < from.n; ++i) {
    const rl_shared_override_t& one = from.overrides[i];
    const rl_shared_override_t* known = shared_of(other, one.override.id);
    const bool keep = known == nullptr ? one.version > other.horizon
                      : ties           ? one.version >= known->version
                                       : one.version > known->version;
    if (keep) out->overrides[out->n++] = one;
  }
}

// The oldest goes, of those that are not in force if there is one.
void drop_one(Union* all, uint64_t server_ms) {
  size_t i = 0;
  while (i < all->n && in_force(all->overrides[i].override, server_ms))
    ++i;
  if (i == all->n) i = 0;
  all->horizon = std::max(all->horizon, all->overrides[i].version);
  std::copy(all->overrides + i + 1, all->overrides + all->n,
            all->overrides + i);
  --all->n;
}

void settle(Union* all, uint64_t server_ms, rl_shared_overrides_t* out) {
  std::sort(all->overrides, all->overrides + all->n,
            [](const rl_shared_override_t& a, const rl_shared_override_t& b) {
              return a.version != b.version ? a.version < b.version
                                            : a.override.id < b.override.id;
            });
  while (all->n > RL_SHARED_OVERRIDES)
    drop_one(all, server_ms);
  out->horizon = all->horizon;
  out->n = static_cast<uint32_t>(all->n);
  std::copy(all->overrides, all->overrides + all->n, out->overrides);
}

bool have_same(const rl_shared_overrides_t& a,
               const rl_shared_overrides_t& b) {
  if (a.n != b.n || a.horizon != b.horizon) return false;
  for (uint32_t i = 0; i < a.n; ++i) {
    const rl_shared_override_t* one = shared_of(b, a.overrides[i].override.id);
    if (one == nullptr || one->version != a.overrides[i].version) return false;
  }
  return true;
}

// It is over later than the one before.
void name_reset(const rl_shared_overrides_t& in, rl_override_t* reset) {
  const rl_shared_override_t* before = shared_of(in, reset->id);
  reset->value = reset->until_ms;
  if (before != nullptr && before->override.kind == RL_OVERRIDE_RESET) {
    reset->value = std::max(reset->value, before->override.value + 1);
  }
  reset->until_ms = reset->value + kHeededMs;
}

unsigned char* put_hex(uint64_t value, unsigned char* buf) {
  for (int shift = 60; shift >= 0; shift -= 4) {
    *buf++ =
        static_cast<unsigned char>("0123456789abcdef"[value >> shift & 15]);
  }
  return buf;
}

}  // namespace

}  // namespace ratelimit

using ratelimit::load_le64;
using ratelimit::store_le64;

void rl_shared_overrides_key(const rl_zone_t* zone, rl_str_t zone_name,
                             unsigned char* buf) noexcept {
  constexpr char kStem[] = "{00}overrides:";
  static_assert(sizeof(kStem) - 1 + 16 == RL_SHARED_OVERRIDES_KEY_LEN, "");
  const ratelimit::ZoneHeader* header = ratelimit::header_of(zone);
  ratelimit::SipHash13 hash(header->seed[0] ^ ratelimit::kNameDomain,
                            header->seed[1]);
  hash.add(zone_name.data, zone_name.len);
  std::memcpy(buf, kStem, sizeof(kStem) - 1);
  ratelimit::put_hex(hash.finish().lo, buf + sizeof(kStem) - 1);
}

int rl_shared_overrides_read(const unsigned char* bytes, size_t len,
                             rl_shared_overrides_t* out) noexcept {
  using ratelimit::kHeadLen;
  if (len < kHeadLen || len > RL_SHARED_OVERRIDES_LEN ||
      (len - kHeadLen) % RL_SHARED_OVERRIDE_LEN != 0) {
    return RL_ERROR;
  }
  out->version = load_le64(bytes);
  out->horizon = load_le64(bytes + 8);
  out->n = 0;
  for (size_t at = kHeadLen; at < len; at += RL_SHARED_OVERRIDE_LEN) {
    rl_shared_override_t one;
    if (!ratelimit::read_one(bytes + at, &one) ||
        ratelimit::shared_of(*out, one.override.id) != nullptr) {
      return RL_ERROR;
    }
    out->overrides[out->n++] = one;
  }
  return RL_OK;
}

size_t rl_shared_overrides_write(const rl_shared_overrides_t* overrides,
                                 unsigned char* buf) noexcept {
  store_le64(overrides->version, buf);
  store_le64(overrides->horizon, buf + 8);
  size_t len = ratelimit::kHeadLen;
  for (uint32_t i = 0; i < overrides->n; ++i) {
    ratelimit::write_one(overrides->overrides[i], buf + len);
    len += RL_SHARED_OVERRIDE_LEN;
  }
  return len;
}

uint64_t rl_shared_overrides_next(const rl_shared_overrides_t* overrides,
                                  uint64_t server_ms,
                                  uint16_t random) noexcept {
  uint64_t last = std::max(overrides->version, overrides->horizon);
  for (uint32_t i = 0; i < overrides->n; ++i) {
    last = std::max(last, overrides->overrides[i].version);
  }
  return std::max((last >> 16) + 1, server_ms) << 16 | random;
}

int rl_shared_overrides_merge(const rl_shared_overrides_t* ours,
                              const rl_shared_overrides_t* theirs,
                              uint64_t server_ms,
                              rl_shared_overrides_t* out) noexcept {
  ratelimit::Union all;
  all.horizon = std::max(ours->horizon, theirs->horizon);
  all.n = 0;
  ratelimit::add_later(*ours, *theirs, false, &all);
  ratelimit::add_later(*theirs, *ours, true, &all);
  rl_shared_overrides_t merged;
  ratelimit::settle(&all, server_ms, &merged);
  const bool more = !ratelimit::have_same(merged, *theirs);
  merged.version = more ? 0 : theirs->version;
  *out = merged;
  return more;
}

int rl_shared_overrides_set(rl_shared_overrides_t* overrides,
                            const rl_override_t* override, uint64_t version,
                            uint64_t server_ms) noexcept {
  ratelimit::Union all;
  all.horizon = overrides->horizon;
  all.n = 0;
  uint32_t others = 0;
  rl_override_t added = *override;
  if (added.kind == RL_OVERRIDE_RESET) {
    ratelimit::name_reset(*overrides, &added);
  }
  for (uint32_t i = 0; i < overrides->n; ++i) {
    const rl_shared_override_t& one = overrides->overrides[i];
    if (one.override.id == override->id) continue;
    others += ratelimit::in_force(one.override, server_ms);
    all.overrides[all.n++] = one;
  }
  if (ratelimit::in_force(*override, server_ms) &&
      others >= RL_MAX_OVERRIDES) {
    return RL_ERROR;
  }
  all.overrides[all.n++] = {version, added};
  ratelimit::settle(&all, server_ms, overrides);
  return RL_OK;
}

size_t rl_shared_overrides_changes(const rl_shared_overrides_t* from,
                                   const rl_shared_overrides_t* to,
                                   rl_override_t* out) noexcept {
  size_t n = 0;
  for (uint32_t i = 0; i < to->n; ++i) {
    const rl_shared_override_t& one = to->overrides[i];
    const rl_shared_override_t* had =
        ratelimit::shared_of(*from, one.override.id);
    if (had == nullptr || had->version != one.version) {
      out[n++] = one.override;
    }
  }
  for (uint32_t i = 0; i < from->n; ++i) {
    const rl_override_t& had = from->overrides[i].override;
    if (had.kind == RL_OVERRIDE_CLEARED || had.kind == RL_OVERRIDE_KEY_RESET ||
        ratelimit::shared_of(*to, had.id) != nullptr) {
      continue;
    }
    out[n] = had;
    out[n++].kind = RL_OVERRIDE_CLEARED;
  }
  return n;
}
