#include "ratelimit/shared/row.h"

namespace ratelimit {

namespace {

void note_use(Row* row, uint64_t units, uint64_t now_us) {
  OwnUses* own = &row->own;
  const uint64_t span_us = slot_us(*row);
  if (now_us >= (own->slot + 1) * span_us) advance(own, now_us / span_us);
  own->units[own->slot % kWireSlots] += units;
}

}  // namespace

void advance(OwnUses* own, uint64_t slot) {
  if (slot >= own->slot + kWireSlots) {
    std::fill(own->units, own->units + kWireSlots, 0);
  } else {
    for (uint64_t i = own->slot + 1; i <= slot; ++i) {
      own->units[i % kWireSlots] = 0;
    }
  }
  if (slot > own->slot) own->slot = slot;
}

void use_in_hand(Row* row, uint64_t units, uint64_t now_us) {
  row->left_units -= units;
  row->used_units += units;
  row->borrowing.recent_units += units;
  row->last_use_us = now_us;
  if (row->terms.algorithm == RL_SLIDING) note_use(row, units, now_us);
}

void use(Row* row, uint64_t units, uint64_t now_us) {
  if (units == 0) return;
  const uint64_t left = in_hand(*row, now_us);
  if (units > left) {
    row->owes = true;
    row->owed_units += units - left;
    row->free_units -= static_cast<int64_t>(units - left);
  }
  row->left_units = std::max(left, units);
  use_in_hand(row, units, now_us);
}

void charge(Row* row, uint64_t now_us, rl_item_t* item) {
  use_in_hand(row, item->cost_units, now_us);
  fill_answer(*row, RL_ADMITTED, now_us, item);
  item->charged = 1;
  item->charge_id = now_us;
}

void take_back(Row* row, uint64_t units, uint64_t used_us, uint64_t now_us) {
  // Of another window, or of a row that was forgotten.
  if (units == 0 || row->sent_us == 0 || used_us <= row->since_us) return;
  row->refused_until_us = 0;
  const uint64_t slot = used_us / slot_us(*row);
  if (row->terms.algorithm == RL_SLIDING &&
      slot + kWireSlots > row->own.slot) {
    uint64_t* own = &row->own.units[slot % kWireSlots];
    *own -= std::min(units, *own);
  }
  if (used_us > row->sent_us && units <= row->used_units) {
    // Redis was not told of it, so it is as if it had not been.
    row->used_units -= units;
    row->borrowing.recent_units -=
        std::min(units, row->borrowing.recent_units);
    // What was not in hand before is not in hand now.
    const uint64_t owed =
        std::min(units, row->owed_units - row->sent_owed);
    row->owed_units -= owed;
    if (now_us < row->left_until_us) row->left_units += units - owed;
    return;
  }
  row->back_since_us =
      row->back_units == 0 ? used_us : std::min(row->back_since_us, used_us);
  row->back_units += units;
  row->free_units += static_cast<int64_t>(units);
}

void fill_answer(const Row& row, rl_verdict_e verdict, uint64_t now_us,
                 rl_item_t* item) {
  const uint64_t gone_ms = (now_us - row.told_sent_us) / 1000;
  const auto left = [gone_ms](uint64_t ms) {
    return ms > gone_ms ? ms - gone_ms : 0;
  };
  const int64_t free_units =
      row.free_units + static_cast<int64_t>(in_hand(row, now_us));
  item->admitted = verdict == RL_ADMITTED;
  item->charged = 0;
  item->leased = 1;
  item->limit_units = limit_of(row);
  item->remaining_units =
      free_units < 0 || (!item->admitted && item->dry_run)
          ? 0
          : std::min(static_cast<uint64_t>(free_units), item->limit_units);
  item->retry_after_ms = 0;
  switch (row.terms.algorithm) {
    case RL_FIXED:
    case RL_CALENDAR:
      item->reset_ms = item->next_ms = left(row.left_ms);
      break;
    case RL_GCRA: {
      // Units that are held will be debt.
      const uint64_t full_ms =
          row.terms.quota_units == 0
              ? row.terms.window_ms
              : fill_ms(row, item->limit_units - item->remaining_units);
      item->reset_ms = full_ms;
      item->next_ms = full_ms;
      break;
    }
    case RL_SLIDING:
      item->reset_ms = item->next_ms =
          item->remaining_units < item->limit_units ? row.terms.window_ms : 0;
      break;
    case RL_CONCURRENT:
      break;  // is not shared
  }
  if (!item->admitted) {
    item->retry_after_ms = item->cost_units > item->limit_units
                               ? row.terms.window_ms
                               : std::max<uint64_t>(left(row.wait_ms), 1);
    item->reset_ms = item->retry_after_ms;
  }
}

}  // namespace ratelimit
