// Tokens that were checked already, so that a signature is checked once and
// not on every request.
//
// Verified: a ring of entries, each the values of all claims, written one
// behind the other; the oldest are overwritten.  An index of positions that
// only grow finds them: a position is stale once the ring's head is further
// ahead than the ring is long, so nothing is ever freed or moved.  Only who
// has tokens that verify can push others out, and the price is one check.
//
// Refused: a table of fixed size, a slot a token, the newest wins.  It spares
// the second check where one request asks several times, and a client that
// repeats itself; a flood of different ones costs a check each.
//
// A match stands for a signature, so tokens are named by what is made to be a
// MAC, and not by the SipHash-1-3 of the buckets: 128 bits under a secret of
// this process and its forks.  It is built as UMAC is: NH makes 32 bytes of
// each kilobyte, of which those of two different tokens are the same once in
// 2^128, however they were chosen; and SipHash-2-4 hashes these, with the
// token's length and its set, so that no name tells anything of NH's key.  So
// it is as hard to forge as SipHash-2-4 of all the token, at two fifths of the
// instructions for one of 800 bytes.

#include <algorithm>
#include <cstring>

#include "ratelimit/jwt/jwt.h"
#include "ratelimit/base/nh.h"
#include "ratelimit/base/siphash.h"

namespace ratelimit {
namespace {

using TokenHash = SipHash<2, 4>;

// Some 10,000 tokens of one claim each; 1.2 MB a worker in all.
constexpr std::size_t kRingLen = 1048576;
constexpr std::size_t kWays = 4;
constexpr std::size_t kSets = 4096;
constexpr std::size_t kRefused = 1024;
// For so long at most a lack of memory can have a good token refused.
constexpr std::uint64_t kRefusedMs = 60000;

// Values are no longer than a token decodes to, and a claim may be asked for
// twice, by its name and by a pointer.
constexpr std::size_t kMaxValuesLen = 2 * (RL_JWT_MAX_TOKEN_LEN / 4 * 3);

// Behind it: the length of each claim's value, 32 bits each, then the values.
struct Entry {
  rl_hash_t token;
  std::int64_t from_ms;
  std::int64_t until_ms;
};

struct Refused {
  rl_hash_t token;
  std::uint64_t until_ms;
  const char* reason;
};

std::size_t align_up(std::size_t len) {
  return (len + 7) / 8 * 8;
}

}  // namespace
}  // namespace ratelimit

struct rl_jwt_cache_s {
  std::uint64_t seed[2];
  ratelimit::NhKey nh_key;
  const rl_str_t* claims;
  std::size_t nclaims;
  std::uint64_t head;  // where the next entry goes, modulo ring_len
  std::uint64_t ring_len;
  std::uint64_t index[ratelimit::kSets][ratelimit::kWays];
  ratelimit::Refused refused[ratelimit::kRefused];
};
static_assert(alignof(rl_jwt_cache_s) <= 8, "as callers allocate");

