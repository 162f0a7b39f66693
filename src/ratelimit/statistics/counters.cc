#include "ratelimit/statistics/counters.h"

#include <cstring>
#include <new>

#include "ratelimit/base/siphash.h"

namespace ratelimit {

namespace {

constexpr uint64_t kCountersMagic = 0x6e6c746c65746172u;  // "rateltln"
constexpr uint32_t kCountersVersion = 8;

constexpr uint64_t kSampleEveryMs = 100;
constexpr uint64_t kMaxGap = 127;  // 64 on average

// Names of any length; nobody gains anything by making two of them collide.
void identify(rl_str_t policy, rl_str_t zone, uint64_t id[2]) {
  SipHash13 hash(0, 0);
  hash.add_word(policy.len);
  hash.add(policy.data, policy.len);
  hash.add(zone.data, zone.len);
  const rl_hash_t sum = hash.finish();
  id[0] = sum.lo | 1;
  id[1] = sum.hi;
}

// By chance, so that keys that come in turns all have theirs; the chance is
// that of the keyed hash.
uint64_t draw(const rl_item_t& item, uint64_t counted) {
  return (item.bucket.hi ^ counted * 0x9e3779b97f4a7c15u) *
         0xbf58476d1ce4e5b9u;
}

uint32_t next_gap(const rl_item_t& item, uint64_t admitted) {
  return static_cast<uint32_t>(1 + (draw(item, admitted) >> 40) % kMaxGap);
}

inline void count_refusal(const rl_process_t* process, const rl_item_t& item,
                          rl_counter_e what, uint64_t now_ms) {
  CounterRow* row = row_of(item.policy);
  if (row == nullptr) return;
  const uint64_t counted = count(shard_of(process, row), what);
  switch (count_listed(&row->refused, item, 1, now_ms)) {
    case Listing::kCounted:
      break;
    case Listing::kRoom:
      list_key(&row->refused, item, 1, 1, now_ms);
      break;
    case Listing::kFull:
      if (draw(item, counted) >> (64 - kEntersBits) == 0) {
        list_key(&row->refused, item, 1, 1u << kEntersBits, now_ms);
      }
  }
}

constexpr uint64_t kUsedBounds[RL_USED_SHARES] = RL_USED_BOUNDS;

void count_used(CounterRow* row, const rl_item_t& item, uint64_t requests) {
  const uint64_t limit = item.limit_units;
  if (limit == 0) return;
  const uint64_t left =
      item.remaining_units < limit ? item.remaining_units : limit;
  const uint64_t share = (limit - left) * 1000 / limit;
  // A share between two thousandths is above the lower one.
  const bool above = (limit - left) * 1000 % limit != 0;
  size_t i = 0;
  while (share + above > kUsedBounds[i]) {
    ++i;
  }
  row->used[i].fetch_add(requests, std::memory_order_relaxed);
  row->used_sum.fetch_add(requests * share, std::memory_order_relaxed);
}

// In dry run, where another one refused.
void count_uncharged(const rl_process_t* process, const rl_item_t& item) {
  CounterRow* row = row_of(item.policy);
  if (row != nullptr) count_reserved(shard_of(process, row), 0);
}

// A row that is free, or that of a policy that is configured no more.
uint32_t free_row(const Counters* counters) {
  uint32_t stale = kCounterRows;
  for (uint32_t i = 0; i < kCounterRows; ++i) {
    if (counters->owners[i].id[0] == 0) return i;
    if (counters->owners[i].generation != counters->generation) stale = i;
  }
  return stale;
}

}  // namespace

void sample(CounterRow* row, Shard* shard, const rl_item_t& item,
            uint32_t admitted, uint64_t now_ms) noexcept {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  const uint32_t since = admitted - shard->sampled.load(kRelaxed);
  shard->sampled.store(admitted, kRelaxed);
  shard->sample_at.store(admitted + next_gap(item, admitted), kRelaxed);
  shard->sample_after_ms.store(now_ms + kSampleEveryMs, kRelaxed);
  // Not a number that another process of this shard has just overtaken.
  const uint64_t requests = since > 0 && since <= kMaxGap ? since : 1;
  count_used(row, item, requests);
  if (count_listed(&row->admitted, item, requests, now_ms) !=
      Listing::kCounted) {
    list_key(&row->admitted, item, requests, requests, now_ms);
  }
}

void count_reserved(Shard* shard, uint64_t units) noexcept {
  count_units(shard, RL_COUNT_RESERVED, units - 1);
}

void count_corrected(const rl_process_t* process, const rl_item_t& item,
                     uint64_t back_units, uint64_t more_units) noexcept {
  CounterRow* row = row_of(item.policy);
  // Places that are given back are no units that come back.
  if (row == nullptr || item.policy->algorithm == RL_CONCURRENT) return;
  Shard* shard = shard_of(process, row);
  if (back_units > 0) count_units(shard, RL_COUNT_RETURNED, back_units);
  if (more_units > 0) count_units(shard, RL_COUNT_SETTLED, more_units);
}

void count_refused(const rl_process_t* process, const rl_item_t& item,
                   uint64_t now_ms) noexcept {
  count_refusal(process, item, RL_COUNT_REFUSED, now_ms);
}

void count_decision(const rl_process_t* process, const rl_item_t* items,
                    size_t n, rl_verdict_e verdict, uint64_t now_ms) noexcept {
  for (size_t i = 0; i < n; ++i) {
    if (!items[i].admitted) {
      count_refusal(process, items[i],
                    items[i].dry_run ? RL_COUNT_DRY_RUN : RL_COUNT_REFUSED,
                    now_ms);
    } else if (verdict == RL_ADMITTED) {
      count_admitted(process, items[i], now_ms);
      if (items[i].cost_units == 1 && !items[i].charged) {
        count_uncharged(process, items[i]);
      }
    }
  }
}

}  // namespace ratelimit

