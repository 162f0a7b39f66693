// What the tests of the shared table have in common: memory that forked
// processes share, and items to decide.

#ifndef RATELIMIT_T_UNIT_ARENA_H_
#define RATELIMIT_T_UNIT_ARENA_H_

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "ratelimit/ratelimit.h"

#if defined(__SANITIZE_THREAD__)
constexpr bool kThreadSanitizer = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
constexpr bool kThreadSanitizer = true;
#else
constexpr bool kThreadSanitizer = false;
#endif
#else
constexpr bool kThreadSanitizer = false;
#endif

inline rl_str_t str(const std::string& text) {
  return {text.size(), reinterpret_cast<const unsigned char*>(text.data())};
}

// RATELIMIT_LONG=n multiplies the tests that are the better for being long.
inline uint64_t times(uint64_t n) {
  const char* factor = std::getenv("RATELIMIT_LONG");
  return factor == nullptr ? n : n * std::max(1, std::atoi(factor));
}

// Pages shared with the processes forked later; nothing may be touched behind
// the last of them.
class SharedMemory {
 public:
  explicit SharedMemory(size_t size) : size_(size) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t used = (size + page - 1) / page * page;
    mapped_ = used + page;
    memory_ = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED ||
        mprotect(static_cast<char*>(memory_) + used, page, PROT_NONE) != 0) {
      std::abort();
    }
  }
  ~SharedMemory() { munmap(memory_, mapped_); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  void* get() const { return memory_; }
  size_t size() const { return size_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(memory_);
  }

 private:
  void* memory_;
  size_t size_;
  size_t mapped_;
};

// A process table and one or more zones, not yet joined.
class Arena {
 public:
  explicit Arena(size_t zone_size, size_t zones = 1)
      : Arena(std::vector<size_t>(zones, zone_size)) {}

  explicit Arena(const std::vector<size_t>& sizes)
      : process_table_(rl_process_table_size()), views_(sizes.size()) {
    rl_process_table_create(process_table_.get());
    for (size_t i = 0; i < sizes.size(); ++i) {
      std::string secret = seed();
      secret[0] = static_cast<char>(i);
      memory_.push_back(std::make_unique<SharedMemory>(sizes[i]));
      if (rl_zone_create(&views_[i], memory_[i]->get(), sizes[i], 0,
                         str(secret).data) != RL_OK) {
        std::abort();
      }
      pointers_.push_back(&views_[i]);
    }
  }

  // Of zone 0.
  static std::string seed() { return std::string("\0seed of a zone.", 16); }

  const rl_zone_t* zone(size_t i = 0) const { return pointers_[i]; }
  void* process_table() const { return process_table_.get(); }
  const std::vector<rl_zone_t*>& zones() const { return pointers_; }

  // A process of its own for the caller, also within one process.
  rl_process_t join() const {
    rl_process_t process = {};
    if (rl_process_join(&process, process_table(), pointers_.data(),
                        pointers_.size()) != RL_OK) {
      std::abort();
    }
    return process;
  }

 private:
  SharedMemory process_table_;
  std::vector<std::unique_ptr<SharedMemory>> memory_;
  std::vector<rl_zone_t> views_;
  std::vector<rl_zone_t*> pointers_;
};

// A policy with a constant quota.
class Policy {
 public:
  Policy(const rl_zone_t* zone, const std::string& name, uint64_t units,
         uint64_t window_ms, rl_algorithm_e algorithm = RL_FIXED)
      : name_(name), units_(units), window_ms_(window_ms) {
    policy_.name = str(name_);
    policy_.zone = zone;
    policy_.algorithm = algorithm;
    rl_policy_secret(zone, str(name_), algorithm, str(name_), &policy_.secret);
  }
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;

  rl_policy_t* get() { return &policy_; }

  rl_item_t item(const std::string& key, uint64_t cost = 1) const {
    const rl_str_t part = str(key);
    rl_hash_t hash;
    rl_key_hash(policy_.zone, &part, 1, &hash);
    return item_of(hash, cost);
  }

  rl_item_t item_of(const rl_hash_t& key_hash, uint64_t cost = 1) const {
    rl_item_t item = {};
    item.policy = &policy_;
    item.bucket = {key_hash.lo ^ policy_.secret.lo,
                   key_hash.hi ^ policy_.secret.hi};
    item.quota.units = units_;
    item.quota.window_ms = window_ms_;
    item.capacity_units = units_;
    item.cost_units = cost;
    return item;
  }

 private:
  std::string name_;
  uint64_t units_;
  uint64_t window_ms_;
  rl_policy_t policy_ = {};
};

inline rl_time_t at(uint64_t mono_ms) {
  return {mono_ms, 1700000000000 + mono_ms};
}

#endif  // RATELIMIT_T_UNIT_ARENA_H_
