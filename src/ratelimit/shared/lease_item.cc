// What an item gets of a lease: its answer, its charge, and what goes back.

#include <algorithm>

#include "ratelimit/shared/lease.h"
#include "ratelimit/shared/sizing.h"

using ratelimit::Entry;
using ratelimit::Row;

namespace ratelimit {

namespace {

void refund(Row* row, rl_item_t* item, uint64_t now_us) {
  take_back(row, item->cost_units, item->charge_id, now_us);
  fill_answer(*row, item->admitted ? RL_ADMITTED : RL_REFUSED, now_us, item);
}

}  // namespace

}  // namespace ratelimit

int rl_leases_use(rl_leases_t* leases, rl_item_t* item, uint64_t now_us,
                  int* due) noexcept {
  Entry entry(leases->process, leases->rows, ratelimit::name_of(*item));
  const Row* found = entry.row();
  if (found == nullptr || item->cost_units == 0 ||
      found->terms.reset < item->reset) {
    return 0;
  }
  const uint64_t at_us = std::max(now_us, found->seen_us);
  if (item->cost_units > ratelimit::in_hand(*found, at_us) ||
      ratelimit::is_waited_for(*found, at_us)) {
    return 0;
  }
  Row* row = entry.write();
  row->seen_us = at_us;
  ratelimit::take_quota(*item, row);
  ratelimit::charge(row, at_us, item);
  *due = !row->is_sent && ratelimit::is_renewed(*row, at_us);
  return 1;
}

void rl_leases_refund(rl_leases_t* leases, rl_item_t* item,
                      uint64_t now_us) noexcept {
  Entry entry(leases->process, leases->rows, ratelimit::name_of(*item));
  Row* row = entry.write();
  if (row == nullptr) {
    item->charged = 0;
    return;
  }
  ratelimit::refund(row, item, row->see(now_us));
}

void rl_lease_answer(const rl_lease_t* lease, rl_verdict_e verdict,
                     uint64_t now_us, rl_item_t* item) noexcept {
  const Entry entry = ratelimit::enter(*lease);
  const Row* row = entry.row();
  if (row != nullptr) {
    ratelimit::fill_answer(*row, verdict, std::max(now_us, row->seen_us),
                           item);
    return;
  }
  Row none = {};
  none.terms = lease->terms;
  ratelimit::fill_answer(none, verdict, 0, item);
}

int rl_leases_settle(rl_leases_t* leases, rl_item_t* item,
                     uint64_t final_units, uint64_t now_us) noexcept {
  Entry entry(leases->process, leases->rows, ratelimit::name_of(*item));
  Row* row = entry.locked() ? entry.make(ratelimit::terms_of(*item),
                                         leases->borrow, now_us)
                            : nullptr;
  if (row == nullptr) return RL_ERROR;
  const uint64_t at_us = row->see(now_us);
  if (!item->charged) item->charge_id = at_us;
  if (final_units > item->cost_units) {
    ratelimit::use(row, final_units - item->cost_units, at_us);
  } else {
    ratelimit::take_back(row, item->cost_units - final_units, item->charge_id,
                         at_us);
  }
  item->cost_units = final_units;
  ratelimit::fill_answer(*row, item->admitted ? RL_ADMITTED : RL_REFUSED,
                         at_us, item);
  item->charged = final_units > 0;
  return RL_OK;
}

int rl_leases_look(const rl_leases_t* leases, uint64_t now_us,
                   rl_item_t* item) noexcept {
  const Entry entry(leases->process, leases->rows, ratelimit::name_of(*item));
  const Row* row = entry.row();
  Row renewed = {};
  if (row != nullptr && row->terms.reset < item->reset) {
    renewed.terms = ratelimit::terms_of(*item);
    renewed.free_units = static_cast<int64_t>(ratelimit::limit_of(renewed));
    renewed.told_us = renewed.told_sent_us = now_us;
    row = &renewed;
  }
  // Older than its window, what was told says nothing.
  if (row == nullptr || row->told_us == 0 ||
      now_us > row->told_us + row->terms.window_ms * 1000) {
    return 0;
  }
  now_us = std::max(now_us, row->seen_us);
  const int64_t free_units =
      row->free_units + static_cast<int64_t>(ratelimit::in_hand(*row, now_us));
  const bool enough = free_units >= static_cast<int64_t>(item->cost_units);
  ratelimit::fill_answer(*row, enough ? RL_ADMITTED : RL_REFUSED, now_us,
                         item);
  return 1;
}
