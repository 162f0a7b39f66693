// What Redis may answer about a lease, and names that are hashed to slots.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "../unit/arena.h"
#include "ratelimit/ratelimit.h"

namespace {

// A process and its rows; new ones for each input.
class Machine {
 public:
  Machine()
      : processes_(rl_process_table_size()),
        rows_(rl_rows_size(4)),
        memory_(rl_leases_size(4) / 8 + 1) {
    rl_process_table_create(processes_.get());
    rl_process_join(&process_, processes_.get(), nullptr, 0);
  }

  rl_leases_t* begin() {
    rl_rows_create(rows_.get(), rows_.size(), rows_.size(), 1);
    return rl_leases_create(memory_.data(), 4, &process_, rows_.get(), 500, 1);
  }

 private:
  SharedMemory processes_;
  SharedMemory rows_;
  rl_process_t process_ = {};
  std::vector<uint64_t> memory_;
};

// A lease with one who waits gets each reply in turn.
void answer(rl_algorithm_e algorithm, const uint8_t* data, size_t size) {
  static Machine machine;
  rl_leases_t* leases = machine.begin();
  rl_policy_t policy = {};
  policy.algorithm = algorithm;
  rl_item_t item = {};
  item.policy = &policy;
  item.quota.units = item.capacity_units = 10;
  item.quota.window_ms = 60000;
  item.cost_units = 2;
  rl_clock_t clock = {};
  rl_lease_t* lease = rl_lease_find(leases, &item);
  rl_waiter_t waiter = {};
  rl_lease_wait(lease, &waiter, 2);
  uint64_t now_us = 1000000;
  for (; size >= RL_LEASE_REPLY_LEN; size -= RL_LEASE_REPLY_LEN) {
    const rl_lease_send_t send = {now_us, 1795880000000, 300, 5, 50, 0, 0};
    unsigned char request[RL_LEASE_REQUEST_LEN];
    uint64_t ttl_ms;
    uint64_t generation;
    rl_lease_send(lease, &clock, &send, request, &ttl_ms);
    now_us += 700;
    rl_lease_reply(lease, &clock, data, now_us, &generation);
    data += RL_LEASE_REPLY_LEN;
    const rl_verdict_e verdict =
        rl_lease_take(lease, &waiter, &item, 1000000, now_us);
    rl_lease_answer(lease, verdict, now_us, &item);
    if (item.remaining_units > item.limit_units) __builtin_trap();
  }
  rl_lease_leave(&waiter);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const rl_str_t name = {size, data};
  if (rl_hash_slot(name) >= 16384) __builtin_trap();
  answer(static_cast<rl_algorithm_e>(data[0] % 4), data + 1, size - 1);
  if (size >= RL_SHARD_REPLY_LEN) {
    rl_shard_t shard;
    rl_shard_reply(data, &shard);
  }
  return 0;
}
