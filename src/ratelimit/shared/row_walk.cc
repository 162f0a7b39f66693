// Going through all rows of a machine: those that Redis is to be told of, and
// those that are given back at the end.

#include "ratelimit/shared/lease.h"

namespace ratelimit {

namespace {

// Looks at so many rows at most.  Those of a set are read without its lock by
// who only looks for some that are worth it: one that changes at this moment
// is found the next time.
template <typename Is>
__attribute__((no_sanitize("thread"))) bool next_row(const rl_leases_t* leases,
                                                     uint32_t* at, uint32_t* n,
                                                     Is is) {
  const RowSet* all = row_sets(leases->rows);
  const uint32_t end = leases->rows->sets * kRowsPerSet;
  while (*at<end&& * n> 0) {
    const uint32_t set = next_used(leases->rows, *at / kRowsPerSet);
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

}  // namespace

}  // namespace ratelimit

int rl_leases_untold(const rl_leases_t* leases, uint32_t* at,
                     uint32_t* shard) noexcept {
  uint32_t all = UINT32_MAX;
  return ratelimit::next_row(
      leases, at, &all, [leases, shard](const ratelimit::Row& row) {
        *shard = ratelimit::shard_of(row.name);
        return ratelimit::has_to_tell(leases->rows, row);
      });
}

int rl_leases_held(const rl_leases_t* leases, uint32_t* at, uint32_t* n,
                   uint64_t now_us, uint64_t* held_units) noexcept {
  return ratelimit::next_row(
      leases, at, n, [now_us, held_units](const ratelimit::Row& row) {
        *held_units = ratelimit::in_hand(row, now_us);
        return row.told_us != 0 &&
               now_us < row.told_us + row.terms.window_ms * 1000;
      });
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
  table->losses.fetch_add(1);
}

uint32_t rl_leases_losses(const rl_leases_t* leases) noexcept {
  return leases->rows->losses.load();
}
