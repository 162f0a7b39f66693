// Decisions a second of one or two processes on one shared table, beside a
// model of limit_req's structure under the same load.
//
//   cmake -B build -DRATELIMIT_BENCH=ON && build/core_bench
//
// The model: a red-black tree ordered by CRC-32 and key, a queue of least
// recently used nodes, and one lock for all, taken by compare-and-exchange and
// yielding when that fails, as nginx's shared mutex does.  It is kinder than
// limit_req: its memory is a bump allocator instead of slabs, and nothing is
// ever expired or deleted, which limit_req does with up to three nodes at each
// request.
//
// A sibling process runs the same load while the time is taken; "decisions" is
// the rate of both.  Keys are 24 bytes, like a token; every decision hashes its
// key anew.

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <memory_resource>
#include <new>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "../unit/arena.h"

namespace {

constexpr size_t kKeyLength = 24;
constexpr uint32_t kQuota = 1000000;
constexpr uint64_t kWindowMs = 60000;

// The same keys for all, made from their number.
struct Key {
  unsigned char bytes[kKeyLength];

  explicit Key(uint64_t number) {
    for (size_t i = 0; i < kKeyLength; i += 8) {
      number = number * 0x9e3779b97f4a7c15u + 0xda3e39cb94b95bdbu;
      std::memcpy(bytes + i, &number, 8);
    }
  }
};

// --------------------------------------------------------- limit_req's model

uint32_t crc32_short(const unsigned char* bytes, size_t n) {
  static const uint32_t table[16] = {
      0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
      0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
      0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
  uint32_t crc = 0xffffffff;
  for (size_t i = 0; i < n; ++i) {
    crc = table[(crc ^ bytes[i]) & 0xf] ^ crc >> 4;
    crc = table[(crc ^ bytes[i] >> 4) & 0xf] ^ crc >> 4;
  }
  return crc ^ 0xffffffff;
}

class LimitReqModel {
 public:
  explicit LimitReqModel(SharedMemory* memory)
      : pool_(memory->as<char>() + sizeof(LimitReqModel),
              memory->size() - sizeof(LimitReqModel),
              std::pmr::null_memory_resource()),
        tree_(&pool_) {}

  bool decide(const Key& key, uint64_t now_ms) {
    TreeKey wanted;
    wanted.hash = crc32_short(key.bytes, kKeyLength);
    std::memcpy(wanted.bytes, key.bytes, kKeyLength);
    lock();
    Node& node = tree_[wanted];
    to_front(&node);
    const int64_t elapsed = static_cast<int64_t>(now_ms - node.last_ms);
    int64_t excess = node.excess - 16 * elapsed + 1000;
    excess = excess < 0 ? 0 : excess;
    const bool admitted = excess <= int64_t{kQuota} * 1000;
    if (admitted) {
      node.excess = excess;
      node.last_ms = now_ms;
    }
    unlock();
    return admitted;
  }

 private:
  struct TreeKey {
    uint32_t hash;
    unsigned char bytes[kKeyLength];

    bool operator<(const TreeKey& other) const {
      return hash != other.hash
                 ? hash < other.hash
                 : std::memcmp(bytes, other.bytes, kKeyLength) < 0;
    }
  };

  struct Node {
    Node* newer = nullptr;
    Node* older = nullptr;
    uint64_t last_ms = 0;
    int64_t excess = 0;
  };

  void to_front(Node* node) {
    if (node->newer != nullptr) {
      node->newer->older = node->older;
      node->older->newer = node->newer;
    }
    node->older = head_.older;
    node->newer = &head_;
    head_.older->newer = node;
    head_.older = node;
  }

  void lock() {
    for (;;) {
      for (int spins = 1; spins <= 2048; spins <<= 1) {
        int open = 0;
        if (lock_.load(std::memory_order_relaxed) == 0 &&
            lock_.compare_exchange_strong(open, 1)) {
          return;
        }
        for (int i = 0; i < spins; ++i) {
#if defined(__x86_64__)
          __builtin_ia32_pause();
#endif
        }
      }
      sched_yield();
    }
  }

  void unlock() { lock_.store(0, std::memory_order_release); }

  std::atomic<int> lock_{0};
  Node head_{&head_, &head_, 0, 0};
  std::pmr::monotonic_buffer_resource pool_;
  std::pmr::map<TreeKey, Node> tree_;
};

// -------------------------------------------------------------------- loads

// What a process does again and again, and what it needs of its own for it.
using Decide = std::function<bool(const Key&, uint64_t now_ms)>;

Decide table_decider(const Arena& arena, const Policy& policy) {
  rl_process_t process = arena.join();
  return [=, &policy, zone = arena.zone()](const Key& key,
                                           uint64_t now_ms) mutable {
    const rl_str_t part = {kKeyLength, key.bytes};
    rl_hash_t hash;
    rl_key_hash(zone, &part, 1, &hash);
    rl_item_t item = policy.item_of(hash);
    const rl_time_t now = at(now_ms);
    return rl_decide(&process, &item, 1, &now) == RL_ADMITTED;
  };
}

// A request over several policies, each with a bucket of its own.
Decide several_decider(const Arena& arena,
                       const std::vector<const Policy*>& policies) {
  rl_process_t process = arena.join();
  return [=, zone = arena.zone()](const Key& key, uint64_t now_ms) mutable {
    const rl_str_t part = {kKeyLength, key.bytes};
    rl_hash_t hash;
    rl_key_hash(zone, &part, 1, &hash);
    rl_item_t items[8];
    for (size_t i = 0; i < policies.size(); ++i) {
      items[i] = policies[i]->item_of(hash);
    }
    const rl_time_t now = at(now_ms);
    return rl_decide(&process, items, policies.size(), &now) == RL_ADMITTED;
  };
}

// Keys in random order, the clock a millisecond further every 16 decisions.
class Load {
 public:
  Load(uint64_t keys, uint64_t seed) : keys_(keys), random_(seed) {}

  bool run(const Decide& decide) {
    ++done_;
    return decide(Key(random_() % keys_), 1000000 + done_ / 16);
  }

  uint64_t done() const { return done_; }

 private:
  uint64_t keys_;
  uint64_t done_ = 0;
  std::minstd_rand random_;
};

void measure(benchmark::State& state, const std::function<Decide()>& join) {
  const auto keys = static_cast<uint64_t>(state.range(0));
  const bool alone = state.range(1) == 1;
  const Decide decide = join();
  for (uint64_t key = 0; key < keys; ++key) {
    decide(Key(key), 1000000);
  }
  SharedMemory memory(4096);
  auto* sibling_done = memory.as<std::atomic<uint64_t>>();
  const pid_t sibling = alone ? 0 : fork();
  if (!alone && sibling == 0) {
    const Decide own = join();
    for (Load load(keys, 1);;) {
      load.run(own);
      if (load.done() % 256 == 0) {
        *sibling_done = load.done();
      }
    }
  }
  Load load(keys, 2);
  const uint64_t before = *sibling_done;
  for (auto _ : state) {
    benchmark::DoNotOptimize(load.run(decide));
  }
  const uint64_t by_sibling = *sibling_done - before;
  if (!alone) {
    kill(sibling, SIGKILL);
    waitpid(sibling, nullptr, 0);
  }
  state.counters["decisions"] =
      benchmark::Counter(static_cast<double>(load.done() + by_sibling),
                         benchmark::Counter::kIsRate);
}

void table(benchmark::State& state, rl_algorithm_e algorithm) {
  Arena arena(state.range(0) > 200000 ? size_t{96} << 20 : size_t{16} << 20);
  const Policy policy(arena.zone(), "p", kQuota, kWindowMs, algorithm);
  measure(state, [&] { return table_decider(arena, policy); });
}

void three_policies(benchmark::State& state) {
  Arena arena(state.range(0) > 200000 ? size_t{288} << 20 : size_t{48} << 20);
  const Policy a(arena.zone(), "a", kQuota, kWindowMs, RL_SLIDING);
  const Policy b(arena.zone(), "b", kQuota, kWindowMs, RL_SLIDING);
  const Policy c(arena.zone(), "c", kQuota, kWindowMs, RL_SLIDING);
  measure(state, [&] { return several_decider(arena, {&a, &b, &c}); });
}

void limit_req(benchmark::State& state) {
  SharedMemory memory(state.range(0) > 200000 ? size_t{192} << 20
                                              : size_t{32} << 20);
  auto* model = new (memory.get()) LimitReqModel(&memory);
  measure(state, [&]() -> Decide {
    return [model](const Key& key, uint64_t now_ms) {
      return model->decide(key, now_ms);
    };
  });
}

void loads(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"keys", "processes"})
      ->ArgsProduct({{1, 100000, 1000000}, {1, 2}})
      ->UseRealTime()
      ->MinTime(0.3);
}

