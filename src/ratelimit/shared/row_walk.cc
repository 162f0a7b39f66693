// Going through all rows of a machine: those that Redis is to be told of, and
// those that are given back at the end.

#include "ratelimit/shared/lease.h"

namespace ratelimit {

namespace {

// Looks at so many rows at most.  Those of a set are read without its lock by
// who only looks for some that are worth it: one that changes at this moment
// is found the next time.
template <typename Is>
__attribute__((no_sanitize("thread"))) bool next_row(const RowTable* table,
                                                     uint32_t end,
                                                     uint32_t* at, uint32_t* n,
                                                     Is is) {
  const RowSet* all = row_sets(table);
  while (*at < end && *n > 0) {
    const uint32_t set = next_used(table, *at / kRowsPerSet);
    if (set != *at / kRowsPerSet) {
      *at = set * kRowsPerSet;
      continue;
    }
    const uint32_t i = *at % kRowsPerSet;
    if (all[set].tags[i] != 0 && is(all[set].rows[i])) return true;
    ++*at;
    --*n;
  }
  return false;
}

// Rows stand in the order of their names, so a shard's are together, but for
// those of its neighbours in the first set and in the last.
uint32_t first_of_shard(const RowTable* table, uint32_t shard) {
  const uint64_t set = (uint64_t{shard} << 24) * table->sets >> 32;
  return static_cast<uint32_t>(set) * kRowsPerSet;
}

uint32_t end_of_shard(const RowTable* table, uint32_t shard) {
  const uint64_t last = ((uint64_t{shard} + 1) << 24) - 1;
  return static_cast<uint32_t>((last * table->sets >> 32) + 1) * kRowsPerSet;
}

// Whether a reply may come, to whomever.
bool is_asked(const rl_leases_t* leases, const Row& row, uint64_t now_us) {
  if (row.is_sent && row.owner == leases->process->owner) {
    return now_us < row.sent_us + leases->timeout_us;
  }
  return is_under_way(*leases, row, now_us);
}

}  // namespace

}  // namespace ratelimit

size_t rl_leases_untold(rl_leases_t* leases, uint32_t shard, uint64_t now_us,
                        uint32_t* looks, rl_lease_t** untold,
                        size_t n) noexcept {
  const ratelimit::RowTable* table = leases->rows;
  ratelimit::Telling* telling = &leases->tellings[shard];
  const uint32_t epoch = table->epochs[shard].load();
  const uint32_t end = ratelimit::end_of_shard(table, shard);
  if (telling->told == epoch) return 0;
  if (telling->epoch != epoch) {
    telling->epoch = epoch;
    telling->from = telling->next = ratelimit::first_of_shard(table, shard);
  }
  const auto is_untold = [table, shard, now_us](const ratelimit::Row& row) {
    return ratelimit::shard_of(row.name) == shard &&
           ratelimit::has_to_tell(table, row) &&
           !ratelimit::is_past(row, now_us);
  };
  ratelimit::next_row(table, end, &telling->from, looks, is_untold);
  if (telling->from >= end) telling->told = epoch;
  // At the end, once more those whose replies have got lost.
  if (telling->next >= end || telling->next < telling->from) {
    telling->next = telling->from;
  }
  size_t found = 0;
  while (found < n &&
         ratelimit::next_row(table, end, &telling->next, looks,
                             [&](const ratelimit::Row& row) {
                               return is_untold(row) &&
                                      !ratelimit::is_asked(leases, row,
                                                           now_us);
                             })) {
    untold[found] = rl_leases_at(leases, telling->next++);
    found += untold[found] != nullptr;
    --*looks;
  }
  return found;
}

int rl_leases_have_told(const rl_leases_t* leases, uint32_t shard) noexcept {
  return leases->tellings[shard].told == leases->rows->epochs[shard].load();
}

int rl_leases_held(const rl_leases_t* leases, uint32_t* at, uint32_t* n,
                   uint64_t now_us, uint64_t* held_units) noexcept {
  const uint32_t end = leases->rows->sets * ratelimit::kRowsPerSet;
  const auto is_known = [now_us, held_units](const ratelimit::Row& row) {
    *held_units = ratelimit::in_hand(row, now_us);
    return row.told_us != 0 &&
           now_us < row.told_us + row.terms.window_ms * 1000;
  };
  return ratelimit::next_row(leases->rows, end, at, n, is_known);
}

__attribute__((no_sanitize("thread"))) rl_lease_t* rl_leases_at(
    rl_leases_t* leases, uint32_t at) noexcept {
  const ratelimit::RowSet* set =
      ratelimit::row_sets(leases->rows) + at / ratelimit::kRowsPerSet;
  const rl_hash_t name = set->rows[at % ratelimit::kRowsPerSet].name;
  ratelimit::Terms terms;
  {
    const ratelimit::Entry entry(leases->process, leases->rows, name);
    if (entry.row() == nullptr) return nullptr;
    terms = entry.row()->terms;
  }
  rl_lease_t* lease = ratelimit::find_lease(leases, name);
  if (lease != nullptr) lease->terms = terms;
  return lease;
}

void rl_leases_lose(rl_leases_t* leases, uint32_t shard) noexcept {
  ratelimit::RowTable* table = leases->rows;
  for (uint32_t i = 0; i < RL_SHARDS; ++i) {
    if (shard == RL_SHARDS || i == shard) table->epochs[i].fetch_add(1);
  }
}
