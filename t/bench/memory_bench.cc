// What a zone holds and what its size costs:
//
//   memory_bench fill MIB       keys a MiB, and active keys lost at 95 % full
//   memory_bench decide KEYS N  N decisions in a zone that knows KEYS keys
//   memory_bench state KEYS     a state file of so many keys, on standard
//   output
//
// The decisions alone are counted where callgrind runs with
// --instr-atstart=no; t/bench/run --memory does that.

#include <valgrind/callgrind.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <random>
#include <string>

#include "../unit/arena.h"

namespace {

constexpr uint64_t kKeysPerMib = 15872;

class Table {
 public:
  explicit Table(size_t size)
      : arena_(size),
        process_(arena_.join()),
        policy_(arena_.zone(), "p", 1000, 3600000, RL_SLIDING) {
    rl_hash_prefix(arena_.zone(), str("arg:"), &prefix_);
  }

  void decide(uint64_t number, const rl_time_t& now = at(1000000)) {
    unsigned char key[16];
    const uint64_t mixed = number * 0x9e3779b97f4a7c15u;
    std::memcpy(key, &number, 8);
    std::memcpy(key + 8, &mixed, 8);
    const rl_part_t part = {&prefix_, {sizeof(key), key}};
    rl_item_t item = item_;
    if (!rl_check_name(&item, &part, nullptr, &now) ||
        rl_decide(&process_, &item, 1, &now) != RL_ADMITTED) {
      std::abort();
    }
  }

  const rl_zone_t* zone() const { return arena_.zone(); }
  rl_process_t* process() { return &process_; }

  rl_zone_stats_t stats() const {
    rl_zone_stats_t out;
    const rl_time_t now = at(1000000);
    rl_zone_stats(arena_.zone(), 0, &now, &out);
    return out;
  }

 private:
  Arena arena_;
  rl_process_t process_;
  const Policy policy_;
  const rl_item_t item_ = policy_.item("");
  rl_hash_prefix_t prefix_;
};

void fill(uint64_t mib) {
  Table table(mib << 20);
  const uint64_t capacity = table.stats().capacity;
  const uint64_t keys = capacity / 100 * 95;
  for (uint64_t i = 0; i < keys; ++i) {
    table.decide(i);
  }
  const uint64_t lost = table.stats().evicted_active;
  std::printf(
      "%llu keys a MiB, %llu of %llu active ones lost at 95 %%: %.3f %%\n",
      static_cast<unsigned long long>(capacity / mib),
      static_cast<unsigned long long>(lost),
      static_cast<unsigned long long>(keys),
      100.0 * static_cast<double>(lost) / static_cast<double>(keys));
}

// With a tenth of it free.
size_t size_for(uint64_t keys) {
  return (keys / kKeysPerMib * 10 / 9 + 1) << 20;
}

void decide(uint64_t keys, uint64_t n) {
  Table table(size_for(keys));
  for (uint64_t i = 0; i < keys; ++i) {
    table.decide(i);
  }
  std::mt19937_64 random(1);
  CALLGRIND_START_INSTRUMENTATION;
  for (uint64_t i = 0; i < n; ++i) {
    table.decide(random() % keys);
  }
  CALLGRIND_STOP_INSTRUMENTATION;
}

void put(const unsigned char* bytes, size_t len) {
  if (std::fwrite(bytes, 1, len, stdout) != len) {
    std::abort();
  }
}

// As of now, from another boot, since nobody knows when that one began.
void state(uint64_t keys) {
  const rl_time_t now = {
      1000000, uint64_t{1000} * static_cast<uint64_t>(std::time(nullptr))};
  const unsigned char boot_id[16] = {};
  Table table(size_for(keys));
  for (uint64_t i = 0; i < keys; ++i) {
    table.decide(i, now);
  }
  unsigned char buf[RL_STATE_BLOCK_LEN > RL_STATE_HEADER_LEN
                        ? RL_STATE_BLOCK_LEN
                        : RL_STATE_HEADER_LEN];
  rl_state_header(table.zone(), boot_id, &now, buf);
  put(buf, RL_STATE_HEADER_LEN);
  uint64_t buckets = 0;
  for (uint32_t i = 0; i < table.zone()->sets; i += RL_STATE_SETS) {
    put(buf, rl_state_sets(table.process(), table.zone(), i, RL_STATE_SETS,
                           &now, buf, &buckets));
  }
  rl_state_end(table.zone(), buckets, buf);
  put(buf, RL_STATE_END_LEN);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "fill" && argc == 3) {
    fill(std::strtoull(argv[2], nullptr, 10));
  } else if (what == "decide" && argc == 4) {
    decide(std::strtoull(argv[2], nullptr, 10),
           std::strtoull(argv[3], nullptr, 10));
  } else if (what == "state" && argc == 3) {
    state(std::strtoull(argv[2], nullptr, 10));
  } else {
    std::fprintf(stderr,
                 "memory_bench fill MIB | decide KEYS N | state KEYS\n");
    return 2;
  }
  return 0;
}
