// What the tests of leases have in common: a reply of Redis, and a worker's
// leases with a clock that stands still.

#ifndef RATELIMIT_T_UNIT_LEASE_UTIL_H_
#define RATELIMIT_T_UNIT_LEASE_UTIL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "arena.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/shared/lease.h"
#include "ratelimit/shared/wire.h"

namespace ratelimit {

constexpr uint64_t kStart = 5000000;  // us

inline uint64_t little(const unsigned char* at, size_t bytes) {
  uint64_t value = 0;
  while (bytes-- > 0)
    value = value << 8 | at[bytes];
  return value;
}

// A reply as rows.lua packs it.
struct Reply {
  int status = kDone;
  uint64_t granted = 0;
  uint32_t lease_ms = 10;
  int64_t free_units = 0;
  uint64_t held = 0;
  uint64_t clock_ms = 1795880000000;
  uint64_t wait_ms = 0;
  uint64_t other_end_ms = 0;
  uint64_t left_ms = 0;
  uint64_t window_end_ms = 0;
  uint64_t generation = 0;

  std::string bytes() const {
    std::string out;
    const auto put = [&out](uint64_t value, int n) {
      for (int i = 0; i < n; ++i) {
        out.push_back(static_cast<char>(value >> (8 * i)));
      }
    };
    put(static_cast<uint64_t>(status), 1);
    put(granted, 7);
    put(lease_ms, 4);
    put(static_cast<uint64_t>(free_units), 7);
    put(held, 7);
    for (uint64_t ms :
         {clock_ms, wait_ms, other_end_ms, left_ms, window_end_ms}) {
      put(ms, 6);
    }
    put(generation, 8);
    EXPECT_EQ(size_t{RL_LEASE_REPLY_LEN}, out.size());
    return out;
  }
};

// A process table for all tests, as its redo logs are large.
inline void* process_table() {
  static const SharedMemory* memory = [] {
    auto* made = new SharedMemory(rl_process_table_size());
    rl_process_table_create(made->get());
    return made;
  }();
  return memory->get();
}

// A worker: a process of its own to the rows, within this one.
struct Worker {
  Worker(void* rows, uint32_t n, int borrow)
      : memory(rl_leases_size(n) / 8 + 1) {
    EXPECT_EQ(RL_OK, rl_process_join(&process, process_table(), nullptr, 0));
    leases = rl_leases_create(memory.data(), n, &process, rows, 500, borrow);
  }
  ~Worker() { rl_process_leave(&process); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  rl_process_t process = {};
  std::vector<uint64_t> memory;
  rl_leases_t* leases;
};

class LeaseTest : public testing::Test {
 protected:
  LeaseTest() { make(8); }

  // A worker of a machine of its own.
  void make(uint32_t n, int borrow = 0) {
    rows_ = std::make_unique<SharedMemory>(rl_rows_size(4 * n));
    rl_rows_create(rows_->get(), rows_->size(), 0, 1000);
    worker_ = std::make_unique<Worker>(rows_->get(), n, borrow);
    leases_ = worker_->leases;
  }

  rl_item_t item(uint64_t key, uint64_t units = 10, uint64_t ms = 60000) {
    rl_item_t item = {};
    policy_.algorithm = algorithm_;
    item.policy = &policy_;
    item.bucket = {key * 0x9e3779b97f4a7c15u, key};
    item.quota.units = item.capacity_units = units;
    item.quota.window_ms = ms;
    item.cost_units = 1;
    return item;
  }

  rl_lease_t* find(uint64_t key, uint64_t units = 10) {
    const rl_item_t it = item(key, units);
    return rl_lease_find(leases_, &it);
  }

  // As it is now; one of zeros where there is none.
  static Row row(const rl_lease_t* lease) {
    const Entry entry = enter(*lease);
    return entry.row() == nullptr ? Row() : *entry.row();
  }

  uint64_t left(const rl_lease_t* lease) const {
    return in_hand(row(lease), now_);
  }

  // Also what is not in hand.
  void use(rl_lease_t* lease, uint64_t units) const {
    Entry entry = enter(*lease);
    ratelimit::use(entry.make(lease->terms, false, now_), units, now_);
  }

  // The request's field at a byte.
  uint64_t sent(size_t at, size_t bytes) const {
    return little(request_ + at, bytes);
  }

  size_t send(rl_lease_t* lease) {
    const rl_lease_send_t how = {now_, 1795880000000, 1000,   10,
                                 50,   exiting_,      closed_};
    uint64_t ttl_ms;
    return rl_lease_send(lease, &clock_, &how, request_, &ttl_ms);
  }

  rl_lease_reply_e reply(rl_lease_t* lease, const Reply& r) {
    const std::string bytes = r.bytes();
    return rl_lease_reply(lease, &clock_,
                          reinterpret_cast<const unsigned char*>(bytes.data()),
                          now_, &generation_);
  }

  // Ten in hand for a while, of which so many are used.
  rl_lease_t* lent(uint64_t used) {
    rl_lease_t* lease = find(1, 100);
    rl_waiter_t waiter = {};
    rl_lease_wait(lease, &waiter, 1);
    send(lease);
    now_ += 1000;
    Reply r;
    r.granted = 10;
    r.lease_ms = 3000;
    r.left_ms = 700;
    reply(lease, r);
    rl_lease_leave(&waiter);
    now_ += 1000;
    use(lease, used);
    return lease;
  }

  rl_verdict_e ask(const rl_lease_t* lease, const rl_waiter_t* waiter,
                   uint64_t units = 1) {
    Entry entry = enter(*lease);
    Row* row = entry.write();
    if (row != nullptr) row->terms = lease->terms;
    return ratelimit::ask(*lease, row, waiter, units, kStart, now_);
  }

  rl_algorithm_e algorithm_ = RL_SLIDING;
  rl_policy_t policy_ = {};
  std::unique_ptr<SharedMemory> rows_;
  std::unique_ptr<Worker> worker_;
  rl_leases_t* leases_ = nullptr;
  rl_clock_t clock_ = {};
  uint64_t now_ = kStart;
  uint64_t generation_ = 0;
  uint8_t exiting_ = 0;
  uint8_t closed_ = 0;
  unsigned char request_[RL_LEASE_REQUEST_LEN] = {};
};

constexpr size_t kNumber = 8, kNeed = 32, kWaits = 39, kKeep = 49, kUsed = 56,
                 kAge = 63, kFlags = 74, kLatest = 75;

}  // namespace ratelimit

#endif  // RATELIMIT_T_UNIT_LEASE_UTIL_H_
