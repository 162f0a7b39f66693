// What a zone holds and what its size costs:
//
//   memory_bench fill MIB       keys a MiB, and active keys lost at 95 % full
//   memory_bench decide KEYS N  N decisions in a zone that knows KEYS keys
//
// The decisions alone are counted where callgrind runs with --instr-atstart=no;
// t/bench/run --memory does that.

#include <valgrind/callgrind.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
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

  void decide(uint64_t number) {
    unsigned char key[16];
    const uint64_t mixed = number * 0x9e3779b97f4a7c15u;
    std::memcpy(key, &number, 8);
    std::memcpy(key + 8, &mixed, 8);
    const rl_part_t part = {&prefix_, {sizeof(key), key}};
    const rl_time_t now = at(1000000);
    rl_item_t item = item_;
    if (!rl_check_name(&item, &part, nullptr, &now) ||
        rl_decide(&process_, &item, 1, &now) != RL_ADMITTED) {
      std::abort();
    }
  }

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
  std::printf("%llu keys a MiB, %llu of %llu active ones lost at 95 %%: %.3f %%\n",
              static_cast<unsigned long long>(capacity / mib),
              static_cast<unsigned long long>(lost),
              static_cast<unsigned long long>(keys),
              100.0 * static_cast<double>(lost) / static_cast<double>(keys));
}

void decide(uint64_t keys, uint64_t n) {
  Table table((keys / kKeysPerMib * 10 / 9 + 1) << 20);
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

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "fill" && argc == 3) {
    fill(std::strtoull(argv[2], nullptr, 10));
  } else if (what == "decide" && argc == 4) {
    decide(std::strtoull(argv[2], nullptr, 10),
           std::strtoull(argv[3], nullptr, 10));
  } else {
    std::fprintf(stderr, "memory_bench fill MIB | decide KEYS N\n");
    return 2;
  }
  return 0;
}
