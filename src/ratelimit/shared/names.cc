// What buckets are called in Redis.

#include <cstring>

#include "ratelimit/base/bytes.h"
#include "ratelimit/shared/lease.h"

namespace ratelimit {

namespace {

uint64_t mix(uint64_t x) {
  x = (x ^ x >> 32) * 0x9e3779b97f4a7c15u;
  return x ^ x >> 29;
}

unsigned char* put_tag(uint32_t shard, unsigned char* buf) {
  constexpr char kHex[] = "0123456789abcdef";
  *buf++ = '{';
  *buf++ = static_cast<unsigned char>(kHex[shard >> 4]);
  *buf++ = static_cast<unsigned char>(kHex[shard & 15]);
  *buf++ = '}';
  return buf;
}

// Digits of six bits, the lowest first: RFC 4648, 5 has them.
unsigned char* put_digits(uint64_t value, int n, unsigned char* buf) {
  constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (; n > 0; --n, value >>= 6) {
    *buf++ = static_cast<unsigned char>(kDigits[value & 63]);
  }
  return buf;
}

// 92 bits of a name, of which the tag has eight.  With "ratelimit:" before it
// this is as long as fits into an allocation of 32 bytes in Redis; two more
// would take 48.
void put_key(const rl_hash_t& name, unsigned char* buf) {
  buf = put_tag(shard_of(name), buf);
  buf = put_digits(name.lo, 9, buf);
  put_digits((name.lo >> 54 & 3) | (name.hi >> 36) << 2, 5, buf);
}

uint32_t crc16(const unsigned char* bytes, size_t n) {
  uint32_t crc = 0;
  for (size_t i = 0; i < n; ++i) {
    crc ^= static_cast<uint32_t>(bytes[i]) << 8;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 : crc << 1;
    }
  }
  return crc & 0xffff;
}

}  // namespace

// A bucket in Redis belongs to its window as well, so that a row's times mean
// one thing.
rl_hash_t name_of(const rl_item_t& item) {
  uint64_t window = mix(item.quota.window_ms);
  if (item.policy->algorithm == RL_CALENDAR) {
    window = mix(window + item.quota.window_months);
    window = mix(window + static_cast<uint32_t>(item.policy->tz_ms));
  }
  return {item.bucket.lo ^ window, item.bucket.hi ^ mix(window)};
}

}  // namespace ratelimit

uint32_t rl_lease_shard(const rl_lease_t* lease) noexcept {
  return ratelimit::shard_of(lease->name);
}

void rl_lease_key(const rl_lease_t* lease, unsigned char* buf) noexcept {
  ratelimit::put_key(lease->name, buf);
}

uint32_t rl_item_shard(const rl_item_t* item) noexcept {
  return ratelimit::shard_of(ratelimit::name_of(*item));
}

void rl_item_key(const rl_item_t* item, unsigned char* buf) noexcept {
  ratelimit::put_key(ratelimit::name_of(*item), buf);
}

void rl_shard_key(uint32_t shard, unsigned char* buf) noexcept {
  std::memcpy(ratelimit::put_tag(shard, buf), "gen", 3);
}

uint32_t rl_hash_slot(rl_str_t key) noexcept {
  for (size_t i = 0; i < key.len; ++i) {
    if (key.data[i] != '{') continue;
    const auto* close = static_cast<const unsigned char*>(
        std::memchr(key.data + i, '}', key.len - i));
    if (close != nullptr && close > key.data + i + 1) {
      key.data += i + 1;
      key.len = static_cast<size_t>(close - key.data);
    }
    break;
  }
  return ratelimit::crc16(key.data, key.len) % 16384;
}
