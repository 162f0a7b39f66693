// The leases of a process: found by bucket, in the order of their use, waited
// for.

#include <cstring>
#include <new>

#include "ratelimit/base/bytes.h"
#include "ratelimit/shared/lease.h"

struct rl_leases_s {
  uint32_t size;
  uint32_t mask;  // of chains
  uint32_t made;  // of the leases, those that were ever used
  uint32_t newest;
  uint32_t oldest;
  uint64_t next_row;
  bool borrow;
  rl_lease_s* leases;
  uint32_t* chains;
  ratelimit::TimingWheel wheel;
};

namespace ratelimit {

namespace {

// Of those that were not used for longest, so many are looked at for one that
// nobody waits for.
constexpr unsigned kMaxSteps = 64;

uint64_t mix(uint64_t x) {
  x = (x ^ x >> 32) * 0x9e3779b97f4a7c15u;
  return x ^ x >> 29;
}

uint32_t chains_for(uint32_t n) {
  uint32_t chains = 8;
  while (chains < n && chains < 1u << 31)
    chains *= 2;
  return chains;
}

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

uint32_t* chain_of(rl_leases_t* leases, const rl_hash_t& name) {
  return &leases->chains[name.lo & leases->mask];
}

void unchain(rl_leases_t* leases, uint32_t index) {
  uint32_t* at = chain_of(leases, leases->leases[index].name);
  while (*at != index)
    at = &leases->leases[*at].next;
  *at = leases->leases[index].next;
}

void take_out(rl_leases_t* leases, uint32_t index) {
  const rl_lease_s& lease = leases->leases[index];
  (lease.newer == kNoLease ? leases->newest
                           : leases->leases[lease.newer].older) = lease.older;
  (lease.older == kNoLease ? leases->oldest
                           : leases->leases[lease.older].newer) = lease.newer;
}

void put_first(rl_leases_t* leases, uint32_t index) {
  rl_lease_s* lease = &leases->leases[index];
  lease->newer = kNoLease;
  lease->older = leases->newest;
  (leases->newest == kNoLease ? leases->oldest
                              : leases->leases[leases->newest].newer) = index;
  leases->newest = index;
}

void move_first(rl_leases_t* leases, uint32_t index) {
  if (index == leases->newest) return;
  take_out(leases, index);
  put_first(leases, index);
}

uint32_t index_of(rl_leases_t* leases, const rl_hash_t& name) {
  uint32_t index = *chain_of(leases, name);
  while (index != kNoLease && (leases->leases[index].name.lo != name.lo ||
                               leases->leases[index].name.hi != name.hi)) {
    index = leases->leases[index].next;
  }
  return index;
}

auto link_of(rl_leases_t* leases) {
  return [leases](uint32_t index) -> WheelLink& {
    return leases->leases[index].borrowing.link;
  };
}

uint32_t room(rl_leases_t* leases) {
  if (leases->made < leases->size) return leases->made++;
  uint32_t index = leases->oldest;
  for (unsigned i = 0; i < kMaxSteps && index != kNoLease; ++i) {
    const rl_lease_s& lease = leases->leases[index];
    if (lease.first == nullptr && !lease.is_sent) {
      unchain(leases, index);
      take_out(leases, index);
      leases->wheel.remove(index, link_of(leases));
      return index;
    }
    index = lease.newer;
  }
  return kNoLease;
}

// What an override may change of a bucket that keeps its name.
void set_quota(const rl_item_t& item, rl_lease_s* lease) {
  lease->quota_units = item.quota.units;
  lease->capacity_units = item.capacity_units;
}

void set_policy(const rl_item_t& item, rl_lease_s* lease) {
  lease->algorithm = item.policy->algorithm;
  lease->window_months = item.quota.window_months;
  lease->tz_ms = item.policy->tz_ms;
  lease->window_ms = item.quota.window_ms;
  set_quota(item, lease);
}

}  // namespace

void watch_end(rl_lease_s* lease, uint64_t now_us) noexcept {
  rl_leases_t* leases = lease->owner;
  const auto index = static_cast<uint32_t>(lease - leases->leases);
  leases->wheel.remove(index, link_of(leases));
  uint64_t* check_us = &lease->borrowing.check_us;
  if (*check_us == 0) return;
  leases->wheel.insert(index, *check_us, now_us, link_of(leases));
  // The wheel is early by up to a tick.
  *check_us = *check_us >> kWheelTickShift << kWheelTickShift;
}

}  // namespace ratelimit

using ratelimit::kNoLease;

size_t rl_leases_size(uint32_t n) noexcept {
  return sizeof(rl_leases_s) + n * sizeof(rl_lease_s) +
         ratelimit::chains_for(n) * sizeof(uint32_t);
}

rl_leases_t* rl_leases_create(void* memory, uint32_t n, uint64_t first_row,
                              int borrow) noexcept {
  auto* leases = new (memory) rl_leases_s();
  const uint32_t chains = ratelimit::chains_for(n);
  leases->size = n;
  leases->mask = chains - 1;
  leases->newest = leases->oldest = kNoLease;
  leases->next_row = first_row;
  leases->borrow = borrow != 0;
  leases->wheel.clear();
  leases->leases = reinterpret_cast<rl_lease_s*>(leases + 1);
  leases->chains = reinterpret_cast<uint32_t*>(leases->leases + n);
  std::memset(leases->chains, 0xff, chains * sizeof(uint32_t));
  return leases;
}

