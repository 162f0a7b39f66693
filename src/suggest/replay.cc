#include "suggest/replay.h"

#include <cstdlib>
#include <memory>

#include "suggest/text.h"

namespace suggest {
namespace {

struct Freed {
  void operator()(void* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<void, Freed>;

Memory aligned(std::size_t size) {
  return Memory(std::aligned_alloc(64, (size + 63) / 64 * 64));
}

// A zone, and this process as the only one that uses it.
class Zone {
 public:
  bool create(std::size_t size) {
    static const unsigned char kSeed[16] = {};  // nobody makes up keys here
    memory_ = aligned(size);
    process_table_ = aligned(rl_process_table_size());
    if (memory_ == nullptr || process_table_ == nullptr ||
        rl_zone_create(&zone_, memory_.get(), size, size, kSeed) != RL_OK) {
      return false;
    }
    rl_process_table_create(process_table_.get());
    zones_[0] = &zone_;
    return rl_process_join(&process_, process_table_.get(), zones_, 1) ==
           RL_OK;
  }

  const rl_zone_t* get() const { return &zone_; }
  rl_process_t* process() { return &process_; }

  // Whether buckets had to go that were in use: then it is too small.
  bool has_lost(const rl_time_t& now) const {
    rl_zone_stats_t stats = {};
    rl_zone_stats(&zone_, 0, &now, &stats);
    return stats.evicted_active != 0;
  }

 private:
  Memory memory_;
  Memory process_table_;
  rl_zone_t zone_ = {};
  rl_zone_t* zones_[1] = {nullptr};
  rl_process_t process_ = {};
};

// The items of a request, but for its key.
std::vector<rl_item_t> make_items(const rl_zone_t* zone,
                                  const std::vector<Limit>& limits,
                                  std::vector<rl_policy_t>* policies) {
  std::vector<rl_item_t> items(limits.size());
  policies->assign(limits.size(), rl_policy_t{});
  for (std::size_t i = 0; i < limits.size(); i++) {
    rl_policy_t& policy = (*policies)[i];
    policy.name = str(limits[i].name);
    policy.zone = zone;
    policy.algorithm = limits[i].algorithm;
    const std::string number = std::to_string(i);
    rl_policy_secret(zone, str(number), policy.algorithm, str("key"),
                     &policy.secret);
    items[i].policy = &policy;
    items[i].quota = limits[i].quota;
    items[i].capacity_units =
        limits[i].capacity != 0 ? limits[i].capacity : limits[i].quota.units;
    items[i].cost_units = 1;
  }
  return items;
}

bool replay_once(const AccessLog& log, const std::vector<Limit>& limits,
                 Zone* zone, Progress* progress, Replay* out) {
  std::vector<rl_policy_t> policies;
  std::vector<rl_item_t> items = make_items(zone->get(), limits, &policies);
  std::vector<rl_hash_t> keys(log.clients());
  for (std::uint32_t i = 0; i < keys.size(); i++) {
    const rl_str_t name = str(log.name(i));
    rl_key_hash(zone->get(), &name, 1, &keys[i]);
  }

  *out = Replay();
  out->policies.resize(limits.size());
  out->all.by_client.resize(log.clients());
  for (Refusals& one : out->policies)
    one.by_client.resize(log.clients());

  const std::int64_t first_ms = log.requests().front().ms;
  rl_time_t now = {};
  std::uint64_t done = 0;

  for (const Request& request : log.requests()) {
    now.mono_ms = static_cast<std::uint64_t>(request.ms - first_ms) + 1;
    now.wall_ms = static_cast<std::uint64_t>(request.ms);
    for (std::size_t i = 0; i < items.size(); i++) {
      items[i].bucket.lo = keys[request.client].lo ^ policies[i].secret.lo;
      items[i].bucket.hi = keys[request.client].hi ^ policies[i].secret.hi;
    }
    if (rl_decide(zone->process(), items.data(), items.size(), &now) ==
        RL_REFUSED) {
      out->all.requests++;
      out->all.by_client[request.client]++;
      for (std::size_t i = 0; i < items.size(); i++) {
        if (items[i].admitted) continue;
        out->policies[i].requests++;
        out->policies[i].by_client[request.client]++;
      }
    }
    if (++done % 65536 == 0) {
      progress->tell("replaying", done, log.requests().size(), done);
    }
  }
  return !zone->has_lost(now);
}

}  // namespace

bool replay(const AccessLog& log, const std::vector<Limit>& policies,
            Progress* progress, Replay* out, std::string* error) {
  // Twice the room, so that no set of buckets is ever crowded; and again twice
  // that, should one have been.
  std::size_t size =
      (std::size_t{1} << 20) + log.clients() * policies.size() * 64 * 2;
  for (;;) {
    Zone zone;
    if (!zone.create(size)) {
      *error = "no memory for so many clients";
      return false;
    }
    if (replay_once(log, policies, &zone, progress, out)) return true;
    size *= 2;
  }
}

}  // namespace suggest