namespace ratelimit {
namespace {

Byte* ring_of(rl_jwt_cache_t* cache) {
  return reinterpret_cast<Byte*>(cache + 1);
}

Entry* entry_at(rl_jwt_cache_t* cache, std::uint64_t position) {
  return reinterpret_cast<Entry*>(ring_of(cache) + position % cache->ring_len);
}

std::size_t max_entry_len(std::size_t nclaims) {
  return align_up(sizeof(Entry) + nclaims * sizeof(std::uint32_t) +
                  kMaxValuesLen);
}

bool is_kept(const rl_jwt_cache_t* cache, std::uint64_t position) {
  return cache->head - position <= cache->ring_len;
}

rl_hash_t hash_token(const rl_jwt_cache_t* cache, const rl_jwt_set_t* set,
                     rl_str_t token) {
  TokenHash hash(cache->seed[0], cache->seed[1]);
  hash.add_word(set->id);
  hash.add_word(token.len);
  for (std::size_t at = 0; at < token.len; at += kNhLen) {
    const NhSums sums =
        nh(cache->nh_key, token.data + at, std::min(token.len - at, kNhLen));
    for (const NhSum sum : {sums.first, sums.second}) {
      hash.add_word(static_cast<std::uint64_t>(sum));
      hash.add_word(static_cast<std::uint64_t>(sum >> 64));
    }
  }
  return hash.finish();
}

// From the seed, by what hashes the tokens' sums, of words that are no
// token's: these are always of more than one.
void make_nh_key(rl_jwt_cache_t* cache) {
  std::uint64_t i = 0;
  for (std::uint64_t& word : cache->nh_key.words) {
    TokenHash hash(cache->seed[0], cache->seed[1]);
    hash.add_word(i++);
    word = hash.finish().lo;
  }
}

bool same(const rl_hash_t& a, const rl_hash_t& b) {
  return a.lo == b.lo && a.hi == b.hi;
}

const Entry* find_entry(rl_jwt_cache_t* cache, const rl_hash_t& token) {
  for (const std::uint64_t position : cache->index[token.lo % kSets]) {
    if (!is_kept(cache, position)) continue;
    const Entry* const entry = entry_at(cache, position);
    if (same(entry->token, token)) return entry;
  }
  return nullptr;
}

// Makes room in the ring, and an entry of the index: the oldest of its set.
Entry* add_entry(rl_jwt_cache_t* cache, const rl_hash_t& token,
                 std::size_t len) {
  len = align_up(len);
  const std::uint64_t start = cache->head % cache->ring_len;
  if (start + len > cache->ring_len) cache->head += cache->ring_len - start;
  std::uint64_t* const ways = cache->index[token.lo % kSets];
  std::uint64_t* oldest = ways;
  for (std::size_t i = 1; i < kWays; i++) {
    if (ways[i] < *oldest) oldest = &ways[i];
  }
  *oldest = cache->head;
  Entry* const entry = entry_at(cache, cache->head);
  cache->head += len;
  entry->token = token;
  return entry;
}

const Entry* store(rl_jwt_cache_t* cache, const rl_hash_t& token,
                   const Verified& verified) {
  Byte digits[kIntegerLen];
  const std::size_t lengths_len = cache->nclaims * sizeof(std::uint32_t);
  std::size_t len = sizeof(Entry) + lengths_len;
  for (std::size_t i = 0; i < cache->nclaims; i++) {
    len += claim_value(verified.payload, cache->claims[i], digits).len;
  }
  Entry* const entry = add_entry(cache, token, len);
  entry->from_ms = verified.from_ms;
  entry->until_ms = verified.until_ms;
  Byte* lengths = reinterpret_cast<Byte*>(entry + 1);
  Writer values{lengths + lengths_len};
  for (std::size_t i = 0; i < cache->nclaims; i++) {
    const rl_str_t value =
        claim_value(verified.payload, cache->claims[i], digits);
    const std::uint32_t value_len = static_cast<std::uint32_t>(value.len);
    std::memcpy(lengths, &value_len, sizeof(value_len));
    lengths += sizeof(value_len);
    values.put(value);
  }
  return entry;
}

rl_str_t value_of(const rl_jwt_cache_t* cache, const Entry* entry,
                  std::size_t claim) {
  const Byte* const lengths = reinterpret_cast<const Byte*>(entry + 1);
  const Byte* at = lengths + cache->nclaims * sizeof(std::uint32_t);
  std::uint32_t len = 0;
  for (std::size_t i = 0; i <= claim; i++) {
    at += len;
    std::memcpy(&len, lengths + i * sizeof(len), sizeof(len));
  }
  return {len, at};
}

// A clock that went back does not prolong it.
bool is_refused(const Refused& slot, const rl_hash_t& token,
                std::uint64_t now_ms) {
  return same(slot.token, token) && slot.until_ms - now_ms - 1 < kRefusedMs;
}

}  // namespace
}  // namespace ratelimit

size_t rl_jwt_cache_size(size_t nclaims) noexcept {
  static_assert(ratelimit::kRingLen % 8 == 0, "entries are aligned");
  return sizeof(rl_jwt_cache_t) + ratelimit::kRingLen +
         ratelimit::max_entry_len(nclaims);
}

rl_jwt_cache_t* rl_jwt_cache_create(void* memory, const rl_str_t* claims,
                                    size_t nclaims,
                                    const unsigned char seed[16]) noexcept {
  auto* const cache = static_cast<rl_jwt_cache_t*>(memory);
  std::memset(memory, 0, sizeof(rl_jwt_cache_t));
  cache->seed[0] = ratelimit::load_le64(seed);
  cache->seed[1] = ratelimit::load_le64(seed + 8);
  ratelimit::make_nh_key(cache);
  cache->claims = claims;
  cache->nclaims = nclaims;
  cache->ring_len = ratelimit::kRingLen + ratelimit::max_entry_len(nclaims);
  // So that a position of 0 is stale from the beginning.
  cache->head = 2 * cache->ring_len;
  return cache;
}

void rl_jwt_name(const rl_jwt_cache_t* cache, const rl_jwt_set_t* set,
                 rl_str_t text, rl_jwt_token_t* out) noexcept {
  out->text = text;
  if (text.len <= RL_JWT_MAX_TOKEN_LEN) {
    out->name = ratelimit::hash_token(cache, set, text);
  }
}

const char* rl_jwt_claim(rl_jwt_cache_t* cache, const rl_jwt_set_t* set,
                         const rl_jwt_token_t* token, size_t claim,
                         const rl_time_t* now, rl_str_t* out) noexcept {
  if (token->text.len > RL_JWT_MAX_TOKEN_LEN) return "is too long";
  const rl_hash_t name = token->name;
  const ratelimit::Entry* entry = ratelimit::find_entry(cache, name);
  if (entry == nullptr) {
    ratelimit::Refused& slot = cache->refused[name.lo % ratelimit::kRefused];
    if (ratelimit::is_refused(slot, name, now->wall_ms)) return slot.reason;
    ratelimit::Verified verified;
    const char* const error =
        ratelimit::verify_token(*set, token->text, &verified);
    if (error != nullptr) {
      slot = {name, now->wall_ms + ratelimit::kRefusedMs, error};
      return error;
    }
    entry = ratelimit::store(cache, name, verified);
    json_decref(verified.payload);
  }
  const auto now_ms = static_cast<std::int64_t>(now->wall_ms);
  if (now_ms < entry->from_ms) return "is not valid yet";
  if (now_ms >= entry->until_ms) return "has expired";
  *out = ratelimit::value_of(cache, entry, claim);
  return out->len != 0 ? nullptr : "has no such claim";
}
