// Operations on a table, as bytes say, against a plain map: decisions over
// several policies, looks, refunds, time, moves to another size and restarts.
// A second table, too small for its keys, only has to stay in order.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "../unit/bytes_reader.h"
#include "ratelimit/ratelimit.h"
#include "ratelimit/table/table.h"
#include "ratelimit/table/zone.h"

namespace {

constexpr uint32_t kPolicies = 3;
constexpr uint64_t kUnits[kPolicies] = {1, 5, RL_MAX_UNITS};
constexpr uint64_t kWindows[kPolicies] = {1000, 60000, 3600000};
constexpr size_t kSizes[] = {16384, 32768, 65536};
constexpr unsigned char kBoot[16] = {1};

void require(bool condition) {
  if (!condition) std::abort();
}

void* pages(size_t size) {
  return std::aligned_alloc(64, (size + 63) / 64 * 64);
}

void* process_table() {
  static void* const memory = [] {
    void* made = pages(rl_process_table_size());
    rl_process_table_create(made);
    return made;
  }();
  return memory;
}

// Of a size that nothing is evicted from, or of a single set.
struct Zone {
  explicit Zone(size_t size, unsigned char seed) : memory(pages(size)) {
    const unsigned char seeds[16] = {seed};
    require(rl_zone_create(&view, memory, size, size, seeds) == RL_OK);
  }
  ~Zone() { std::free(memory); }
  Zone(const Zone&) = delete;
  Zone& operator=(const Zone&) = delete;

  void* memory;
  rl_zone_t view{};
};

// A window of the fixed algorithm, counted plainly.
struct Window {
  uint64_t begin_ms = 0;
  uint64_t used = 0;
};

class World {
 public:
  World() { settle_in(std::make_unique<Zone>(kSizes[2], 1)); }
  ~World() { rl_process_leave(&process_); }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void pass(uint64_t ms) { now_.mono_ms += ms, now_.wall_ms += ms; }

  // All or none, of the policies whose bits are set.
  void decide(uint32_t which, uint8_t key, uint64_t cost, bool refund) {
    std::vector<rl_item_t> items;
    std::vector<Window*> windows;
    bool admits = true;
    for (uint32_t p = 0; p < kPolicies; ++p) {
      if ((which >> p & 1) == 0) continue;
      items.push_back(item(p, key, cost));
      windows.push_back(window(p, key));
      // Of cost 0 is only looked, in debt as well.
      admits =
          admits && (cost == 0 || windows.back()->used + cost <= kUnits[p]);
    }
    if (items.empty()) return;
    const rl_verdict_e verdict =
        rl_decide(&process_, items.data(), items.size(), &now_);
    require(verdict == (admits ? RL_ADMITTED : RL_REFUSED));
    for (size_t i = 0; i < items.size() && admits; ++i) {
      charge(windows[i], cost);
    }
    if (admits && refund && cost != 0) {
      require(rl_refund(&process_, items.data(), items.size(), &now_) !=
              RL_TIMEOUT);
      for (Window* w : windows)
        w->used -= cost;
    }
  }

  void look(uint32_t p, uint8_t key) {
    rl_item_t one = item(p, key, 1);
    rl_look(&process_, &one, 1, &now_);
    const Window* w = window(p, key);
    require(one.remaining_units ==
            (w->used < kUnits[p] ? kUnits[p] - w->used : 0));
    require(one.admitted == (w->used < kUnits[p]));
  }

  void settle(uint32_t p, uint8_t key, uint64_t final_units) {
    rl_item_t one = item(p, key, 1);
    Window* w = window(p, key);
    const bool admits = w->used + 1 <= kUnits[p];
    require(rl_decide(&process_, &one, 1, &now_) ==
            (admits ? RL_ADMITTED : RL_REFUSED));
    if (!admits) return;
    charge(w, 1);
    require(rl_settle(&process_, &one, final_units, &now_) != RL_TIMEOUT);
    w->used = w->used - 1 + final_units;
  }

  // A reload that changes the size.
  void resize(size_t size) {
    finish_move();
    next_memory_ = std::make_unique<Zone>(size, 2);
    next_ = next_memory_->view;
    rl_zone_expect(&zone_, &next_, &older_);
    require(rl_zone_claim(&process_, &zone_) == RL_OK);
  }

  void begin_move() { rl_zone_begin_move(&process_, &zone_, &now_); }

  void move(uint32_t sets) { rl_zone_move(&process_, &zone_, sets, &now_); }

  void finish_move() {
    if (next_memory_ == nullptr) return;
    begin_move();
    require(rl_zone_move(&process_, &zone_, UINT32_MAX, &now_) == 0);
    require(zone_.memory == next_memory_->memory);
    memory_ = std::move(next_memory_);
  }

  // A restart with a state file.
  void restart(size_t size) {
    finish_move();
    std::vector<unsigned char> file(RL_STATE_HEADER_LEN);
    std::vector<unsigned char> block(RL_STATE_BLOCK_LEN);
    rl_state_header(&zone_, kBoot, &now_, file.data());
    uint64_t buckets = 0;
    for (uint32_t s = 0; s < zone_.sets; s += RL_STATE_SETS) {
      const size_t len = rl_state_sets(&process_, &zone_, s, RL_STATE_SETS,
                                       &now_, block.data(), &buckets);
      file.insert(file.end(), block.data(), block.data() + len);
    }
    std::array<unsigned char, RL_STATE_END_LEN> end;
    rl_state_end(&zone_, buckets, end.data());
    file.insert(file.end(), end.begin(), end.end());
    auto to = std::make_unique<Zone>(size, 3);
    uint64_t loaded = 0;
    Bytes bytes = {file.data(), file.size()};
    require(rl_state_load(&to->view, read_bytes, &bytes, kBoot, &now_,
                          &loaded) == nullptr);
    require(loaded == buckets);
    rl_process_leave(&process_);
    settle_in(std::move(to));
  }

