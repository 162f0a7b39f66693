// The leases of a process, and what it finds by them of its machine's rows.

#include <algorithm>
#include <cstring>
#include <new>

#include "ratelimit/shared/lease.h"
#include "ratelimit/table/process_table.h"

namespace ratelimit {

namespace {

// Of those that were not used for longest, so many are looked at for one that
// nobody waits for.
constexpr unsigned kMaxSteps = 64;

uint32_t chains_for(uint32_t n) {
  uint32_t chains = 8;
  while (chains < n && chains < 1u << 31)
    chains *= 2;
  return chains;
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
    return leases->leases[index].link;
  };
}

uint32_t room(rl_leases_t* leases) {
  if (leases->made < leases->size) return leases->made++;
  uint32_t index = leases->oldest;
  for (unsigned i = 0; i < kMaxSteps && index != kNoLease; ++i) {
    const rl_lease_s& lease = leases->leases[index];
    if (lease.first == nullptr && lease.number == 0 && !lease.is_blocked) {
      unchain(leases, index);
      take_out(leases, index);
      leases->wheel.remove(index, link_of(leases));
      return index;
    }
    index = lease.newer;
  }
  return kNoLease;
}

// Units that the next request was to ask for: nobody waits for them any more.
void take_back_more(rl_lease_t* lease, Row* row, uint64_t units) {
  if (lease->more_beside != row->number) return;  // it has been sent
  units = std::min({units, lease->more_units, row->more_units});
  lease->more_units -= units;
  row->more_units -= units;
}

}  // namespace

rl_lease_t* find_lease(rl_leases_t* leases, const rl_hash_t& name) {
  uint32_t index = index_of(leases, name);
  if (index != kNoLease) {
    move_first(leases, index);
    return &leases->leases[index];
  }
  index = room(leases);
  if (index == kNoLease) return nullptr;
  auto* lease = new (&leases->leases[index]) rl_lease_s();
  uint32_t* chain = chain_of(leases, name);
  lease->owner = leases;
  lease->name = name;
  lease->next = *chain;
  *chain = index;
  put_first(leases, index);
  return lease;
}

void watch_end(rl_lease_s* lease, uint64_t check_us,
               uint64_t now_us) noexcept {
  rl_leases_t* leases = lease->owner;
  const auto index = static_cast<uint32_t>(lease - leases->leases);
  leases->wheel.remove(index, link_of(leases));
  if (check_us == 0) return;
  leases->wheel.insert(index, check_us, now_us, link_of(leases));
}

}  // namespace ratelimit

using ratelimit::kNoLease;

size_t rl_leases_size(uint32_t n) noexcept {
  return sizeof(rl_leases_s) + n * sizeof(rl_lease_s) +
         ratelimit::chains_for(n) * sizeof(uint32_t);
}

rl_leases_t* rl_leases_create(void* memory, uint32_t n,
                              const rl_process_t* process, void* rows,
                              uint32_t timeout_ms, int borrow) noexcept {
  auto* leases = new (memory) rl_leases_s();
  const uint32_t chains = ratelimit::chains_for(n);
  leases->process = process;
  leases->rows = static_cast<ratelimit::RowTable*>(rows);
  leases->timeout_us = uint64_t{timeout_ms} * 1000;
  leases->borrow = borrow != 0;
  leases->configuration = leases->rows->configurations.load();
  leases->size = n;
  leases->mask = chains - 1;
  leases->newest = leases->oldest = leases->blocked = kNoLease;
  leases->wheel.clear();
  leases->leases = reinterpret_cast<rl_lease_s*>(leases + 1);
  leases->chains = reinterpret_cast<uint32_t*>(leases->leases + n);
  std::memset(leases->chains, 0xff, chains * sizeof(uint32_t));
  rl_leases_join(leases);
  return leases;
}

void rl_leases_join(rl_leases_t* leases) noexcept {
  const rl_process_t* process = leases->process;
  uint32_t begun = leases->rows->begun.load();
  while (begun < leases->configuration &&
         !leases->rows->begun.compare_exchange_weak(begun,
                                                    leases->configuration)) {
  }
  if (process->process_table == nullptr) return;
  leases->rows->users[process->slot].store(process->owner);
}

int rl_leases_leave(rl_leases_t* leases) noexcept {
  const rl_process_t* process = leases->process;
  if (process->process_table == nullptr) return 0;
  // In this order: of several that leave at once, one finds none.
  leases->rows->users[process->slot].store(0);
  for (const std::atomic<uint32_t>& user : leases->rows->users) {
    const uint32_t owner = user.load();
    if (owner != 0 && !ratelimit::is_dead(ratelimit::process_table_of(process),
                                          owner, true)) {
      return 0;
    }
  }
  // A reload's processes may be about to begin.
  return leases->rows->begun.load() == leases->rows->configurations.load();
}

rl_lease_t* rl_lease_find(rl_leases_t* leases,
                          const rl_item_t* item) noexcept {
  rl_lease_t* lease = ratelimit::find_lease(leases, ratelimit::name_of(*item));
  if (lease == nullptr) return nullptr;
  const uint64_t reset = lease->terms.reset;  // it may have been told
  lease->terms = ratelimit::terms_of(*item);
  lease->terms.reset = std::max(reset, item->reset);
  return lease;
}

rl_lease_t* rl_lease_next(rl_leases_t* leases, rl_lease_t* last) noexcept {
  rl_lease_t* next = last == nullptr ? leases->leases : last + 1;
  return next == leases->leases + leases->made ? nullptr : next;
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
  const bool all = lease->first == nullptr;
  if (lease->more_units == 0 && (!all || lease->counting == 0)) return;
  ratelimit::Entry entry = ratelimit::enter(*lease);
  ratelimit::Row* row = entry.write();
  if (row != nullptr) {
    ratelimit::take_back_more(lease, row, waiter->units);
    if (all && ratelimit::is_counted(*lease, *row)) row->waiting--;
  }
  if (!all) return;
  lease->counting = 0;
  lease->more_units = 0;
}

rl_waiter_t* rl_lease_waiters(const rl_lease_t* lease) noexcept {
  return lease->first;
}

void rl_lease_block(rl_lease_t* lease, uint64_t now_us) noexcept {
  rl_leases_t* leases = lease->owner;
  if (!lease->is_blocked) {
    const auto index = static_cast<uint32_t>(lease - leases->leases);
    lease->is_blocked = true;
    lease->next_blocked = kNoLease;
    (leases->blocked == kNoLease
         ? leases->blocked
         : leases->leases[leases->last_blocked].next_blocked) = index;
    leases->last_blocked = index;
  }
  ratelimit::Entry entry = ratelimit::enter(*lease);
  ratelimit::Row* row = entry.write();
  if (row == nullptr) return;
  ratelimit::note_waiting(lease, row, now_us);
  // Once beside each request: the next one asks for these as well.
  if (lease->more_beside == row->number) return;
  lease->more_beside = row->number;
  lease->more_units = lease->waits_units;
  row->more_units += lease->waits_units;
}

rl_lease_t* rl_leases_unblock(rl_leases_t* leases) noexcept {
  if (leases->blocked == kNoLease) return nullptr;
  rl_lease_t* lease = &leases->leases[leases->blocked];
  leases->blocked = lease->next_blocked;
  lease->is_blocked = false;
  return lease;
}