BENCHMARK_CAPTURE(table, sliding, RL_SLIDING)->Apply(loads);
BENCHMARK_CAPTURE(table, fixed, RL_FIXED)->Apply(loads);
BENCHMARK_CAPTURE(table, gcra, RL_GCRA)->Apply(loads);
BENCHMARK(limit_req)->Apply(loads);
BENCHMARK(three_policies)->Apply(loads);

void key_hash(benchmark::State& state) {
  Arena arena(64 * 1024);
  std::string key(static_cast<size_t>(state.range(0)), 'k');
  const rl_str_t part = str(key);
  rl_hash_t hash;
  for (auto _ : state) {
    rl_key_hash(arena.zone(), &part, 1, &hash);
    key[0] = static_cast<char>(hash.lo);  // each waits for the one before
    benchmark::ClobberMemory();
  }
}
BENCHMARK(key_hash)->Arg(24)->Arg(1000);

// A new key in a full zone of active buckets: what one request of a flood
// costs.
void flood(benchmark::State& state, rl_algorithm_e algorithm) {
  Arena arena(1 << 20);
  const Policy policy(arena.zone(), "p", kQuota, kWindowMs * 60, algorithm);
  const Decide decide = table_decider(arena, policy);
  uint64_t key = 0;
  for (; key < 100000; ++key) {
    decide(Key(key), 1000000);
  }
  for (auto _ : state) {
    ++key;
    benchmark::DoNotOptimize(decide(Key(key), 1000001 + key / 256));
  }
}
BENCHMARK_CAPTURE(flood, sliding, RL_SLIDING);
BENCHMARK_CAPTURE(flood, fixed, RL_FIXED);

}  // namespace

BENCHMARK_MAIN();
