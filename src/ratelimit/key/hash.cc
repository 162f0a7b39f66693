// Key hashes and policy secrets: see ratelimit.h.

#include "ratelimit/key/hash.h"

#include "ratelimit/base/siphash.h"
#include "ratelimit/table/zone.h"

namespace {

// Another key than that of key hashes, so that no client's key can be made
// whose hash equals a policy's secret.
constexpr uint64_t kSecretDomain = 0x7365637265740001u;

RATELIMIT_ALWAYS_INLINE void add_part(ratelimit::SipHash13* hash,
                                      const rl_str_t& part) {
  hash->add_word(part.len);
  hash->add(part.data, part.len);
}

}  // namespace

void rl_key_hash(const rl_zone_t* zone, const rl_str_t* parts, size_t n,
                 rl_hash_t* out) noexcept {
  if (n == 1) {
    rl_hash_prefix_t prefix;
    rl_hash_prefix(zone, {0, nullptr}, &prefix);
    const rl_part_t part = {&prefix, parts[0]};
    rl_part_hash(&part, out);
    return;
  }
  const ratelimit::ZoneHeader* header = ratelimit::header_of(zone);
  ratelimit::SipHash13 hash(header->seed[0], header->seed[1]);
  for (size_t i = 0; i < n; ++i) {
    add_part(&hash, parts[i]);
  }
  *out = hash.finish_key();
}

void rl_hash_prefix(const rl_zone_t* zone, rl_str_t tag,
                    rl_hash_prefix_t* out) noexcept {
  const ratelimit::ZoneHeader* header = ratelimit::header_of(zone);
  ratelimit::SipHash13 hash(header->seed[0] ^ ratelimit::kOnePartDomain,
                            header->seed[1]);
  const auto len = static_cast<unsigned>(tag.len);
  *out = hash.prefix(len == 0 ? 0 : ratelimit::load_few(tag.data, len));
}

void rl_part_hash(const rl_part_t* part, rl_hash_t* out) noexcept {
  *out = ratelimit::hash_of_key(*part);
}

void rl_policy_secret(const rl_zone_t* zone, rl_str_t name,
                      rl_algorithm_e algorithm, rl_str_t key_text,
                      rl_hash_t* out) noexcept {
  const ratelimit::ZoneHeader* header = ratelimit::header_of(zone);
  ratelimit::SipHash13 hash(header->seed[0] ^ kSecretDomain, header->seed[1]);
  add_part(&hash, name);
  hash.add_word(static_cast<uint64_t>(algorithm));
  add_part(&hash, key_text);
  *out = hash.finish();
}

uint64_t rl_key_id(const rl_policy_t* policy, uint64_t id) noexcept {
  return id ^ policy->secret.lo ^ policy->secret.hi;
}