rl_lease_t* rl_lease_find(rl_leases_t* leases, const rl_item_t* item,
                          int make) noexcept {
  const rl_hash_t name = ratelimit::name_of(*item);
  uint32_t index = ratelimit::index_of(leases, name);
  if (index == kNoLease) {
    if (!make) return nullptr;
    index = ratelimit::room(leases);
    if (index == kNoLease) return nullptr;
    auto* lease = new (&leases->leases[index]) rl_lease_s();
    uint32_t* chain = ratelimit::chain_of(leases, name);
    lease->owner = leases;
    lease->name = name;
    lease->borrowing.allowed = leases->borrow;
    lease->next = *chain;
    lease->row = leases->next_row++;
    lease->is_first = true;
    *chain = index;
    ratelimit::put_first(leases, index);
  } else {
    ratelimit::move_first(leases, index);
  }
  ratelimit::set_policy(*item, &leases->leases[index]);
  return &leases->leases[index];
}

rl_lease_t* rl_lease_ready(rl_leases_t* leases, const rl_item_t* item,
                           uint64_t now_us) noexcept {
  const uint32_t index =
      ratelimit::index_of(leases, ratelimit::name_of(*item));
  if (index == kNoLease) return nullptr;
  rl_lease_s* lease = &leases->leases[index];
  if (item->cost_units == 0 || lease->waits_units + item->cost_units >
                                   ratelimit::in_hand(*lease, now_us)) {
    return nullptr;
  }
  ratelimit::move_first(leases, index);
  ratelimit::set_quota(*item, lease);
  return lease;
}

rl_lease_t* rl_lease_next(rl_leases_t* leases, rl_lease_t* last) noexcept {
  rl_lease_t* next = last == nullptr ? leases->leases : last + 1;
  return next == leases->leases + leases->made ? nullptr : next;
}

rl_lease_t* rl_lease_older(rl_leases_t* leases, rl_lease_t* last) noexcept {
  const uint32_t index = last == nullptr ? leases->newest : last->older;
  return index == kNoLease ? nullptr : &leases->leases[index];
}

rl_lease_t* rl_leases_ending(rl_leases_t* leases, uint64_t now_us) noexcept {
  const uint32_t index =
      leases->wheel.take(now_us, ratelimit::link_of(leases));
  return index == kNoLease ? nullptr : &leases->leases[index];
}

uint64_t rl_leases_next_us(const rl_leases_t* leases) noexcept {
  return leases->wheel.next_us;
}

int rl_lease_wait(rl_lease_t* lease, rl_waiter_t* waiter,
                  uint64_t units) noexcept {
  if (lease->waiters == RL_MAX_WAITERS) return RL_ERROR;
  waiter->lease = lease;
  waiter->units = units;
  waiter->next = nullptr;
  waiter->previous = lease->last;
  (lease->last == nullptr ? lease->first : lease->last->next) = waiter;
  lease->last = waiter;
  lease->waiters++;
  lease->lookers += units == 0;
  lease->waits_units += units;
  return RL_OK;
}

void rl_lease_leave(rl_waiter_t* waiter) noexcept {
  rl_lease_t* lease = waiter->lease;
  if (lease == nullptr) return;
  (waiter->previous == nullptr ? lease->first : waiter->previous->next) =
      waiter->next;
  (waiter->next == nullptr ? lease->last : waiter->next->previous) =
      waiter->previous;
  lease->waiters--;
  lease->lookers -= waiter->units == 0;
  lease->waits_units -= waiter->units;
  waiter->lease = nullptr;
}

rl_waiter_t* rl_lease_waiters(const rl_lease_t* lease) noexcept {
  return lease->first;
}

// --------------------------------------------------------------------- names

namespace ratelimit {

namespace {

// Eight digits at once: a byte for each, then its character.
unsigned char* put_hex(uint64_t value, unsigned char* buf) {
  uint64_t x = value & 0xffffffff;
  x = (x & 0xffff0000) << 16 | (x & 0xffff);
  x = (x & 0x0000ff000000ff00) << 8 | (x & 0x000000ff000000ff);
  x = (x & 0x00f000f000f000f0) << 4 | (x & 0x000f000f000f000f);
  const uint64_t letters = (x + 0x0606060606060606) >> 4 & 0x0101010101010101;
  x += 0x3030303030303030 + letters * ('a' - '0' - 10);
  store_le64(__builtin_bswap64(x), buf);
  return buf + 8;
}

unsigned char* put_tag(uint32_t shard, unsigned char* buf) {
  unsigned char digits[8];
  put_hex(shard, digits);
  *buf++ = '{';
  *buf++ = digits[6];
  *buf++ = digits[7];
  *buf++ = '}';
  return buf;
}

uint32_t shard_of(const rl_hash_t& name) {
  return static_cast<uint32_t>(name.lo >> 56);
}

void put_key(const rl_hash_t& name, unsigned char* buf) {
  buf = put_tag(shard_of(name), buf);
  buf = put_hex(name.lo >> 32, buf);
  buf = put_hex(name.lo, buf);
  put_hex(name.hi >> 32, buf);
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