  // Nothing is held, no key is there twice, every one is where it is sought.
  static void in_order(const rl_zone_t& zone) {
    std::set<std::pair<uint64_t, uint8_t>> keys;
    for (uint32_t s = 0; s < zone.sets; ++s) {
      const ratelimit::Set* set = ratelimit::set_at(&zone, s);
      require(set->lock.load() == 0);
      require((set->occupied & (set->occupied + 1)) == 0);
      for (uint32_t i = 0; set->occupied >> i & 1; ++i) {
        const uint64_t key = set->buckets[i].key;
        require(keys.emplace(key, set->tags[i]).second);
        require(s == ratelimit::primary_index(key, zone.sets) ||
                s == ratelimit::secondary_index(key, zone.sets));
      }
    }
  }

  void in_order() {
    finish_move();
    in_order(zone_);
    in_order(crowded_.view);
  }

  // Keys without end, in a table of few.
  void crowd(uint8_t policy, uint64_t key, uint64_t cost) {
    rl_item_t one = item(policy, 0, cost);
    rl_policy_t its = policies_[policy];
    its.zone = &crowded_.view;
    one.policy = &its;
    one.bucket = {key * 0x9e3779b97f4a7c15u, key};
    const rl_verdict_e verdict = rl_decide(&process_, &one, 1, &now_);
    // Nobody is refused who has not used anything.
    require(verdict == RL_ADMITTED || one.remaining_units < kUnits[policy] ||
            cost > kUnits[policy]);
  }

 private:
  void settle_in(std::unique_ptr<Zone> memory) {
    memory_ = std::move(memory);
    zone_ = memory_->view;
    require(rl_process_join(&process_, process_table(), zones_, 2) == RL_OK);
    for (uint32_t p = 0; p < kPolicies; ++p) {
      const unsigned char name = static_cast<unsigned char>('a' + p);
      policies_[p].zone = &zone_;
      policies_[p].algorithm = RL_FIXED;
      rl_policy_secret(&zone_, {1, &name}, RL_FIXED, {1, &name},
                       &policies_[p].secret);
    }
  }

  rl_item_t item(uint32_t p, uint8_t key, uint64_t cost) const {
    const rl_str_t part = {1, &key};
    rl_item_t one = {};
    one.policy = &policies_[p];
    rl_key_hash(&zone_, &part, 1, &one.bucket);
    one.bucket.lo ^= policies_[p].secret.lo;
    one.bucket.hi ^= policies_[p].secret.hi;
    one.quota.units = one.capacity_units = kUnits[p];
    one.quota.window_ms = kWindows[p];
    one.cost_units = cost;
    return one;
  }

  // As it is now: an ended window is none.
  Window* window(uint32_t p, uint8_t key) {
    Window* w = &windows_[{p, key}];
    if (w->used != 0 && now_.mono_ms >= w->begin_ms + kWindows[p]) {
      *w = Window();
    }
    return w;
  }

  void charge(Window* w, uint64_t cost) const {
    if (cost != 0 && w->used == 0) w->begin_ms = now_.mono_ms;
    w->used += cost;
  }

  rl_time_t now_ = {uint64_t{800} * 86400000, 1800000000000};
  std::unique_ptr<Zone> memory_;
  std::unique_ptr<Zone> next_memory_;  // while the zone has not moved there
  rl_zone_t zone_ = {};
  rl_zone_t next_ = {};
  rl_zone_t older_ = {};
  Zone crowded_{4096, 4};
  rl_process_t process_ = {};
  rl_zone_t* zones_[2] = {&zone_, &crowded_.view};
  rl_policy_t policies_[kPolicies] = {};
  std::map<std::pair<uint32_t, uint8_t>, Window> windows_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  World world;
  for (; size >= 4; data += 4, size -= 4) {
    const uint8_t key = data[1] % 16;
    const uint8_t policy = data[2] % kPolicies;
    const size_t zone_size = kSizes[data[1] % 3];
    switch (data[0] % 12) {
      case 0:
        world.pass(uint64_t{data[1]} * data[2]);
        break;
      case 1:
        world.pass(kWindows[policy] - data[1] % 2);
        break;
      case 2:
        world.look(policy, key);
        break;
      case 3:
        world.settle(policy, key, data[3] % 9);
        break;
      case 4:
        world.resize(zone_size);
        break;
      case 5:
        world.restart(zone_size);
        break;
      case 9:
        world.begin_move();
        break;
      case 10:
        world.move(data[1] % 4);
        break;
      case 6:
        world.crowd(policy, data[1], data[3] % 4);
        break;
      case 7:
        world.decide(data[2], key, 1, true);
        break;
      case 8:
        world.decide(data[2], key, data[3] > 250 ? RL_MAX_UNITS : data[3] % 4,
                     false);
        break;
      default:
        world.decide(data[2], key, 1, false);
    }
  }
  world.in_order();
  return 0;
}