using ratelimit::CounterRow;
using ratelimit::Counters;
using ratelimit::kCounterRows;

size_t rl_counters_size(void) noexcept {
  return sizeof(Counters);
}

void rl_counters_create(void* memory) noexcept {
  auto* counters = static_cast<Counters*>(memory);
  counters->magic = 0;
  counters->version = ratelimit::kCountersVersion;
  counters->generation = 0;
  std::memset(counters->owners, 0, sizeof(counters->owners));
  std::atomic_signal_fence(std::memory_order_seq_cst);
  counters->magic = ratelimit::kCountersMagic;
}

int rl_counters_attach(void* memory) noexcept {
  const auto* counters = static_cast<const Counters*>(memory);
  return counters->magic == ratelimit::kCountersMagic &&
                 counters->version == ratelimit::kCountersVersion
             ? RL_OK
             : RL_ERROR;
}

void rl_counters_renew(void* memory) noexcept {
  ++static_cast<Counters*>(memory)->generation;
}

void* rl_counters_find(void* memory, rl_str_t policy, rl_str_t zone,
                       int make) noexcept {
  auto* counters = static_cast<Counters*>(memory);
  uint64_t id[2];
  ratelimit::identify(policy, zone, id);
  uint32_t i = 0;
  while (i < kCounterRows &&
         std::memcmp(counters->owners[i].id, id, sizeof(id)) != 0) {
    ++i;
  }
  if (i == kCounterRows) {
    i = make ? ratelimit::free_row(counters) : kCounterRows;
    if (i == kCounterRows) return nullptr;
    new (static_cast<ratelimit::CleanRow*>(&counters->rows[i]))
        ratelimit::CleanRow{};
    std::memcpy(counters->owners[i].id, id, sizeof(id));
  }
  counters->owners[i].generation = counters->generation;
  return &counters->rows[i];
}

void rl_count(const rl_process_t* process, const rl_policy_t* policy,
              rl_counter_e what) noexcept {
  CounterRow* row = ratelimit::row_of(policy);
  if (row != nullptr) {
    ratelimit::count(ratelimit::shard_of(process, row), what);
  }
}

void rl_count_corrected(const rl_process_t* process, const rl_item_t* item,
                        uint64_t back_units, uint64_t more_units) noexcept {
  ratelimit::count_corrected(process, *item, back_units, more_units);
}

void rl_count_decision(const rl_process_t* process, const rl_item_t* items,
                       size_t n, rl_verdict_e verdict,
                       const rl_time_t* now) noexcept {
  ratelimit::count_decision(process, items, n, verdict, now->mono_ms);
}

