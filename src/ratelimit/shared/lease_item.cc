// What an item gets of a lease: its answer, its charge, and what goes back.

#include <algorithm>

#include "ratelimit/shared/lease.h"

namespace ratelimit {

namespace {

void take_back(rl_lease_t* lease, uint64_t units, uint64_t used_us,
               uint64_t now_us) {
  // Of another window, or of a row that was forgotten.
  if (units == 0 || lease->sent_us == 0 || used_us <= lease->since_us) return;
  lease->refused_until_us = 0;
  const uint64_t slot = used_us / slot_us(*lease);
  if (lease->algorithm == RL_SLIDING && slot + kWireSlots > lease->own.slot) {
    uint64_t* own = &lease->own.units[slot % kWireSlots];
    *own -= std::min(units, *own);
  }
  if (used_us > lease->sent_us && units <= lease->used_units) {
    // Redis was not told of it, so it is as if it had not been.
    lease->used_units -= units;
    lease->borrowing.recent_units -=
        std::min(units, lease->borrowing.recent_units);
    if (now_us < lease->left_until_us) lease->left_units += units;
    return;
  }
  lease->back_since_us = lease->back_units == 0
                             ? used_us
                             : std::min(lease->back_since_us, used_us);
  lease->back_units += units;
  lease->free_units += static_cast<int64_t>(units);
}

}  // namespace

}  // namespace ratelimit

void rl_lease_answer(const rl_lease_t* lease, rl_verdict_e verdict,
                     uint64_t now_us, rl_item_t* item) noexcept {
  const uint64_t gone_ms = (now_us - lease->told_sent_us) / 1000;
  const auto left = [gone_ms](uint64_t ms) {
    return ms > gone_ms ? ms - gone_ms : 0;
  };
  const int64_t free_units =
      lease->free_units +
      static_cast<int64_t>(ratelimit::in_hand(*lease, now_us));
  item->admitted = verdict == RL_ADMITTED;
  item->charged = 0;
  item->leased = 1;
  item->limit_units = ratelimit::limit_of(*lease);
  item->remaining_units =
      free_units < 0 || (!item->admitted && item->dry_run)
          ? 0
          : std::min(static_cast<uint64_t>(free_units), item->limit_units);
  item->retry_after_ms = 0;
  switch (lease->algorithm) {
    case RL_FIXED:
    case RL_CALENDAR:
      item->reset_ms = item->next_ms = left(lease->left_ms);
      break;
    case RL_GCRA: {
      // Units that are held will be debt.
      const uint64_t full_ms =
          lease->quota_units == 0
              ? lease->window_ms
              : ratelimit::fill_ms(*lease,
                                   item->limit_units - item->remaining_units);
      item->reset_ms = full_ms;
      item->next_ms = full_ms;
      break;
    }
    case RL_SLIDING:
      item->reset_ms = item->next_ms =
          item->remaining_units < item->limit_units ? lease->window_ms : 0;
      break;
    case RL_CONCURRENT:
      break;  // is not shared
  }
  if (!item->admitted) {
    item->retry_after_ms = item->cost_units > item->limit_units
                               ? lease->window_ms
                               : std::max<uint64_t>(left(lease->wait_ms), 1);
    item->reset_ms = item->retry_after_ms;
  }
}

void rl_lease_charge(rl_lease_t* lease, rl_item_t* item,
                     uint64_t now_us) noexcept {
  rl_lease_use(lease, item->cost_units, now_us);
  rl_lease_answer(lease, RL_ADMITTED, now_us, item);
  item->charged = item->cost_units > 0;
  item->charge_id = now_us;
}

void rl_lease_refund(rl_lease_t* lease, rl_item_t* item,
                     uint64_t now_us) noexcept {
  ratelimit::take_back(lease, item->cost_units, item->charge_id, now_us);
  rl_lease_answer(lease, item->admitted ? RL_ADMITTED : RL_REFUSED, now_us,
                  item);
}

void rl_lease_settle(rl_lease_t* lease, rl_item_t* item, uint64_t final_units,
                     uint64_t now_us) noexcept {
  if (!item->charged) item->charge_id = now_us;
  if (final_units > item->cost_units) {
    rl_lease_use(lease, final_units - item->cost_units, now_us);
  } else {
    ratelimit::take_back(lease, item->cost_units - final_units,
                         item->charge_id, now_us);
  }
  item->cost_units = final_units;
  rl_lease_answer(lease, item->admitted ? RL_ADMITTED : RL_REFUSED, now_us,
                  item);
  item->charged = final_units > 0;
}

int rl_lease_has_row(const rl_lease_t* lease, uint64_t now_us,
                     uint64_t* held_units) noexcept {
  *held_units = ratelimit::in_hand(*lease, now_us);
  return lease->told_us != 0 &&
         now_us - lease->told_us <= lease->window_ms * 1000;
}

int rl_lease_look(const rl_lease_t* lease, uint64_t now_us,
                  rl_item_t* item) noexcept {
  // Older than its window, what was told says nothing.
  if (lease->told_us == 0 ||
      now_us - lease->told_us > lease->window_ms * 1000) {
    return 0;
  }
  const int64_t free_units =
      lease->free_units +
      static_cast<int64_t>(ratelimit::in_hand(*lease, now_us));
  const bool enough = free_units >= static_cast<int64_t>(item->cost_units);
  rl_lease_answer(lease, enough ? RL_ADMITTED : RL_REFUSED, now_us, item);
  return 1;
}