void rl_count_delay(const rl_policy_t* policy, uint64_t waited_ms) noexcept {
  CounterRow* row = ratelimit::row_of(policy);
  if (row == nullptr) return;
  row->delays.fetch_add(1, std::memory_order_relaxed);
  row->waited_ms.fetch_add(waited_ms, std::memory_order_relaxed);
}

uint64_t rl_delays(const rl_policy_t* policy, uint64_t* waited_ms) noexcept {
  const CounterRow* row = ratelimit::row_of(policy);
  *waited_ms =
      row == nullptr ? 0 : row->waited_ms.load(std::memory_order_relaxed);
  return row == nullptr ? 0 : row->delays.load(std::memory_order_relaxed);
}

void rl_used_shares(const rl_policy_t* policy, uint64_t out[RL_USED_SHARES],
                    uint64_t* sum) noexcept {
  const CounterRow* row = ratelimit::row_of(policy);
  uint64_t requests = 0;
  for (size_t i = 0; i < RL_USED_SHARES; ++i) {
    requests +=
        row == nullptr ? 0 : row->used[i].load(std::memory_order_relaxed);
    out[i] = requests;
  }
  *sum = row == nullptr ? 0 : row->used_sum.load(std::memory_order_relaxed);
}

uint64_t rl_bans(const rl_policy_t* policy) noexcept {
  const CounterRow* row = ratelimit::row_of(policy);
  return row == nullptr ? 0 : row->bans.load(std::memory_order_relaxed);
}

void rl_counts(const rl_policy_t* policy, uint64_t out[RL_COUNTERS]) noexcept {
  const CounterRow* row = ratelimit::row_of(policy);
  for (int what = 0; what < RL_COUNTERS; ++what) {
    out[what] = 0;
    for (uint32_t i = 0; row != nullptr && i < ratelimit::kShards; ++i) {
      const ratelimit::Shard& shard = row->shards[i];
      const std::atomic<uint64_t>& count =
          what < RL_COUNT_REQUESTS ? shard.counts[what]
                                   : shard.units[what - RL_COUNT_REQUESTS];
      out[what] += count.load(std::memory_order_relaxed);
    }
  }
  out[RL_COUNT_RESERVED] += out[RL_COUNT_ADMITTED];
}

size_t rl_top_keys(const rl_policy_t* policy, rl_top_e list,
                   const rl_time_t* now, rl_top_key_t* out,
                   size_t max) noexcept {
  const CounterRow* row = ratelimit::row_of(policy);
  return row == nullptr
             ? 0
             : ratelimit::top_keys(
                   list == RL_TOP_REFUSED ? row->refused : row->admitted,
                   now->mono_ms, out, max);
}

int rl_find_top_key(const rl_policy_t* policy, rl_top_e list, uint64_t key_id,
                    const rl_time_t* now, rl_top_key_t* out) noexcept {
  const CounterRow* row = ratelimit::row_of(policy);
  return row != nullptr &&
         ratelimit::find_top_key(
             list == RL_TOP_REFUSED ? row->refused : row->admitted, key_id,
             now->mono_ms, out);
}

int rl_key_wants_label(const rl_policy_t* policy, uint64_t key_id) noexcept {
  const CounterRow* row = ratelimit::row_of(policy);
  return row != nullptr &&
         (ratelimit::wants_label(row->refused, row->refused_labels, key_id) ||
          ratelimit::wants_label(row->admitted, row->admitted_labels, key_id));
}

void rl_label_key(const rl_policy_t* policy, uint64_t key_id, rl_str_t label,
                  const rl_time_t* now) noexcept {
  CounterRow* row = ratelimit::row_of(policy);
  if (row == nullptr) return;
  ratelimit::set_label(&row->refused, &row->refused_labels, key_id, label,
                       now->mono_ms);
  ratelimit::set_label(&row->admitted, &row->admitted_labels, key_id, label,
                       now->mono_ms);
}

size_t rl_key_label(const rl_policy_t* policy, uint64_t key_id,
                    unsigned char* buf) noexcept {
  const CounterRow* row = ratelimit::row_of(policy);
  if (row == nullptr) return 0;
  const size_t len =
      ratelimit::copy_label(row->refused, row->refused_labels, key_id, buf);
  return len != 0 ? len
                  : ratelimit::copy_label(row->admitted, row->admitted_labels,
                                          key_id, buf);
}
